"""The advice that error messages give: found in the sources, by its imperative."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent.parent
SOURCES: Final = ("engine", "fsm", "policies", "tools", "transport")
# fmt: off
VERBS: Final = (
    "add", "await", "call", "check", "choose", "close", "discard", "encode", "end", "fix",
    "give", "leave", "let", "lend", "lower", "make", "move", "name", "percent-encode", "put",
    "raise", "register", "replace", "say", "save", "see", "send", "shorten", "split", "start",
    "strip", "take", "use", "wait", "watch", "write",
)
# fmt: on
_VERB: Final = rf"((?:{'|'.join(VERBS)})\b.*)"
ADVICE: Final = re.compile(rf"(?:[:;] |, so ){_VERB}", re.DOTALL)
BARE: Final = re.compile(rf"(?!close code|close reason){_VERB}", re.DOTALL)
"""A text that is advice and nothing else."""
GAP: Final = "{}"
"""What is filled in when the message is made."""


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(
            _text(each) if isinstance(each, ast.Constant) else GAP for each in node.values
        )
    return ""


def _of(text: str) -> re.Match[str] | None:
    return BARE.match(text) or ADVICE.search(text)


def _texts(tree: ast.AST) -> Iterator[str]:
    """Every text beneath this, with gaps; no part of another."""
    parts = {
        id(each)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for each in node.values
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in parts:
            yield _text(node)


def _found(tree: ast.AST) -> Iterator[re.Match[str] | None]:
    """The advice in what is raised, in `__str__`, and in constants that hold advice alone."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            yield from map(_of, _texts(node.exc))
        elif isinstance(node, ast.FunctionDef) and node.name == "__str__":
            for each in node.body[1 if ast.get_docstring(node) else 0 :]:
                yield from map(_of, _texts(each))
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = {each.id for each in targets if isinstance(each, ast.Name)}
            if names & {"advice", "hint", "_FIRST", "_OF_HANDSHAKE"}:
                yield from map(_of, _texts(node.value))


def advice() -> list[tuple[str, str]]:
    """Each file with its pieces of advice; `pip install` has a test of its own."""
    found: set[tuple[str, str]] = set()
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for match in _found(ast.parse(path.read_text(encoding="utf-8"))):
                if match and "pip install" not in match.string:
                    found.add((path.relative_to(ROOT).as_posix(), match[1]))
    return sorted(found)
