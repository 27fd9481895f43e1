"""Every built clause of docs/spec.md has a test that cites it, and no test cites another."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.clauses import SPEC, TABLE, Clause, belongs, citations, clauses, near, page

ALL = clauses()
PARENTS = {each.parent for each in ALL if each.number != each.parent}
"""The clauses that have sub-clauses."""


def subs(number: str) -> list[Clause]:
    return [each for each in ALL if each.parent == number != each.number]


def test_a_number_is_used_once() -> None:
    numbers = Counter(each.number for each in ALL)
    assert not [number for number, times in numbers.items() if times > 1]


def test_every_line_that_looks_like_a_clause_is_one() -> None:
    text = SPEC.read_text(encoding="utf-8")
    assert len(re.findall(r"^\s*[-*] ", text, re.MULTILINE)) == len(ALL)


def test_numbers_count_up_within_their_section() -> None:
    numbers = [each.number for each in ALL if each.number == each.parent]
    letters = dict.fromkeys(number[0] for number in numbers)
    assert list(letters) == sorted(letters)
    for letter in letters:
        own = [int(number[1:]) for number in numbers if number[0] == letter]
        assert own == list(range(1, len(own) + 1)), f"section {letter}"


@pytest.mark.parametrize("parent", sorted(PARENTS))
def test_sub_clauses_stand_under_their_clause_and_count_up(parent: str) -> None:
    order = [each.number for each in ALL]
    own = subs(parent)
    start = order.index(parent) + 1
    assert order[start : start + len(own)] == [each.number for each in own]
    assert [each.number for each in own] == [f"{parent}.{n}" for n in range(1, len(own) + 1)]
    assert len(own) > 1, "one obligation needs no sub-number"


@pytest.mark.parametrize(
    "clause", [each for each in ALL if "." in each.number], ids=lambda c: c.number
)
def test_a_sub_clause_is_one_sentence(clause: Clause) -> None:
    assert clause.text.endswith(".")
    assert not re.search(r"[.;] +[A-Z`(]", clause.text), "a second sentence hides in it"


def test_every_clause_that_is_built_has_a_test() -> None:
    """One with sub-clauses needs a test for each of them, and none for itself."""
    cited = {each.number for each in citations()}
    missing = [
        each.number
        for each in ALL
        if not each.mark and each.number not in PARENTS and each.number not in cited
    ]
    assert not missing, f"cite them in a test, or mark them planned: {' '.join(missing)}"


def test_no_test_cites_an_unknown_clause() -> None:
    known = {each.number for each in ALL if each.mark != "given up"}
    unknown = {f"{each.path}: {each.number}" for each in citations() if each.number not in known}
    assert not unknown


def test_the_table_of_clauses_is_up_to_date() -> None:
    written = TABLE.read_text(encoding="utf-8").splitlines()
    expected = page().splitlines()
    changed = set(written) ^ set(expected)
    assert written == expected, f"run `make docs`; it changes {sorted(changed)[:5]}"


# What the functions of `tests.clauses` do, on texts and files made for it.


def test_clauses_are_read_with_their_marks_and_sub_clauses() -> None:
    text = (
        "- **A1** One:\n  - **A1.1** *(planned)* half\n    more.\n"
        "- **B2** *(given up)* why.\nprose\n"
    )
    assert clauses(text) == [
        Clause("A1", "", "One:"),
        Clause("A1.1", "planned", "half more."),
        Clause("B2", "given up", "why."),
    ]
    assert [each.parent for each in clauses(text)] == ["A1", "A1", "B2"]


def test_citations_of_functions_classes_and_modules_are_found(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "pytestmark = pytest.mark.spec('A1')\n"
        "@pytest.mark.spec('B1', 'B2')\nasync def test_one(): ...\n"
        "@pytest.mark.spec('C1')\nclass TestTwo:\n"
        "    @pytest.mark.spec('C2')\n    def test_in(self): ...\n"
        "TestThree = pytest.mark.spec('D1')(Machine.TestCase)\n"
        "def helper(): ...\n"
    )
    found = {(each.test, each.number) for each in citations(tmp_path)}
    assert found == {
        ("test_one", "A1"),
        ("test_one", "B1"),
        ("test_one", "B2"),
        ("TestTwo.test_in", "A1"),
        ("TestTwo.test_in", "C1"),
        ("TestTwo.test_in", "C2"),
        ("TestThree", "A1"),
        ("TestThree", "D1"),
    }


def test_a_clause_stands_for_its_sub_clauses_and_for_no_neighbour() -> None:
    assert belongs("A11.2", "A11")
    assert belongs("A11.2", "A11.2")
    assert not belongs("A11", "A1")
    assert not belongs("A11", "A11.2")
    assert not belongs("A1.2", "A11")


def collected(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What pytest collects from this file with these arguments."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, *arguments, "tests/fsm/test_core_intent.py"],
        cwd=SPEC.parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )


def test_pytest_selects_the_tests_of_a_clause() -> None:
    found = [line for line in collected("--clause", "A10").stdout.splitlines() if "::" in line]
    assert {line.partition("::")[2].partition("[")[0] for line in found} == {
        each.test
        for each in citations()
        if belongs(each.number, "A10") and each.path == "fsm/test_core_intent.py"
    }


@pytest.mark.parametrize(
    ("number", "said"),
    [("A111", "no clause A111; near it: A11"), ("a1", "near it: A1"), ("B6.4", "given up")],
)
def test_pytest_refuses_the_number_of_no_clause(number: str, said: str) -> None:
    result = collected("--clause", number)
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_near_numbers_are_offered() -> None:
    known = [each.number for each in ALL]
    assert near("A111", known)[0] == "A11"
    assert near("a1", known)[0] == "A1"
    assert near("A11.99", known)[0].startswith("A11.")
    assert near("Z77", known) == []
