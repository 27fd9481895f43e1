"""Stories: events of an engine as data, which can be played, shrunk and told."""

from dataclasses import dataclass, replace
from enum import Enum

from recloser.fsm.decisions import Context, Phase
from recloser.fsm.record import Cause, Close, Origin
from recloser.fsm.timeouts import STABLE
from recloser.testing.evidence.ends import TAKES, End


class Call(Enum):
    """A call of the application."""

    CONNECT = "connect"
    CLOSE = "close"
    SUSPEND = "suspend"
    RECONNECT = "reconnect"
    WAKE = "wake"
    HEALTHY = "mark_healthy"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Lose:
    """A dial, and its end: it fails, or it opens and ends after `uptime` seconds.

    If the engine is in backoff, the dial comes when the backoff is over. While closing, the
    record is the peer's answer. In closed and passive nothing happens.
    """

    close: Close
    uptime: float | None = None
    """Seconds; None: the dial fails."""
    times: int = 1
    """So many dials in a row go this way."""


@dataclass(frozen=True, slots=True)
class Open:
    """The dial opens and stays open, for the next act to find it so."""


@dataclass(frozen=True, slots=True)
class Invoke:
    """The application calls."""

    call: Call


@dataclass(frozen=True, slots=True)
class Tell:
    """The application passes on what the server said in-band: `advise()`."""

    advice: str
    retry_after: float | None = None
    spread: float | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Time passes, in seconds; deadlines that become due happen."""

    seconds: float


Act = Lose | Open | Invoke | Tell | Wait


@dataclass(frozen=True, slots=True)
class Story:
    """Acts in order, after a first `connect()`."""

    acts: tuple[Act, ...]
    can_refresh: bool = False
    """Whether there is a provider that can be asked for a new credential."""
    roll: float | None = None
    """The roll of every decision, in [0, 1); None: fair ones, see `recloser.testing.fair`."""
    takes: float = TAKES
    """Seconds that a dial takes until it opens or fails."""


@dataclass(frozen=True, slots=True)
class Question:
    """One record and one context, where no short story leads to them."""

    close: Close
    context: Context


def story_of(question: Question) -> Story | None:
    """Return the shortest story that may lead to such a question; None if none is short.

    The caller must try whether it does: the counters may come out otherwise.
    """
    close, context = question.close, question.context
    uptime = context.uptime if context.phase is Phase.OPEN else None
    if close.intentional:
        if close.wish is None:
            return None
        framed = close.cause is Cause.CLOSE_FRAME
        origin = Origin.PEER if framed else close.origin
        answer = Lose(replace(close, intentional=False, wish=None, origin=origin))
        before: tuple[Act, ...] = (Open(),) if uptime is not None else ()
        wishes = {"connect": (Invoke(Call.CLOSE), Invoke(Call.CONNECT))}
        asks = wishes.get(close.wish.value, (Invoke(Call(close.wish.value)),))
        return Story((*before, *asks, answer), context.can_refresh, context.roll)
    if context.attempt > 64 or context.attempt != max(context.streak, 1):  # noqa: PLR2004 - short
        return None
    if uptime is not None and uptime >= STABLE and context.attempt > 1:
        return None
    lose = Lose(close, uptime, context.attempt)
    if close.advice is not None:
        lose = replace(lose, close=replace(close, advice=None, retry_after=None, spread=None))
        tell = Tell(close.advice, close.retry_after, close.spread)
        return Story((tell, lose), context.can_refresh, context.roll)
    return Story((lose,), context.can_refresh, context.roll)


def acts_of(ends: list[End]) -> tuple[Lose, ...]:
    """Write ends as acts, those that repeat as one."""
    acts: list[Lose] = []
    for end in ends:
        if acts and (acts[-1].close, acts[-1].uptime) == (end.close, end.uptime):
            acts[-1] = Lose(end.close, end.uptime, acts[-1].times + 1)
        else:
            acts.append(Lose(end.close, end.uptime))
    return tuple(acts)
