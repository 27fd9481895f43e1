"""Every built clause of docs/spec.md has a test that cites it, and no test cites another."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
SPEC = TESTS.parent / "docs" / "spec.md"
CLAUSE = re.compile(r"^- \*\*([A-Z]\d+)\*\* (\*\(planned\)\* |\*\(given up\)\* )?\S", re.MULTILINE)


def clauses() -> list[tuple[str, str]]:
    """Number and mark of every clause, in order."""
    return CLAUSE.findall(SPEC.read_text(encoding="utf-8"))


def citations() -> Iterator[tuple[str, Path]]:
    """Every `pytest.mark.spec(...)` in the tests, without running them."""
    for path in sorted(TESTS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="mark"), attr="spec")):
                    for argument in node.args:
                        assert isinstance(argument, ast.Constant), f"{path}: cite a literal number"
                        assert isinstance(argument.value, str)
                        yield argument.value, path


def test_a_number_is_used_once() -> None:
    numbers = Counter(number for number, _ in clauses())
    assert not [number for number, times in numbers.items() if times > 1]


def test_every_line_that_looks_like_a_clause_is_one() -> None:
    text = SPEC.read_text(encoding="utf-8")
    assert len(re.findall(r"^\s*[-*] ", text, re.MULTILINE)) == len(clauses())


def test_numbers_count_up_within_their_section() -> None:
    numbers = [number for number, _ in clauses()]
    letters = dict.fromkeys(number[0] for number in numbers)
    assert list(letters) == sorted(letters)
    for letter in letters:
        own = [int(number[1:]) for number in numbers if number[0] == letter]
        assert own == list(range(1, len(own) + 1)), f"section {letter}"


def test_every_clause_that_is_built_has_a_test() -> None:
    cited = {number for number, _ in citations()}
    missing = [number for number, mark in clauses() if not mark and number not in cited]
    assert not missing, f"cite them in a test, or mark them planned: {' '.join(missing)}"


def test_no_test_cites_an_unknown_clause() -> None:
    known = {number for number, mark in clauses() if "given up" not in mark}
    unknown = {f"{path.name}: {number}" for number, path in citations() if number not in known}
    assert not unknown
