"""Mutation testing: changes the code in small ways, and sees which change no test notices.

    python -m tests.mutants [COUNT] [SEED] [--layer LAYER] [--workers N]

COUNT changes of each layer are drawn at random (0: all). What is known stands in `build/mutants`
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
from tests.mutants.trial import Functions, collect, install, run

BUILD = ROOT / "build" / "mutants"
QUICK = 3.0
"""Seconds of tests that every change meets before any change meets the tests that take longer."""
FIRST = 3
"""Files whose tests are tried alone, before all, against a change of what runs at import."""


class Run:
    """The changes of one layer."""

    def __init__(self, layer: Layer, workers: int) -> None:
        self._layer = layer
        self._workers = workers
        self._results = Results(BUILD / f"{layer.name}.jsonl", layer)
        self._lines = self._measured()

    def _measured(self) -> Lines:
        file = BUILD / f"{self._layer.name}-{self._layer.digest()}.json"
        if not file.exists():
            include = [str(each) for each in self._layer.sources]

            def work(target: Path) -> str:
                measured = coverage.Coverage(data_file=None, config_file=False, include=include)
                measured.start()
                return collect(self._layer.tests, lambda items: measure(measured, items, target))

            for _, answer in forked([file], work):
                if not file.exists():
                    raise SystemExit(f"the tests of {self._layer.name} cannot be run: {answer}")
                if answer:
                    print("left out, since they fail alone:", answer, sep="\n", flush=True)
        return Lines(file)

    def try_all(self, asked: Sequence[Change]) -> None:
        """Try what is not known."""
        pending = [each for each in asked if self._results.get(each) is None]
        again: list[Change] = [each for each in pending if not each.function]
        inside = [each for each in pending if each.function]
        if inside:
            for _, answer in forked(["inside"], lambda _: self._collected(inside)):
                if answer:
                    raise SystemExit(f"the tests of {self._layer.name} were not run: {answer}")
            # The fork has written its results down.
            self._results = Results(BUILD / f"{self._layer.name}.jsonl", self._layer)
            again += [each for each in inside if self._results.get(each) is None]
        first = [(each, True) for each in again]
        rest: list[tuple[Change, bool]] = []
        for (each, _), answer in forked(first, self._anew, self._workers):
            if not self._note(each, answer, last=False):
                rest.append((each, False))
        for (each, _), answer in forked(rest, self._anew, self._workers):
            self._note(each, answer, last=True)

    def _collected(self, pending: Sequence[Change]) -> str:
        """Try changes inside functions; those that need a new import stay unknown."""

        def work(items: list[pytest.Item]) -> str:
            functions = Functions(self._layer.sources)

            def one(job: tuple[Change, bool]) -> str:
                change, quick = job
                if not change.compiles():
                    return "invalid"
                chosen = self._order(items, change, self._lines.tests(change))
                if not chosen or not functions.change(change):
                    return "again"
                cheap = self._cheap(chosen)
                if quick:
                    answer = run(chosen[:cheap], self._lines)
                    return "later" if answer == "survived" and chosen[cheap:] else answer
                return run(chosen[cheap:], self._lines)

            later: list[tuple[Change, bool]] = []
            for quick in (True, False):
                jobs = [(each, True) for each in pending] if quick else later
                for (change, _), answer in forked(jobs, one, self._workers):
                    if answer == "later":
                        later.append((change, False))
                    elif answer != "again" and not (
                        answer == "survived" and self._lines.at_import(change)
                    ):
                        self._note(change, answer, last=True)
            return ""

        return collect(self._layer.tests, work)

    def _anew(self, job: tuple[Change, bool]) -> str:
        """Try one change in a new import of everything, with the likely tests or with all."""
        change, first = job
        tests = self._layer.tests
        if first:
            found = [each.split("::")[0] for each in self._results.killers(change)]
            tests = tuple(dict.fromkeys(found))[:FIRST] or tests
        if not change.compiles():
            return "invalid"
        install(change)
        return collect(tests, lambda items: run(self._order(items, change, None), self._lines))

    def _cheap(self, items: Sequence[pytest.Item]) -> int:
        """How many tests are run against every change, before any change meets the other ones."""
        spent = accumulate(self._lines.seconds[each.nodeid] for each in items)
        return sum(1 for each in spent if each <= QUICK)

    def _order(
        self, items: Sequence[pytest.Item], change: Change, names: set[str] | None
    ) -> list[pytest.Item]:
        likely = {name: rank for rank, name in enumerate(self._results.killers(change)[:8])}
        wanted = self._lines.seconds if names is None else names
        chosen = [each for each in items if each.nodeid in wanted]
        return sorted(
            chosen,
            key=lambda each: (
                likely.get(each.nodeid, len(likely)),
                self._lines.seconds.get(each.nodeid, 0.0),
            ),
        )

    def _note(self, change: Change, answer: str, *, last: bool) -> bool:
        """Write down an answer; whether it is the last one for this change."""
        if answer == "survived" and not last:
            return False
        alone = answer in ("survived", "invalid")
        self._results.put(change, Outcome(answer) if alone else Outcome("killed", answer))
        return True

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
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    BUILD.mkdir(parents=True, exist_ok=True)
    table = Table(entries())
    wrong = 0
    for layer in (LAYERS[each] for each in given.layer or LAYERS):
        asked = [each for path in layer.sources for each in changes(path)]
        if given.file:
            asked = [each for each in asked if each.path.name in given.file]
        if given.count:
            asked = random.Random(given.seed).sample(asked, min(given.count, len(asked)))
        trial = Run(layer, given.workers)
        trial.try_all(asked)
        *lines, counts = trial.report(asked, table)
        if not given.count and not given.file:
            lines += [f"{each}: no such change" for each in table.stale(layer.sources)]
        print(*lines, counts, sep="\n", flush=True)
        wrong += len(lines)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
