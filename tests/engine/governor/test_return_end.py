"""When the return of a host is over, who sleeps on then, and what counts as evidence again."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.fsm.record import Cause, Close
from recloser.governor.news import Reading
from tests.engine.governor.rig import FULL, KEY, NOBODY, Town

TOLD = Close.refused(503, retry_after=60.0)
LIMITED = Close.refused(429, retry_after=60.0)
OF_ITSELF = (Close.refused(401), Close.by_engine(Cause.HOOK), Close.frame(4008))
"""Ends that speak of one engine alone."""


def returned(close: Close | None = None) -> Town:
    """A host that has been down and is up again; engine 7 sleeps after such an end."""
    town = Town()
    town.down()
    if close is not None:
        town.sleep(7, close=close)
    town.leave(902)
    town.ask(1)
    town.ended(1)
    town.ended(901)
    assert [engine for _, engine in town.woken] == [901]
    return town


def dials(town: Town) -> int:
    """How many of a crowd that asks now dial at once."""
    before = len(town.granted)
    town.ask(*range(1000, 1200))
    return len(town.granted) - before


@pytest.mark.spec("M3.19", "M3.1")
@pytest.mark.parametrize("close", OF_ITSELF, ids=str)
def test_who_sleeps_for_a_reason_of_its_own_does_not_keep_the_host_from_being_clear(
    close: Close,
) -> None:
    town = returned(close)
    town.sleep(2, 3)
    town.ask(*range(10, 30))
    assert [engine for _, engine in town.probes] == [1, 10], "it is down, and one dial probes"
    assert [engine for _, engine in town.woken] == [901], "and nobody is woken meanwhile"


@pytest.mark.spec("M3.19")
@pytest.mark.parametrize("close", [*OF_ITSELF, None], ids=str)
def test_a_server_that_accepts_and_hangs_up_is_dialled_at_the_pace_of_the_policy(
    close: Close | None,
) -> None:
    town = returned(close)
    for _ in range(20):
        town.sleep(2)
        town.until(town.now + 5.0)  # its backoff
        town.ask(2)
        town.ended(2)
    assert [engine for _, engine in town.woken] == [901]


@pytest.mark.spec("M3.20")
def test_who_is_lost_soon_again_and_again_is_woken_later_and_later() -> None:
    town = returned(TOLD)
    starts: list[float] = [0.0]
    town.sleep(2, brief=True)
    while town.now < 70.0:
        if len(town.woken) > len(starts):
            starts.append(town.now)
            town.ended(2)
            town.sleep(2, brief=True)
        town.until(town.now + 0.25)
    gaps = [late - early for early, late in itertools.pairwise(starts)]
    assert gaps == pytest.approx([1.0, 2.0, 4.0, 8.0, 16.0, 32.0], abs=0.5)


@pytest.mark.spec("M3.20")
def test_who_is_lost_after_a_stable_time_is_woken_at_once() -> None:
    town = returned(TOLD)
    for _ in range(5):
        for brief in (True, True, False):
            before = len(town.woken)
            town.sleep(2, brief=brief)
            while len(town.woken) == before:
                town.until(town.now + 0.25)
            town.ended(2)
    for _ in range(3):
        before, at = len(town.woken), town.now
        town.sleep(2)
        while len(town.woken) == before:
            town.until(town.now + 0.25)
        assert town.now - at <= 0.5
        town.ended(2)


@pytest.mark.spec("M3.20")
def test_a_crowd_that_is_accepted_and_cut_off_is_dialled_less_and_less() -> None:
    """Each time all are lost the host is down, and the next return wakes them."""
    town = Town()
    crowd = range(20)
    dials = 0
    back = 0
    town.sleep(*crowd)
    lost_at: dict[int, float] = {}
    while town.now < 300.0:
        town.until(town.now + 0.25)
        for _, engine in town.woken[back:]:
            dials += 1
            lost_at[engine] = town.now + 1.0
            town.ended(engine)
        back = len(town.woken)
        for engine in [one for one, at in lost_at.items() if at <= town.now]:
            del lost_at[engine]
            town.sleep(engine, brief=True)
        if town.core._hosts and town.core._hosts[KEY]._down_since is not None:
            town.ask(500)  # somebody's backoff is over
            if town.probes and town.probes[-1][1] == 500 and town.core.dials(500):
                town.ended(500)
            town.leave(500)
    assert 4 < dials / len(crowd) < 12


@pytest.mark.spec("M3.19")
def test_who_was_told_to_stay_away_is_waited_for_twice_as_long() -> None:
    """Until then dials are paced, also of those who come by themselves."""
    begun = []
    for when in (0.0, 119.0, 120.0):
        town = returned(TOLD)
        town.until(when)
        assert town.core.deadline == (120.0 if when < 120.0 else None)
        begun.append(dials(town))
    assert begun == [2, 2, 10]
    assert dials(returned()) == 10


@pytest.mark.spec("M3.19")
@pytest.mark.parametrize("seconds", [60.0, 200.0, 1e6])
def test_who_was_asked_to_spread_is_waited_for_twice_as_long_and_for_five_minutes_at_most(
    seconds: float,
) -> None:
    town = Town()
    town.sleep(901, 7, close=Close.frame(1012, spread=seconds))
    town.ask(1)
    town.ended(1)
    over = min(2 * seconds, 300.0)
    town.until(over - 1.0)
    assert (town.core.deadline, town.woken) == (over, [])
    town.until(over)
    assert (town.core.deadline, town.core.hosts) == (None, 1)


@pytest.mark.spec("M3.19")
def test_nobody_is_waited_for_longer_than_five_minutes() -> None:
    town = returned(Close.refused(503, retry_after=1e6))
    assert town.core.deadline == 300.0
    town.until(300.0)
    assert (town.core.deadline, town.core.hosts) == (None, 1)


@pytest.mark.spec("M3.19")
def test_a_return_ends_at_once_when_the_last_who_was_told_comes_or_leaves() -> None:
    for comes in (True, False):
        town = returned(TOLD)
        town.until(30.0)
        if comes:
            town.ask(7)
            town.until(31.0)
            town.ended(7)
        else:
            town.leave(7)
        assert town.core.hosts == 0
        assert town.core.deadline is None


@pytest.mark.spec("M3.20")
@pytest.mark.parametrize("close", [FULL, TOLD, NOBODY], ids=str)
def test_a_return_does_not_go_on_for_who_has_failed_seven_times(close: Close) -> None:
    """Once it is over, two who fail show the host to be down, as always."""
    town = Town()
    town.sleep(5)
    town.down()
    town.leave(901, 902)
    town.ask(1)
    town.ended(1)
    asked = 0
    for _ in range(7):
        town.until(town.now + 100.0)
        if len(town.woken) == asked:
            town.ask(5)  # by itself
        else:
            asked += 1
        town.ended(5, close)
        town.sleep(5, close=close)
        town.ask(1)
        town.until(town.now + 50.0)
        town.ended(1)  # so that the host is not down again
    town.until(town.now + 400.0)
    woken = len(town.woken)
    town.sleep(2, 3)
    town.ask(10, 11, 12)
    assert len(town.woken) == woken
    assert [engine for _, engine in town.probes][-1] == 10
    assert len(town.probes) == 2


def refused_again(town: Town, engines: range) -> None:
    """Let a minute pass for accounts that are always refused, and told to wait for one."""
    for engine in engines:
        town.ask(engine)
    town.until(town.now + 60.0)
    for engine in [one for one in engines if town.core.dials(one)]:
        town.ended(engine, LIMITED)
        town.sleep(engine, close=LIMITED)
    for _, engine, close in town.shared:
        town.sleep(engine, close=close)
    town.shared.clear()


@pytest.mark.spec("M3.22")
@pytest.mark.parametrize("outage", [True, False])
def test_accounts_that_are_always_refused_hold_up_nobody_else(outage: bool) -> None:
    """Three have a limit of their own, and a healthy engine is lost now and then."""
    town = Town()
    accounts = range(1, 4)
    if outage:
        town.sleep(*accounts, 9)
        town.until(2.0)
    town.ask(9)
    town.ended(9)
    for number in range(20):
        refused_again(town, accounts)
        lost = town.now
        town.sleep(50)
        town.until(town.now + 1.0)
        if not town.core.dials(50):
            town.ask(50)
        while 50 not in town.core._hosts[KEY]._dialling:
            assert town.now - lost < (5.0 if outage or number else 61.0), "the first time two count"
            town.until(town.now + 0.5)
        town.ended(50)


@pytest.mark.spec("M3.22")
def test_the_refusal_of_who_is_always_refused_keeps_no_probe_away_and_is_not_shared() -> None:
    town = Town()
    town.ask(*range(100, 110))
    for _ in range(7):
        town.ask(1)
        town.until(town.now + 70.0)
        town.ended(1, LIMITED)
        town.sleep(1, close=LIMITED)
    town.down()
    town.ask(1, 2, 3)
    assert town.probes == [(town.now, 1)]
    at = town.now
    town.ended(1, LIMITED)
    town.sleep(1, close=LIMITED)
    town.until(at + 1.5)
    assert [engine for _, engine in town.probes] == [1, 2]
    assert town.probes[1][0] - at == pytest.approx(1.0)
    town.ended(2, LIMITED)
    assert [engine for _, engine, _ in town.shared] == [3], "who is refused for once speaks for all"


@pytest.mark.spec("M3.20")
def test_who_had_setbacks_is_woken_with_the_others_after_an_outage() -> None:
    """It took the record of probes meanwhile; those are no setbacks of its own."""
    town = Town()
    for _ in range(6):
        town.sleep(1, brief=True)
        town.ask(1)
        town.until(town.now + 20.0)
        town.ended(1)
    town.sleep(1, brief=True)
    town.down()
    town.ask(1, 2)
    town.ended(1, NOBODY)
    town.sleep(1, 2)
    town.leave(901, 902)
    town.until(town.now + 10.0)
    town.ask(7)
    town.ended(7)
    town.until(town.now + 1.0)
    assert [engine for _, engine in town.woken] == [1, 2]


@pytest.mark.spec("M3.20")
@pytest.mark.parametrize(("refusals", "over"), [(6, False), (7, True)])
def test_a_return_waits_for_who_is_told_to_stay_away_until_the_seventh_setback(
    refusals: int, over: bool
) -> None:
    town = returned(LIMITED)
    for _ in range(refusals):
        town.until(town.now + 60.0)
        town.ask(7)
        town.until(town.now + 4.0)
        town.ended(7, LIMITED)
        town.sleep(7, close=LIMITED)
    town.until(town.now + 70.0)
    assert (town.core._hosts[KEY]._pace is None) == over


@pytest.mark.spec("M3.22", "M3.1")
def test_who_has_opened_since_it_failed_is_a_witness_again() -> None:
    town = returned(Close.refused(401))
    for engine in (2, 3):
        town.sleep(engine)
        town.until(town.now + 5.0)
        town.ask(engine)
        town.ended(engine)
    town.sleep(2, 3)
    town.ask(10, 11)
    assert [engine for _, engine in town.probes] == [1, 10]


@pytest.mark.spec("M3.20", "M1.5")
def test_an_engine_that_has_left_leaves_no_setback_behind() -> None:
    town = returned(TOLD)
    for _ in range(3):
        town.sleep(2, brief=True)
        town.ask(2)
        town.until(town.now + 2.0)
        town.ended(2)
    town.leave(2)
    before = len(town.woken)
    town.sleep(2, brief=True)
    town.until(town.now + 1.0)
    assert len(town.woken) == before + 1


@pytest.mark.spec("M3.19")
def test_a_return_goes_on_until_who_took_the_record_of_another_has_said_what_comes() -> None:
    """Between the end of a dial and the backoff that follows nobody may seem to be left."""
    town = returned()
    assert town.core.hosts == 0
    town.down()
    town.ask(*range(10, 15))
    town.ended(10, NOBODY)  # the probe fails for all
    town.sleep(10)
    shared = [engine for _, engine, _ in town.shared]
    assert shared == [11, 12, 13, 14]
    town.leave(901, 902)
    town.until(5.0)
    town.ask(20)
    for _, probe in town.probes[2:]:
        town.ended(probe)
    town.sleep(*shared)
    town.serve(60.0)
    assert {engine for _, engine in town.woken} >= set(shared)


@pytest.mark.spec("M3.21")
@pytest.mark.parametrize("retry_after", [None, 20.0])
def test_the_refusal_of_a_return_elsewhere_takes_no_host_down_that_is_clear(
    retry_after: float | None,
) -> None:
    town = Town()
    town.sleep(1)
    town.hear(Reading.BUSY, retry_after=retry_after)
    town.ask(*range(2, 8))
    assert [engine for _, engine in town.granted] == list(range(2, 8))
    assert not town.probes


@pytest.mark.spec("M3.7", "M3.21")
@pytest.mark.parametrize("close", [NOBODY, FULL, TOLD], ids=str)
def test_others_are_told_that_a_host_is_down_or_that_a_dial_of_its_return_has_failed(
    close: Close,
) -> None:
    town = Town()
    town.sleep(1, 2, close=close)
    town.ask(*range(10, 60), intentional=True)
    town.ended(10)
    town.serve(20.0, lambda: close)
    readings = [news.reading for news in town.told]
    failed = readings[2:]
    assert readings[:2] == [Reading.DOWN, Reading.UP]
    assert failed[:4] == [Reading.BUSY] * 4
    assert set(failed) <= {Reading.BUSY, Reading.DOWN}
    assert (failed[4] is Reading.DOWN) == (close is NOBODY), "five find no server: down again"
    assert {news.retry_after for news in town.told if news.reading is Reading.BUSY} == {
        close.retry_after
    }


@pytest.mark.spec("M3.19", "M1.5")
@given(
    ends=st.lists(
        st.tuples(
            st.integers(0, 5),
            st.sampled_from([None, NOBODY, FULL, TOLD, *OF_ITSELF]),
            st.floats(0.0, 30.0),
        ),
        max_size=30,
    )
)
def test_after_five_quiet_minutes_every_host_is_clear(
    ends: list[tuple[int, Close | None, float]],
) -> None:
    """Whoever sleeps there: two failures show it to be down, and one dial probes."""
    town = Town()
    told = 0

    def answer(close: Close | None) -> None:
        """Let all that dial end so, and those go on that took the record of another."""
        nonlocal told
        for engine in list(town.core._hosts[KEY]._dialling) if town.core.hosts else ():
            town.ended(engine, close)
            if close is not None:
                town.sleep(engine, close=close)
        for _, engine, shared in town.shared[told:]:
            told += 1
            town.sleep(engine, close=shared)

    town.down()
    town.ask(100)
    town.ended(100)
    for engine, close, later in ends:
        town.ask(engine)
        town.until(town.now + later)
        answer(close)
    for _ in range(30):
        town.until(town.now + 20.0)
        answer(None)
    assert town.core.deadline is None
    if not town.core.hosts or town.core._hosts[KEY]._down_since is None:
        town.sleep(201, 202)
        before = len(town.probes)
        town.ask(203, 204)
        assert len(town.probes) == before + 1
