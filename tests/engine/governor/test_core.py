"""The core of a governor: its hosts are apart, and are forgotten."""

import pytest

from tests.engine.governor.rig import NOBODY, Town


@pytest.mark.spec("M1.1")
def test_each_key_has_limits_of_its_own() -> None:
    town = Town(rate=1.0)
    town.ask(1, 2, key="a")
    town.ask(3, 4, key="b")
    town.until(5.0)
    assert town.granted == [(0.0, 1), (0.0, 3), (1.0, 2), (1.0, 4)]


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
