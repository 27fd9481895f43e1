"""Mutation testing: changes the code in small ways, and sees which change no test notices.

    python -m tests.mutants [COUNT] [SEED] [--layer LAYER] [--file NAME] [--since COMMIT] [--quick]
                            [--workers N]

COUNT changes of each layer are drawn at random (0: all). `--since` asks for those of statements
that are not in that commit as they are now. What is known stands in `build/mutants`
and is not tried again: a change that was noticed while its file is as it was, one that was not
while the tests are too. Exit status: 1 if a change survived that `equivalent.toml` does not name,
or if an entry of that file names no change.
"""

import argparse
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path

import aiohttp  # noqa: F401 - imported once, before the forks
import coverage
import pytest
import structlog  # noqa: F401 - as above
import transitions  # noqa: F401 - as above

from tests.mutants.change import Change, changes
from tests.mutants.equivalent import Table, entries
from tests.mutants.forks import forked
from tests.mutants.layers import LAYERS, ROOT, Layer
from tests.mutants.lines import Lines, measure
from tests.mutants.results import Outcome, Results
from tests.mutants.since import new_lines
from tests.mutants.trial import Functions, collect, install, installed, run

BUILD = ROOT / "build" / "mutants"
QUICK = 2.0
"""Seconds of the tests of its file, and of the other ones, that every change meets before any
change meets the tests that take longer."""


class Run:
    """The changes of one layer."""

    def __init__(self, layer: Layer, workers: int) -> None:
        self._layer = layer
        self._workers = workers
        self._results = Results(BUILD / f"{layer.name}.jsonl", layer)
        self._lines = self._measured()

    def _measured(self) -> Lines:
        include = [str(each) for each in self._layer.sources]
        files = {
            each: BUILD / "lines" / f"{Path(each).stem}-{self._layer.digest(each)}.json"
            for each in self._layer.tests
        }

        def work(test: str) -> str:
            measured = coverage.Coverage(data_file=None, config_file=False, include=include)
            measured.start()
            return collect([test], lambda items: measure(measured, items, files[test]))

        new = [test for test, file in files.items() if not file.exists()]
        for test, answer in forked(new, work, self._workers):
            if not files[test].exists():
                raise SystemExit(f"{test} cannot be run: {answer}")
            if answer:
                print("left out, since they fail alone:", answer, sep="\n", flush=True)
        return Lines(files.values())

    def try_quick(self, asked: Sequence[Change]) -> None:
        """Try what is not known against the quick tests."""
        self._try([each for each in asked if self._status(each) is None], None)

    def try_later(self, asked: Sequence[Change]) -> None:
        """Try what the quick tests have not noticed against the other ones."""
        self._try([each for each in asked if self._status(each) == "later"], "later")

    def _try(self, pending: Sequence[Change], known: str | None) -> None:
        inside = [each for each in pending if self._runs(each)]
        if inside:
            for _, answer in forked([known], lambda known: self._collected(inside, known)):
                if answer:
                    raise SystemExit(f"the tests of {self._layer.name} were not run: {answer}")
            # The fork has written its results down.
            self._results = Results(BUILD / f"{self._layer.name}.jsonl", self._layer)
        anew = [(each, known) for each in pending if self._status(each) == known]
        for (change, _), answer in forked(anew, self._anew, self._workers):
            self._note(change, answer)

    def _status(self, change: Change) -> str | None:
        outcome = self._results.get(change)
        return outcome.status if outcome is not None else None

    def _runs(self, change: Change) -> bool:
        """Whether the change is one of what runs in tests, and not at import."""
        return bool(change.function) and not self._lines.at_import(change)

    def _collected(self, pending: Sequence[Change], known: str | None) -> str:
        """Try changes inside functions; those of no function that is there stay as they are."""

        def work(items: list[pytest.Item]) -> str:
            functions = Functions(self._layer.sources)

            def one(change: Change) -> str:
                if not change.compiles():
                    return "invalid"
                chosen = self._part(items, change, self._lines.tests(change), known)
                return run(chosen, self._lines) if functions.change(change) else "again"

            for change, answer in forked(pending, one, self._workers):
                if answer != "again":
                    self._note(change, answer)
            return ""

        return collect(self._layer.tests, work)

    def _anew(self, job: tuple[Change, str | None]) -> str:
        """Try one change in a new import of everything, with all tests."""
        change, known = job
        if not change.compiles():
            return "invalid"
        install(change)

        def work(items: list[pytest.Item]) -> str:
            if not installed(change):
                raise AssertionError(f"{change.path} was imported without {change}")
            return run(self._part(items, change, None, known), self._lines)

        return collect(self._layer.tests, work)

    def _part(
        self,
        items: Sequence[pytest.Item],
        change: Change,
        names: set[str] | None,
        known: str | None,
    ) -> list[pytest.Item]:
        """The quick tests, or those that come later; what noticed other changes comes first."""
        seconds = self._lines.seconds
        chosen = [each for each in items if each.nodeid in (seconds if names is None else names)]
        chosen.sort(key=lambda each: seconds[each.nodeid])
        quick, later = [], []
        for own in (True, False):  # what runs at import meets the tests of all files
            part = [each for each in chosen if (f"/test_{change.path.stem}" in each.nodeid) is own]
            spent = accumulate(seconds[each.nodeid] for each in part)
            end = sum(1 for each in spent if each <= QUICK)
            quick += part[:end]
            later += part[end:]
        if known == "later":
            return later
        rank = {name: place for place, name in enumerate(self._results.killers(change)[:8])}
        return sorted(quick, key=lambda each: rank.get(each.nodeid, len(rank)))

    def _note(self, change: Change, answer: str) -> None:
        """Write down an answer. What survives the quick tests is tried once more later."""
        if answer == "survived" and self._status(change) is None:
            answer = "later"
        alone = answer in ("survived", "later", "invalid")
        self._results.put(change, Outcome(answer) if alone else Outcome("killed", answer))

    def report(self, asked: Sequence[Change], table: Table) -> Iterator[str]:
        """A line for each survivor that is not named, and the counts."""
        counts: Counter[str] = Counter()
        for each in asked:
            outcome = self._results.get(each)
            status = outcome.status if outcome is not None else "not tried"
            named = table.why(each)
            if status == "survived" and named is not None:
                status = "equivalent"
            elif status == "killed" and named is not None:
                status = "killed, but named as equivalent"
            counts[status] += 1
            if status not in ("killed", "equivalent"):
                old, new = each.texts()
                place = f"{each.path.relative_to(ROOT)}:{each.line}"
                yield f"{place} {status} ({each.operator})\n  - {old}\n  + {new}"
        told = ", ".join(f"{number} {status}" for status, number in sorted(counts.items()))
        yield f"{self._layer.name}: {len(asked)} changes: {told}"


def main() -> int:
    """Try the layers that are asked for; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=100)
    parser.add_argument("seed", type=int, nargs="?", default=1)
    parser.add_argument("--layer", action="append", choices=LAYERS, default=[])
    parser.add_argument("--file", action="append", default=[], help="of these files alone")
    parser.add_argument("--since", help="of statements that this commit does not have")
    parser.add_argument("--quick", action="store_true", help="leave out the tests that take long")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    (BUILD / "lines").mkdir(parents=True, exist_ok=True)
    table = Table(entries())
    wrong = 0
    for layer in (LAYERS[each] for each in given.layer or LAYERS):
        paths = [each for each in layer.sources if not given.file or each.name in given.file]
        asked = [each for path in paths for each in changes(path)]
        if given.since:
            new = {path: new_lines(path, given.since) for path in paths}
            asked = [each for each in asked if not new[each.path].isdisjoint(each.statement)]
        if given.count:
            asked = random.Random(given.seed).sample(asked, min(given.count, len(asked)))
        trial = Run(layer, given.workers)
        trial.try_quick(asked)
        if not given.quick:
            trial.try_later(asked)
        *lines, counts = trial.report(asked, table)
        if not (given.count or given.file or given.since):
            lines += [f"{each}: no such change" for each in table.stale(layer.sources)]
        print(*lines, counts, sep="\n", flush=True)
        wrong += len(lines)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
