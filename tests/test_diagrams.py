"""The committed pictures, and the table in the documentation, are what the machine gives now."""

from pathlib import Path

import pytest

from recloser.diagram import FORMATS, edges

ROOT = Path(__file__).parent.parent
FILES = {"machine.mmd": "mermaid", "machine.txt": "text"}


@pytest.mark.spec("L1")
@pytest.mark.parametrize(("name", "kind"), FILES.items())
def test_pictures_are_up_to_date(name: str, kind: str) -> None:
    committed = (ROOT / "diagrams" / name).read_text(encoding="utf-8")
    assert committed == FORMATS[kind](edges()), "run `make diagrams` and look at what changed"


def test_every_format_is_committed_and_nothing_else() -> None:
    assert set(FILES.values()) == set(FORMATS)
    assert {path.name for path in (ROOT / "diagrams").iterdir()} == {*FILES, "README.md"}


def test_the_design_shows_the_same_picture() -> None:
    design = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    assert f"```mermaid\n{FORMATS['mermaid'](edges())}```\n" in design
    assert f"```text\n{FORMATS['text'](edges())}```\n" in design
