"""Who of the engines in backoff the return of their host may wake, and in which order."""

from collections.abc import Iterator
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recloser.governor.sleepers import Sleepers


def ripe(sleepers: Sleepers) -> list[int]:
    return list(sleepers.ripe)


@pytest.mark.spec("M3.3")
def test_who_is_ripe_comes_in_the_order_of_the_moments_and_then_of_falling_asleep() -> None:
    sleepers = Sleepers()
    for engine, moment in [(9, 2.0), (1, 5.0), (7, 2.0), (2, 1.0), (4, -inf), (3, inf), (8, 2.0)]:
        sleepers.add(engine, "route", moment)
    assert (ripe(sleepers), sleepers.due, len(sleepers)) == ([4], 1.0, 7)
    sleepers.pass_time(2.0)
    assert (ripe(sleepers), sleepers.due) == ([4, 2, 9, 7, 8], 5.0)
    sleepers.pass_time(1e9)
    assert (ripe(sleepers), sleepers.due, len(sleepers)) == ([4, 2, 9, 7, 8, 1], inf, 7)


@pytest.mark.spec("M3.3", "M3.4")
def test_the_last_word_of_an_engine_counts() -> None:
    sleepers = Sleepers()
    sleepers.add(1, "a", 1.0)
    sleepers.add(1, "b", 3.0)
    sleepers.pass_time(2.0)
    assert not sleepers.ripe
    sleepers.pass_time(3.0)
    assert dict(sleepers.ripe) == {1: "b"}
    sleepers.add(1, "c", inf)
    assert (ripe(sleepers), len(sleepers)) == ([], 1)
    sleepers.add(1, "d", -inf)
    assert (dict(sleepers.ripe), len(sleepers)) == ({1: "d"}, 1)
    sleepers.discard(1)
    assert len(sleepers) == 0


@pytest.mark.spec("M3.3")
def test_an_engine_that_sleeps_again_and_again_takes_the_room_of_one() -> None:
    sleepers = Sleepers()
    for number in range(10_000):
        sleepers.add(1, None, 1e6 + number)
    assert len(sleepers._later) < 30
    sleepers.pass_time(1e6 + 9_998)
    assert not sleepers.ripe
    sleepers.pass_time(1e6 + 9_999)
    assert ripe(sleepers) == [1]


@pytest.mark.spec("M3.3")
def test_the_moments_of_those_who_have_gone_are_forgotten() -> None:
    sleepers = Sleepers()
    sleepers.add(1, None, 7.0)
    sleepers.discard(1)
    sleepers.forget()
    assert sleepers.due == inf


@pytest.mark.spec("M3.3")
@settings(deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.integers(0, 5), st.sampled_from((-inf, 1.0, 2.0, 3.0, inf))),
            st.tuples(st.integers(0, 5), st.none()),
        )
    )
)
def test_who_sleeps_is_who_was_added_last_and_not_discarded(
    steps: list[tuple[int, float | None]],
) -> None:
    sleepers, told = Sleepers(), dict[int, float]()
    for engine, moment in steps:
        told.pop(engine, None)
        if moment is None:
            sleepers.discard(engine)
        else:
            told[engine] = moment
            sleepers.add(engine, None, moment)
    assert len(sleepers) == len(told)
    for now in (0.0, 1.0, 2.0, 3.0):
        sleepers.pass_time(now)
        assert set(sleepers.ripe) == set(_until(told, now))


def _until(told: dict[int, float], now: float) -> Iterator[int]:
    return (engine for engine, moment in told.items() if moment <= now)
