"""The log line of one change has the fields that its module names, and the journal knows them."""

from dataclasses import replace

from hypothesis import given

from recloser.change_line import CHANGED, FIELDS, POLICY_FAILED, event_of, fields_of
from recloser.fsm.errors import PolicyError
from recloser.fsm.record import Close
from tests.engine.journal.changes import LOST, changes


@given(changes())
def test_every_field_of_a_line_is_named(change) -> None:
    assert set(fields_of(change, 0.0, {})) <= FIELDS


def test_every_named_field_can_be_in_a_line() -> None:
    close = replace(
        Close.refused(429, body="no", retry_after=3.0, error=OSError()),
        sent_code=1002,
        advice="slow",
    )
    failed = PolicyError(close, LOST.context, None, "raised ValueError")
    failed.__cause__ = ValueError()
    change = LOST._replace(close=close, error=failed, waited=2.0)
    assert set(fields_of(change, 0.0, {})) == FIELDS


def test_a_policy_that_failed_has_an_event_of_its_own() -> None:
    assert event_of(LOST) == CHANGED
    failed = LOST._replace(error=ValueError("token=tiger1"))
    assert event_of(failed) == POLICY_FAILED
    assert "tiger" not in fields_of(failed, 0.0, {})["error"]
