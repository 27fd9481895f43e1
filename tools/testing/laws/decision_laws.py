"""Laws about single decisions: they hold for the answer to every question."""

from typing import Final

from recloser.fsm.closecodes import ABNORMAL, GOING_AWAY, NORMAL
from recloser.fsm.decisions import Context, Decision, Hold, Retry, Stop
from recloser.fsm.record import Cause, Close, varied
from recloser.fsm.states import Wish
from recloser.testing.evidence.interview import Interview, Unanswered, brief
from recloser.testing.laws.law import Law

MANY: Final = 10
"""Failures in a row after which no client has a reason to be in a hurry."""
BREATH: Final = 0.25
"""Seconds: a client that comes back sooner than this, again and again, is in a loop."""

_MIDDLE: Final = 0.5
_FRAME: Final = Cause.CLOSE_FRAME
"""An attribute of an enumeration takes longer than one of a module, and there are many ends."""
_UNUSED: Final = range(1000)
"""Codes that are not used (RFC 6455 section 7.4.2), so all of them mean the same."""


def _differ(one: Decision, other: Decision) -> bool:
    """Whether two decisions do different things; the name of the rule does nothing."""
    if one is other:
        return False
    if type(one) is not type(other) or one.unsent is not other.unsent:
        return True
    if isinstance(one, Retry) and isinstance(other, Retry):
        return one.delay != other.delay or one.refresh != other.refresh
    return False


def _fickle(ask: Interview, close: Close, context: Context, decision: Decision) -> bool:
    """Whether the same question gets other answers anyway: for the law `pure` to judge."""
    again = ask.again(close, context)
    return _differ(decision, again) or _differ(decision, ask.fresh(close, context))


def _total(ask: Interview, close: Close, context: Context) -> str | None:
    try:
        ask(close, context)
    except Unanswered as error:
        return f"{error}"
    return None


def _pure(ask: Interview, close: Close, context: Context) -> str | None:
    if ask.patience > 1:
        return _changes(ask, close, context) or _depends_on_object(ask, close, context)
    if context.roll != _MIDDLE:
        return None  # most questions have the middle roll, and they are enough
    # The same object and another one by turns.
    judge = _changes if ask.turn % 2 else _depends_on_object
    return judge(ask, close, context)


def _changes(ask: Interview, close: Close, context: Context) -> str | None:
    first = ask(close, context)
    for _ in range(ask.patience):
        second = ask.again(close, context)
        if second is not first and second != first:
            return f"asked the same twice, it said {brief(first)} and then {brief(second)}"
    return None


def _depends_on_object(ask: Interview, close: Close, context: Context) -> str | None:
    first, other = ask(close, context), ask.fresh(close, context)
    if other is not first and other != first:
        return f"of two policies made alike, one says {brief(first)}, the other {brief(other)}"
    return None


def _remembers(first: Decision, later: Decision) -> str | None:
    if later != first:
        return (
            f"it said {brief(first)} when the search began, and {brief(later)} to the same "
            "question when it had been asked many others"
        )
    return None


def _bounded(ask: Interview, close: Close, context: Context) -> str | None:
    decision = ask(close, context)
    if isinstance(decision, Retry) and decision.delay > ask.max_delay:
        return f"it waits {decision.delay:.6g} s, more than the {ask.max_delay:g} s allowed"
    return None


def _intentional_stops(ask: Interview, close: Close, context: Context) -> str | None:
    if not close.intentional:
        return None
    decision = ask(close, context)
    if isinstance(decision, Retry):
        return f"it says {brief(decision)} although the application itself ended the connection"
    if isinstance(decision, Hold) and close.wish is Wish.CLOSE:
        return "it says Hold() although the application asked to close"
    return None


def _no_hot_decision(ask: Interview, close: Close, context: Context) -> str | None:
    # Low rolls are left out: with full jitter each is rare, and a row of them is rarer still.
    if close.intentional or context.attempt < MANY or context.roll < BREATH:
        return None
    decision = ask(close, context)
    if not isinstance(decision, Retry) or decision.refresh:
        return None
    # A dial that took its time makes no loop, however soon the next one follows.
    if decision.delay + context.since_dial < BREATH:
        return f"after {context.attempt} failures in a row it dials again in {decision.delay:.3g} s"
    return None


def _reason_optional(ask: Interview, close: Close, context: Context) -> str | None:
    if close.intentional or close.cause is not _FRAME:
        return None
    decision = ask(close, context)
    for variant in ask.reworded(close):
        other = ask.again(variant, context)
        if _differ(decision, other) and not _fickle(ask, close, context, decision):
            return (
                f"with the reason {close.reason!r} it says {brief(decision)}, "
                f"with {variant.reason!r} {brief(other)}"
            )
    return None


class _Probe(int):
    """A close code that notes whether somebody compares it with a text."""

    compared: str | None = None

    def _note(self, other: object) -> None:
        if isinstance(other, str | bytes):
            self.compared = repr(other)

    def __eq__(self, other: object) -> bool:
        self._note(other)
        return int.__eq__(self, other) is True

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return int.__hash__(self)


def _codes_are_integers(ask: Interview, close: Close, context: Context) -> str | None:
    if close.cause is not _FRAME or context.attempt != 1 or context.refreshed:
        return None
    try:
        decision = ask(close, context)
    except Unanswered as error:
        usual = (varied(close, code=code) for code in (NORMAL, GOING_AWAY, ABNORMAL))
        if not _registered(close.code) and any(_answers(ask, each, context) for each in usual):
            return f"it cannot decide a number that no registry knows, {close.code}: {error}"
        raise
    probe = _Probe(close.code)
    probed = ask.again(varied(close, code=probe), context)
    if probe.compared is not None:
        return f"it compares the code, which is an int, with the text {probe.compared}"
    if _differ(decision, probed) and not _fickle(ask, close, context, decision):
        return f"it decides {close.code} by its type or identity and not by its value"
    if close.code in _UNUSED and not close.intentional:
        other = ask.again(varied(close, code=_UNUSED[500]), context)
        if type(other) is not type(decision) and not _fickle(ask, close, context, decision):
            return (
                f"it says {brief(decision)} to {close.code} and {brief(other)} to 500; "
                "neither is a close code, so the digits were compared as text"
            )
    return None


def _registered(code: int) -> bool:
    return NORMAL <= code < 1016 or code in (3000, 3003, 3008)  # noqa: PLR2004 - IANA registry


def _answers(ask: Interview, close: Close, context: Context) -> bool:
    try:
        ask.again(close, context)
    except Unanswered:
        return False
    return True


def _refresh_once(ask: Interview, close: Close, context: Context) -> str | None:
    if close.intentional or not context.refreshed:
        return None
    decision = ask(close, context)
    if isinstance(decision, Retry) and decision.refresh:
        return "it asks for a new credential although this streak has had one already"
    return None


TOTAL: Final = Law(
    name="total",
    claim="Every end gets a decision that the engine can take.",
    why="A policy that raises ends the engine: one code that nobody thought of, and the service "
    "is offline until somebody looks.",
    incident="stamina's backoff raised OverflowError past attempt 1024 (fixed in 26.1); an "
    "exception in a SignalR retry policy stops the client.",
    decision=_total,
    concerns=lambda _ask, _close, _context, answer: answer is None,
)
PURE: Final = Law(
    name="pure",
    claim="The same question gets the same answer, from whichever object and however often.",
    why="What depends on a hidden counter, a clock or random numbers cannot be replayed after an "
    "incident, and one object could not serve many connections. context.roll is the jitter.",
    incident="reconnecting-websocket 4.4.0 draws its smallest delay once per process.",
    decision=_pure,
    concerns=lambda ask, _close, context, answer: (
        answer is not None and (context.roll == _MIDDLE or ask.patience > 1)
    ),
    memory=_remembers,
)
BOUNDED: Final = Law(
    name="bounded",
    claim="No delay exceeds the limit (--max-delay, a day if nothing is said).",
    why="A delay that doubles for ever, or that a server's header sets unchecked, is a client "
    "that never comes back.",
    incident="graphql-ws 6.4.2 doubles its delay without a cap; labzero/lunch #190 overflowed.",
    decision=_bounded,
    concerns=lambda ask, _close, _context, answer: (
        isinstance(answer, Retry) and answer.delay > ask.max_delay
    ),
)
INTENTIONAL: Final = Law(
    name="intentional-stops",
    claim="What the application ended stays ended, whatever code the peer answers with.",
    why="The connection comes back after a logout; the machine forbids it, so here it is a "
    "policy error. Who closed is told by close.intentional, never by the code.",
    incident="pladaria/reconnecting-websocket #14, phoenix #1841 and #2187; websockets 17.4 "
    "dials again at once after the client's own close().",
    decision=_intentional_stops,
    concerns=lambda _ask, close, _context, answer: (
        close.intentional and not isinstance(answer, Stop)
    ),
)
REASON: Final = Law(
    name="reason-optional",
    claim="A reason that says nothing changes nothing, and its case does not matter.",
    why="The text is a hint for people. A proxy may drop it, and a server may reword it.",
    incident="centrifuge-js 5.8.0: 3500, which is final, is retried if its reason is empty.",
    decision=_reason_optional,
    concerns=lambda _ask, close, _context, answer: (
        close.cause is _FRAME and answer is not None and not close.intentional
    ),
)
INTEGERS: Final = Law(
    name="codes-are-integers",
    claim="Codes are compared as numbers, and numbers that nobody registered are decided too.",
    why="Text compares 40 like 4000, and an enum raises at the first private code.",
    incident="aiohttp's WSCloseCode has no 1005, no 1015 and nothing above 1014: WSCloseCode(4401) "
    "raises ValueError.",
    decision=_codes_are_integers,
    concerns=lambda _ask, close, context, _answer: close.cause is _FRAME and context.attempt == 1,
)
HOT: Final = _no_hot_decision
REFRESH: Final = _refresh_once
