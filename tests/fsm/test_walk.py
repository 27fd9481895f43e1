"""K5: every reachable combination of the real core, its wishes and what is in flight, walked.

Time and generations grow without bound, so two situations count as one when nothing that can
follow tells them apart: state, guard, last wish, what the deadlines and the events in flight
belong to (now or an older generation), and what the application has been promised.
"""

from collections import deque
from copy import copy
from dataclasses import dataclass, replace
from itertools import product
from typing import Final, NamedTuple

import pytest

from recloser.fsm.core import Core
from recloser.fsm.decisions import Hold, Retry, Stop
from recloser.fsm.effects import Announce, Dial, Effect
from recloser.fsm.events import (
    Advise,
    Ask,
    Event,
    Expired,
    Healthy,
    Hint,
    Lost,
    Opened,
    Reconnect,
)
from recloser.fsm.states import Guard, State, Wish
from recloser.fsm.timeouts import Timeouts
from tests.fsm.rig import KICKED, LIVE, Scripted, snapshot

ANSWERS: Final = (Retry(0), Retry(3, refresh=True), Hold(), Stop(), "nonsense")
CALLS: Final[tuple[Event, ...]] = (
    *(Ask(wish) for wish in Wish),
    Ask(Wish.CLOSE, within=1.0),
    Reconnect(),
    Hint(),
    Healthy(),
    Advise("x"),
)
PAUSES: Final = (0.25, 3600.0)
"""Seconds before an event: too soon after the one before it, and long after."""
ENDS: Final = {
    Wish.CLOSE: State.CLOSED,
    Wish.SUSPEND: State.PASSIVE,
    Wish.CONNECT: State.CONNECTING,
}
POLICY: Final = Scripted(Stop())


class Flight(NamedTuple):
    """What a driver still has in its inbox, or a transport may still say."""

    opened: tuple[int, ...] = ()
    lost: tuple[int, ...] = ()
    expired: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Situation:
    """A real core, and what is known of it without looking inside."""

    core: Core
    now: float
    flight: Flight
    wanted: bool
    """The application's last wish is a connection."""
    owed: bool
    """A dial was asked for that no record has ended yet."""

    def key(self) -> tuple[object, ...]:
        core, flight = self.core, self.flight
        return (
            core.state,
            core.guard,
            core.wish if core.state is State.CLOSING else None,
            core.deadline is not None,
            core._advice is not None,
            core.run.opened_at is not None,
            core.run.refresh_next,
            core.run.immediate,
            frozenset(generation == core.generation for generation in flight.opened),
            frozenset(generation == core.generation for generation in flight.lost),
            frozenset(deadline == core.deadline for deadline in flight.expired),
            self.wanted,
            self.owed,
        )

    def events(self) -> list[Event]:
        """Everything that can happen next."""
        return [
            *CALLS,
            *(Opened(generation) for generation in self.flight.opened),
            *(Lost(generation, KICKED) for generation in self.flight.lost),
            *(Expired(deadline) for deadline in self.flight.expired),
        ]

    def stale(self, event: Event) -> bool:
        match event:
            case Opened(generation) | Lost(generation):
                return generation != self.core.generation or self.core.state not in LIVE
            case Expired(deadline):
                return deadline != self.core.deadline
        return False

    def step(self, event: Event, answer: object, after: float = 0.25) -> "Situation":
        """What follows, with every promise checked on the way."""
        core, now = copy(self.core), self.now + after
        core.run = replace(self.core.run)
        POLICY.answer = answer
        before = snapshot(core)
        effects = core.handle(event, now)
        if self.core.state is State.CLOSING and core.state is not State.CLOSING:
            sound = isinstance(answer, Stop) or (
                isinstance(answer, Hold) and self.core.wish is not Wish.CLOSE
            )
            assert core.state is (ENDS[self.core.wish] if sound else State.CLOSED), "A3, B4, B5"
        if self.stale(event):
            assert effects == [], "C2"
            assert snapshot(core) == before, "C2"
        wanted = wishes(event, self.core.state, wanted=self.wanted)
        owed = account(effects, wanted=wanted, owed=self.owed)
        check(core, owed=owed)
        return Situation(core, now, in_flight(self.flight, core, event, effects), wanted, owed)


def wishes(event: Event, state: State, *, wanted: bool) -> bool:
    match event:
        case Ask(wish):
            return wish is Wish.CONNECT
        case Reconnect():
            return state is not State.CLOSED
    return wanted


def account(effects: list[Effect], *, wanted: bool, owed: bool) -> bool:
    """Follow the effects in order: one dial at a time, each ended by one record."""
    for effect in effects:
        if isinstance(effect, Dial):
            assert wanted, "A1, A13: nobody asked for this dial"
            assert not owed, "C1: a second dial"
            owed = True
        elif isinstance(effect, Announce):
            change = effect.change
            assert change.previous is not change.current
            if change.close is not None:
                assert owed, "A7: a second record"
                owed = False
            if change.current is State.CONNECTING:
                assert not owed, "A7: connecting before the record"
    return owed


def check(core: Core, *, owed: bool) -> None:
    """What holds in every situation."""
    assert (core.state in LIVE) is owed, "A7: a record is owed exactly while a generation lives"
    if core.state in (State.CLOSED, State.PASSIVE):
        assert core.deadline is None, "H1, J1"
        assert core._advice is None, "B11: advice outlives its generation"
    elif core.state is not State.OPEN:
        assert core.deadline is not None, "a state that nothing would end"
    resting = core.state is State.PASSIVE
    assert (core.guard in (Guard.HELD, Guard.SUSPENDED)) is resting
    assert (core.guard is None) is not resting


def in_flight(flight: Flight, core: Core, event: Event, effects: list[Effect]) -> Flight:
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
        if isinstance(effect, Dial):
            opened.add(effect.generation)
            lost.add(effect.generation)
    if core.deadline is not None:
        expired.add(core.deadline)
    # Of what is stale the newest is enough: all of it is dropped for the same reason.
    return Flight(tuple(sorted(opened))[-2:], tuple(sorted(lost))[-2:], tuple(sorted(expired))[-2:])


def start() -> Situation:
    core = Core(POLICY, timeouts=Timeouts(), roll=lambda: 0.5, can_refresh=True)
    return Situation(core, 0.0, Flight(), wanted=False, owed=False)


def walk() -> dict[tuple[object, ...], Situation]:
    """Visit every situation once; every step of every situation is checked."""
    first = start()
    seen = {first.key(): first}
    todo = deque(seen.values())
    while todo:
        here = todo.popleft()
        for event in here.events():
            asks = isinstance(event, Lost | Expired) and not here.stale(event)
            answers = ANSWERS if asks and here.core.state in LIVE else ANSWERS[:1]
            for answer, after in product(answers, PAUSES):
                there = here.step(event, answer, after)
                if seen.setdefault(there.key(), there) is there:
                    todo.append(there)
    return seen


@pytest.fixture(scope="module")
def seen() -> dict[tuple[object, ...], Situation]:
    return walk()


@pytest.mark.spec("K5", "A1", "A3", "A7", "A13", "B5", "C1", "C2", "H1", "J1")
def test_every_reachable_combination(seen: dict[tuple[object, ...], Situation]) -> None:
    print(f"{len(seen)} combinations walked")
    assert {each.core.state for each in seen.values()} == set(State)
    closing = {each.core.wish for each in seen.values() if each.core.state is State.CLOSING}
    assert closing == set(Wish)
    assert {each.core.guard for each in seen.values() if each.core.state is State.PASSIVE} == {
        Guard.HELD,
        Guard.SUSPENDED,
    }


@pytest.mark.spec("K5", "A4")
@pytest.mark.parametrize("answer", ANSWERS, ids=str)
def test_every_combination_can_be_closed(
    seen: dict[tuple[object, ...], Situation], answer: object
) -> None:
    """By `close()` and, if the transport stays silent, by the deadline; whatever the policy."""
    for here in seen.values():
        there = here.step(Ask(Wish.CLOSE), answer)
        if there.core.state is State.CLOSING:
            assert there.core.deadline is not None
            there = there.step(Expired(there.core.deadline), answer)
        assert there.core.state is State.CLOSED
        assert there.core.deadline is None
