"""What a law is: a promise every policy should keep, as data, with the reason for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from recloser.fsm.decisions import Context, Decision, Hold, Policy, Retry, Stop
from recloser.fsm.record import Close

if TYPE_CHECKING:
    from recloser.simulate.scenario import Scenario
    from recloser.testing.fleets import Fleet
    from recloser.testing.stories import Story

DEFAULT_MAX_DELAY = 86400.0
"""Seconds that no delay should exceed, unless the caller of `check_policy` says otherwise."""


class Unanswered(Exception):
    """The policy raised, or answered what is no decision: for the law `total` to judge."""


class Ask(Protocol):
    """Puts a question to the policy under test."""

    max_delay: float
    """The longest delay in seconds that is allowed."""
    patience: int
    """How often `again` is worth asking: more where one question is all the evidence."""

    def __call__(self, close: Close, context: Context, /) -> Decision:
        """Return the answer; raises `Unanswered` if there is none that the engine could take."""
        ...

    def again(self, close: Close, context: Context, /) -> Decision:
        """Ask the same object once more."""
        ...

    def fresh(self, close: Close, context: Context, /) -> Decision:
        """Ask another object that the same maker made."""
        ...


class Asked(NamedTuple):
    """One question that a life put to the policy, and its answer."""

    at: float
    """Seconds since the life began."""
    close: Close
    context: Context
    decision: Decision


@dataclass(frozen=True, slots=True)
class Life:
    """What a policy was asked and answered, in order, by one engine."""

    asked: Sequence[Asked]
    outage: Sequence[Asked]
    """For comparison: the same policy while no dial finds anybody for forty times."""
    problem: str | None = None
    """Why the machine could not take an answer, if there was one."""

    @property
    def delays(self) -> list[float]:
        """The delays in seconds, of the retries."""
        return delays(self.asked)


def delays(asked: Sequence[Asked]) -> list[float]:
    """Return the delays in seconds of those answers that are retries."""
    return [each.decision.delay for each in asked if isinstance(each.decision, Retry)]


@dataclass(frozen=True, kw_only=True)
class Law:
    """A promise, why it matters, what happened to those who broke it, and how it is checked.

    A check returns None if all is well, else one sentence about what is wrong. A law has one
    check or several; each is tried on whatever the search comes up with:

    - `decision(ask, close, context)`: one question; ask as often as you like.
    - `life(life)`: all that one engine asked, in order.
    - `client(policy, story)`: a story for the real client in virtual time.
    - `fleet(policy, fleet)`: a thousand engines that lose their server together.
    - `storm(policy, scenario)`: an outage run by the simulator.
    """

    name: str
    claim: str
    why: str = ""
    incident: str = ""
    optional: bool = False
    """Checked only when it is named."""
    decision: Callable[[Ask, Close, Context], str | None] | None = None
    life: Callable[[Life], str | None] | None = None
    client: "Callable[[Policy, Story], str | None] | None" = None
    fleet: "Callable[[Policy, Fleet], str | None] | None" = None
    storm: "Callable[[Policy, Scenario], str | None] | None" = None

    def __post_init__(self) -> None:
        if not any((self.decision, self.life, self.client, self.fleet, self.storm)):
            raise TypeError(f"law {self.name}: give it a check, such as decision= or life=")


class Asker:
    """Puts questions to the policies that a maker makes; remembers the last answer."""

    def __init__(
        self,
        make_policy: Callable[[], Policy],
        *,
        max_delay: float = DEFAULT_MAX_DELAY,
        patience: int = 1,
    ) -> None:
        self.max_delay = max_delay
        self.patience = patience
        self.questions = 0
        """How many questions have been put."""
        self._decide = make_policy().decide
        self._fresh = make_policy().decide
        self._close: Close | None = None
        self._context: Context | None = None
        self._answer: Decision | Unanswered = Stop()

    def __call__(self, close: Close, context: Context, /) -> Decision:
        """Answer from memory if the very same question was the last one."""
        if close is not self._close or context is not self._context:
            try:
                self._answer = self._put(self._decide, close, context)
            except Unanswered as error:
                self._answer = error
            self._close, self._context = close, context
        answer = self._answer
        if isinstance(answer, Unanswered):
            raise answer
        return answer

    def again(self, close: Close, context: Context, /) -> Decision:
        """Ask the same policy, whatever it said before."""
        return self._put(self._decide, close, context)

    def fresh(self, close: Close, context: Context, /) -> Decision:
        """Ask a second policy of the same maker."""
        return self._put(self._fresh, close, context)

    def _put(
        self, decide: Callable[[Close, Context], object], close: Close, context: Context
    ) -> Decision:
        self.questions += 1
        return answer_of(decide, close, context)


def answer_of(
    decide: Callable[[Close, Context], object], close: Close, context: Context
) -> Decision:
    """Return what a policy decides; raises `Unanswered` for what the engine would not take."""
    try:
        answer = decide(close, context)
    except Exception as error:
        said = f": {error}" if str(error) else ""
        raise Unanswered(f"it raised {type(error).__name__}{said}") from error
    # As the engine does: a subclass could leave out what the constructors check.
    if type(answer) is Retry or type(answer) is Hold or type(answer) is Stop:
        return answer
    closer = getattr(answer, "close", None)
    if callable(closer):  # a coroutine that nobody awaits would warn
        closer()
    raise Unanswered(f"it answered {type(answer).__name__} instead of Retry, Hold or Stop")
