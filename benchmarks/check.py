"""What a check of a policy costs: the search beside plain decisions, and the command by itself."""

import asyncio
import inspect
import resource
import statistics
import subprocess
import sys
import time

from harness import AGAIN, Variant, bytecode_environment, cpu_table, rounds
from table import Table

from recloser import policies
from recloser.testing.evidence import cases
from recloser.testing.policy_check import examine

BASE = "every code, decided once"
WHOLE = "recloser check"
QUICK = "recloser check --quick"
GOALS = {WHOLE: 28.0, QUICK: 28.0}
"""0.35 of the ratio of commit 7d1a4b0, which had no quick search."""
QUICK_IS_KNOWN = "quick" in inspect.signature(examine).parameters
"""Whether the recloser that is measured has a quick search."""
SMALLEST = 0.1
"""Below this scale the whole search is left out, and the round that does not count."""


def tables(scale: float) -> list[Table]:
    """Measure with the standard policy; there is no event loop in it."""
    return [asyncio.run(_measure(scale)), _commands(scale)]


async def _measure(scale: float) -> Table:
    count = max(1, int(5 * scale))
    questions = tuple(cases.codes())
    policy = policies.standard()

    async def decide() -> None:
        for close, context in questions:
            policy.decide(close, context)

    variants = {BASE: Variant(decide), BASE + AGAIN: Variant(decide)}
    variants |= {each: _check(each) for each in _searches(scale)}
    found = await rounds(variants, count, warm=1 if scale >= SMALLEST else 0)
    title = f"A check of the standard policy, CPU, {count} rounds"
    return cpu_table(title, "ms", found, BASE, each=lambda turn: f"{turn / 1e6:.0f}", goals=GOALS)


def _searches(scale: float) -> list[str]:
    return [QUICK] * QUICK_IS_KNOWN + [WHOLE] * (scale >= SMALLEST)


def _check(search: str) -> Variant:
    options = {"quick": True} if search == QUICK else {}

    async def turn() -> None:
        examine(policies.standard, **options)

    return Variant(turn)


def _commands(scale: float) -> Table:
    """Measure whole processes: what they take by the clock, and all their CPU together."""
    count = max(1, int(5 * scale))
    table = Table(f"The command from start to end, {count} rounds", ["s, median", "CPU, s, median"])
    for command in _searches(scale):
        turns = [_process(command.replace("check", "check standard")) for _ in range(count)]
        table.add(command, *(f"{statistics.median(each):.2f}" for each in zip(*turns, strict=True)))
    return table


def _process(command: str) -> tuple[float, float]:
    """Run a command of ours; return the seconds that it took, and those of CPU."""
    arguments = command.split()
    before, start = _children(), time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        env=bytecode_environment(),
    )
    return time.perf_counter() - start, _children() - before


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
