"""Which tests run a line, and how long each takes: measured once, without a change."""

import functools
import gc
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import coverage
import pytest
from _pytest.runner import runtestprotocol

from tests.mutants.change import Change

IMPORT = -1
"""Stands for the import of everything, in place of the number of a test."""

OURS = ("recloser.", "tests.")


class Lines:
    """What was measured, read from the file that `measure` wrote."""

    def __init__(self, file: Path) -> None:
        known = json.loads(file.read_text(encoding="utf-8"))
        self.seconds: dict[str, float] = known["seconds"]
        """Of the processor, for each test."""
        self._names = list(self.seconds)
        self._lines: dict[str, dict[str, list[int]]] = known["lines"]

    def tests(self, change: Change) -> set[str]:
        """The tests that run a line of the statement that changes."""
        return {self._names[each] for each in self._at(change) if each != IMPORT}

    def at_import(self, change: Change) -> bool:
        """Whether the statement runs when the files and the tests are imported."""
        return IMPORT in self._at(change)

    def _at(self, change: Change) -> set[int]:
        lines = self._lines.get(str(change.path), {})
        first, last = change.lines
        return {each for line in range(first, last + 1) for each in lines.get(str(line), ())}


def caches() -> list[Any]:
    """The caches of functions of ours: what they keep was made by another test, or at import."""
    gc.unfreeze()
    found = [
        each
        for each in gc.get_objects()
        if isinstance(each, functools._lru_cache_wrapper) and each.__module__.startswith(OURS)
    ]
    gc.freeze()
    return found


def measure(measured: coverage.Coverage, items: Sequence[pytest.Item], file: Path) -> str:
    """Run every test once, each with caches and fixtures of its own, and write down its lines.

    The answer names the tests that fail, since they need others before them: they are left out.
    """
    seconds: dict[str, float] = {}
    failed = []
    ours = caches()
    for item in items:
        for each in ours:
            each.cache_clear()
        measured.switch_context(item.nodeid)
        begin = time.process_time()
        reports = runtestprotocol(item, log=False, nextitem=None)
        if any(each.failed for each in reports):
            failed.append(item.nodeid)
        else:
            seconds[item.nodeid] = time.process_time() - begin
    measured.stop()
    data = measured.get_data()
    numbers = {name: number for number, name in enumerate(seconds)} | {"": IMPORT}
    lines = {
        path: {
            line: [numbers[each] for each in contexts if each in numbers]
            for line, contexts in data.contexts_by_lineno(path).items()
        }
        for path in data.measured_files()
    }
    file.write_text(json.dumps({"seconds": seconds, "lines": lines}), encoding="utf-8")
    return "\n".join(failed)
