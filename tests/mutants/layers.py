"""The code that is changed, by layers, and the tests that must notice."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.test_layers import ROOMS

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Layer:
    """Files that are changed, and the files whose tests are run against each change."""

    name: str
    sources: tuple[Path, ...]
    tests: tuple[str, ...]

    def digest(self, *tests: str) -> str:
        """Of the files, of these tests, or else of all, and of what the tests share."""
        paths = [ROOT / each for each in tests or self.tests]
        folders = sorted({each.parent for each in paths})
        shared = (each for folder in folders for each in sorted(folder.glob("*.py")))
        rest = (each for each in shared if not each.name.startswith("test_"))
        return digest(*self.sources, *rest, *paths)


def digest(*paths: Path) -> str:
    """What changes when one of the files does."""
    found = hashlib.sha256()
    for each in paths:
        found.update(each.read_bytes())
    return found.hexdigest()[:16]


def _layers() -> Iterator[Layer]:
    def files(folder: str) -> tuple[Path, ...]:
        return tuple(sorted((ROOT / folder).glob("[!_]*.py")))

    core = tuple(ROOT / each for each in ROOMS["engine/outbox: core"].files)
    yield Layer("outbox", core, tuple(f"tests/engine/outbox/{each}.py" for each in OUTBOX))
    fsm = sorted((ROOT / "tests/fsm").glob("test_*.py"))
    yield Layer("fsm", files("fsm"), tuple(str(each.relative_to(ROOT)) for each in fsm))
    yield Layer(
        "policies", files("policies"), tuple(f"tests/policies/{each}.py" for each in POLICIES)
    )


OUTBOX = (
    *("test_acknowledgements", "test_backlog", "test_batch", "test_bounds", "test_core"),
    *("test_conservation", "test_conservation_acknowledged", "test_dispatch", "test_errors"),
    *("test_faults", "test_file", "test_holding", "test_intake", "test_ledger", "test_marks"),
    *("test_message", "test_model", "test_move_to", "test_moves", "test_options", "test_table"),
    *("test_tracking", "test_trial", "test_trial_core", "test_values", "test_walk", "test_window"),
)
"""Tests of the outbox without processes that are killed and without files that are damaged."""

POLICIES = (
    *("test_backoff", "test_basic", "test_catalogue", "test_codes", "test_combine"),
    *("test_conditions", "test_documents"),
    *(
        "test_field",
        "test_guards",
        "test_intervals",
        "test_overlaps",
        "test_pace",
        "test_restart",
        "test_rules",
        "test_shipped",
    ),
    *("test_standard", "test_values", "test_windows"),
)
"""Tests of the policies without sockets, servers and other processes."""

LAYERS = {each.name: each for each in _layers()}
