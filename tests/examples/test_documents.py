"""docs/embedding.md shows what stands in examples/, and names every example."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "embedding.md").read_text(encoding="utf-8")
EXAMPLES = [
    path
    for pattern in ("embed_*.py", "core_*.py", "*_ends.py", "*_subscription.py", "shared_*.py")
    for path in (ROOT / "examples").glob(pattern)
]


def test_every_block_is_cut_out_of_an_example() -> None:
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    sources = [path.read_text(encoding="utf-8") for path in EXAMPLES]
    assert blocks
    for block in blocks:
        assert any(block in source for source in sources), block


def test_every_example_is_named_and_exists() -> None:
    named = set(re.findall(r"examples/(\w+\.py)", TEXT))
    assert named == {path.name for path in EXAMPLES}
