"""What a simulated storm costs: CPU for each dial, and memory for each engine."""

import asyncio
import subprocess
import sys

from harness import AGAIN, Variant, cpu_table, rounds
from table import Table

from recloser import policies
from recloser.fsm.decisions import Context, Phase
from recloser.fsm.record import Cause, Close
from recloser.simulate.scenario import Scenario
from recloser.simulate.storm import simulate

BASE = "a decision"
DIAL = "a dial of a storm"
GOALS = {DIAL: 6.3}
"""0.5 of the ratio of commit 7d1a4b0."""
KIB_GOAL = 1.0
"""A million engines in one gibibyte."""
PEAK = """
import sys
from pathlib import Path
from recloser import policies
from recloser.simulate.scenario import Scenario
from recloser.simulate.storm import simulate
def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])
before, engines = peak(), int(sys.argv[1])
simulate(policies.standard(), Scenario(engines=engines, capacity=engines / 30))
print((peak() - before) / engines)
"""
"""Prints the growth of the peak, in KiB for each engine."""
FAILED = Close.cut(Cause.TCP)
AGAIN_IN_VAIN = Context(
    phase=Phase.DIAL,
    attempt=3,
    streak=3,
    since_dial=0.05,
    elapsed=9.0,
    last_delay=4.0,
    last_roll=0.5,
)


def tables(scale: float) -> list[Table]:
    """Measure with the standard policy; there is no event loop in it."""
    found = [asyncio.run(_dials(scale))]
    if sys.platform == "linux":
        found.append(_memory(max(1000, int(200_000 * scale))))
    return found


async def _dials(scale: float) -> Table:
    count, engines = max(1, int(10 * scale)), max(50, int(2000 * scale))
    policy = policies.standard()
    scenario = Scenario(engines=engines, capacity=engines / 30)
    dials = len(simulate(policy, scenario).fleet.dials)

    async def decide() -> None:
        for _ in range(dials):
            policy.decide(FAILED, AGAIN_IN_VAIN)

    async def storm() -> None:
        simulate(policy, scenario)

    variants = {BASE: Variant(decide), BASE + AGAIN: Variant(decide), DIAL: Variant(storm)}
    found = await rounds(variants, count, warm=1)
    title = f"A storm of {engines} engines, CPU, {count} rounds"
    return cpu_table(
        title, "µs", found, BASE, each=lambda turn: f"{turn / dials / 1e3:.2f}", goals=GOALS
    )


def _memory(engines: int) -> Table:
    table = Table(f"Memory of a storm of {engines} engines", ["KiB each"], judged="KiB each")
    for name in ("the growth of the peak", "the growth of the peak" + AGAIN):
        command = [sys.executable, "-c", PEAK, str(engines)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        each = float(done.stdout)
        table.add(name, f"{each:.2f}", judged=each, goal=KIB_GOAL)
    return table
