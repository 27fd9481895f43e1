"""A crowd starts at a host of which nothing is known."""

from random import Random

import pytest

from recloser.fsm.record import Cause, Close
from recloser.governor.initial_window import InitialWindow
from recloser.governor.news import Reading
from tests.engine.governor.rig import FULL, KEY, NOBODY, Town

INITIAL = 10
HANGS = Close.by_engine(Cause.CONNECT_TIMEOUT)


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
def test_who_comes_one_after_the_other_never_waits() -> None:
    """An engine is done before the eleventh comes."""
    town = Town()
    for engine in range(1000):
        town.ask(engine)
        assert town.granted[-1] == (town.now, engine)
        if engine >= INITIAL - 1:
            town.ended(engine - INITIAL + 1)
        town.now += 0.001


@pytest.mark.spec("M3.17")
@pytest.mark.parametrize("close", [None, NOBODY])
def test_who_asks_just_after_the_window_was_full_does_not_wait(close: Close | None) -> None:
    town = Town()
    town.ask(*range(INITIAL))
    town.ended(3, close)
    town.ask(INITIAL)
    assert town.granted[-1] == (0.0, INITIAL)


@pytest.mark.spec("M3.17")
@pytest.mark.parametrize("intentional", [True, False])
def test_each_dial_that_opens_makes_room_for_one_more(*, intentional: bool) -> None:
    """So the window doubles with each round trip."""
    town = Town()
    town.ask(*range(400), intentional=intentional)
    rounds = []
    while town.answered < 400:
        under_way = town.granted[town.answered :]
        town.answered = len(town.granted)
        rounds.append(len(under_way))
        town.until(town.now + 0.05)
        for _, engine in under_way:
            town.ended(engine)
    assert rounds[:5] == [10, 20, 40, 80, 160]


@pytest.mark.spec("M3.17")
def test_a_window_that_is_not_used_does_not_grow() -> None:
    window = InitialWindow()
    for _ in range(100):
        window.grow(4)
    assert (window.size, window.opened) == (10, 0)
    window.grow(5)
    assert (window.size, window.opened) == (11, 1)


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


@pytest.mark.spec("M3.17")
@pytest.mark.parametrize("ramp", [1.0, 2.0])
@pytest.mark.parametrize("close", [NOBODY, FULL, HANGS])
def test_one_failure_slows_no_start(close: Close, ramp: float) -> None:
    """It is no evidence (M3.1), and no ramp holds where no pace is searched for."""
    town = Town(ramp=ramp)
    town.ask(*range(200))
    answers = iter([None] * 3 + [close])
    town.serve(1.0, lambda: next(answers, None))
    assert town.answered == 200
    assert not town.told


@pytest.mark.spec("M3.17")
def test_ten_that_take_long_keep_nobody_from_opening() -> None:
    """Their `on_open` takes long, or they hang: the window grows beyond them."""
    town = Town()
    town.ask(*range(1000))
    town.answered = INITIAL
    town.serve(3.0)
    assert town.answered == 1000
    assert len(town.granted) == 1000


@pytest.mark.spec("M3.17")
def test_steady_traffic_with_slow_dials_waits_at_its_beginning_alone() -> None:
    """Twenty dials a second, each of five seconds: a hundred are under way."""
    town = Town()
    rng = Random(1)
    asked: dict[int, float] = {}
    ends: list[tuple[float, int]] = []
    waits: list[tuple[float, float]] = []
    seen = engine = 0
    due = 0.0
    while town.now < 120.0:
        due += rng.expovariate(20.0)
        for end, one in [each for each in ends if each[0] <= due]:
            town.until(end)
            town.ended(one)
            ends.remove((end, one))
        town.until(due)
        engine += 1
        asked[engine] = due
        town.ask(engine)
        for at, one in town.granted[seen:]:
            waits.append((asked[one], at - asked[one]))
            ends.append((at + 5.0, one))
        seen = len(town.granted)
        ends.sort()
    assert max(wait for _, wait in waits) < 6.0
    assert all(wait < 0.2 for at, wait in waits if at > 20.0)
    assert len(waits) > 2000


@pytest.mark.spec("M3.17", "M3.1")
@pytest.mark.parametrize("close", [NOBODY, FULL], ids=str)
def test_a_crowd_that_starts_at_a_dead_host_dials_a_dozen_times(close: Close) -> None:
    """Two that fail before any has opened show it to be down, and a third speaks for all.

    Each of the two has given its place to another.
    """
    town = Town()
    town.ask(*range(1000))
    for engine in range(INITIAL):
        town.ended(engine, close)
        town.sleep(engine, close=close)
    town.until(0.05)
    assert len(town.granted) == INITIAL + 2
    assert [news.reading for news in town.told] == [Reading.DOWN]
    assert [engine for _, engine, _ in town.shared] == [*range(INITIAL + 2, 1000)]


@pytest.mark.spec("M3.17")
def test_a_spread_that_the_host_has_asked_for_slows_no_start() -> None:
    """Those who were asked keep away by themselves; these were not."""
    town = Town()
    town.sleep(900, close=Close.frame(1012, spread=250.0))
    town.ask(*range(50))
    town.serve(1.0)
    assert town.answered == 50


@pytest.mark.spec("M3.17")
def test_the_window_is_ten_again_when_all_have_gone() -> None:
    town = Town()
    town.ask(*range(50))
    town.serve(20.0)
    begun = len(town.granted)
    town.ask(*range(100, 150))
    assert len(town.granted) - begun == INITIAL


@pytest.mark.spec("M3.18")
def test_what_opened_before_an_outage_counts_for_one_return() -> None:
    """One engine sleeps for good, so that the host is remembered from one to the next."""
    town = Town()
    town.sleep(900, close=Close.refused(503, retry_after=7200.0))
    town.ask(*range(50))
    town.serve(1.0)
    started = []
    for outage in range(2):
        town.down()
        for failing in (903, 904, 905, 906, 907, 908):
            town.ask(failing)
            town.ended(failing, NOBODY)
            town.sleep(failing)
            town.until(town.now + 20.0)
        town.ask(60 + outage)
        town.ended(60 + outage)
        started.append(town.core._hosts[KEY]._pace._started)
        town.leave(*range(901, 909))
    assert started == [31, 0], "the last of fifty used less than half of the window"
