"""Rounds in which every variant has its turn in shuffled order, and the figures taken from them.

A shared machine changes its speed by half within minutes, so an absolute time says little.
All variants of a table run in one process, one turn each per round and in a new order each
time; a ratio is taken within a round, and the table gives the median of those. The base
runs twice under two names: how far its second row is from 1 is the resolution of the table.
"""

import asyncio
import gc
import os
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from table import Table

AGAIN = " (again)"
"""Ends the name of the second run of the base, the control."""

ABSENT = str(Path(__file__).parent.parent / "tests" / "absent")
"""What stands there is hidden from the processes that are measured."""

Step = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Variant:
    """One way of doing the thing: `turn` is timed, `before` and `after` are not."""

    turn: Step
    before: Step | None = None
    after: Step | None = None


@dataclass(slots=True)
class Series:
    """What the turns of one variant took, in nanoseconds, one entry a round."""

    wall: list[int] = field(default_factory=list)
    cpu: list[int] = field(default_factory=list)


async def rounds(
    variants: Mapping[str, Variant], count: int, *, warm: int = 3
) -> dict[str, Series]:
    """Give every variant `count` turns after `warm` ones, at most as many, that do not count."""
    found = {name: Series() for name in variants}
    order = list(variants)
    shuffle = random.Random(0).shuffle
    gc.collect()
    gc.disable()
    try:
        for number in range(-min(warm, count), count):
            shuffle(order)
            for name in order:
                wall, cpu = await _timed(variants[name])
                if number >= 0:
                    found[name].wall.append(wall)
                    found[name].cpu.append(cpu)
            await asyncio.sleep(0)
    finally:
        gc.enable()
    return found


async def _timed(variant: Variant) -> tuple[int, int]:
    if variant.before is not None:
        await variant.before()
    turn = variant.turn
    cpu = time.thread_time_ns()
    wall = time.perf_counter_ns()
    await turn()
    wall = time.perf_counter_ns() - wall
    cpu = time.thread_time_ns() - cpu
    if variant.after is not None:
        await variant.after()
    return wall, cpu


def bytecode_environment() -> dict[str, str]:
    """Return the environment of a process as a user runs one: from bytecode, and without rich."""
    environment = {
        name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
    }
    paths = [ABSENT, *environment.get("PYTHONPATH", "").split(os.pathsep)]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return environment


def median_ratio(values: list[int], base: list[int]) -> float:
    """Median over the rounds of the ratio within a round."""
    return statistics.median(value / of for value, of in zip(values, base, strict=True))


def low(values: list[int]) -> float:
    """Give the low decile: what it costs when nothing else on the machine interferes."""
    return float(sorted(values)[len(values) // 10])


def cpu_table(
    title: str,
    unit: str,
    found: Mapping[str, Series],
    base: str,
    *,
    each: Callable[[float], str],
    goals: Mapping[str, float],
) -> Table:
    """Make a table of the CPU of each variant: in `unit`, and as a ratio to `base` with its goal.

    each: writes a turn's nanoseconds in the unit.
    """
    table = Table(title, [unit, "ratio"], judged="ratio")
    for name, series in found.items():
        ratio = median_ratio(series.cpu, found[base].cpu)
        figure = each(low(series.cpu))
        table.add(name, figure, f"{ratio:.3g}", judged=ratio, goal=goals.get(name))
    return table
