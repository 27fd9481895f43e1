"""K5: every reachable combination of the real core, its wishes and what is in flight, walked."""

import pytest

from recloser.fsm.change import StateChange
from recloser.fsm.core import Core
from recloser.fsm.effects import Announce, Dial, Effect
from recloser.fsm.events import Event, Hint, Lost
from recloser.fsm.states import Guard, State, Wish
from recloser.testing.core_walk import BrokenPromise, Walk, walk


@pytest.fixture(scope="module")
def walked() -> Walk:
    return walk()


@pytest.mark.spec(
    "K5.2", "K5.3", "A1", "A3", "A4", "A7", "A13", "B5", "C1.1", "C1.2", "C2", "C3.1", "H1.1", "J1"
)
def test_every_reachable_combination(walked: Walk) -> None:
    """The walk itself holds every clause on every step; here: that it went everywhere."""
    print(walked)
    cores = [each.core for each in walked.situations.values()]
    assert len(walked) > 500
    assert {core.state for core in cores} == set(State)
    assert {core.wish for core in cores if core.state is State.CLOSING} == set(Wish)
    resting = {core.guard for core in cores if core.state is State.PASSIVE}
    assert resting == {Guard.HELD, Guard.SUSPENDED}
    assert str(walked).startswith(f"{len(walked)} situations and {walked.steps} steps walked")


def test_fewer_answers_lead_to_fewer_places(walked: Walk) -> None:
    from recloser.fsm.decisions import Stop

    found = walk([Stop()])
    assert 0 < len(found) < len(walked)
    assert not [each for each in found.situations.values() if each.core.state is State.BACKOFF]


class Redials(Core):
    """Dials on a hint after a close."""

    __slots__ = ()

    def handle(self, event: Event, now: float) -> list[Effect]:
        if isinstance(event, Hint) and self.state is State.CLOSED and self.generation:
            self.state, self.deadline = State.CONNECTING, now + 1.0
            self.generation += 1
            return [Dial(self.generation, now, refresh=False)]
        return super().handle(event, now)


class Doubles(Core):
    """Asks for a second socket at each dial."""

    __slots__ = ()

    def handle(self, event: Event, now: float) -> list[Effect]:
        effects = super().handle(event, now)
        return effects + [each for each in effects if isinstance(each, Dial)]


class Silent(Core):
    """Announces no record."""

    __slots__ = ()

    def handle(self, event: Event, now: float) -> list[Effect]:
        return [
            Announce(without(each.change)) if isinstance(each, Announce) else each
            for each in super().handle(event, now)
        ]


def without(change: StateChange) -> StateChange:

    return change._replace(close=None)


class Leaves(Core):
    """Leaves its deadline behind in closed."""

    __slots__ = ()

    def handle(self, event: Event, now: float) -> list[Effect]:
        effects = super().handle(event, now)
        if self.state is State.CLOSED and isinstance(event, Lost):
            self.deadline = now + 5.0
        return effects


@pytest.mark.spec("K5.2", "K5.3")
@pytest.mark.parametrize(
    ("core", "clause"),
    [(Redials, "A1"), (Doubles, "C1"), (Silent, "A7"), (Leaves, "H1")],
)
def test_a_core_that_breaks_a_clause_is_found_by_the_shortest_way(
    core: type[Core], clause: str
) -> None:
    with pytest.raises(BrokenPromise, match=clause) as failure:
        walk(make_core=core)
    assert 1 <= len(failure.value.path) <= 5
    assert "  1. closed: " in str(failure.value)
