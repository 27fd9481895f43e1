"""`make soak MINUTES=30 SEED=1`: real servers that misbehave, a virtual month, 100,000 cycles.

Tasks, descriptors and memory are sampled all the time. It fails where the growth of one over a
run is, with 95 % confidence, above what is allowed, or where something is lost.
"""

import argparse
import asyncio
import gc
import logging
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from recloser.testing import run
from tests.soak.month import cycles, month
from tests.soak.service import live
from tests.soak.slopes import slope

PAGE: Final = resource.getpagesize()
ALLOWED: Final = {"tasks": 10.0, "descriptors": 3.0, "memory in MiB": 8.0, "objects": 5000.0}
"""The growth over a run that is put up with: of twenty engines now more are open and now fewer,
and the allocator keeps what it had. One of each connection, left behind, would be hundreds.
"""
OWN: Final = 2
"""The sockets of an event loop, by which threads and signals wake it."""
_RARELY: Final = 5
"""Samples for each one in which all objects are counted."""
EVERY: Final = 0.5
"""Seconds between two samples of a real run."""


def left_over(links: Iterable[str], connected: int) -> int:
    """Return the descriptors that are no connection's: files, and sockets without an engine.

    links: what they lead to, as /proc/self/fd has it. `connected`: engines that are dialling,
    open or closing; each may have a socket. Their number follows the weather for minutes.
    """
    names = list(links)
    sockets = sum(name.startswith("socket:") for name in names)
    return len(names) - sockets + max(sockets - OWN - connected, 0)


class Samples:
    """What the process holds, moment by moment; descriptors where sockets are real."""

    def __init__(self, *, real: bool) -> None:
        names = [name for name in ALLOWED if real or name != "descriptors"]
        self.rows: dict[str, list[float]] = {name: [] for name in names}
        self._real = real
        self._count = 0

    def __call__(self, connected: int = 0) -> None:
        """Take a sample, while so many engines have a connection or dial one."""
        self._count += 1
        found: dict[str, float] = {"tasks": len(asyncio.all_tasks())}
        if self._count % _RARELY == 0:
            gc.collect()
            found["objects"] = len(gc.get_objects())
        try:
            if self._real:
                found["descriptors"] = left_over(links(), connected)
            pages = int(Path("/proc/self/statm").read_text().split()[1])
        except OSError:
            return  # the world has taken all descriptors away
        found["memory in MiB"] = pages * PAGE / 2**20
        for name, value in found.items():
            self.rows[name].append(value)


def links() -> list[str]:
    """Return what the descriptors of this process lead to; raises `OSError` where none is left."""
    found = []
    for path in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that of the listing itself is gone by now
            found.append(str(path.readlink()))
    return found


def judge(
    title: str,
    samples: Samples,
    work: Callable[[Samples], Coroutine[Any, Any, dict[str, int]]],
    start: Callable[[Coroutine[Any, Any, dict[str, int]]], dict[str, int]],
) -> bool:
    """Do the work, print what happened and what grew; whether all is well."""
    print(f"{title} ...", flush=True)
    began = time.monotonic()
    facts = start(work(samples))
    line = ", ".join(f"{value:,} {name}" for name, value in facts.items())
    print(f"  {time.monotonic() - began:.0f} s: {line}")
    well = True
    for name, values in samples.rows.items():
        try:
            found = slope(values)
        except ValueError as error:
            print(f"  {name:14} {error}")
            well = False
            continue
        grows = found.grows(ALLOWED[name])
        well = well and not grows
        verdict = "GROWS" if grows else "ok"
        print(f"  {name:14} {values[0]:12.1f} -> {values[-1]:12.1f}   growth {found}   {verdict}")
    return well


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("minutes", type=float)
    options.add_argument("seed", type=int)
    given = options.parse_args()
    logging.getLogger("recloser").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    well = True
    with tempfile.TemporaryDirectory() as folder:
        served = partial(_served, Path(folder), given.minutes * 60, given.seed)
        title = f"{given.minutes:g} minutes of real servers that misbehave (seed {given.seed})"
        well &= judge(title, Samples(real=True), served, asyncio.run)
    virtual = partial(month, given.seed)
    well &= judge("a virtual month of ten engines", Samples(real=False), virtual, run)
    well &= judge("100,000 connections of one engine", Samples(real=False), cycles, run)
    print("well" if well else "something grows, or the run was too short to tell")
    return 0 if well else 1


def _served(
    folder: Path, seconds: float, seed: int, sample: Samples
) -> Coroutine[Any, Any, dict[str, int]]:
    return live(folder, seconds, seed, sample, EVERY)


if __name__ == "__main__":
    sys.exit(main())
