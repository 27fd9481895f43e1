"""Every parameter of every public call has its effect, or is refused aloud (E7)."""

from collections import defaultdict

import pytest

from tests.parameters import (
    decisions,
    engine,
    kit,
    messages,
    observation,
    refusals,
    services,
    wires,
)
from tests.parameters.rows import Refused, Row, Table
from tests.parameters.walk import parameters

TABLE: Table = {
    **engine.TABLE,
    **messages.TABLE,
    **services.TABLE,
    **decisions.TABLE,
    **kit.TABLE,
    **wires.TABLE,
    **observation.TABLE,
}
CALLS: defaultdict[str, dict[str, Row]] = defaultdict(dict)
for (call, name), row in TABLE.items():
    CALLS[call][name] = row


@pytest.mark.spec("E7")
def test_every_parameter_has_a_row_and_no_row_is_left_over() -> None:
    found = set(parameters())
    assert len(found) > 500
    assert sorted(found - set(TABLE)) == [], "say in the table what shows the effect of each"
    assert sorted(set(TABLE) - found) == [], "there is no such parameter"


@pytest.mark.spec("E7")
@pytest.mark.parametrize("call", CALLS)
def test_each_parameter_has_its_effect(call: str) -> None:
    for parameter, row in CALLS[call].items():
        try:
            row.check()
        except AssertionError as error:
            error.add_note(f"{call}({parameter}=...)")
            raise


@pytest.mark.spec("E7")
@pytest.mark.parametrize("row", [pytest.param(row, id=at) for at, row in refusals.TABLE.items()])
def test_what_would_have_no_effect_is_refused(row: Refused) -> None:
    row.check()
