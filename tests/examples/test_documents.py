"""docs/embedding.md shows what stands in examples/, and names every example of embedding."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "embedding.md").read_text(encoding="utf-8")
EXAMPLES = sorted((ROOT / "examples").glob("embed_*.py"))


def test_every_block_is_cut_out_of_an_example() -> None:
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    sources = [path.read_text(encoding="utf-8") for path in EXAMPLES]
    assert blocks
    for block in blocks:
        assert any(block in source for source in sources), block


def test_every_example_is_named_and_exists() -> None:
    named = set(re.findall(r"examples/(\w+\.py)", TEXT))
    assert named == {path.name for path in EXAMPLES}
