"""What it costs to import, and to ask on the command line: whole processes, interleaved.

From bytecode, as `pip install` leaves it: where the environment keeps Python from writing any,
each process would compile this package anew, and none of the others. Without rich, as a user
has it: a tool of our tests brings it, structlog imports it where it is found, and
the row that the others are compared with would be longer.
"""

import asyncio
import statistics
import subprocess
import sys

from harness import AGAIN, Variant, bytecode_environment, median_ratio, rounds
from table import Table

DEPENDENCIES = "import aiohttp, structlog, transitions"
NOTHING = "pass"


def _command(*arguments: str) -> str:
    return f"from recloser.cli import main; main({arguments!r}, prog_name='recloser')"


PROGRAMS = {
    DEPENDENCIES: (DEPENDENCIES, DEPENDENCIES, None),
    DEPENDENCIES + AGAIN: (DEPENDENCIES, DEPENDENCIES, None),
    "import recloser; recloser.connect": ("import recloser; recloser.connect", DEPENDENCIES, 1.05),
    NOTHING: (NOTHING, NOTHING, None),
    "import click": ("import click", NOTHING, None),
    "recloser --help": (_command("--help"), NOTHING, None),
    "recloser explain 1012": (_command("explain", "1012"), NOTHING, 3.0),
    "recloser codes": (_command("codes"), NOTHING, 3.0),
}
"""What each one runs, what it is compared with, and its goal."""


def tables(scale: float) -> list[Table]:
    """Measure with this interpreter."""
    return [asyncio.run(_measure(max(1, int(15 * scale))))]


async def _measure(count: int) -> Table:
    variants = {name: _process(code) for name, (code, _, _) in PROGRAMS.items()}
    found = await rounds(variants, count, warm=min(1, count - 1))
    table = Table(
        f"Processes from start to end, {count} rounds",
        ["ms, median", "ratio", "to"],
        judged="ratio",
    )
    for name, (_, base, goal) in PROGRAMS.items():
        wall = found[name].wall
        ratio = median_ratio(wall, found[base].wall)
        table.add(
            name,
            f"{statistics.median(wall) / 1e6:.0f}",
            f"{ratio:.3f}",
            base,
            judged=ratio,
            goal=goal,
        )
    return table


def _process(code: str) -> Variant:
    command = [sys.executable, "-c", code]
    environment = bytecode_environment()

    def run() -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)

    async def turn() -> None:
        run()  # blocking on purpose: nothing else may run meanwhile

    return Variant(turn)
