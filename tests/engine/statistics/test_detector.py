"""Alarms of the detector: on synthetic traffic with known anomalies, and one by one."""

import random

import pytest

from recloser.statistics import CloseAlarm, EndKind
from recloser.statistics.detector import Detector, facts_of
from tests.engine.statistics.traffic import CUT, DAY_MINUTES, RESTART, Group, delay, poisson, raised

NORMAL = EndKind(1000, None, "peer", intentional=False)
EXPIRED = EndKind(4401, None, "peer", intentional=False)


class Feed:
    """A detector that is told minute by minute."""

    def __init__(self) -> None:
        self.detector = Detector()
        self.minute = 0
        self.alarms: list[CloseAlarm] = []

    def minutes(self, count: int, kind: EndKind = NORMAL, ends: int = 0, **facts: bool) -> None:
        for _ in range(count):
            self.alarms += self.detector.advance(self.minute * 60.0)
            if ends:
                self.detector.add(kind, self.minute * 60.0, count=ends, **facts)
            self.minute += 1


@pytest.mark.spec("I5.3")
def test_a_raised_rate_is_told_once_and_clears() -> None:
    feed = Feed()
    feed.minutes(300, ends=10)
    feed.minutes(30, ends=30)
    [alarm] = feed.alarms
    assert (alarm.kind, alarm.cleared) == (NORMAL, None)
    assert 300 * 60 < alarm.since <= 310 * 60
    assert alarm.count > 1.7 * alarm.usual
    assert alarm.usual == pytest.approx(100, rel=0.2)
    assert feed.detector.alarms == [alarm]
    feed.minutes(60, ends=10)
    assert len(feed.alarms) == 2
    cleared = feed.alarms[1]
    assert cleared.since == alarm.since
    assert 330 * 60 < cleared.cleared < 350 * 60
    assert feed.detector.alarms == []


@pytest.mark.spec("I5.3")
def test_a_rate_that_stays_becomes_usual() -> None:
    feed = Feed()
    feed.minutes(300, ends=10)
    feed.minutes(400, ends=30)
    raised, cleared = feed.alarms
    assert raised.cleared is None
    assert cleared.cleared < (300 + 240) * 60


@pytest.mark.spec("I5.3")
@pytest.mark.parametrize(
    ("kind", "refresh", "reading"),
    [
        (NORMAL, False, "the server ends connections as if all were done"),
        (NORMAL, True, "sessions expire"),
        (EXPIRED, False, "sessions expire"),
        (EndKind(1006, 401, "peer", False), False, "sessions expire"),
        (EndKind(1000, None, "application", True), False, "clients close on purpose"),
        (CUT, False, "connections break"),
        (EndKind(1006, None, "engine", False), False, "peers go silent"),
        (EndKind(1006, 503, "peer", False), False, "the server has no room"),
        (EndKind(1006, 418, "peer", False), False, "the server refuses connections"),
        (EndKind(4999, None, "peer", False), False, "a reason of its own"),
    ],
)
def test_an_alarm_says_what_it_most_often_means(kind: EndKind, refresh: bool, reading: str) -> None:
    feed = Feed()
    feed.minutes(100, kind, 5, refresh=refresh)
    feed.minutes(15, kind, 25, refresh=refresh)
    [alarm] = feed.alarms
    assert reading in alarm.reading
    assert facts_of(alarm)["code"] == kind.code


@pytest.mark.spec("I5.5")
def test_a_deployment_a_day_is_usual_and_many_in_a_day_are_not() -> None:
    feed = Feed()
    for _ in range(7):
        feed.minutes(700, RESTART)
        feed.minutes(15, RESTART, 100)
        feed.minutes(DAY_MINUTES - 715, RESTART)
    assert feed.alarms == []
    for _ in range(8):
        feed.minutes(15, RESTART, 100)
        feed.minutes(60, RESTART)
    [alarm] = feed.alarms
    assert alarm.reading == "the server restarts often"
    assert (alarm.window, alarm.count) == (86400.0, 8)
    feed.minutes(2 * DAY_MINUTES, RESTART)
    assert [each.cleared is None for each in feed.alarms] == [True, False]


@pytest.mark.spec("I5.5")
def test_a_wave_that_does_not_end_is_told() -> None:
    feed = Feed()
    feed.minutes(200, RESTART, 1)
    feed.minutes(44, RESTART, 60)
    assert feed.alarms == []
    feed.minutes(30, RESTART, 60)
    assert [alarm.kind for alarm in feed.alarms] == [RESTART]


@pytest.mark.spec("I5.4")
def test_ends_that_come_in_clusters_are_told_from_a_raised_rate() -> None:
    """Four connections behind one router end together; what scatters more needs more to stand out.

    The dispersion is known after the first hundred minutes, so a restart of the service costs
    no false alarm.
    """
    source = random.Random(5)
    feed = Feed()
    for _ in range(600):
        feed.minutes(1, ends=4 * poisson(source, 2.0))
    assert feed.alarms == []
    [series] = feed.detector._series.values()
    assert 3.0 < series._dispersion < 5.0
    for _ in range(15):
        feed.minutes(1, ends=4 * poisson(source, 8.0))
    assert len(feed.alarms) == 1


@pytest.mark.spec("I5.2")
def test_kinds_beyond_the_bound_share_a_series() -> None:
    feed = Feed()
    for code in range(3000, 4000):
        feed.detector.advance(0.0)
        feed.detector.add(EndKind(code, None, "peer", False), 0.0)
    assert len(feed.detector._series) == 25


@pytest.mark.spec("I5.3")
def test_a_machine_that_slept_for_a_year_goes_on() -> None:
    feed = Feed()
    feed.minutes(200, ends=10)
    feed.minute += 365 * DAY_MINUTES
    feed.minutes(200, ends=10)
    feed.minutes(15, ends=30)
    assert [alarm.cleared is None for alarm in feed.alarms].count(True) >= 1
    feed.minute -= 1000  # the clock of a journal may be set back
    feed.minutes(10, ends=1)


@pytest.mark.spec("I5.4")
def test_a_day_of_a_group_gives_no_alarm_and_an_anomaly_is_found() -> None:
    assert raised(Group(seed=1, days=1)) == []
    found = delay(seed=3, rate=10.0)
    assert found is not None
    assert found <= 10


@pytest.mark.slow
@pytest.mark.spec("I5.4")
def test_a_month_of_twelve_groups_and_a_hundred_anomalies() -> None:
    """The figures of docs/statistics.md."""
    for cluster in (1, 3):
        false = [len(raised(Group(seed, days=30, cluster=cluster))) for seed in range(12)]
        assert sum(false) <= 12
    delays = [delay(seed, rate) for rate in (5.0, 10.0) for seed in range(100)]
    assert all(each is not None and each <= 10 for each in delays)
