"""The lab of each test; skipped aloud outside `make faults`."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import lab as labs


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[labs.Lab]:
    """A network of three namespaces."""
    if labs.OWN not in os.environ:
        pytest.skip("needs a network namespace of its own: run it by 'make faults'")
    with labs.laid_out(tmp_path) as made:
        yield made
