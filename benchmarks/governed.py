"""What an engine costs in a simulated storm with governors, beside a decision of its policy."""

import asyncio

from harness import AGAIN, Variant, cpu_table, rounds
from table import Table

from recloser import policies
from recloser.fsm.decisions import Context, Phase
from recloser.fsm.record import Close
from recloser.simulate.scenario import Governing, Scenario
from recloser.simulate.storm import simulate

BASE = "a decision"
GOVERNORS = {
    "a governor for each process": Governing.PROCESS,
    "one governor for the fleet": Governing.FLEET,
}
GOALS = dict.fromkeys(GOVERNORS, 76.0)
"""0.5 of the ratios of commit 4a616be; 7d1a4b0 simulated no governor."""
PER_PROCESS = 100
"""Engines of a process."""
RESTART = Close.frame(1012)
FIRST = Context(phase=Phase.OPEN, attempt=1, uptime=3600.0, since_dial=3600.05)


def tables(scale: float) -> list[Table]:
    """Measure with the standard policy; there is no event loop in it."""
    return [asyncio.run(_measure(scale))]


async def _measure(scale: float) -> Table:
    count, engines = max(1, int(10 * scale)), max(PER_PROCESS, int(2000 * scale))
    policy = policies.standard()

    async def decide() -> None:
        for _ in range(engines):
            policy.decide(RESTART, FIRST)

    def storm(governor: Governing) -> Variant:
        scenario = Scenario(
            engines=engines,
            capacity=engines / 30,
            processes=max(1, engines // PER_PROCESS),
            governor=governor,
        )

        async def turn() -> None:
            simulate(policy, scenario)

        return Variant(turn)

    variants = {BASE: Variant(decide), BASE + AGAIN: Variant(decide)}
    variants |= {name: storm(governor) for name, governor in GOVERNORS.items()}
    found = await rounds(variants, count, warm=1)
    return cpu_table(
        f"A storm of {engines} engines with governors, CPU, {count} rounds",
        "µs for an engine",
        found,
        BASE,
        each=lambda turn: f"{turn / engines / 1e3:.1f}",
        goals=GOALS,
    )
