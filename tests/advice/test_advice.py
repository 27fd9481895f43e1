"""What an error message says to do is done, and works (L8)."""

import ast
from pathlib import Path

import pytest

from tests.advice.collect import advice
from tests.advice.follow import Advice, Shown
from tests.advice.table import TABLE

TESTS = Path(__file__).parent.parent
FOLLOWED = {at: row for at, row in TABLE.items() if isinstance(row, Advice)}
SHOWN = {at: row for at, row in TABLE.items() if isinstance(row, Shown)}


@pytest.mark.spec("L8")
def test_each_piece_of_advice_is_in_the_table() -> None:
    found = advice()
    assert len(found) > 80
    assert sorted(set(found) - set(TABLE)) == [], "follow it in the table"
    assert sorted(set(TABLE) - set(found)) == [], "no message says so"


@pytest.mark.spec("L8")
@pytest.mark.parametrize("at", FOLLOWED, ids=lambda at: f"{at[0]}: {at[1][:40]}")
def test_who_follows_it_gets_on(at: tuple[str, str]) -> None:
    FOLLOWED[at].check(at[1])


@pytest.mark.spec("L8")
@pytest.mark.parametrize("at", SHOWN, ids=lambda at: f"{at[0]}: {at[1][:40]}")
def test_a_test_of_its_own_follows_it(at: tuple[str, str]) -> None:
    path, _, function = SHOWN[at].test.partition("::")
    tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    assert function in {node.name for node in ast.walk(tree) if isinstance(node, kinds)}
