"""What a check of a policy costs: the whole search and the quick one, beside plain decisions."""

import asyncio

from harness import AGAIN, Variant, cpu_table, rounds
from table import Table

from recloser import policies
from recloser.testing.evidence import cases
from recloser.testing.policy_check import examine

BASE = "every code, decided once"
WHOLE = "recloser check"
QUICK = "recloser check --quick"
GOALS = {WHOLE: 28.0, QUICK: 28.0}
"""0.35 of the ratio of commit 7d1a4b0, which had no quick search."""
SMALLEST = 0.1
"""Below this scale the whole search is left out, and the round that does not count."""


def tables(scale: float) -> list[Table]:
    """Measure with the standard policy; there is no event loop in it."""
    return [asyncio.run(_measure(scale))]


async def _measure(scale: float) -> Table:
    count = max(1, int(5 * scale))
    questions = tuple(cases.codes())
    policy = policies.standard()

    async def decide() -> None:
        for close, context in questions:
            policy.decide(close, context)

    variants = {BASE: Variant(decide), BASE + AGAIN: Variant(decide), QUICK: _check(quick=True)}
    if scale >= SMALLEST:
        variants[WHOLE] = _check(quick=False)
    found = await rounds(variants, count, warm=1 if scale >= SMALLEST else 0)
    title = f"A check of the standard policy, CPU, {count} rounds"
    return cpu_table(title, "ms", found, BASE, each=lambda turn: f"{turn / 1e6:.0f}", goals=GOALS)


def _check(*, quick: bool) -> Variant:
    async def turn() -> None:
        examine(policies.standard, quick=quick)

    return Variant(turn)
