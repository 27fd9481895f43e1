"""The field guide: its rows are well made, and the standard policy lives through each of them."""

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from recloser import Retry, Stop
from recloser.fsm import Cause, Close, State, Timeouts, Wish
from recloser.fsm.core import Core
from recloser.fsm.events import Ask, Expired, Lost, Opened
from recloser.policies import field
from recloser.policies.field import EVENTS, SHOULD, FieldRow
from tests.policies.rig import ROLLS, after, shipped

ROWS = field.rows()
ENDED = [row for row in ROWS if row.close is not None]
ENDS = {"close frame", "cut", "refused", "no connection", "unanswered", "answered late", "open"}
SOON = 2.0
"""Seconds: the word of a row says no more than that."""


every_software = pytest.mark.parametrize(
    "software", list(dict.fromkeys(row.software for row in ROWS))
)


def ends_of(software: str) -> list[FieldRow]:
    found = [row for row in ENDED if row.software == software]
    assert found, software
    return found


@pytest.mark.spec("B23.1")
@pytest.mark.parametrize("event", EVENTS)
def test_the_rows_of_an_event_say_what_was_seen(event: str) -> None:
    found = field.find(None, event)
    assert len(found) > 2
    for row in found:
        check(row)


def check(row: FieldRow) -> None:
    """That the facts of a row go together."""
    assert row.end in ENDS
    assert row.should in SHOULD
    assert row.software
    assert row.version[0].isdigit()
    assert row.how
    assert len(row.date) == len("2026-11-29")
    assert row.seconds >= 0
    assert row.away >= 0
    assert (row.end == "close frame") is (row.code is not None)
    assert (row.end == "refused") is (row.status is not None)
    assert row.tcp in {None, "FIN", "RST"}
    assert (row.close is None) is (row.should == "stay") is (row.rule == "")


@pytest.mark.spec("B23.1")
@pytest.mark.parametrize(
    ("end", "record"),
    [
        ("close frame", Close.frame(1001, "bye")),
        ("refused", Close.refused(404)),
        ("no connection", Close.cut(Cause.TCP)),
        ("unanswered", Close.cut()),
        ("cut", Close.cut(Cause.RESET)),
        ("answered late", None),
        ("open", None),
    ],
)
def test_the_end_of_a_row_says_which_record_it_makes(end: str, record: Close | None) -> None:
    row = replace(ROWS[0], code=1001, reason="bye", status=404, tcp="RST")
    assert {end} <= ENDS
    assert replace(row, end=end).close == record


@pytest.mark.spec("B23.1")
def test_what_was_not_seen_of_an_end_is_not_in_its_record() -> None:
    row = replace(ROWS[0], code=None, status=None, tcp=None)
    assert replace(row, end="close frame").close is None
    assert replace(row, end="refused").close is None
    assert replace(row, end="unanswered").close == Close.by_engine(Cause.CONNECT_TIMEOUT)
    for tcp in (None, "FIN"):
        assert replace(row, end="cut", tcp=tcp).close == Close.cut(Cause.EOF)


@pytest.mark.spec("B23.1")
def test_a_row_stands_once_and_in_order() -> None:
    keys = [(row.software, row.variant, row.event, row.how) for row in ROWS]
    assert not [key for key, times in Counter(keys).items() if times > 1]
    assert keys == sorted(
        keys, key=lambda key: (key[0].lower(), key[1], list(EVENTS).index(key[2]), key[3])
    )


@pytest.mark.spec("B23.2")
@every_software
def test_the_policy_does_as_the_rows_say(software: str) -> None:
    for row in ends_of(software):
        check_decision(row)


def check_decision(row: FieldRow) -> None:
    """That the policy decides by the rule of the row, as soon as it says."""
    assert row.close is not None
    can_refresh = row.should == "refresh"
    for roll in ROLLS:
        context = after(1, phase=row.phase, roll=roll, can_refresh=can_refresh)
        decision = shipped()[row.policy].decide(row.close, context)
        assert decision.rule == row.rule, row
        if row.should == "stop":
            assert isinstance(decision, Stop)
        else:
            assert isinstance(decision, Retry)
            assert decision.refresh is (row.should == "refresh")
            assert decision.delay <= SOON or row.should == "spread"


class Outage:
    """A core in virtual time whose server ends it as a row says, is away, and is back."""

    def __init__(self, row: FieldRow, seed: int) -> None:
        self.row = row
        self.core = Core(shipped()[row.policy], timeouts=Timeouts(), roll=Random(seed).random)
        self.now = 0.0
        self.waited = 0.0

    def live(self, end: Close) -> float:
        """Live through it; the seconds from the return of the server to the next open."""
        core = self.core
        core.handle(Ask(Wish.CONNECT), self.now)
        if self.row.end in ("close frame", "cut"):
            core.handle(Opened(core.generation), self.now)
            self.now = core.deadline or 0.0
            core.handle(Expired(self.now), self.now)
        back = self.now + max(0.0, self.row.away - self.row.seconds)
        core.handle(Lost(core.generation, end), self.now)
        while core.state is State.BACKOFF:
            assert core.deadline is not None
            self.waited, self.now = core.deadline - self.now, core.deadline
            core.handle(Expired(self.now), self.now)
            if self.now >= back:
                core.handle(Opened(core.generation), self.now)
            else:
                core.handle(Lost(core.generation, Close.cut(Cause.TCP)), self.now)
        return self.now - back


@pytest.mark.spec("B23.2")
@every_software
def test_the_engine_is_back_within_the_delay_of_its_policy(software: str) -> None:
    for row in ends_of(software):
        for seed in range(5 if row.should != "stop" else 0):
            outage = Outage(row, seed)
            assert row.close is not None
            late = outage.live(row.close)
            assert outage.core.state is State.OPEN, row
            assert 0 <= late <= outage.waited, row


@pytest.mark.spec("B23.2")
def test_a_row_that_says_stop_ends_the_engine() -> None:
    row = next(row for row in ENDED if row.should == "stop")
    outage = Outage(row, 1)
    assert row.close is not None
    outage.live(row.close)
    assert outage.core.state is State.CLOSED


@pytest.mark.spec("B23.1")
def test_rows_are_found_by_name_variant_and_event() -> None:
    assert {row.software for row in field.find("Uvicorn")} == {"uvicorn"}
    assert {row.variant for row in field.find("uvicorn wsproto")} == {"wsproto"}
    assert {row.event for row in field.find(None, "kill")} == {"kill"}
    assert len(field.find()) == len(ROWS)


@pytest.mark.spec("B23.1", "L9")
def test_what_is_not_found_is_told_with_what_is_near() -> None:
    with pytest.raises(field.UnknownRowError, match=r"'uvicornn': did you mean .*'uvicorn'"):
        field.find("uvicornn")
    with pytest.raises(field.UnknownRowError, match="recloser field lists all"):
        field.find("a server of 1970")
    with pytest.raises(field.UnknownRowError, match="no event 'halt': give one of stop, reload"):
        field.find("uvicorn", "halt")
    with pytest.raises(field.UnknownRowError, match=r"daphne has no row for 'reload', but for \w+"):
        field.find("daphne", "reload")


@pytest.mark.spec("L9")
def test_three_names_that_are_near_are_told_at_most() -> None:
    with pytest.raises(field.UnknownRowError, match="did you mean") as caught:
        field.find("websock")
    assert str(caught.value).count(" or ") == 2
