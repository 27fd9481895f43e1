"""Tells a story to people: a numbered list, and the path over the states."""

from collections.abc import Sequence
from typing import Final

from recloser.fsm.decisions import Context, Decision, Phase, Retry
from recloser.fsm.record import Close
from recloser.testing.evidence.ends import describe
from recloser.testing.evidence.interview import brief
from recloser.testing.evidence.play import Moment, Trace

_HEAD: Final = 5
"""Moments shown from the start of a long story, and from its end."""
_TAIL: Final = 8
_WIDEST: Final = 64


def _outcome(decision: Decision | None, problem: str | None, roll: float | None) -> str:
    if problem is not None:
        return f"POLICY ERROR: {problem}"
    if decision is None:
        return ""
    rule = f" by rule {decision.rule!r}" if decision.rule else ""
    drawn = f" (roll {roll:.4g})" if roll is not None and isinstance(decision, Retry) else ""
    return f"{brief(decision)}{rule}{drawn}"


def _turning_points(trace: Trace) -> list[Moment]:
    """Return the moments that a story tells: something changed, was decided, or was asked for."""
    return [
        each
        for each in trace.moments
        if each.previous is not each.current
        or each.decision
        or each.problem
        or "calls" in each.event
    ]


def moments_of(trace: Trace) -> tuple[dict[str, object], ...]:
    """Return the moments of a story as data; all of them, however long it is."""
    return tuple(
        {
            "at": each.at,
            "event": each.event,
            "from": each.previous.value,
            "to": each.current.value,
            "decision": _outcome(each.decision, each.problem, each.roll),
        }
        for each in _turning_points(trace)
    )


def lines_of(trace: Trace) -> list[str]:
    """Write the moments as a numbered list: time, event, states, and the decision."""
    moments = _turning_points(trace)
    skipped = len(moments) - _HEAD - _TAIL
    if skipped > 1:
        shown_moments = [
            *enumerate(moments[:_HEAD], 1),
            None,
            *enumerate(moments[-_TAIL:], len(moments) - _TAIL + 1),
        ]
    else:
        shown_moments = [*enumerate(moments, 1)]
    width = max((len(each.event) for each in moments), default=0)
    lines = []
    for each in shown_moments:
        if each is None:
            lines.append(f"     ... {skipped} more like these ...")
        else:
            lines.append(_line(*each, min(width, _WIDEST)))
    return lines


def _line(number: int, moment: Moment, width: int) -> str:
    same = moment.previous is moment.current
    states = moment.current.value if same else f"{moment.previous.value} -> {moment.current.value}"
    said = _outcome(moment.decision, moment.problem, moment.roll)
    line = f"{number:3}. {moment.at:12,.3f} s  {moment.event:{width}}  {states:22}"
    return f"{line}  {said}".rstrip()


def path_of(trace: Trace) -> str:
    """Draw the way over the states: `closed -connect-> connecting -lost-> backoff`."""
    states = [trace.moments[0].previous.value] if trace.moments else []
    states += [each.current.value for each in trace.moments if each.previous is not each.current]
    return " -> ".join(
        " -> ".join(part) if times == 1 else f"({' -> '.join(part)}) x {times}"
        for part, times in _folded(states)
    )


def _folded(states: Sequence[str]) -> list[tuple[tuple[str, ...], int]]:
    """Fold what repeats at once: a b c b c b c -> a (b c) x 3."""
    found: list[tuple[tuple[str, ...], int]] = []
    at = 0
    while at < len(states):
        best = (1, 1)
        for size in (1, 2, 3, 4):
            part, times = states[at : at + size], 1
            while states[at + size * times : at + size * (times + 1)] == part:
                times += 1
            if len(part) == size and times > 1 and size * times > best[0] * best[1]:
                best = size, times
        size, times = best
        found.append((tuple(states[at : at + size]), times))
        at += size * times
    return found


def lines_of_question(close: Close, context: Context, answer: str) -> list[str]:
    """Tell one question where no short story leads to it."""
    failures = "1 failure" if context.attempt == 1 else f"{context.attempt} failures"
    run = f"{failures} in {context.elapsed:,.6g} s, this one included"
    if close.intentional:
        run = f"{failures} before"
    phase = (
        "a dial was under way"
        if context.phase is Phase.DIAL
        else f"the connection had been open for {context.uptime or 0.0:,.6g} s"
    )
    more = []
    if context.streak > 1:
        more.append(f"{context.streak} alike in a row")
    if context.busy:
        more.append(f"{context.busy} of them for want of room")
    if context.last_delay is not None:
        more.append(f"the delay before was {context.last_delay:.6g} s")
    if context.previous_immediate:
        more.append("the dial had followed at once")
    if context.spread is not None:
        more.append(f"the server had asked for a spread of {context.spread:g} s")
    if context.refusals:
        more.append(f"the same of the peer's was refused {context.refusals} times in a row")
    if context.been_open:
        more.append("the address has been open before")
    if context.denied_for:
        more.append(f"refused like this for {context.denied_for:,.6g} s")
    if context.engines > 1:
        more.append(f"{context.engines} engines of the process at the host")
    if context.outage is not None:
        room = ", and it had no room then" if context.crowded else ""
        more.append(f"away for {context.outage:,.6g} s at the restart before{room}")
    if context.budget_in:
        more.append(f"the budget had no dial left for {context.budget_in:,.6g} s")
    if context.can_refresh:
        had = "had been" if context.refreshed else "could be"
        more.append(f"a new credential {had} asked for")
    asked = "; the application had asked to " + close.wish.value if close.wish else ""
    return [
        f"  1. {run}{'; ' if more else ''}{', '.join(more)}",
        f"  2. {phase}{asked}",
        f"  3. {describe(close)}",
        f"  4. decide() with roll {context.roll:.6g}: {answer}",
    ]
