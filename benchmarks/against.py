"""This clone against another commit: the same tables with both, in turns, and the ratios of them.

That commit is built beside, from `git archive`, and takes the place of this one in a process with
the same interpreter, the same libraries and the same benchmarks. It is measured twice: the second
is the control, and says how far a ratio can be trusted.
"""

import io
import json
import os
import random
import statistics
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from table import Table

HERE, THERE, CONTROL = "here", "there", "there again"
CLONE = Path(__file__).resolve().parents[1]

GOALS = {
    ("1000 messages of 100 bytes at once", "recloser, file", "µs each, median"): 1 / 3,
    ("A transition", "core event and its log line", "µs, median"): 0.7,
    ("The command", "recloser check", "s, median"): 0.35,
}
"""What a ratio to 7d1a4b0 was to reach, by how the title begins, row and column."""

Cells = dict[tuple[str, str, str], float]
"""What one process has measured, by table, row and column: every cell that is a number."""


class NotBuilt(Exception):
    """The other commit cannot be built; the text says why."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A benchmark that does not run with one of the commits, and the last line that it said."""

    why: str


@contextmanager
def built(commit: str) -> Iterator[Path]:
    """Build a commit of this clone in a temporary folder, for `PYTHONPATH`; raises `NotBuilt`."""
    with TemporaryDirectory() as folder:
        source, site = Path(folder) / "source", Path(folder) / "site"
        packed = _run("git", "-C", str(CLONE), "archive", "--format=tar", commit)
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(source, filter="data")
        _run(
            *(sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check"),
            *("--no-deps", "--no-build-isolation", "--target", str(site), str(source)),
        )
        yield site


def _run(*command: str) -> bytes:
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise NotBuilt(f"{' '.join(command[:4])} ...: {''.join(last)}")
    return done.stdout


def measured(name: str, scale: float, site: Path | None) -> Cells | Failed:
    """Run one benchmark in a process of its own, with the recloser in `site` if it is given."""
    environment = dict(os.environ)
    if site is not None:
        environment["PYTHONPATH"] = str(site)
    done = subprocess.run(
        [sys.executable, str(CLONE / "benchmarks/run.py"), "--json", "--scale", str(scale), name],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return Failed("".join(done.stderr.strip().splitlines()[-1:]))
    return cells(json.loads(done.stdout))


def cells(tables: Sequence[dict[str, Any]]) -> Cells:
    """Take the numbers out of tables, as `Table.plain` gives them."""
    found: Cells = {}
    for table in tables:
        for row, *values in table["rows"]:
            for column, value in zip(table["columns"], values, strict=True):
                try:
                    found[table["title"], row, column] = float(value)
                except ValueError:
                    continue  # a word, or nothing
    return found


def compare(
    names: Sequence[str],
    commit: str,
    rounds: int,
    measure: Callable[[str, str], Cells | Failed],
) -> Iterator[Table | str]:
    """Measure each benchmark `rounds` times here, there and there again, in shuffled turns.

    `measure` takes the name of a benchmark, and `HERE`, `THERE` or `CONTROL`. Gives a table of
    ratios for each table that both commits have, and a line for what does not run.
    """
    shuffle = random.Random(0).shuffle
    for name in names:
        series: dict[str, list[Cells]] = {HERE: [], THERE: [], CONTROL: []}
        failed: dict[str, str] = {}
        for _ in range(rounds):
            turns = [each for each in series if each not in failed]
            shuffle(turns)
            for where in turns:
                found = measure(name, where)
                if isinstance(found, Failed):
                    failed[where] = found.why
                else:
                    series[where].append(found)
        if failed:
            where = THERE if HERE not in failed else HERE
            side = "this clone" if where is HERE else commit
            why = failed.get(where) or failed[CONTROL]
            yield f"`{name}` does not run with {side}: {why}\n"
        else:
            yield from _ratios(commit, series)


def _ratios(commit: str, series: dict[str, list[Cells]]) -> Iterator[Table]:
    """Give a table for each title, with the rows and columns that both commits have."""
    common = set(series[HERE][0]).intersection(*(each for runs in series.values() for each in runs))
    keys = [key for key in series[HERE][0] if key in common]
    for title in dict.fromkeys(title for title, _, _ in keys):
        columns = list(dict.fromkeys(column for of, _, column in keys if of == title))
        heads = [head for column in columns for head in (column, "control")]
        goals = {
            (row, column): goal
            for (beginning, row, column), goal in GOALS.items()
            if title.startswith(beginning) and column in columns
        }
        judged = ", ".join(sorted({column for _, column in goals}))
        table = Table(f"{title}: this clone to {commit}", heads, judged=judged)
        for row in dict.fromkeys(row for of, row, _ in keys if of == title):
            found = []
            reached = goal = None
            for column in columns:
                key = title, row, column
                ratio = _ratio(key, series[HERE], series[THERE])
                found += [ratio, _ratio(key, series[CONTROL], series[THERE])]
                if ratio and (row, column) in goals:
                    reached, goal = float(ratio), goals[row, column]
            table.add(row, *found, judged=reached, goal=goal)
        yield table


def _ratio(key: tuple[str, str, str], runs: list[Cells], base: list[Cells]) -> str:
    """Return the median over the rounds of the ratio within a round; nothing where there is none.

    A difference, such as that of two memories, can be 0 or below.
    """
    pairs = [(run.get(key), of.get(key)) for run, of in zip(runs, base, strict=True)]
    found = [a / b for a, b in pairs if a is not None and b is not None and b > 0]
    return f"{statistics.median(found):.3f}" if len(found) == len(pairs) else ""
