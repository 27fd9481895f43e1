"""A change of one place in a source file, as cosmic-ray makes it, and where it takes effect."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast  # type: ignore[import-untyped] # it has no types
from cosmic_ray.mutating import mutate_code  # type: ignore[import-untyped] # as above
from cosmic_ray.plugins import get_operator, operator_names  # type: ignore[import-untyped] # as above

LEFT_OUT = re.compile(
    r"core/(RemoveDecorator"
    r"|Variable(Replacer|Inserter)"
    r"|ReplaceBinaryOperator_BitOr_.*"
    r"|ReplaceComparisonOperator_(Eq_Is|Is_Eq|NotEq_IsNot|IsNot_NotEq))"
)
"""Decorators; replacements that draw lots; type unions, which never run; identity for equality,
which is the same thing for enums."""


@dataclass(frozen=True)
class Change:
    """The `occurrence`-th place of a file that an operator of cosmic-ray can change.

    `function` is the qualified name of the function whose body holds the place, and empty where
    the place runs when the file is imported: outside of functions, in a default, in a decorator.
    `lines` are those of the statement, from its first line to the last.
    """

    path: Path
    operator: str
    occurrence: int
    line: int
    lines: tuple[int, int]
    function: str

    @property
    def statement(self) -> range:
        """The numbers of the lines of the statement."""
        first, last = self.lines
        return range(first, last + 1)

    def source(self) -> str:
        """The whole file with the change in it."""
        return _changed(self.path, self.operator, self.occurrence)

    def compiles(self) -> bool:
        """Whether the changed file is a program: `/` and `*` in a signature are no operators."""
        try:
            compile(self.source(), str(self.path), "exec", dont_inherit=True)
        except SyntaxError:
            return False
        return True

    def before(self) -> str:
        """The line that changes, without its indentation."""
        return self.path.read_text(encoding="utf-8").splitlines()[self.line - 1].strip()

    def texts(self) -> tuple[str, str]:
        """The first line that differs, before and after, without its indentation."""
        old = self.path.read_text(encoding="utf-8").splitlines()
        new = self.source().splitlines()
        pairs = zip(old, new, strict=False)
        return next((a.strip(), b.strip()) for a, b in pairs if a != b)


@lru_cache(maxsize=1)
def _changed(path: Path, operator: str, occurrence: int) -> str:
    changed = mutate_code(path.read_text(encoding="utf-8"), get_operator(operator)(), occurrence)
    if changed is None:
        raise AssertionError(f"cosmic-ray finds no place {occurrence} for {operator} in {path}")
    return str(changed)


def changes(path: Path) -> Iterator[Change]:
    """Every change of one file."""
    source = path.read_text(encoding="utf-8")
    nodes = list(ast_nodes(get_ast(source)))
    for name in operator_names():
        if LEFT_OUT.fullmatch(name):
            continue
        operator = get_operator(name)()
        places = (each for node in nodes for each in operator.mutation_positions(node))
        for occurrence, ((line, column), _) in enumerate(places):
            function, lines = _place(source, line, column)
            yield Change(path, name, occurrence, line, lines, function)


@cache
def _statements(source: str) -> list[tuple[ast.stmt, str]]:
    """All statements, outer ones first, each with the function whose body holds it."""
    found: list[tuple[ast.stmt, str]] = []

    def visit(node: ast.AST, scope: str, function: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt):
                found.append((child, function))
            match child:
                case ast.ClassDef(name=name):
                    visit(child, f"{scope}{name}.", "")
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    inner = function or f"{scope}{name}"
                    visit(child, f"{scope}{name}.<locals>.", inner)
                case _:
                    visit(child, scope, function)

    visit(ast.parse(source), "", "")
    return found


def _place(source: str, line: int, column: int) -> tuple[str, tuple[int, int]]:
    """The function and the lines of the innermost statement that holds a place.

    A statement with a body holds what stands before its body: a test, a decorator, a default.
    """
    function, lines = "", (line, line)
    for statement, holder in _statements(source):
        start, end = statement.lineno, statement.end_lineno or statement.lineno
        decorators = getattr(statement, "decorator_list", [])
        start = min([start, *(each.lineno for each in decorators)])
        if (start, 0) <= (line, column) <= (
            end,
            statement.end_col_offset or 0,
        ) or start <= line < end:
            body = getattr(statement, "body", None)
            last = body[0].lineno - 1 if body and body[0].lineno > line else end
            function, lines = holder, (start, max(last, line))
    return function, lines
