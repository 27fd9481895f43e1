"""docs/clients.md shows what stands in examples/, and its figures are those of the files."""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(\w+\.py)` \| (\d+) \| (.+?) \| (\d+) \|$", PAGE, re.MULTILINE)
NO_CODE = (
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE),
    *(tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER),
)


def lines_with_code(source: str) -> int:
    """Count lines, without blank ones, comments and docstrings."""
    docstrings = set[int]()
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                docstrings |= set(range(value.lineno, (value.end_lineno or value.lineno) + 1))
    code = set[int]()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in NO_CODE:
            code |= set(range(token.start[0], token.end[0] + 1))
    return len(code - docstrings)


@pytest.mark.parametrize(("name", "lines", "library", "theirs"), ROWS)
def test_the_figures(name: str, lines: str, library: str, theirs: str) -> None:
    counted = lines_with_code((ROOT / "examples" / name).read_text(encoding="utf-8"))
    assert counted == int(lines)
    assert counted < int(theirs), library


def test_every_client_is_counted_and_explained() -> None:
    explained = set(re.findall(r"^\| `examples/(\w+\.py)`", PAGE, re.MULTILINE))
    assert explained == {name for name, *_ in ROWS}


def test_every_block_is_cut_out_of_a_client() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    sources = [(ROOT / "examples" / name).read_text(encoding="utf-8") for name, *_ in ROWS]
    assert len(blocks) >= len(ROWS)
    for block in blocks:
        assert any(block in source for source in sources), block
