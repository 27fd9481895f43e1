"""One host as a governor sees it: clear, down, returning."""

import itertools
from bisect import bisect
from collections import Counter
from math import inf

import pytest

from recloser.fsm.record import Cause, Close, Origin
from recloser.governor.news import Reading
from tests.engine.governor.rig import FULL, NOBODY, Town


def probe_hangs() -> Town:
    """The probe of 1 hangs, and that of 2 opens a second later."""
    town = Town()
    town.down()
    town.ask(1, 2)
    town.until(1.0)
    town.ended(2)
    return town


@pytest.mark.spec("M1.1")
def test_dials_begin_evenly_at_the_rate() -> None:
    town = Town(rate=4.0)
    town.ask(*range(9))
    town.until(10.0)
    assert town.granted == [(number / 4, number) for number in range(9)]


@pytest.mark.spec("M1.1")
def test_a_busy_event_loop_is_made_up_for_and_idle_time_is_not() -> None:
    town = Town(rate=100.0)
    town.ask(*range(60))
    for _ in range(10):
        town.now += 0.05
        town.pass_time()
    assert 50 <= len(town.granted) <= 52
    town.until(5.0)
    town.ask(*range(100, 200))
    assert len(town.granted) == 61
    town.now += 10.0
    town.pass_time()
    assert 70 <= len(town.granted) <= 73


@pytest.mark.spec("M1.1")
def test_who_has_gone_leaves_the_rate_behind() -> None:
    """The host is remembered until its limit lets one dial, and not longer."""
    town = Town(rate=0.1)
    town.ask(1)
    town.ended(1)
    town.ask(2)
    town.until(9.9)
    assert town.granted == [(0.0, 1)]
    town.until(10.0)
    assert town.granted == [(0.0, 1), (10.0, 2)]
    town.ended(2)
    assert town.core.hosts == 1
    town.until(20.0)
    assert town.core.hosts == 0


@pytest.mark.spec("M1.1")
def test_so_many_are_under_way_at_a_time() -> None:
    town = Town(at_once=3)
    town.ask(*range(5))
    assert [engine for _, engine in town.granted] == [0, 1, 2]
    town.ended(1)
    town.ended(0, FULL)
    assert [engine for _, engine in town.granted] == [0, 1, 2, 3, 4]


@pytest.mark.spec("M1.3")
def test_dials_that_the_application_asks_for_come_first() -> None:
    town = Town(rate=1.0)
    town.ask(1, 2, 3)
    town.ask(10, 11, intentional=True)
    town.until(10.0)
    assert [engine for _, engine in town.granted] == [1, 10, 11, 2, 3]


@pytest.mark.spec("M3.1")
def test_one_engine_that_fails_says_nothing_of_the_host() -> None:
    town = Town()
    for _ in range(9):
        town.ask(1)
        town.ended(1, NOBODY)
        town.sleep(1)
    town.ask(2, 3)
    assert [engine for _, engine in town.granted[-2:]] == [2, 3]
    assert not town.probes


@pytest.mark.spec("M3.1")
def test_probes_go_alone_with_growing_gaps() -> None:
    town = Town()
    town.down()
    for engine in range(190):
        town.ask(engine)
    starts = []
    while len(starts) < 40:
        town.until(town.now + 0.25)
        while town.probes:
            at, engine = town.probes.pop()
            starts.append(at)
            town.ended(engine, NOBODY)
        town.ask(*(engine for _, engine, _ in town.shared))
        town.shared.clear()
    gaps = [late - early for early, late in itertools.pairwise(starts)]
    assert not town.granted
    assert min(gaps) >= 1.0
    assert gaps[0] <= 1.25
    assert max(gaps) <= 10.25
    assert gaps[-1] >= 10.0


@pytest.mark.spec("M3.1")
@pytest.mark.parametrize(
    ("crowd", "first", "last"),
    [(200, 1.0, 10.0), (1000, 1.0, 2.0), (10_000, 0.1, 0.2), (100_000, 0.1, 0.1)],
)
def test_the_probes_of_a_large_crowd_follow_each_other_sooner(
    crowd: int, first: float, last: float
) -> None:
    town = Town()
    town.down()
    town.sleep(*range(1000, 998 + crowd))
    while town.now < 120.0:
        town.ask(901)
        while len(town.probes) == town.answered:
            due = town.core.deadline
            assert due is not None
            town.until(due)
        town.answered += 1
        town.ended(901, NOBODY)
    gaps = [late - early for (early, _), (late, _) in itertools.pairwise(town.probes)]
    assert gaps == pytest.approx(sorted(gaps))
    assert gaps[0] == pytest.approx(first)
    assert gaps[-1] == pytest.approx(last)


@pytest.mark.spec("M3.1")
def test_a_probe_that_hangs_holds_up_nobody_beyond_the_gap() -> None:
    town = Town()
    town.down()
    town.ask(1, 2)
    town.until(1.0)
    assert town.probes == [(0.0, 1), (1.0, 2)]


@pytest.mark.spec("M3.9")
def test_probes_that_hang_leave_the_return_its_window() -> None:
    """What is silent while the host is down may stay so: it fills nothing of the host's."""
    town = Town()
    town.down()
    town.ask(*range(100))
    town.until(60.0)
    _, last = town.probes[-1]
    assert len(town.probes) >= 10
    town.ended(last)
    assert len(town.granted) == 1
    town.serve(62.0)
    assert len(town.granted) + len(town.probes) == 100
    for _, engine in town.probes:
        town.ended(engine)
    assert [engine for _, engine in town.woken] == [901, 902]


@pytest.mark.spec("M1.1", "M3.9")
def test_probes_that_hang_count_among_those_under_way() -> None:
    town = Town(at_once=6)
    town.down()
    town.ask(*range(100))
    town.until(600.0)
    assert len(town.probes) == 6
    town.ended(0)
    town.serve(700.0)
    *_, (_, hanging) = town.probes
    assert max(Counter(at for at, _ in town.granted).values()) == 1
    town.ended(hanging)
    town.serve(800.0)
    assert len(town.granted) + len(town.probes) == 100


@pytest.mark.spec("M3.1", "M3.8")
def test_probes_that_hang_are_under_way_in_the_next_outage_too() -> None:
    town = probe_hangs()
    town.sleep(*range(10, 20))
    while town.answered < 5:  # so many failures in a row, and the host is down again
        town.until(town.now + 1.0)
        for _, engine in town.woken[town.answered :]:
            town.answered += 1
            town.ask(engine)
            town.ended(engine, NOBODY)
            town.sleep(engine)
    town.ask(50)
    town.until(town.now + 3.0)
    town.ended(50, NOBODY)
    town.ask(99, intentional=True)
    assert [engine for _, engine in town.probes] == [1, 2, 50]
    town.ended(1)
    assert town.told[-1].reading is Reading.UP


@pytest.mark.spec("M1.5")
def test_a_host_is_remembered_while_a_dial_hangs_there() -> None:
    town = probe_hangs()
    town.leave(901, 902)
    assert town.core.hosts == 1
    town.ended(1)
    assert town.core.hosts == 0


@pytest.mark.spec("M1.5")
def test_a_successor_that_hangs_since_the_outage_dials_on_when_its_connection_is_lost() -> None:
    town = probe_hangs()
    town.sleep(1)
    town.until(5.0)
    assert [engine for _, engine in town.woken] == [901, 902]


@pytest.mark.spec("M3.1")
def test_who_is_asked_for_waits_for_no_gap_but_for_the_probe() -> None:
    town = Town()
    town.down()
    town.ask(1)
    town.ended(1, NOBODY)
    town.ask(2)
    town.ask(3, intentional=True)
    assert town.probes == [(0.0, 1), (0.0, 3)]
    town.ask(4, intentional=True)
    assert len(town.probes) == 2


@pytest.mark.spec("M3.2")
def test_those_who_wait_get_the_record_of_the_probe() -> None:
    town = Town()
    town.down()
    town.ask(1, 2, route="a")
    town.ask(3, route="b")
    town.ended(1, NOBODY)
    assert town.shared == [(0.0, 2, NOBODY)]
    town.until(1.0)
    assert town.probes == [(0.0, 1), (1.0, 3)]


@pytest.mark.spec("M3.2")
def test_a_probe_that_tells_nothing_of_the_host_is_followed_by_the_next() -> None:
    town = Town()
    town.down()
    town.ask(1, 2)
    town.ended(1, Close.refused(401))
    assert town.probes == [(0.0, 1), (0.0, 2)]
    assert not town.shared


@pytest.mark.spec("M3.3", "M3.11")
@pytest.mark.parametrize(("ramp", "first", "last"), [(1.0, 15, 22), (1.1, 16, 24), (4.0, 60, 2000)])
def test_a_ramp_is_the_growth_of_a_second(ramp: float, first: int, last: int) -> None:
    """720 over three minutes are four a second."""
    town = Town(ramp=ramp)
    town.down()
    town.ask(*range(720))
    town.ended(0)
    town.serve(4.0)
    assert first <= len(town.granted) <= last


@pytest.mark.spec("M3.3")
def test_a_host_that_refuses_gets_less() -> None:
    town = Town()
    town.down()
    town.ask(*range(2000))
    town.ended(0)
    accepted: list[float] = []

    def answer() -> Close | None:
        """Five a second."""
        if len([at for at in accepted[-5:] if at > town.now - 1.0]) == 5:
            return FULL
        accepted.append(town.now)
        return None

    town.serve(200.0, answer)
    assert len(accepted) >= 0.8 * 5 * 200
    assert len(town.granted) <= 1.35 * len(accepted)


@pytest.mark.spec("M3.3")
def test_the_return_wakes_those_in_backoff_and_they_keep_their_permit() -> None:
    town = Town()
    town.down()
    town.sleep(1, 2)
    town.ask(3)
    town.ended(3)
    assert town.woken == [(0.0, 901)]
    town.until(0.4)
    town.ask(901)
    assert town.granted == [(0.4, 901)]
    town.ended(901)
    town.until(3.0)
    assert [engine for _, engine in town.woken] == [901, 902, 1, 2]


@pytest.mark.spec("M3.3")
def test_who_is_refused_in_the_return_is_woken_later_and_later() -> None:
    town = Town()
    town.down()
    town.ask(1)
    town.ended(1)
    town.leave(901)
    starts: list[float] = []
    while len(starts) < 4:
        town.until(town.now + 0.25)
        if len(town.woken) > len(starts):
            starts.append(town.now)
            town.ask(902)
            town.ended(902, FULL)
            town.sleep(902, close=FULL)
    gaps = [late - early for early, late in itertools.pairwise(starts)]
    assert gaps == sorted(gaps)
    assert gaps[-1] >= 4.0


@pytest.mark.spec("M3.3")
def test_a_spread_that_the_host_asked_for_is_kept() -> None:
    town = Town()
    town.sleep(901, 902, close=Close.frame(1012, spread=60.0))
    town.ask(*range(300))
    town.ended(0)
    town.serve(70.0)
    starts = [at for at, _ in town.granted]
    assert len(starts) == 299
    assert 55.0 <= starts[-1] <= 60.0


@pytest.mark.spec("M3.3")
def test_the_spread_of_a_drain_is_for_all_of_them_though_the_first_is_back_before_its_end() -> None:
    """A thousand are closed within two seconds, and asked to be back ten seconds later."""
    town = Town()
    town.sleep(901, 902, close=Close.frame(1012, spread=10.0))
    town.ask(0)
    town.ended(0)
    for engine in range(1, 1000):
        town.serve(engine * 2 / 1000)
        town.sleep(engine, close=Close.frame(1012, spread=10.0))
    for engine in range(1, 1000):
        town.ask(engine)
    town.serve(12.5)
    starts = [at for at, _ in town.granted]
    assert len(starts) == 999
    assert starts[-1] > 11.0


@pytest.mark.spec("M3.3")
def test_a_long_spread_is_kept_by_a_few() -> None:
    town = Town()
    town.sleep(901, 902, close=Close.frame(1012, spread=100.0))
    town.ask(1, 2, 3)
    town.ended(1)
    town.serve(100.0)
    assert [at for at, _ in town.granted] == pytest.approx([25.0, 50.0])


@pytest.mark.spec("M3.3")
@pytest.mark.parametrize("away", [1.0, 30.0, 59.5, 60.5, 200.0])
def test_the_spread_is_counted_from_the_return_of_the_host(away: float) -> None:
    """A second before its end, all who are left would else dial within that second."""
    town = Town()
    town.sleep(901, 902, close=Close.frame(1012, spread=60.0))
    town.ask(*range(300))
    town.until(away)
    for _, probe in town.probes:
        town.ended(probe)
    town.serve(away + 62.0)
    starts = [at - away for at, _ in town.granted]
    assert len(starts) == 300 - len(town.probes)
    assert starts[-1] == pytest.approx(len(starts) / 5, abs=1.0)
    within_a_second = max(bisect(starts, at + 1.0) - number for number, at in enumerate(starts))
    assert within_a_second <= 6


@pytest.mark.spec("M3.3")
def test_a_spread_that_was_over_when_the_host_went_down_is_no_hint() -> None:
    town = Town()
    town.sleep(901, close=Close.frame(1012, spread=30.0))
    town.until(30.5)
    town.down()
    town.ask(*range(100))
    town.ended(0)
    town.serve(town.now + 3.0)
    assert len(town.granted) == 99


@pytest.mark.spec("M3.3")
def test_a_rate_that_is_set_is_the_pace_of_the_return() -> None:
    town = Town(rate=50.0)
    town.down()
    town.ask(*range(100))
    town.ended(0)
    town.serve(1.0)
    assert 48 <= len(town.granted) <= 51


@pytest.mark.spec("M3.8")
def test_a_host_that_goes_again_while_it_returns_is_down() -> None:
    town = Town()
    town.down()
    town.ask(*range(1, 40))
    town.ended(1)
    town.serve(9.0, lambda: NOBODY)
    assert len(town.granted) == 5
    assert len(town.shared) == 33
    town.ask(50, 51)
    town.until(9.5)
    assert len(town.granted) == 5
    assert town.probes[1:] == [(9.0, 50)]


@pytest.mark.spec("M3.8")
def test_who_was_lost_in_a_return_that_has_ended_sets_no_moment() -> None:
    """Nobody is woken while the host is down, so none of their moments is a deadline."""
    town = Town()
    town.sleep(7, close=Close.refused(503, retry_after=60.0))  # for this one the return goes on
    town.down()
    town.leave(902)
    town.ask(1)
    town.ended(1)
    for number in range(1, 6):  # it may be woken a second later, then two, four, and so on
        while len(town.woken) < number:
            town.until(town.now + 1.0)
        town.ended(901)
        town.sleep(901, brief=True)
    town.ask(*range(10, 50))
    town.serve(town.now + 6.0, lambda: NOBODY)
    assert town.shared, "the host is down again"
    town.now += 100.0
    town.leave(*(engine for _, engine, _ in town.shared))
    [host] = town.core._hosts.values()
    assert host.due == inf


@pytest.mark.spec("M3.4")
@pytest.mark.parametrize(
    "close",
    [
        Close.refused(503, retry_after=60.0),
        Close.frame(1012, spread=60.0),
        Close.refused(401),
        Close.by_engine(Cause.HOOK),
        Close.frame(4008),
    ],
    ids=str,
)
def test_who_was_told_to_stay_away_sleeps_on(close: Close) -> None:
    town = Town()
    town.down()
    town.leave(901)
    town.sleep(7, close=close)
    town.ask(1)
    town.ended(1)
    town.until(100.0)
    assert [engine for _, engine in town.woken] == [902]


@pytest.mark.spec("M3.5")
def test_a_retry_after_keeps_the_next_probe_away() -> None:
    town = Town()
    town.down()
    town.ask(1, 2)
    town.ended(1, Close.refused(503, retry_after=20.0))
    assert [engine for _, engine, _ in town.shared] == [2]
    town.ask(3)
    town.until(19.9)
    assert len(town.probes) == 1
    town.until(20.0)
    assert town.probes[-1] == (20.0, 3)


@pytest.mark.spec("M3.5")
def test_a_probe_that_tells_nothing_does_not_end_the_silence() -> None:
    """The application dials in the silence, and the dial says nothing of the host."""
    town = Town()
    town.down()
    town.ask(1)
    town.ended(1, Close.refused(503, retry_after=20.0))
    town.ask(2)
    town.ask(3, intentional=True)
    town.ended(3, Close.by_engine(Cause.HOOK))
    assert town.probes == [(0.0, 1), (0.0, 3)]
    town.until(30.0)
    assert town.probes[2:] == [(20.0, 2)]


@pytest.mark.spec("M3.5")
def test_the_retry_after_that_shows_a_host_down_keeps_the_first_probe_away() -> None:
    town = Town()
    town.sleep(901, close=FULL)
    town.sleep(902, close=Close.refused(503, retry_after=20.0))
    town.ask(1)
    town.until(30.0)
    assert town.probes == [(20.0, 1)]
    assert [news.retry_after for news in town.told] == [20.0]


@pytest.mark.spec("M3.5")
def test_a_retry_after_of_a_server_that_drains_keeps_no_probe_away() -> None:
    """Behind a load balancer another server takes those whom it refuses."""
    town = Town()
    town.sleep(901, 902, close=Close.frame(1012, spread=30.0))
    town.ask(1)
    town.ended(1, Close.refused(503, retry_after=20.0))
    town.ask(2)
    town.until(1.0)
    assert town.probes == [(0.0, 1), (1.0, 2)]
    town.ended(2)
    town.ask(3, 4)
    town.serve(30.0)
    assert [engine for _, engine in town.granted] == [3, 4]


@pytest.mark.spec("M3.5")
def test_a_retry_after_counts_again_once_the_spread_is_over() -> None:
    town = Town()
    town.sleep(901, 902, close=Close.frame(1012, spread=30.0))
    town.until(30.0)
    town.ask(1)
    town.ended(1, Close.refused(503, retry_after=20.0))
    town.ask(2)
    town.until(60.0)
    assert town.probes == [(30.0, 1), (50.0, 2)]


@pytest.mark.spec("M3.5")
def test_a_retry_after_of_hours_keeps_probes_away_for_five_minutes() -> None:
    town = Town()
    town.down()
    town.ask(1)
    town.ended(1, Close.refused(503, retry_after=7200.0))
    town.ask(2)
    town.until(1000.0)
    assert town.probes[1:] == [(300.0, 2)]


@pytest.mark.spec("M3.1")
def test_failures_a_minute_apart_are_no_evidence() -> None:
    town = Town()
    town.sleep(901)
    town.until(60.5)
    town.sleep(902)
    town.ask(1, 2)
    assert town.granted == [(60.5, 1), (60.5, 2)]


@pytest.mark.spec("M3.3")
@pytest.mark.parametrize(("spread", "most"), [(None, 10), (25.0, 20), (200.0, 10)])
def test_a_slow_host_has_ten_seconds_of_the_pace_under_way(spread: float | None, most: int) -> None:
    """All dials of the return hang: at most as many as ten seconds begin, and ten at least.

    A host that has been asked for its pace has shown nothing yet.
    """
    town = Town()
    town.sleep(901, 902, close=Close.cut(Cause.RESET, spread=spread))
    town.ask(*range(49))
    town.ended(0)
    town.until(3600.0)
    assert len(town.granted) == most


@pytest.mark.spec("M3.6")
def test_a_refused_certificate_is_refused_for_who_trusts_the_same() -> None:
    refused = Close(code=1015, origin=Origin.NETWORK, cause=Cause.TLS)
    town = Town(at_once=1)
    town.ask(1, 2, 3, route="mine")
    town.ask(4, route="other")
    town.ended(1, refused)
    assert [engine for _, engine, _ in town.shared] == [2, 3]
    assert [engine for _, engine in town.granted] == [1, 4]


def test_news_of_others_makes_it_down_and_begins_the_return() -> None:
    town = Town()
    town.sleep(1)
    town.hear(Reading.DOWN)
    town.ask(2)
    assert not town.granted + town.probes
    town.until(1.0)
    assert town.probes == [(1.0, 2)]
    town.ask(3)
    town.hear(Reading.UP)
    town.until(1.5)
    assert [engine for _, engine in town.granted] == [3]
    assert not town.told


def test_what_others_must_know_is_told() -> None:
    town = Town()
    town.down()
    town.ask(1, 2)
    town.ended(1)
    town.until(1.0)
    town.ended(2, FULL)
    readings = [news.reading for news in town.told]
    assert readings == [Reading.DOWN, Reading.UP, Reading.BUSY]


@pytest.mark.spec("M3.7")
def test_who_gives_its_turn_to_probe_back_is_the_first_to_probe_later() -> None:
    town = Town()
    town.down()
    town.ask(1, 2)
    town.do(town.core.defer(1, 4.0, town.now))
    town.until(4.5)
    assert town.probes == [(0.0, 1), (4.0, 1)]


@pytest.mark.spec("M3.7")
def test_a_spread_of_which_others_tell_is_kept() -> None:
    town = Town()
    town.sleep(901)
    town.hear(Reading.DOWN, spread=50.0)
    town.ask(*range(100))
    town.hear(Reading.UP)
    town.serve(60.0)
    assert 45.0 <= town.granted[-1][0] <= 50.0


@pytest.mark.spec("M3.7")
def test_a_retry_after_of_which_others_tell_keeps_the_probe_away() -> None:
    town = Town()
    town.sleep(1)
    town.hear(Reading.DOWN, retry_after=20.0)
    town.ask(2)
    town.until(30.0)
    assert town.probes == [(20.0, 2)]


@pytest.mark.spec("M3.12")
def test_the_first_refusal_of_which_others_tell_ends_the_search_and_more_lower_nothing() -> None:
    granted = []
    for refusals in (0, 1, 30):
        town = Town()
        town.down()
        town.ask(*range(40))
        town.ended(0)
        for refusal in range(refusals):
            town.until(refusal / 10)
            town.hear(Reading.BUSY)
        town.until(5.0)
        granted.append(len(town.granted))
    assert granted == [10, 6, 6]


@pytest.mark.spec("M3.1")
def test_a_dial_that_opens_between_two_failures_is_evidence_for_the_host() -> None:
    town = Town()
    town.sleep(1)
    town.ask(2)
    town.ended(2)
    town.sleep(3)
    town.ask(4, 5)
    assert [engine for _, engine in town.granted] == [2, 4, 5]


@pytest.mark.spec("M3.8")
@pytest.mark.parametrize("late", [False, True])
def test_a_dial_that_began_before_another_opened_is_no_evidence_that_the_host_is_down(
    late: bool,
) -> None:
    town = Town()
    town.sleep(901, 902, close=Close.cut(Cause.RESET, spread=6.0))
    town.ask(*range(60))
    town.ended(0)
    town.until(1.0)
    early = [engine for _, engine in town.granted]
    assert len(early) > 5
    town.ended(early.pop())
    if late:
        town.until(2.0)
    begun = [engine for _, engine in town.granted if engine > max(early) + 1] if late else early
    for engine in begun[:5]:
        town.ended(engine, NOBODY)
    before = len(town.granted)
    town.until(3.0)
    assert (len(town.granted) == before) == late


@pytest.mark.spec("M3.3", "M3.8")
def test_failures_of_a_return_count_from_the_last_dial_that_opened() -> None:
    town = Town()
    town.down()
    town.ask(*range(1, 40))
    town.ended(1)
    ends = iter([NOBODY] * 4 + [None] + [NOBODY] * 4)
    town.serve(60.0, lambda: next(ends, None))
    assert len(town.granted) == 38
    assert len(town.probes) == 1


@pytest.mark.spec("M1.5")
def test_who_loses_its_connection_while_it_dials_the_next_is_not_woken() -> None:
    town = Town()
    town.ask(1)
    town.sleep(1)
    town.down()
    town.ask(2)
    town.ended(2)
    town.until(100.0)
    assert [engine for _, engine in town.woken] == [901, 902]


@pytest.mark.spec("M1.5")
def test_who_was_woken_and_has_left_has_no_permit_any_more() -> None:
    town = Town()
    town.down()
    town.ask(1)
    town.ended(1)
    assert town.woken == [(0.0, 901)]
    town.leave(901)
    assert town.woken == [(0.0, 901), (0.0, 902)]
    town.ask(901)
    assert not town.granted
    town.until(0.5)
    assert town.granted == [(0.5, 901)]


@pytest.mark.spec("M3.5")
def test_a_host_that_goes_again_has_asked_for_no_silence() -> None:
    """The application has ended the first outage within the silence."""
    town = Town()
    town.down()
    town.ask(1)
    town.ended(1, Close.refused(503, retry_after=200.0))
    town.ask(2, intentional=True)
    town.ended(2)
    town.ask(*range(10, 20))
    town.serve(20.0, lambda: NOBODY)
    town.ask(50)
    assert town.probes[2:] == [(20.0, 50)]


@pytest.mark.spec("M3.3")
def test_a_spread_is_that_of_one_return() -> None:
    town = Town()
    town.sleep(901, 902, close=Close.frame(1012, spread=1000.0))
    town.ask(*range(100))
    town.ended(0)
    town.serve(60.0, lambda: NOBODY)
    town.ask(*range(200, 300))
    before = len(town.granted)
    town.ended(200)
    town.serve(80.0)
    assert before == 5
    assert len(town.granted) == 104


@pytest.mark.spec("M3.1")
def test_a_host_without_engines_that_a_rate_keeps_in_mind_is_not_down() -> None:
    town = Town(rate=0.1)
    town.down()
    town.ask(1)
    town.leave(1, 901, 902)
    town.ask(2)
    town.until(10.0)
    assert town.probes == [(0.0, 1)]
    assert town.granted == [(10.0, 2)]


@pytest.mark.spec("M3.3")
def test_the_last_engine_of_a_host_comes_back_within_the_spread_that_was_asked_for() -> None:
    town = Town()
    town.sleep(1, 2, close=Close.frame(1012, spread=30.0))
    town.leave(2)
    town.ask(1)
    town.ended(1)
    assert town.core.hosts == 0
    town.ask(1, 2)
    assert [engine for _, engine in town.granted] == [1, 2]


@pytest.mark.spec("M3.3")
def test_no_host_spreads_a_return_over_more_than_five_minutes() -> None:
    """Also one that says so when it is back, and one of which another process tells."""
    for told in ("before", "back", "news"):
        town = Town()
        spread = 300.0 if told == "back" else 99_999.0
        town.sleep(901, 902, close=Close.frame(1012, spread=None if told == "news" else spread))
        if told == "news":
            town.hear(Reading.DOWN, spread=spread)
        town.ask(1)
        town.until(2.0)
        town.ended(1)
        if told == "back":
            town.sleep(903, close=Close.frame(1012, spread=99_999.0))
        town.ask(2, 3, intentional=True)
        town.until(302.5)
        assert {2, 3} <= {engine for _, engine in town.granted}
