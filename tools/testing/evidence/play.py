"""Plays a story on the real core with a hand clock, and records its moments."""

from collections.abc import Callable
from dataclasses import dataclass, field

from recloser.fsm.closecodes import INTERNAL_ERROR
from recloser.fsm.core import Core
from recloser.fsm.decisions import Context, Decision, Hold, Policy, Retry, Stop
from recloser.fsm.effects import Announce, Dial, Effect
from recloser.fsm.errors import PolicyError
from recloser.fsm.events import (
    Advise,
    Ask,
    Event,
    Expired,
    Fail,
    Healthy,
    Hint,
    Lost,
    Opened,
    Reconnect,
)
from recloser.fsm.record import Close
from recloser.fsm.states import State, Wish
from recloser.testing.evidence.ends import describe
from recloser.testing.evidence.interview import Exchange, Unanswered, answer_of
from recloser.testing.evidence.lives import TIMEOUTS, Life, fair, outage
from recloser.testing.evidence.stories import (
    Act,
    Call,
    Invoke,
    Lose,
    Open,
    Question,
    Story,
    Tell,
    Wait,
)

_MOST = 20_000
"""The most events of a played story: more than a reader would read."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of a story that was played."""

    at: float
    """Seconds since the first `connect()`."""
    event: str
    previous: State
    current: State
    decision: Decision | None = None
    problem: str | None = None
    """The reason for which the engine refused the policy's answer."""
    roll: float | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """The result of a story."""

    moments: tuple[Moment, ...]
    asked: tuple[Exchange, ...]
    questions: tuple[Question, ...]
    """All questions to the policy, those without an answer included."""
    state: State
    """The state in which it ended."""

    @property
    def problem(self) -> str | None:
        """The first answer that the engine refused."""
        return next((each.problem for each in self.moments if each.problem), None)


def play(policy: Policy, story: Story) -> Trace:
    """Play a story from `connect()` on; a closing that is under way at its end is waited for."""
    stage = _CoreStage(policy, story)
    stage.give(Ask(Wish.CONNECT), "the application calls connect()")
    for act in story.acts:
        stage.perform(act)
    if stage.core.state is State.CLOSING and stage.core.deadline is not None:
        stage.until(stage.core.deadline)
    return Trace(tuple(stage.moments), tuple(stage.asked), tuple(stage.questions), stage.core.state)


def life_of(policy: Policy, trace: Trace) -> Life:
    """Return the trace that the laws judge."""

    def decide(close: Close, context: Context) -> Decision:
        return answer_of(policy.decide, close, context)

    try:
        compared = outage(decide)
    except Unanswered:
        compared = []
    return Life(trace.asked, compared, decide, trace.problem)


@dataclass
class _CoreStage:
    policy: Policy
    story: Story
    now: float = 0.0
    moments: list[Moment] = field(default_factory=list)
    asked: list[Exchange] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)

    def __post_init__(self) -> None:
        roll = self.story.roll
        count = 0

        def draw() -> float:
            nonlocal count
            count += 1
            return fair(count) if roll is None else roll

        self._question: tuple[Close, Context] | None = None
        self._said: Decision | None = None
        self._starts = 0.0
        self.core = Core(self, timeouts=TIMEOUTS, roll=draw, can_refresh=self.story.can_refresh)

    def decide(self, close: Close, context: Context, /) -> Decision:
        """Replace the policy, to see its questions."""
        self._question = close, context
        self.questions.append(Question(close, context))
        answer = self.policy.decide(close, context)
        # As it was given: the core puts a name where the rule is empty.
        self._said = answer if isinstance(answer, Retry | Hold | Stop) else None
        return answer

    def give(self, event: Event, words: str) -> None:
        """Hand over one event, and record its moment."""
        if len(self.moments) > _MOST:
            raise RuntimeError(f"a story of more than {_MOST} events: make it shorter")
        core = self.core
        previous, self._question, self._said = core.state, None, None
        effects = core.handle(event, self.now)
        self._note(words, previous, effects)

    def _note(self, words: str, previous: State, effects: list[Effect]) -> None:
        change = next((each.change for each in effects if isinstance(each, Announce)), None)
        problem = decision = roll = None
        if change is not None and self._question is not None:
            close, context = self._question
            roll, decision = context.roll, self._said
            if isinstance(change.error, PolicyError):
                cause = change.error.__cause__
                problem = change.error.problem + (f": {cause}" if cause is not None else "")
            elif decision is not None:
                self.asked.append(Exchange(self.now, close, context, decision))
        dial = next((each for each in effects if isinstance(each, Dial)), None)
        if dial is not None:
            self._starts = dial.not_before  # a wake may have to wait for its dial (D4)
        if dial is not None and previous is State.CLOSING:
            words += "; then it dials"
        self.moments.append(
            Moment(self.now, words, previous, self.core.state, decision, problem, roll)
        )

    def until(self, when: float) -> None:
        """Let time pass; deadlines that fall due happen at their moment."""
        words = {
            State.CONNECTING: "the dial is given up",
            State.OPEN: "open for long enough: the failures are forgotten",
            State.CLOSING: "the peer never answers; the socket is dropped",
            State.BACKOFF: "the backoff is over; it dials",
        }
        while (due := self.core.deadline) is not None and due <= when:
            self.now = max(self.now, due)
            self.give(Expired(due), words[self.core.state])
        self.now = max(self.now, when)

    def perform(self, act: Act) -> None:
        """Play one act."""
        match act:
            case Wait(seconds):
                self.until(self.now + seconds)
            case Invoke(call):
                self.give(
                    _EVENTS[call](self.core.generation), f"the application calls {call.value}()"
                )
            case Tell(advice, retry_after, spread):
                self.give(
                    Advise(advice, retry_after, spread),
                    f"the application calls advise({advice!r})",
                )
            case Open():
                self._dial_under_way()
                if self.core.state is State.CONNECTING:
                    self.until(max(self.now, self._starts) + self.story.takes)
                    self._open()
            case Lose(close, uptime, times):
                for _ in range(times):
                    self._lose(close, uptime)

    def _dial_under_way(self) -> None:
        if self.core.state is State.BACKOFF and self.core.deadline is not None:
            self.until(self.core.deadline)

    def _open(self) -> None:
        if self.core.state is State.CONNECTING:
            self.give(Opened(self.core.generation), "the connection opens")

    def _lose(self, close: Close, uptime: float | None) -> None:
        self._dial_under_way()
        if self.core.state is State.CONNECTING:
            self.until(max(self.now, self._starts) + self.story.takes)
            if uptime is not None:
                self._open()
                self.until(self.now + uptime)
        elif self.core.state is State.OPEN:
            self.until(self.now + (uptime or 0.0))
        elif self.core.state is State.CLOSING:
            self.until(self.now + self.story.takes)
        if self.core.state.live:
            self.give(Lost(self.core.generation, close), describe(close))


_EVENTS: dict[Call, Callable[[int], Event]] = {
    Call.CONNECT: lambda _: Ask(Wish.CONNECT),
    Call.CLOSE: lambda _: Ask(Wish.CLOSE),
    Call.SUSPEND: lambda _: Ask(Wish.SUSPEND),
    Call.RECONNECT: lambda _: Reconnect(),
    Call.WAKE: lambda _: Hint(),
    Call.HEALTHY: lambda _: Healthy(),
    Call.FAIL: lambda generation: Fail(generation, Close.declared(sent_code=INTERNAL_ERROR)),
}
"""The event of a call, made for the present generation."""
