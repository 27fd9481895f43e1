"""A core with a hand clock and a scripted policy: what every scenario stands on."""

from types import FunctionType

from recloser.fsm.change import StateChange
from recloser.fsm.core import Core
from recloser.fsm.decisions import Context, Decision, Hold, Retry
from recloser.fsm.effects import Abort, Announce, Dial, Effect, Shut
from recloser.fsm.events import Ask, Event, Expired, Lost, Opened
from recloser.fsm.record import Cause, Close
from recloser.fsm.states import Guard, State, Wish
from recloser.fsm.timeouts import Timeouts

CUT = Close.cut(Cause.RESET)
"""The line broke."""
LEFT = Close.frame(1000)
"""The peer said goodbye."""
KICKED = Close.frame(4401, "go")
"""The peer threw us out."""

ALL = tuple(State)
LIVE = tuple(state for state in State if state.live)


class Scripted:
    """A policy that answers as told and writes down what it was asked."""

    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.asked: list[tuple[Close, Context]] = []

    def decide(self, close: Close, context: Context, /) -> Decision:
        """Give the answer; for an intentional end the one that is always right."""
        self.asked.append((close, context))
        answer = self.answer
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, FunctionType):
            answer = answer(close, context)
        return answer  # type: ignore[return-value] # policies answer garbage, too


class Rig:
    """Drives one core; every event gets the present `now`."""

    def __init__(self, answer: object = Retry(2.0), *, roll: float = 0.5, **options: bool) -> None:
        self.policy = Scripted(answer)
        self.now = 100.0
        self.core = Core(
            self.policy,
            timeouts=Timeouts(connect=20.0, close=5.0, stable=10.0),
            roll=lambda: roll,
            **options,
        )
        self.effects: list[Effect] = []

    def do(self, event: Event, after: float = 0.0) -> list[Effect]:
        """Let `after` seconds pass, then hand over one event."""
        self.now += after
        effects = self.core.handle(event, self.now)
        self.effects += effects
        return effects

    def connect(self, after: float = 0.0) -> list[Effect]:
        return self.do(Ask(Wish.CONNECT), after)

    def close(self, after: float = 0.0) -> list[Effect]:
        return self.do(Ask(Wish.CLOSE), after)

    def suspend(self, after: float = 0.0) -> list[Effect]:
        return self.do(Ask(Wish.SUSPEND), after)

    def opened(self, after: float = 0.0) -> list[Effect]:
        return self.do(Opened(self.core.generation), after)

    def lost(self, close: Close = CUT, after: float = 0.0) -> list[Effect]:
        return self.do(Lost(self.core.generation, close), after)

    def expire(self) -> list[Effect]:
        """Let time pass until the deadline, and say so."""
        assert self.core.deadline is not None
        self.now = max(self.now, self.core.deadline)
        return self.do(Expired(self.core.deadline))

    def put(self, state: State, *, guard: Guard = Guard.SUSPENDED) -> "Rig":
        """Bring the core into a state by the shortest honest way."""
        answer, self.policy.answer = self.policy.answer, Retry(2.0)
        if state is not State.CLOSED:
            self.connect()
        match state:
            case State.OPEN:
                self.opened()
            case State.CLOSING:
                self.close()
            case State.BACKOFF:
                self.lost()
            case State.PASSIVE:
                self.policy.answer = Hold()
                self.lost()
                if guard is Guard.SUSPENDED:
                    self.suspend()
            case _:
                pass
        assert self.core.state is state
        self.policy.answer = answer
        self.policy.asked.clear()
        self.effects.clear()
        return self

    @property
    def state(self) -> State:
        return self.core.state

    @property
    def changes(self) -> list[StateChange]:
        return [each.change for each in self.effects if isinstance(each, Announce)]

    @property
    def dials(self) -> list[Dial]:
        return [each for each in self.effects if isinstance(each, Dial)]

    @property
    def shuts(self) -> list[Shut]:
        return [each for each in self.effects if isinstance(each, Shut)]

    @property
    def aborts(self) -> list[Abort]:
        return [each for each in self.effects if isinstance(each, Abort)]


def snapshot(core: Core) -> tuple[object, ...]:
    """Everything a core remembers, to see that nothing changed."""
    given = {"run", "_roll", "_policy", "_timeouts"}
    own = [getattr(core, name) for name in Core.__slots__ if name not in given]
    return (*own, *(getattr(core.run, name) for name in type(core.run).__slots__))
