"""A crowd comes back to a limiter for the second time, when the governor knows what it takes."""

from collections import deque
from heapq import heappop, heappush
from math import inf

import pytest

from recloser.fsm.record import Close
from recloser.governor.intake import Intake
from recloser.governor.news import Reading
from tests.engine.governor.rig import FULL, KEY, NOBODY, Town

TRIP = 0.05
DAY = 86_400.0


class Storm:
    """One return of a crowd to a host that opens each dial at once until its credit is spent."""

    def __init__(self, town: Town, crowd: int, capacity: float) -> None:
        """Let all lose the host, and come back: `capacity` is what it takes in a second."""
        self.town = town
        self.capacity = capacity
        self.credit = 0.0
        self.at = self.since = 0.0
        self.dials: list[float] = []
        self.opened: list[float] = []
        self.refused = 0
        self.under_way: list[tuple[float, int, bool]] = []
        """When a dial ends, whose it is, and whether it opens."""
        self.seen = len(town.woken)
        town.sleep(*range(crowd))
        for _ in range(50):
            town.until(town.now + 0.1)
            for _, engine in town.woken[self.seen :]:  # the return before goes on for somebody
                self.seen += 1
                town.ended(engine, NOBODY)
                town.sleep(engine)
        self.at = self.since = town.now
        town.ask(0)
        town.ended(0)
        self.serve()
        while len(self.opened) < crowd - 1:
            self.go_on()

    def go_on(self) -> None:
        """Let the next thing happen."""
        town = self.town
        due = inf if town.core.deadline is None else town.core.deadline
        if self.under_way and self.under_way[0][0] <= due:
            town.now, engine, opens = heappop(self.under_way)
            if opens:
                self.opened.append(town.now - self.since)
                town.ended(engine)
            else:
                self.refused += 1
                town.ended(engine, FULL)
                town.sleep(engine, close=FULL)
        else:
            town.until(due)
        self.serve()

    def serve(self) -> None:
        """Let those who were woken dial."""
        for _, engine in self.town.woken[self.seen :]:
            self.seen += 1
            self.dial(engine)

    def dial(self, engine: int) -> None:
        """Let an engine dial: it is answered a round trip later."""
        now = self.town.now
        passed, self.at = now - self.at, now
        self.credit = min(self.capacity, self.credit + passed * self.capacity)
        opens = self.credit >= 1.0
        self.credit -= opens
        self.dials.append(now)
        heappush(self.under_way, (now + TRIP, engine, opens))

    @property
    def peak(self) -> int:
        """The most dials in a second."""
        window: deque[float] = deque()
        most = 0
        for at in self.dials:
            window.append(at)
            while at - window[0] >= 1.0:
                window.popleft()
            most = max(most, len(window))
        return most


def known(town: Town) -> Intake:
    return town.core.known[KEY]


@pytest.mark.spec("M3.15", "M3.16", "M1.3")
@pytest.mark.parametrize(
    ("crowd", "capacity"), [(1000, 100.0), (1000, 20.0), (1000, 5.0), (5000, 100.0)]
)
def test_the_second_return_gives_a_host_what_the_first_has_found(
    crowd: int, capacity: float
) -> None:
    """Nothing to speak of is refused, and nobody waits longer than twice the mean."""
    town = Town()
    first = Storm(town, crowd, capacity)
    assert first.refused >= 30
    for _ in range(3):
        town.now += 100.0
        storm = Storm(town, crowd, capacity)
        assert storm.refused <= 3
        assert storm.peak <= 1.4 * capacity
        assert storm.opened[-1] <= first.opened[-1]
        assert storm.opened[-1] <= 2.0 * sum(storm.opened) / len(storm.opened)
    assert 0.95 * capacity <= known(town).rate <= capacity


@pytest.mark.spec("M3.16")
def test_a_host_that_takes_more_by_now_is_found_out_about_on_the_next_day() -> None:
    town = Town()
    slow = Storm(town, 1000, 20.0)
    town.now += DAY
    found = known(town)
    second = Storm(town, 1000, 200.0)
    assert second.refused <= 1
    assert second.opened[-1] < 0.8 * slow.opened[-1]
    assert found.rate < known(town).rate <= 200.0
    assert known(town).at == found.at
    town.now += 100.0
    assert Storm(town, 1000, 200.0).opened[-1] < second.opened[-1]


@pytest.mark.spec("M3.16")
def test_a_host_that_takes_less_is_met_by_half_at_first() -> None:
    town = Town()
    Storm(town, 2000, 100.0)
    town.now += 100.0
    Storm(town, 2000, 20.0)
    assert known(town).rate == pytest.approx(50.0, rel=0.05)
    town.now += 100.0
    Storm(town, 2000, 20.0)
    assert known(town).rate == pytest.approx(25.0, rel=0.05)
    town.now += 100.0
    Storm(town, 2000, 20.0)
    assert known(town).rate == pytest.approx(20.0, rel=0.05)


@pytest.mark.spec("M3.16")
def test_a_crowd_three_times_as_large_is_given_the_same_time() -> None:
    town = Town()
    Storm(town, 1000, 20.0)
    town.now += 100.0
    storm = Storm(town, 3000, 1000.0)
    assert storm.opened[-1] == pytest.approx(3000 / (3 * known(town).rate), rel=0.15)


@pytest.mark.spec("M3.15")
def test_a_return_without_a_refusal_finds_nothing() -> None:
    town = Town()
    Storm(town, 1000, 1e6)
    assert not town.core.known


@pytest.mark.spec("M3.15")
def test_who_was_told_to_stay_away_keeps_nobody_from_finding_it() -> None:
    """The return goes on for that engine, and the host goes down again before it comes."""
    town = Town()
    town.sleep(5000, close=Close.refused(503, retry_after=7200.0))
    first = Storm(town, 1000, 20.0)
    town.now += 100.0
    second = Storm(town, 1000, 20.0)
    assert town.core.hosts == 1
    assert second.refused <= first.refused / 10
    town.now += 100.0
    assert Storm(town, 1000, 20.0).refused <= first.refused / 10


@pytest.mark.spec("M3.15")
def test_a_return_in_which_the_host_goes_again_finds_nothing() -> None:
    town = Town()
    Storm(town, 1000, 20.0)
    before = dict(town.core.known)
    town.now += 100.0
    town.down()
    town.ask(*range(200))
    town.ended(town.probes[-1][1])
    answers = iter([None] * 20 + [FULL] * 40 + [None] * 60)
    town.serve(town.now + 20.0, lambda: next(answers, NOBODY))
    town.leave(*range(200), 901, 902)
    assert town.core.hosts == 0
    assert town.core.known == before


@pytest.mark.spec("M3.15")
def test_what_other_processes_are_refused_is_not_counted() -> None:
    """They tell of it; this process has been refused three dials itself."""
    town = Town()
    town.down()
    town.ask(*range(600))
    town.ended(town.probes[-1][1])
    answers = iter([None] * 10 + [FULL] * 3)
    for _ in range(300):
        town.hear(Reading.BUSY)
        town.serve(town.now + 0.1, lambda: next(answers, None))
    town.leave(*range(600), 901, 902)
    assert town.core.hosts == 0
    assert not town.core.known


@pytest.mark.spec("M3.15")
def test_a_thousand_hosts_are_remembered_and_the_last_ones_stay() -> None:
    town = Town()
    town.core.known.update({f"{number}": Intake(1.0, 30, 0.0) for number in range(1000)})
    Storm(town, 1000, 20.0)
    assert list(town.core.known) == [*(f"{number}" for number in range(1, 1000)), KEY]


@pytest.mark.spec("M3.15")
def test_a_host_whose_intake_is_found_again_is_the_last_to_be_forgotten() -> None:
    town = Town()
    town.core.known = {KEY: Intake(1000.0, 1000, 0.0), "other": Intake(1.0, 30, 0.0)}
    Storm(town, 1000, 20.0)
    assert list(town.core.known) == ["other", KEY]
