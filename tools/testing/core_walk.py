"""Walks all situations of the real core, and checks its clauses in each step.

Time and generations grow without bound. So two situations count as one if the same events can
follow both: they agree in state, guard, last wish, the generation (present or older) of each
deadline and pending event, and the promises to the application.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from itertools import product
from typing import Any, Final, NamedTuple

from recloser.fsm.core import Core
from recloser.fsm.decisions import Context, Hold, Retry, Stop
from recloser.fsm.effects import Announce, Dial, Drop, Effect, Failed, Promote
from recloser.fsm.events import (
    Advise,
    Ask,
    Event,
    Expired,
    Fail,
    Healthy,
    Hint,
    Lost,
    Move,
    Opened,
    Reconnect,
    Wait,
)
from recloser.fsm.record import Close
from recloser.fsm.states import Guard, State, Wish
from recloser.fsm.timeouts import Timeouts

_CALLS: Final[tuple[Event, ...]] = (
    *(Ask(wish) for wish in Wish),
    Ask(Wish.CLOSE, within=1.0),
    Reconnect(),
    Move(),
    Hint(),
    Healthy(),
    Advise("x"),
)
PAUSES: Final = (0.25, 3600.0)
"""Seconds before an event: too soon after the last event, and long after it."""
_ENDS: Final = {
    Wish.CLOSE: State.CLOSED,
    Wish.SUSPEND: State.PASSIVE,
    Wish.CONNECT: State.CONNECTING,
}
_KICKED: Final = Close.frame(4401, "go")
_FAILED: Final = Close.declared(sent_code=4000)


class BrokenPromise(AssertionError):
    """The core broke a clause; `path` is the shortest way of events that leads there."""

    def __init__(self, problem: str, path: tuple[str, ...]) -> None:
        super().__init__(problem, path)
        self.problem = problem
        self.path = path

    def __str__(self) -> str:
        steps = "\n".join(f"{number:3}. {step}" for number, step in enumerate(self.path, start=1))
        return f"{self.problem}\n{steps}"


class Flight(NamedTuple):
    """An event that a driver still has in its inbox, or that a transport may still send."""

    opened: tuple[int, ...] = ()
    lost: tuple[int, ...] = ()
    expired: tuple[float, ...] = ()


class Answering:
    """A policy that answers as the walk sets it at each step."""

    def __init__(self) -> None:
        self.answer: object = Stop()
        """Its next answer."""

    def decide(self, close: Close, context: Context, /) -> Any:
        """Give the answer, valid or garbage: policies answer both."""
        del close, context
        return self.answer


def _snapshot(core: Core) -> tuple[object, ...]:
    given = {"run", "_roll", "_policy", "_timeouts"}
    own = [getattr(core, name) for name in Core.__slots__ if name not in given]
    return (*own, *(getattr(core.run, name) for name in type(core.run).__slots__))


@dataclass(frozen=True, slots=True)
class Situation:
    """A real core, and the facts that its effects have told."""

    core: Core
    policy: Answering
    now: float
    flight: Flight
    wanted: bool
    """The application's last wish is a connection."""
    owed: bool
    """A dial was asked for that no record has ended yet."""
    second: bool = False
    """A successor was dialled that was neither promoted nor given up yet."""
    path: tuple[str, ...] = ()
    """The events that led here, by the shortest way."""

    @property
    def key(self) -> tuple[object, ...]:
        """All facts on which the further events depend."""
        core, flight = self.core, self.flight
        return (
            core.state,
            core.guard,
            core.wish if core.state is State.CLOSING else None,
            core.deadline is not None,
            core.advice is not None,
            core._planned,  # noqa: SLF001 - the walk looks at all that the core remembers
            core.run.opened_at is not None,
            core.run.refresh_next,
            core.run.immediate,
            core.successor is not None,
            core.stable_at is None,
            frozenset(map(self._whose, flight.opened)),
            frozenset(map(self._whose, flight.lost)),
            frozenset(deadline == core.deadline for deadline in flight.expired),
            self.wanted,
            self.owed,
        )

    def _whose(self, generation: int) -> str:
        if generation == self.core.generation:
            return "present"
        return "successor" if generation == self.core.successor else "old"

    def events(self) -> Iterable[Event]:
        """All events that can come next."""
        yield from _CALLS
        yield from (Opened(generation) for generation in self.flight.opened)
        yield from (Lost(generation, _KICKED) for generation in self.flight.lost)
        present = self.core.generation
        for generation in (present - 1, present):
            yield Fail(generation, _FAILED)
            yield Reconnect(generation=generation)
            yield Reconnect(generation=generation, planned=True)
            yield Advise("x", generation=generation)
            yield Wait(generation)
        if self.core.successor is not None:
            yield Wait(self.core.successor)
        yield from (Expired(deadline) for deadline in self.flight.expired)

    def stale(self, event: Event) -> bool:
        """Whether an event belongs to an older generation or deadline."""
        core = self.core
        match event:
            case Opened(generation) | Lost(generation):
                known = generation in (core.generation, core.successor)
                return not (known and core.state.live)
            case Wait(generation):
                waits = core.state is State.CONNECTING and generation == core.generation
                return not (waits or generation == core.successor)
            case Fail() | Reconnect(generation=int()):
                return event.generation != core.generation or core.state is not State.OPEN
            case Advise(generation=int(generation)):
                return generation != core.generation or not core.state.live
            case Expired(deadline):
                return deadline != core.deadline
        return False

    def step(self, event: Event, answer: object, after: float = PAUSES[0]) -> "Situation":
        """Return the situations that follow; raises `BrokenPromise` if a clause is broken."""
        core, now = copy(self.core), self.now + after
        core.run = self.core.run.copy()
        self.policy.answer = answer
        path = (*self.path, f"{self.core.state.value}: {event}, {after:g} s later; {answer}")
        before = _snapshot(core)
        effects = core.handle(event, now)
        if self.core.state is State.CLOSING and core.state is not State.CLOSING:
            sound = isinstance(answer, Stop) or (
                isinstance(answer, Hold) and self.core.wish is not Wish.CLOSE
            )
            end = _ENDS[self.core.wish] if sound else State.CLOSED
            planned = self.core._planned and core.state is State.CONNECTING  # noqa: SLF001 - as above
            counted = core.run.attempt > self.core.run.attempt
            hold(not (planned and counted), "D4.11: a planned end is a failure", path)
            hold(core.state is end, "A3, B4, B5: the last wish decides how closing is left", path)
        if self.stale(event):
            unchanged = effects == [] and _snapshot(core) == before
            hold(unchanged, "C2: an old event changes nothing", path)
        if isinstance(event, Fail) and not self.stale(event):
            decided = {Retry: State.BACKOFF, Hold: State.PASSIVE}.get(type(answer), State.CLOSED)
            if self.core.successor is not None and isinstance(answer, Retry) and not answer.refresh:
                decided = State.CONNECTING
            hold(core.state is decided, "B21: the policy decides what follows a fail()", path)
        wanted = _wishes(event, self.core.state, wanted=self.wanted)
        owed, second = _account(
            effects, path, wanted=wanted, owed=self.owed, second=self.second, before=self.core.state
        )
        _check(core, path, owed=owed, second=second)
        flight = _in_flight(self.flight, core, event, effects)
        return Situation(core, self.policy, now, flight, wanted, owed, second, path)


def hold(holds: object, clause: str, path: tuple[str, ...]) -> None:
    """Raise `BrokenPromise` unless it holds."""
    if not holds:
        raise BrokenPromise(clause, path)


def _wishes(event: Event, state: State, *, wanted: bool) -> bool:
    match event:
        case Ask(wish):
            return wish is Wish.CONNECT
        case Reconnect(generation=None):
            return state is not State.CLOSED
        case Reconnect():
            return wanted or state is State.OPEN
    return wanted


def _account(
    effects: list[Effect],
    path: tuple[str, ...],
    *,
    wanted: bool,
    owed: bool,
    second: bool,
    before: State,
) -> tuple[bool, bool]:
    """Follow the effects in order: one dial at a time, each ended by one record.

    In `open` there may be a second one, the successor: it is promoted once the record of the
    connection before it is out, or given up.
    """
    for effect in effects:
        if isinstance(effect, Dial):
            hold(wanted, "A1, A13: nobody asked for this dial", path)
            if owed:
                hold(before is State.OPEN and not second, "C1: a second dial", path)
                second = True
            owed = True
        elif isinstance(effect, Promote):
            hold(second and not owed, "C1, C3: promoted beside a connection", path)
            owed, second = True, False
        elif isinstance(effect, Drop | Failed):
            hold(second, "C1: there is no successor to give up", path)
            second = False
        elif isinstance(effect, Announce):
            change = effect.change
            hold(change.previous is not change.current, "I3: a change that changes nothing", path)
            if change.close is not None:
                hold(owed, "A7: a second record", path)
                owed = False
            if change.current is State.CONNECTING:
                hold(not owed, "A7: connecting before the record", path)
    return owed, second


def _check(core: Core, path: tuple[str, ...], *, owed: bool, second: bool) -> None:
    """Check the clauses that hold in every situation."""
    hold((core.successor is not None) is second, "C1: a successor that nobody counts", path)
    handing_over = core.state is State.OPEN or core.wish is Wish.CONNECT
    allowed = core.state in (State.OPEN, State.CLOSING) and handing_over
    hold(allowed or not second, "C1: a successor outside a handover", path)
    hold((core.state.live) is owed, "A7: a record is owed while a generation lives", path)
    if core.state in (State.CLOSED, State.PASSIVE):
        hold(core.deadline is None, "H1, J1: a deadline in closed or passive", path)
        advice = core.advice
        hold(advice is None, "B11: advice outlives its generation", path)
    elif core.state is not State.OPEN:
        hold(core.deadline is not None, "a state that nothing would end", path)
    resting = core.state is State.PASSIVE
    hold((core.guard in (Guard.HELD, Guard.SUSPENDED)) is resting, "A13: who put it to rest", path)
    hold((core.guard is None) is not resting, "a guard outlives its trigger", path)


def _in_flight(flight: Flight, core: Core, event: Event, effects: list[Effect]) -> Flight:
    opened, lost, expired = set(flight.opened), set(flight.lost), set(flight.expired)
    match event:
        case Opened(generation):
            opened.discard(generation)
        case Lost(generation):
            opened.discard(generation)
            lost.discard(generation)
        case Expired(deadline):
            expired.discard(deadline)
    for effect in effects:
        if isinstance(effect, Dial | Promote):
            opened.add(effect.generation)
            lost.add(effect.generation)
    if core.deadline is not None:
        expired.add(core.deadline)
    # Of the stale events the newest is enough: all are dropped for the same reason.
    return Flight(tuple(sorted(opened))[-3:], tuple(sorted(lost))[-3:], tuple(sorted(expired))[-3:])


ANSWERS: Final[tuple[object, ...]] = (Retry(0), Retry(3, refresh=True), Hold(), Stop(), "nonsense")
"""All kinds of answers of a policy, valid and not."""

MakeCore = Callable[..., Core]


@dataclass(frozen=True, slots=True)
class Walk:
    """All situations that were reached, and the number of steps that were checked."""

    situations: Mapping[tuple[object, ...], Situation]
    steps: int

    def __len__(self) -> int:
        return len(self.situations)

    def __str__(self) -> str:
        return f"{len(self)} situations and {self.steps} steps walked: every clause holds on all"


def walk(answers: Iterable[object] = ANSWERS, *, make_core: MakeCore = Core) -> Walk:
    """Visit every reachable situation once and check every step out of each.

    A1, A3, A7, A13, B4, B5, C1, C2, C3.1, H1 and J1 must hold on all of them, and every situation
    must lead to `closed` when asked, also if the transport stays silent; raises
    `BrokenPromise` with the shortest path otherwise. `answers` are the answers of the policy;
    `make_core` makes a core of your own, with the arguments of `Core`.
    """
    said = tuple(answers)
    policy = Answering()
    core = make_core(policy, timeouts=Timeouts(), roll=lambda: 0.5, can_refresh=True)
    first = Situation(core, policy, 0.0, Flight(), wanted=False, owed=False)
    seen = {first.key: first}
    todo = deque(seen.values())
    steps = 0
    while todo:
        here = todo.popleft()
        _can_be_closed(here, said)
        for event in here.events():
            asks = isinstance(event, Lost | Fail | Expired) and not here.stale(event)
            possible = said if asks and here.core.state.live else said[:1]
            for answer, after in product(possible, PAUSES):
                there = here.step(event, answer, after)
                steps += 1
                if seen.setdefault(there.key, there) is there:
                    todo.append(there)
    return Walk(seen, steps)


def _can_be_closed(here: Situation, answers: tuple[object, ...]) -> None:
    """Close by `close()`, or by the deadline if the transport is silent, under any policy."""
    for answer in answers:
        there = here.step(Ask(Wish.CLOSE), answer)
        if there.core.state is State.CLOSING and there.core.deadline is not None:
            there = there.step(Expired(there.core.deadline), answer)
        closed = there.core.state is State.CLOSED and there.core.deadline is None
        hold(closed, "A4: it cannot be closed", there.path)
