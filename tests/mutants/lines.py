"""Which tests run a line, and how long each takes: measured once, without a change."""

import functools
import gc
import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import coverage
import pytest
from _pytest.runner import runtestprotocol

from tests.mutants.change import Change
from tests.mutants.layers import ROOT

IMPORT = ""
"""Stands for the import of everything, in place of the name of a test."""

OURS = ("recloser.", "tests.")


class Lines:
    """What was measured, read from the files that `measure` wrote, one for a file of tests."""

    def __init__(self, files: Iterable[Path]) -> None:
        self.seconds: dict[str, float] = {}
        """Of the processor, for each test."""
        self._lines: dict[tuple[str, int], set[str]] = {}
        for file in files:
            known = json.loads(file.read_text(encoding="utf-8"))
            self.seconds |= known["seconds"]
            names = [*known["seconds"], IMPORT]
            for path, lines in known["lines"].items():
                for line, tests in lines.items():
                    found = self._lines.setdefault((path, int(line)), set())
                    found.update(names[each] for each in tests)

    def tests(self, change: Change) -> set[str]:
        """The tests that run a line of the statement that changes."""
        return self._at(change) - {IMPORT}

    def at_import(self, change: Change) -> bool:
        """Whether the statement runs when the files and the tests are imported."""
        return IMPORT in self._at(change)

    def _at(self, change: Change) -> set[str]:
        path = str(change.path.relative_to(ROOT))
        lines = (self._lines.get((path, line), set()) for line in change.statement)
        return set[str]().union(*lines)


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
    """Run every test once, each with fixtures of its own, and write down its lines.

    A test that finds something in a cache has run the lines of the tests that put it there, too.
    The answer names the tests that fail, since they need others before them: they are left out.
    """
    seconds: dict[str, float] = {}
    failed = []
    ours = caches()
    makers: dict[int, set[str]] = {each: set() for each in range(len(ours))}
    lenders: dict[str, set[str]] = {}
    for each in ours:
        each.cache_clear()
    for item in items:
        before = [each.cache_info() for each in ours]
        measured.switch_context(item.nodeid)
        begin = time.process_time()
        reports = runtestprotocol(item, log=False, nextitem=None)
        if any(each.failed for each in reports):
            failed.append(item.nodeid)
        else:
            seconds[item.nodeid] = time.process_time() - begin
        lenders[item.nodeid] = {item.nodeid}
        for number, (each, old) in enumerate(zip(ours, before, strict=True)):
            if each.cache_info().hits > old.hits:
                found = (lenders[maker] for maker in makers[number])
                lenders[item.nodeid].update(*found)
            if each.cache_info().misses > old.misses:
                makers[number].add(item.nodeid)
    measured.stop()
    data = measured.get_data()
    places = {name: number for number, name in enumerate([*seconds, IMPORT])}
    borrowers: dict[str, set[int]] = {IMPORT: {places[IMPORT]}}
    for name in seconds:
        for lender in lenders[name]:
            borrowers.setdefault(lender, set()).add(places[name])
    lines = {
        str(Path(path).relative_to(ROOT)): {
            line: sorted(set[int]().union(*(borrowers.get(each, ()) for each in contexts)))
            for line, contexts in data.contexts_by_lineno(path).items()
        }
        for path in data.measured_files()
    }
    file.write_text(json.dumps({"seconds": seconds, "lines": lines}), encoding="utf-8")
    return "\n".join(failed)
