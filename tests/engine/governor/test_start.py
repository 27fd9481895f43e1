"""A crowd starts at a host of which nothing is known."""

from itertools import pairwise

import pytest

from recloser.fsm.record import Close
from recloser.governor.news import Reading
from recloser.governor.pace import RAMP
from tests.engine.governor.rig import FULL, NOBODY, Town

INITIAL = 10


def seconds(town: Town) -> list[float]:
    """When dials began, to a thousandth."""
    return [round(at, 3) for at, _ in town.granted]


@pytest.mark.spec("M3.17")
@pytest.mark.parametrize("crowd", range(1, 2 * INITIAL))
@pytest.mark.parametrize("intentional", [True, False])
def test_ten_of_a_crowd_dial_at_once(crowd: int, *, intentional: bool) -> None:
    town = Town()
    town.ask(*range(crowd), intentional=intentional)
    assert town.granted == [(0.0, number) for number in range(min(crowd, INITIAL))]


@pytest.mark.spec("M3.17")
def test_others_follow_a_tenth_of_a_second_apart_while_those_hang() -> None:
    town = Town()
    town.ask(*range(30))
    town.until(1.0)
    assert seconds(town) == [0.0] * INITIAL + [round(0.1 * number, 3) for number in range(1, 11)]


@pytest.mark.spec("M3.17")
def test_one_who_comes_later_does_not_wait_for_those_who_hang() -> None:
    town = Town()
    town.ask(*range(INITIAL))
    town.until(0.1)
    town.ask(INITIAL)
    assert town.granted[-1] == (0.1, INITIAL)


@pytest.mark.spec("M3.17")
def test_who_comes_one_after_the_other_never_waits() -> None:
    """An engine is done before the eleventh comes."""
    town = Town()
    for engine in range(1000):
        town.ask(engine)
        assert town.granted[-1] == (town.now, engine)
        if engine >= INITIAL - 2:
            town.ended(engine - INITIAL + 2)
        town.now += 0.001


@pytest.mark.spec("M3.17")
@pytest.mark.parametrize("at_once", [1, 9, 10, 11, 50])
def test_a_lower_limit_holds_as_well(at_once: int) -> None:
    town = Town(at_once=at_once)
    town.ask(*range(100))
    assert len(town.granted) == min(at_once, INITIAL)
    town.until(20.0)
    assert len(town.granted) == at_once


@pytest.mark.spec("M3.17", "M1.1")
def test_a_rate_says_how_a_crowd_starts() -> None:
    """The operator knows what the host takes."""
    town = Town(rate=1000.0)
    town.ask(*range(100))
    town.until(0.05)
    assert len(town.granted) == pytest.approx(51, abs=1)
    town.ended(0)
    town.until(0.0985)
    assert len(town.granted) == pytest.approx(99, abs=1)


@pytest.mark.spec("M3.18")
def test_the_first_that_opens_begins_a_search_with_a_window_of_ten() -> None:
    town = Town()
    town.ask(*range(1000))
    town.ended(0)
    assert len(town.granted) == INITIAL + 1
    rounds = [INITIAL]
    for _ in range(12):
        under_way = town.granted[town.answered + (town.answered == 0) :]
        town.answered = len(town.granted)
        town.now += 0.05
        for _, engine in under_way:
            town.ended(engine)
        rounds.append(len(town.granted) - town.answered)
    growth = [after / before for before, after in pairwise(rounds[1:])]
    assert rounds[1] >= INITIAL
    assert all(1.1 < each < 1.5 for each in growth)


@pytest.mark.spec("M3.18", "M3.11")
def test_a_small_ramp_has_no_window_at_a_start_either() -> None:
    town = Town(ramp=1.08)
    town.ask(*range(1000))
    town.serve(2.0)
    assert len(town.granted) == pytest.approx(INITIAL + 2 * 1000 / 180, abs=3)


@pytest.mark.spec("M3.18")
def test_the_search_is_over_when_all_have_opened() -> None:
    town = Town()
    town.ask(*range(50))
    town.serve(20.0)
    assert town.answered == 50
    assert town.core.hosts == 0


@pytest.mark.spec("M3.17", "M3.1")
@pytest.mark.parametrize(("close", "reading"), [(NOBODY, Reading.DOWN), (FULL, Reading.BUSY)])
def test_a_crowd_that_starts_at_a_dead_host_dials_ten_times(close: Close, reading: Reading) -> None:
    """Two that fail before any has opened show it to be down, and a third speaks for all."""
    town = Town()
    town.ask(*range(1000))
    for engine in range(INITIAL):
        town.ended(engine, close)
        town.sleep(engine, close=close)
    town.until(0.05)
    assert len(town.granted) == INITIAL
    assert [news.reading for news in town.told] == [reading]
    assert [engine for _, engine, _ in town.shared] == [*range(INITIAL, 1000)]


@pytest.mark.spec("M3.18")
@pytest.mark.parametrize("ramp", [RAMP, 1.08])
def test_the_initial_window_that_is_refused_ends_the_search(ramp: float) -> None:
    """The host takes five: the next dials follow at the pace, and not by the window."""
    town = Town(ramp=ramp)
    town.ask(*range(500))
    for engine in range(5):
        town.ended(engine)
    begun = len(town.granted)
    for engine in range(5, INITIAL):
        town.ended(engine, FULL)
        town.sleep(engine, close=FULL)
    town.until(1.0)
    assert len(town.granted) - begun <= 5


@pytest.mark.spec("M3.18")
def test_a_spread_that_the_host_has_asked_for_slows_no_start() -> None:
    """Those who were asked keep away by themselves; these were not."""
    town = Town()
    town.sleep(900, close=Close.frame(1012, spread=250.0))
    town.ask(*range(50))
    town.serve(5.0)
    assert town.answered == 50


@pytest.mark.spec("M3.17")
def test_the_window_holds_again_when_all_have_opened() -> None:
    """What the pace has been does not count for a crowd that comes an hour later."""
    town = Town()
    town.ask(*range(50))
    town.serve(20.0)
    begun = len(town.granted)
    town.until(3600.0)
    town.ask(*range(100, 150))
    assert len(town.granted) - begun == INITIAL


@pytest.mark.spec("M3.17")
def test_who_asks_just_after_ten_have_opened_does_not_wait() -> None:
    town = Town()
    town.ask(*range(INITIAL))
    for engine in range(INITIAL):
        town.ended(engine)
    town.ask(INITIAL)
    assert town.granted[-1] == (0.0, INITIAL)
