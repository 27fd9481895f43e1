"""The core of a governor: its hosts are apart, and are forgotten."""

import tracemalloc

import pytest

from recloser.fsm.record import Cause, Close
from recloser.governor.news import Reading
from tests.engine.governor.rig import NOBODY, Town


@pytest.mark.spec("M1.1")
def test_each_key_has_limits_of_its_own() -> None:
    town = Town(rate=1.0)
    town.ask(1, 2, key="a")
    town.ask(3, 4, key="b")
    town.until(5.0)
    assert town.granted == [(0.0, 1), (0.0, 3), (1.0, 2), (1.0, 4)]


@pytest.mark.spec("M1.1", "M1.3")
@pytest.mark.parametrize("intentional", [False, True])
def test_who_asks_before_a_late_loop_has_looked_lets_the_first_of_them_begin(
    intentional: bool,
) -> None:
    town = Town(rate=1.0)
    town.ask(1, 2)
    town.now = 1.5
    town.ask(3, intentional=intentional)
    assert town.granted == [(0.0, 1), (1.5, 3 if intentional else 2)]


@pytest.mark.spec("M3.1")
def test_a_host_that_is_down_holds_up_no_other() -> None:
    town = Town()
    town.down()
    town.ask(1, 2, key="other")
    assert town.granted == [(0.0, 1), (0.0, 2)]


def test_who_asks_elsewhere_waits_there_alone() -> None:
    town = Town(at_once=1)
    town.ask(1, 2, 3)
    town.ask(2, key="other")
    town.ended(1)
    assert [engine for _, engine in town.granted] == [1, 2, 3]


def test_what_has_no_engine_is_forgotten() -> None:
    town = Town()
    for host in range(100):
        town.sleep(3 * host, 3 * host + 1, key=f"{host}")
        town.ask(3 * host + 2, key=f"{host}")
    assert town.core.hosts == 100
    for engine in range(300):
        town.leave(engine)
    assert town.core.hosts == 0
    assert town.core.deadline is None


def test_an_engine_that_failed_stays_known_until_it_says_what_comes_next() -> None:
    town = Town()
    town.ask(1)
    town.ended(1, NOBODY)
    assert town.core.hosts == 1
    town.leave(1)
    assert town.core.hosts == 0


@pytest.mark.spec("M1.5", "M3.6")
def test_who_took_the_record_of_another_stays_known_though_that_one_leaves_first() -> None:
    refused = Close(code=1015, origin=NOBODY.origin, cause=Cause.TLS)
    town = Town(at_once=1)
    town.ask(1, 2, 3)
    town.ended(1, refused)
    assert [engine for _, engine, _ in town.shared] == [2, 3]
    town.leave(1)
    for engine in (2, 3):
        town.ended(engine, refused)
        town.leave(engine)
    assert town.core.hosts == 0


@pytest.mark.spec("M1.5")
def test_who_asks_again_at_its_host_keeps_its_permit() -> None:
    """Its providers have given another address of that host than was expected."""
    town = Town(at_once=1)
    town.ask(1, route="a")
    town.ask(2, route="b")
    town.ask(1, route="b")
    assert [engine for _, engine in town.granted] == [1, 1]
    refused = Close(code=1015, origin=NOBODY.origin, cause=Cause.TLS)
    town.ended(1, refused)
    assert [engine for _, engine, _ in town.shared] == [2]


@pytest.mark.spec("M3.6")
def test_who_is_woken_need_not_ask_for_its_record_to_serve_those_of_its_route() -> None:
    town = Town(at_once=1)
    town.sleep(901, 902, route="a")
    town.ask(1, route="b")
    town.ask(2, route="a")
    town.ask(3, route="b")
    town.ended(1)
    for engine in (2, 3):
        town.ended(engine)
    assert [engine for _, engine in town.woken] == [901]
    town.ask(4, route="a")
    town.ask(5, route="b")
    refused = Close(code=1015, origin=NOBODY.origin, cause=Cause.TLS)
    town.ended(901, refused)
    assert [engine for _, engine, _ in town.shared] == [4]


@pytest.mark.spec("M3.5")
def test_nothing_happens_at_a_moment_that_was_put_off() -> None:
    town = Town()
    town.down()
    town.ask(1, 2)
    assert town.core.deadline == pytest.approx(1.0)
    town.hear(Reading.DOWN, retry_after=20.0)
    town.until(1.0)
    assert town.core.deadline == pytest.approx(20.0)
    town.until(30.0)
    assert town.probes == [(0.0, 1), (20.0, 2)]


@pytest.mark.spec("M1.5")
def test_a_dial_goes_on_though_the_connection_before_it_ends_at_another_key() -> None:
    town = Town(at_once=1)
    town.ask(1, 2, key="a")
    town.sleep(1, 2, key="b")
    town.ended(1)
    assert [engine for _, engine in town.granted] == [1, 2]
    town.ended(2)
    assert town.core.hosts == 0


@pytest.mark.spec("J1.1")
def test_an_outage_without_end_needs_no_more_memory() -> None:
    town = Town()

    def dials_that_fail(count: int) -> int:
        for _ in range(count):
            town.ask(1, 2)
            for engine in (1, 2):
                town.ended(engine, NOBODY)
                town.sleep(engine)
            town.until(town.now + 60.0)
            for seen in (town.granted, town.probes, town.shared, town.told):
                del seen[:]
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = dials_that_fail(1000)  # tuples that Python keeps to use again are among them
        assert dials_that_fail(4000) - before < 200_000
    finally:
        tracemalloc.stop()
