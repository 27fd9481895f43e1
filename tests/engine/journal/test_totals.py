"""Totals, downtime and the longest wait of a journal."""

import pytest

from recloser.fsm import Hold, Retry, State, Stop, Trigger
from recloser.journal.totals import Totals, WaitingTime
from recloser.statistics import EndKind
from tests.engine.journal.entries import BUSY, CUT, GONE, LEFT, START, Telling


def totals(*tellings: Telling) -> Totals:
    found = Totals()
    for entry in sorted((e for t in tellings for e in t.entries), key=lambda entry: entry.time):
        found.add(entry)
    return found


def test_time_is_accounted_to_the_state_that_ended():
    ada = Telling().connect().open(1).lost(CUT, Retry(5, rule="r"), 60).retry(5)
    ada.lost(BUSY, Hold("h"), 2).connect(100, Trigger.WAKE).open(3).to(
        State.CLOSING, Trigger.CLOSE, 10
    ).lost(LEFT, Stop("s"), 0.5)
    found = totals(ada)
    assert {state: spent for state, spent in found.seconds.items() if spent} == {
        State.CONNECTING: 1 + 2 + 3,
        State.OPEN: 60 + 10,
        State.BACKOFF: 5,
        State.PASSIVE: 100,
        State.CLOSING: 0.5,
    }
    assert found.downtime == 6 + 5
    assert (found.dials, found.opens, found.gave_up, found.breaks) == (3, 2, 0, 0)
    assert (found.first, found.last) == (START, START + 181.5)
    assert found.longest_delay == 5


def test_ends_are_counted_by_code_status_origin_and_intent():
    ada = Telling()
    for close in (CUT, CUT, BUSY, GONE):
        ada.connect(1).open(1).lost(close, Retry(1, rule=f"for {close.code}"), 1)
    ada.connect(1).lost(LEFT, Stop("left"), 1)
    found = totals(ada)
    assert found.ends == {
        EndKind(1006, None, "network", False): 2,
        EndKind(1006, 503, "peer", False): 1,
        EndKind(1000, None, "peer", False): 1,
        EndKind(1000, None, "application", True): 1,
    }
    assert found.rules == {"for 1006": 3, "for 1000": 1, "left": 1}


@pytest.mark.parametrize(
    ("outcome", "tell"),
    [
        (State.OPEN, lambda ada: ada.open(7)),
        (State.PASSIVE, lambda ada: ada.lost(CUT, Hold(), 7)),
        (State.CLOSED, lambda ada: ada.lost(CUT, Stop(), 7)),
        (State.CLOSING, lambda ada: ada.to(State.CLOSING, Trigger.CLOSE, 7)),
    ],
)
def test_a_wait_lasts_over_all_dials_until_it_is_over(outcome, tell):
    ada = Telling().connect().open(1).lost(CUT, Retry(5), 60)
    ada.retry(5).lost(CUT, Retry(9), 1).retry(9)
    tell(ada)
    assert totals(ada).longest_wait == WaitingTime(START + 61, START + 61 + 22, "ada", outcome)


def test_the_longest_wait_is_that_of_one_engine():
    ada = Telling("ada").connect().open(2)
    bob = Telling("bob", START + 1).connect().open(3)
    found = totals(ada, bob)
    assert found.longest_wait == WaitingTime(START + 1, START + 4, "bob", State.OPEN)
    assert found.engines == {State.OPEN: 2}


def test_an_engine_that_gives_up_is_counted_and_one_that_leaves_is_not():
    gave_up = Telling("ada").connect().lost(CUT, Stop(), 1)
    left = Telling("bob").connect().open(1).to(State.CLOSING, Trigger.CLOSE, 1).lost(LEFT, Stop())
    assert totals(gave_up, left).gave_up == 1


def test_a_killed_process_is_a_break_and_no_downtime():
    ada = Telling().connect().open(1)
    ada.state = State.CLOSED
    ada.connect(500).open(1)
    found = totals(ada)
    assert found.breaks == 1
    assert found.downtime == 2
    assert found.seconds[State.OPEN] == 0


def test_a_clock_that_was_set_back_counts_as_no_time():
    ada = Telling().connect().open(-3600).lost(CUT, Retry(1), 10)
    found = totals_in_order(ada)
    assert found.seconds[State.CONNECTING] == 0
    assert found.seconds[State.OPEN] == 10


def totals_in_order(telling: Telling) -> Totals:
    found = Totals()
    for entry in telling.entries:
        found.add(entry)
    return found
