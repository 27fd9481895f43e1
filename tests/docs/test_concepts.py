"""docs/concepts.md: its example runs, and its tables are complete."""

import re
from dataclasses import fields

import pytest

import recloser
from tests.docs.blocks import blocks, page, run

DECIDES, LEAVES = blocks("concepts.md")


@pytest.mark.spec("B2")
def test_the_example_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    run("concepts.md", DECIDES)
    said = re.findall(r"# ([\w-]+): ", DECIDES)
    assert capsys.readouterr().out.split() == said == ["peer-normal", "asked"]


@pytest.mark.spec("A1", "A9")
def test_nothing_dials_after_a_logout() -> None:
    run("concepts.md", LEAVES)


def test_every_state_has_a_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", page("concepts.md"), re.MULTILINE)
    assert set(rows) >= {state.value for state in recloser.State}


def test_the_fields_of_a_record_are_fields() -> None:
    table = page("concepts.md").split("| field | it says |")[1].split("\n\n")[0]
    named = set(re.findall(r"`(\w+)`", table))
    assert len(named) >= 9
    assert named <= {field.name for field in fields(recloser.Close)}
