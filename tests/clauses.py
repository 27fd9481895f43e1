"""The clauses of docs/spec.md, and the tests that cite them.

`python -m tests.clauses` writes docs/clauses.md anew: for each clause, the tests that show it.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parent
DOCS = TESTS.parent / "docs"
SPEC = DOCS / "spec.md"
TABLE = DOCS / "clauses.md"

_CLAUSE = re.compile(
    r"^(?:- \*\*(?P<main>[A-Z]\d+)|  - \*\*(?P<sub>[A-Z]\d+\.\d+))\*\* "
    r"(?:\*\((?P<mark>planned|given up)\)\* )?(?P<text>\S.*(?:\n +[^\s-].*)*)$",
    re.MULTILINE,
)

_HEAD = """# The tests of each clause

Written by `make docs` from the marks of the tests. [spec.md](spec.md) says what a clause demands.
`pytest --clause A1` runs the tests of a clause, `pytest --clause A11` those of its sub-clauses too.
"""


@dataclass(frozen=True)
class Clause:
    """One clause or sub-clause: its number, `planned` or `given up` if it is, and its text."""

    number: str
    mark: str
    text: str

    @property
    def parent(self) -> str:
        """The number of the clause to which a sub-clause belongs; of a clause, its own."""
        return self.number.partition(".")[0]


@dataclass(frozen=True)
class Citation:
    """One test that cites one clause: the path of its file, beneath `tests`, and its name."""

    number: str
    path: str
    test: str


def clauses(text: str | None = None) -> list[Clause]:
    """Every clause and sub-clause of docs/spec.md, or of `text`, in order."""
    text = SPEC.read_text(encoding="utf-8") if text is None else text
    return [
        Clause(found["main"] or found["sub"], found["mark"] or "", " ".join(found["text"].split()))
        for found in _CLAUSE.finditer(text)
    ]


def belongs(cited: str, asked: str) -> bool:
    """Whether a test that cites one number shows the other: the same, or a clause of its own."""
    return cited == asked or cited.partition(".")[0] == asked


def near(number: str, known: Iterable[str]) -> list[str]:
    """Known numbers that somebody may have meant: clauses for a clause, parts for a part."""
    same = [each for each in known if ("." in each) == ("." in number)]
    return get_close_matches(number.upper(), same, n=3, cutoff=0.5)


@cache
def citations(tests: Path = TESTS) -> tuple[Citation, ...]:
    """Every clause that a test cites, read from the sources once: no test is run."""
    return tuple(
        Citation(number, path.relative_to(tests).as_posix(), test)
        for path in sorted(tests.rglob("*.py"))
        for test, numbers in _marked(ast.parse(path.read_text(encoding="utf-8")))
        for number in numbers
    )


def _marked(tree: ast.Module) -> Iterator[tuple[str, list[str]]]:
    """The tests of one file, with the numbers that each cites."""
    everywhere: list[str] = []
    found: list[tuple[str, list[str]]] = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found += _decorated(node.body, f"{node.name}.", _of_decorators(node))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found += _decorated([node])
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            if node.targets[0].id == "pytestmark":
                everywhere += _numbers(node.value)
            elif numbers := _numbers(node.value):
                found.append((node.targets[0].id, numbers))
    for test, numbers in found:
        yield test, list(dict.fromkeys([*everywhere, *numbers]))


def _decorated(
    body: Iterable[ast.stmt], prefix: str = "", outer: Iterable[str] = ()
) -> Iterator[tuple[str, list[str]]]:
    """The test functions of a body, each with the numbers on itself and on its class."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name[:5] == "test_":
            yield f"{prefix}{node.name}", [*outer, *_of_decorators(node)]


def _of_decorators(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> list[str]:
    return [number for decorator in node.decorator_list for number in _numbers(decorator)]


def _numbers(expression: ast.expr) -> list[str]:
    """The arguments of every `pytest.mark.spec(...)` in an expression."""
    numbers: list[str] = []
    for node in ast.walk(expression):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="mark"), attr="spec")):
                for argument in node.args:
                    assert isinstance(argument, ast.Constant), "cite a literal number"
                    assert isinstance(argument.value, str), "cite a number as text"
                    numbers.append(argument.value)
    return numbers


def page() -> str:
    """docs/clauses.md as it should be: it names files and tests, and no line numbers."""
    cited: dict[str, dict[str, list[str]]] = {}
    for each in citations():
        cited.setdefault(each.number, {}).setdefault(each.path, []).append(each.test)
    parts = [_HEAD]
    section = ""
    for clause in clauses():
        if clause.number[0] != section:
            section = clause.number[0]
            parts.append(f"## {_heading(section)}\n")
        parts.append(f"### {clause.number}\n")
        files = cited.get(clause.number, {})
        if files:
            parts += [
                "\n".join([f"`tests/{path}`", *(f"- `{test}`" for test in sorted(tests))]) + "\n"
                for path, tests in sorted(files.items())
            ]
        elif clause.mark:
            parts.append(f"No test: {clause.mark}.\n")
        else:
            parts.append("See its sub-clauses.\n")
    return "\n".join(parts)


def _heading(letter: str) -> str:
    text = SPEC.read_text(encoding="utf-8")
    [title] = [line for line in text.splitlines() if line.startswith(f"## {letter}. ")]
    return title.removeprefix("## ")


if __name__ == "__main__":
    TABLE.write_text(page(), encoding="utf-8")
