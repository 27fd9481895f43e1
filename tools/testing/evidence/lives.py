"""Lives of one engine in fast motion: the same end again and again, with the real counters."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from recloser.fsm.decisions import Context, Decision, Retry
from recloser.fsm.record import Cause, Close
from recloser.fsm.run import Run
from recloser.fsm.timeouts import Timeouts
from recloser.testing.evidence.ends import (
    CODES,
    COMMON,
    NOBODY,
    STATUSES,
    TAKES,
    End,
    refused,
    repeatable,
)
from recloser.testing.evidence.interview import Exchange, Unanswered, delays
from recloser.testing.evidence.literals import Literals

TIMEOUTS: Final = Timeouts()
OUTAGE: Final = 40
"""Failed dials in the life with which others are compared."""

SHORT: Final = 12
"""Ends in the life of each code and status."""
LONG: Final = 60
"""Ends in the life of each common end."""
LONGEST: Final = 2500

_GOLDEN: Final = 0.6180339887498949


@dataclass(frozen=True, slots=True)
class Life:
    """The questions of one engine to a policy, and the answers, in order."""

    asked: Sequence[Exchange]
    outage: Sequence[Exchange]
    """For comparison: the same policy while forty dials in a row fail."""
    decide: Callable[[Close, Context], Decision]
    """The policy, for a question beyond this life. Raises `Unanswered`."""
    problem: str | None = None
    """The reason for which the machine refused an answer, if it did."""

    @property
    def delays(self) -> list[float]:
        """The delays in seconds, of the retries."""
        return delays(self.asked)

    @property
    def goes_on(self) -> bool:
        """Whether the policy retries still when the last end has come 2,500 times more."""
        _, close, context, decision = self.asked[-1]
        if not isinstance(decision, Retry):
            return False
        grows = LONGEST if context.attempt > 1 else 0
        later = context._replace(
            attempt=context.attempt + grows,
            streak=context.streak + LONGEST,
            elapsed=context.elapsed + LONGEST * (decision.delay + context.since_dial),
        )
        try:
            return isinstance(self.decide(close, later), Retry)
        except Unanswered:  # for the law `total` to judge
            return True


def fair(number: int) -> float:
    """Return the roll of the decision with this number: even over [0, 1), never twice the same.

    The multiples of the golden ratio: any few of them in a row are spread, so that a life
    judged by them is a usual one.
    """
    return number * _GOLDEN % 1.0


@dataclass(slots=True)
class Turn:
    """One dial and its end, in all lives that are alike up to it: its context is made once."""

    like: Close | None = None
    """The record that the run counts in the place of each life's own, which it cannot tell from it;
    None: there is one life."""
    run: Run = field(default_factory=lambda: Run(since=0.0))
    """The run as the dial begins."""
    start: float = 0.0
    """When the dial begins, in seconds since the life began."""
    at: float = 0.0
    context: Context | None = None
    """What the policy is asked with; None until the end was met once."""
    after: "dict[tuple[float, bool], Turn]" = field(default_factory=dict)
    """The next turn by the delay and the refresh of the answer."""

    def meet(
        self,
        end: End,
        decide: Callable[[Close, Context], Decision],
        *,
        roll: float,
        can_refresh: bool,
    ) -> Decision:
        """Dial, meet the end and ask; keep the context and the turn that follows the answer."""
        run, now = self.run.copy(), self.start
        run.dialling(now)
        now += TAKES
        if end.uptime is not None:
            run.opened_at = now
            now += end.uptime
            if end.uptime >= TIMEOUTS.stable:
                run = run.stable()

        def ask(_: Close, context: Context) -> Decision:
            return decide(end.close, context)

        like = end.close if self.like is None else self.like
        context, decision = run.lost(like, now, ask, roll=roll, can_refresh=can_refresh)
        self.at, self.context = now, context
        if isinstance(decision, Retry):
            start = now + decision.delay
            self.after[decision.delay, decision.refresh] = Turn(self.like, run, start)
        return decision


def counted(end: End) -> tuple[object, ...]:
    """Return all that a run takes from an end which comes again and again.

    Two lives of such ends get the same contexts for as long as the policy gives the same answers:
    the lives of five thousand close codes are one.
    """
    close = end.close
    return (
        end.uptime,
        *(close.intentional, close.cause in (Cause.BUDGET, Cause.LEASE)),
        *(close.busy, close.spread, close.denied, close.refusal, close.sent_code is None),
    )


def live(
    decide: Callable[[Close, Context], Decision],
    ends: Sequence[End],
    *,
    can_refresh: bool = False,
    roll: float | None = None,
    first: Turn | None = None,
) -> list[Exchange]:
    """Let an engine meet these ends, dialling as the policy says, until it rests or stops.

    `roll` is that of every decision; None: fair ones. `first` is the first turn of lives of one
    end each, whose ends are alike in all that is `counted`, with the same `can_refresh` and `roll`.
    """
    turn = Turn() if first is None else first
    asked: list[Exchange] = []
    for number, end in enumerate(ends, start=1):
        drawn = fair(number) if roll is None else roll
        context, close = turn.context, end.close
        if context is None:
            decision = turn.meet(end, decide, roll=drawn, can_refresh=can_refresh)
            context = cast("Context", turn.context)
        else:
            decision = decide(close, context)
        asked.append(Exchange(turn.at, close, context, decision))
        if not isinstance(decision, Retry):
            break
        answer = decision.delay, decision.refresh
        if answer not in turn.after:
            turn.meet(end, _saying(decision), roll=drawn, can_refresh=can_refresh)
        turn = turn.after[answer]
    return asked


def _saying(decision: Decision) -> Callable[[Close, Context], Decision]:
    return lambda _close, _context: decision


def outage(decide: Callable[[Close, Context], Decision]) -> list[Exchange]:
    """Let an engine dial a server that is gone, `OUTAGE` times."""
    return live(decide, [End(NOBODY)] * OUTAGE)


Plan = tuple[list[End], bool, float | None]


def plans(known: Literals) -> Iterator[Plan]:
    """Every end that can repeat, with and without a provider, with fair rolls and a steady one."""
    for end in COMMON:
        for refresh in (False, True):
            yield [end] * LONG, refresh, None
            yield [end] * LONG, refresh, 0.5
    for end in (COMMON[0], End(COMMON[0].close, 0.05)):
        yield [end] * LONGEST, False, None
    for end in repeatable():
        yield [end] * SHORT, False, None
    for ends in _alternating():
        yield ends, False, None
    numbers = {int(each) for each in known.numbers if isinstance(each, int)}
    for number in sorted(numbers & {*CODES, *STATUSES}):
        yield [End(Close.frame(number), 0.05)] * LONG, True, None
        if number in STATUSES:
            yield [End(refused(number))] * LONG, True, None


def _alternating() -> Iterator[list[End]]:
    """Give connections that live for a while, and dials that fail in between."""
    cut = next(each for each in COMMON if each.close.cause is Cause.EOF and each.uptime)
    yield [COMMON[0], cut] * (LONG // 2)
    yield [End(Close.frame(1012), 5.0), COMMON[0]] * (LONG // 2)
