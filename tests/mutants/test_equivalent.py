"""The changes that are named as equivalent are changes of lines that are there."""

from functools import cache

import pytest

from tests.mutants.change import Change, changes
from tests.mutants.equivalent import Entry, entries
from tests.mutants.layers import LAYERS, ROOT

ENTRIES = list(entries())


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda each: f"{each.file}: {each.before}")
def test_an_entry_names_a_line_of_a_layer_and_its_reason(entry: Entry) -> None:
    assert ROOT / entry.file in {path for layer in LAYERS.values() for path in layer.sources}
    lines = [each.strip() for each in (ROOT / entry.file).read_text("utf-8").splitlines()]
    assert entry.before in lines
    assert entry.why
    assert entry.before not in entry.after


@cache
def changes_of(file: str) -> tuple[Change, ...]:
    return tuple(changes(ROOT / file))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda each: f"{each.file}: {each.before}")
def test_an_entry_names_changes_that_are_made(entry: Entry) -> None:
    missing = set(entry.after)
    for change in changes_of(entry.file):
        if missing and change.before() == entry.before:
            missing.discard(change.texts()[1])
    assert not missing


def test_no_change_is_named_twice() -> None:
    named = [(each.file, each.before, after) for each in ENTRIES for after in each.after]
    assert len(named) == len(set(named))


@pytest.mark.parametrize("layer", LAYERS.values(), ids=lambda each: each.name)
def test_a_layer_has_sources_and_tests_that_exist(layer: object) -> None:
    assert isinstance(layer, type(LAYERS["fsm"]))
    assert layer.sources
    assert all(path.is_file() for path in layer.sources)
    assert all((ROOT / each).exists() for each in layer.tests)
