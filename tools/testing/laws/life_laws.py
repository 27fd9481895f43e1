"""Laws about a whole life: the decisions of a policy when an end comes again and again."""

from statistics import fmean, median
from typing import Final

from recloser.fsm.decisions import MIN_GAP, Retry
from recloser.testing.evidence.ends import describe
from recloser.testing.evidence.interview import Exchange, delays
from recloser.testing.evidence.lives import Life
from recloser.testing.laws.decision_laws import BREATH, HOT, MANY, REFRESH
from recloser.testing.laws.law import Law

_WINDOW: Final = 6
"""So many retries in a row are looked at together: one low roll is no loop."""
_WARM_UP: Final = 2
"""The first retries may be quick."""
_SETTLED: Final = 20
"""Ends of one kind after which a policy should have found its pace."""
_FEW: Final = 5
_SLOWER: Final = 4.0
_QUICK: Final = 1.25
"""Seconds: a pace as quick as this needs a reason, if the policy is slower elsewhere."""
_SAWTOOTH: Final = 8.0
_LEAST: Final = 0.1
_GAP: Final = MIN_GAP - 1e-9
_KNOCKING: Final = 5.0
"""Seconds: a client without a valid credential must not dial more often than this."""


def _alike(asked: list[Exchange]) -> list[Exchange]:
    """Return the latest asked, back to where the ends last were of another kind."""
    return asked[-asked[-1].context.streak :] if asked else []


def _no_hot_loop(life: Life) -> str | None:
    retries = [each for each in life.asked if isinstance(each.decision, Retry)]
    apart = [
        delay + each.context.since_dial
        for delay, each in zip(delays(retries), retries, strict=True)
    ]
    if not apart or min(apart) >= BREATH:
        return None
    for start in range(_WARM_UP, len(retries) - _WINDOW + 1):
        window = retries[start : start + _WINDOW]
        if window[0].context.attempt < start or window[-1].context.streak < _WINDOW:
            continue
        if fmean(each.context.roll for each in window) < BREATH:
            continue  # a row of low rolls: full jitter, which is fine, is quick then
        took = sum(apart[start : start + _WINDOW])
        if took < BREATH * _WINDOW:
            return (
                f"{_WINDOW} dials within {took:.2g} s, after {start} failures before: "
                f"{describe(window[-1].close)}, again and again"
            )
    return None


def _eventually_settles(life: Life) -> str | None:
    asked = _alike(list(life.asked))
    if len(asked) < _SETTLED or not isinstance(asked[-1].decision, Retry):
        return None
    if fmean(each.context.roll for each in asked[-_FEW:]) < BREATH:
        return None
    return _unsettled(life, asked) if life.goes_on else None


def _unsettled(life: Life, asked: list[Exchange]) -> str | None:
    last = delays(asked)[-_FEW:]
    pace = median(last)
    outage = delays(life.outage)
    if len(outage) >= _SETTLED and pace < min(median(outage[-_FEW:]) / _SLOWER, _QUICK):
        return (
            f"it comes back every {pace:.3g} s for ever, though it waits "
            f"{median(outage[-_FEW:]):.3g} s where no dial finds anybody: it never slows down here"
        )
    late = delays(asked)[_SETTLED // 2 :]
    steady = len({each.context.roll for each in asked}) == 1
    if steady and min(late) < _QUICK and max(late) > _SAWTOOTH * max(min(late), _LEAST):
        return (
            f"its delays never settle: between {min(late):.3g} and {max(late):.3g} s, "
            f"up and down, after {len(asked)} ends of one kind and with one roll"
        )
    final = asked[-1].close
    if final.answered and final.status in (401, 403) and pace < _KNOCKING:
        return f"refused with {final.status}, it knocks again every {pace:.3g} s for ever"
    return None


def _refresh_once(life: Life) -> str | None:
    times = 0
    for each in life.asked:
        if each.context.streak == 1:
            times = 0
        if isinstance(each.decision, Retry) and each.decision.refresh:
            times += 1
            if times > 1:
                return "it asks for a new credential a second time in one streak"
    return None


def _strict_gaps(life: Life) -> str | None:
    immediate = False
    for each in life.asked:
        if not isinstance(each.decision, Retry):
            return None
        first = each.context.attempt == 1
        gap = each.decision.delay
        if immediate and not first and gap < _GAP:
            return f"two dials at once in a row: again in {gap:.3g} s after an immediate one"
        apart = gap + each.context.since_dial
        if apart < _GAP and not first and not each.decision.refresh:
            return f"its dials start {apart:.3g} s apart"
        immediate = gap < _GAP
    return None


def _ends(life: Life) -> str | None:
    asked = _alike(list(life.asked))
    if len(asked) >= 2 * _SETTLED and isinstance(asked[-1].decision, Retry):
        return f"after {len(asked)} ends of one kind it still retries"
    return None


def _machine_takes(life: Life) -> str | None:
    return life.problem


HOT_LOOP: Final = Law(
    name="no-hot-loop",
    claim="After some failures in a row nobody dials again at once, whatever the end was.",
    why="A server that accepts and hangs up, or an unknown code, makes such a client dial as "
    "fast as the network lets it, and all its siblings with it.",
    incident="robust-websocket and SignalR make 19,355 dials in ten minutes against a server that "
    "accepts and closes; centrifuge-js #408 counted 189 in 500 ms.",
    decision=HOT,
    concerns=lambda _ask, _close, context, answer: (
        context.attempt >= MANY and isinstance(answer, Retry) and answer.delay < BREATH
    ),
    life=_no_hot_loop,
)
SETTLES: Final = Law(
    name="eventually-settles",
    claim="Where an end repeats, the policy stops, rests, or slows down as it does elsewhere.",
    why="Opening is not success, and a refused credential does not get better: a policy that "
    "starts over at each handshake never backs off from a server that hangs up.",
    incident="y-websocket #74 and #195, Twisted and websockets forget their failures when the "
    "socket opens; websocket-client dials every second for ever on 401.",
    life=_eventually_settles,
)
REFRESH_ONCE: Final = Law(
    name="refresh-once",
    claim="A streak of refusals asks for a new credential once.",
    why="The second refusal says that the new credential is no better; asking again makes the "
    "identity provider the next victim.",
    incident="ably-js #203 and #311, supabase realtime-js #246: token requests in a loop.",
    decision=REFRESH,
    concerns=lambda _ask, _close, context, answer: context.refreshed and isinstance(answer, Retry),
    life=_refresh_once,
)
STRICT_GAPS: Final = Law(
    name="strict-gaps",
    claim="Never two immediate dials in a row, and a second between the starts of the others.",
    why="It is the clause (D4) that every shipped policy keeps, whatever the rolls.",
    incident="Ably holds its immediate retries apart by a second.",
    optional=True,
    life=_strict_gaps,
)
ENDS: Final = Law(
    name="comes-to-rest",
    claim="Forty ends of one kind in a row lead to Hold or Stop.",
    why="A tool that somebody waits for should say that it is no use. A service may hold, and come "
    "back at a hint.",
    optional=True,
    life=_ends,
)
MACHINE: Final = Law(
    name="drives-the-machine",
    claim="The real machine takes every answer, whatever happens in whatever order.",
    why="An answer that the table has no row for ends the engine in closed with a PolicyError.",
    life=_machine_takes,
)
