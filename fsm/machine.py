"""The one `transitions` machine, built from the table and shared by every engine.

Used as measured (docs/decisions/0001 and 0002): synchronous, no registered models, no
callbacks but guards, and guards that only test a value computed before.

Most events of the core fire a *trigger*. The table says where it leads from each state. Where a
pair of state and trigger has several rows, a *guard* chooses one of them: a value that the core
sets before it fires. `lost` in `connecting` and `open` has the guard of the policy's decision.
`lost` in `closing` has that of the last wish, and the policy gives the rule and the fate of unsent
messages; if it fails, the guard is `close`. `wake` in `passive` has the guard of who put the engine
to rest.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol

import transitions
from transitions import EventData, Machine
from transitions.core import Condition

from recloser.fsm.errors import IllegalTrigger
from recloser.fsm.states import Guard, State, Trigger
from recloser.fsm.table import IGNORED, TABLE


class Model(Protocol):
    """The object that the machine moves: it has these two attributes; slots are fine."""

    state: State
    guard: Guard | None


Guarded = Callable[[EventData], bool]


def _test(guard: Guard) -> Guarded:
    def holds(event: EventData) -> bool:
        model: Any = event.model
        found: Guard | None = model.guard
        return found is guard

    holds.__name__ = guard.value
    return holds


GUARDS: Final = {guard: _test(guard) for guard in Guard}
"""The guard functions; a function's name is the text that a diagram shows."""


class _State(transitions.State):
    """A state without callbacks: `transitions` would log two lines for each, at every change."""

    def enter(self, event_data: EventData) -> None:
        """Do nothing."""

    def exit(self, event_data: EventData) -> None:
        """Do nothing."""


class _Condition(Condition):
    """A guard that is given as a function: `transitions` would look for its name at each."""

    def check(self, event_data: EventData) -> bool:
        """Return whether the guard holds; no row has a guard that must not."""
        test: Any = self.func
        return bool(test(event_data))


class _Transition(transitions.Transition):
    """A transition without callbacks but guards: `transitions` would log six lines for each."""

    condition_cls = _Condition

    def execute(self, event_data: EventData) -> bool:
        """Move the model if the guards hold; return whether they do."""
        for condition in self.conditions:
            if not condition.check(event_data):
                return False
        if self.dest is not None:
            model: Any = event_data.model
            model.state = event_data.machine.states[self.dest].value
        return True


class _Event(transitions.Event):
    """An event without callbacks: `transitions` would look for them twice at each."""

    def trigger(self, model: Any, *_: object, **__: object) -> bool:
        """Try the rows of the model's state in order; return whether one moved it."""
        rows = self.transitions.get(model.state.name, ())
        event = EventData(None, self, self.machine, model, (), {})
        for row in rows:  # noqa: SIM110 - a generator would cost as much as all else here
            if row.execute(event):
                return True
        return False


class _Machine(Machine):
    state_cls = _State
    transition_cls = _Transition
    event_cls = _Event


def _build() -> Machine:
    machine = _Machine(
        model=None,
        states=State,
        initial=State.CLOSED,
        auto_transitions=False,
        queued=False,
    )
    for row in TABLE:
        machine.add_transition(
            trigger=row.trigger.value,
            source=row.source,
            dest=row.target,
            conditions=None if row.guard is None else GUARDS[row.guard],
        )
    return machine


MACHINE: Final = _build()

_FIRE: Final = {trigger: MACHINE.events[trigger.value].trigger for trigger in Trigger}
_IGNORED: Final = frozenset((state, trigger, guard) for state, trigger, guard, _ in IGNORED)


def fire(model: Model, trigger: Trigger) -> bool:
    """Move `model`; False where the table ignores the trigger on purpose.

    Raises `IllegalTrigger` for every other pair and for a guard that fits no row; the
    model is unchanged then.
    """
    target = _ANSWERS[model.state, trigger, model.guard]
    if target is None:
        return False
    model.state = target
    return True


class _Probe:
    """A model that shows where the machine leads."""

    __slots__ = ("guard", "state")

    def __init__(self, state: State, guard: Guard | None) -> None:
        self.state: State = state
        self.guard: Guard | None = guard


class _Answers(dict[tuple[State, Trigger, Guard | None], State | None]):
    """The state to which the machine leads, None where the table ignores the trigger on purpose.

    The machine depends on these three values alone, so that it is asked about each of them once.
    """

    def __missing__(self, asked: tuple[State, Trigger, Guard | None]) -> State | None:
        state, trigger, guard = asked
        if (state, trigger, None) in _IGNORED or asked in _IGNORED:
            found = None
        else:
            probe = _Probe(state, guard)
            if not _FIRE[trigger](probe):
                raise IllegalTrigger(state, trigger)
            found = probe.state
        self[asked] = found
        return found


_ANSWERS: Final = _Answers()
