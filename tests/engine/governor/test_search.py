"""A crowd comes back to hosts that queue what they cannot take at once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import inf
from random import Random

import pytest

from tests.engine.governor.rig import NOBODY, TIMES, Town


@dataclass
class Queueing:
    """A host that refuses nothing: it takes one dial after the other."""

    capacity: float
    """Dials per second."""
    trip: float | Callable[[], float]
    """Seconds of a dial beside its turn."""
    free: float = 0.0
    """When it has taken what it was given."""
    under_way: list[tuple[float, int]] = field(default_factory=list)
    """When a dial opens, and whose it is."""
    most: int = 0
    """Dials that were under way at a time."""

    def take(self, engine: int, now: float) -> None:
        self.free = max(self.free, now) + 1 / self.capacity
        trip = self.trip() if callable(self.trip) else self.trip
        heappush(self.under_way, (self.free + trip, engine))
        self.most = max(self.most, len(self.under_way))

    def bring_back(self, town: Town, crowd: int) -> list[float]:
        """Let a crowd come back to it; return when its engines open."""
        town.down()
        town.ask(*range(crowd))
        (probe,) = town.probes
        town.ended(probe[1])
        opened: list[float] = []
        while len(opened) < crowd - 1:
            for at, engine in town.granted[town.answered :]:
                self.take(engine, at)
            town.answered = len(town.granted)
            due = inf if town.core.deadline is None else town.core.deadline
            if self.under_way and self.under_way[0][0] <= due:
                town.now, engine = heappop(self.under_way)
                town.ended(engine)
                opened.append(town.now)
            else:
                town.until(due)
        return opened


@pytest.mark.spec("M3.9")
@pytest.mark.parametrize(
    ("crowd", "capacity", "trip"),
    [(10_000, 2400.0, 0.002), (10_000, 2400.0, 0.05), (10_000, 500.0, 0.2), (100, 50.0, 0.05)],
)
@pytest.mark.parametrize("at_once", [200, None])
def test_a_crowd_is_back_within_two_seconds_of_what_the_host_takes(
    crowd: int, capacity: float, trip: float, at_once: int | None
) -> None:
    opened = Queueing(capacity, trip).bring_back(Town(at_once=at_once), crowd)
    assert crowd / capacity <= opened[-1] + 1 / capacity
    assert opened[-1] <= crowd / capacity + 2.0


@pytest.mark.spec("M1.3", "M3.14")
@pytest.mark.parametrize("crowd", [100, 1000, 10_000])
@pytest.mark.parametrize("capacity", [20.0, 50.0, 300.0, 2400.0])
@pytest.mark.parametrize("trip", [0.002, 0.02, 0.2])
def test_a_host_that_queues_dials_gets_no_more_than_it_takes_in_a_second(
    crowd: int, capacity: float, trip: float
) -> None:
    """Also if no limit of the governor keeps them from it, and nobody waits for too long."""
    host = Queueing(capacity, trip)
    opened = host.bring_back(Town(), crowd)
    assert host.most <= capacity * 0.9
    assert max(opened) <= 2 * sum(opened) / len(opened) + 0.1


def two_kinds(rng: Random) -> float:
    """Seconds of a dial: one in ten is a fast one."""
    return 0.02 if rng.random() < 0.1 else 1.0


@pytest.mark.spec("M3.13")
@pytest.mark.parametrize("law", [*TIMES.values(), two_kinds], ids=[*TIMES, "two kinds"])
def test_a_crowd_is_not_held_up_where_the_times_of_dials_vary(
    law: Callable[[Random], float],
) -> None:
    """Without a search it would take some ten seconds: 2000 dials of a second, 200 at a time."""
    rng = Random(1)
    opened = Queueing(inf, lambda: law(rng)).bring_back(Town(at_once=200), 2000)
    assert opened[1980] < 30.0


@pytest.mark.spec("M3.3", "M1.3")
def test_they_come_back_in_the_order_in_which_they_asked() -> None:
    town = Town()
    opened = Queueing(50.0, 0.05).bring_back(town, 720)
    assert [engine for _, engine in town.granted] == list(range(1, 720))
    assert max(opened) <= 2 * sum(opened) / len(opened) + 0.1


@pytest.mark.spec("M3.9")
def test_the_return_begins_with_a_thousandth_of_the_crowd_at_once() -> None:
    for crowd, first in ((100, 1), (10_000, 10)):
        town = Town()
        town.down()
        town.ask(*range(crowd))
        town.ended(0)
        assert len(town.granted) == first


@pytest.mark.spec("M3.9")
def test_a_dial_that_began_before_the_return_does_not_end_the_search() -> None:
    """It was asked for, and hangs while the probe of another engine opens."""
    town = Town()
    town.down()
    town.ask(1)
    town.ask(2, intentional=True)
    town.until(1.0)
    assert [engine for _, engine in town.probes] == [1, 2]
    town.ask(*range(10, 60))
    town.ended(2)
    before = len(town.granted)
    town.ended(1, NOBODY)
    town.serve(4.0)
    assert len(town.granted) - before > 40
