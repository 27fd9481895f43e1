"""`make autobahn`: the client cases of Autobahn's test suite, over each transport and its library.

    python -m tests.autobahn [--python27 EXECUTABLE] [CASE ...]

A case is a name such as "1.1.1", or a pattern such as "9.*"; without one, all are played. Exit
status: 0 if no transport of ours fails a case that its library passes, or if the suite cannot be
had here (it says so); 1 otherwise.
"""

import argparse
import asyncio
import logging
import shutil
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Final

import aiohttp

from tests.autobahn.agents import AGENTS, LIBRARIES, Agent
from tests.autobahn.suite import (
    VERSION,
    FuzzingServer,
    Unavailable,
    fuzzing_server,
    install,
    python27,
)
from tests.autobahn.verdicts import Verdicts, failed, faults, table

ENVIRONMENT: Final = Path(__file__).parents[2] / "build" / "autobahn"
RUN: Final = ENVIRONMENT / "run"
"""For each agent the server's log, and its reports: a page a case, with the bytes that went."""
CASE: Final = 480.0
"""Seconds after which a case is given up: the suite itself gives its largest ones as many."""
WHOLE: Final = 3600.0
"""Seconds after which the run is given up."""


async def count(server: FuzzingServer) -> int:
    """Ask how many cases there are."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{server.url}/getCaseCount") as ws,
    ):
        return int(await ws.receive_str())


async def play(interpreter: Path, agent: Agent, cases: list[str]) -> tuple[Verdicts, list[str]]:
    """Play the cases with an agent; return the server's verdicts, and what was raised."""
    wrong = []
    folder = RUN / agent.name
    folder.mkdir(parents=True)
    async with fuzzing_server(interpreter, folder, cases) as server:
        for number in range(1, await count(server) + 1):
            try:
                async with asyncio.timeout(CASE):
                    await agent.echo(server.case(number, agent.name))
            except TimeoutError:
                wrong.append(f"{agent.name}, case number {number}: given up after {CASE:g} s")
            except Exception as error:  # noqa: BLE001 - a library may raise anything, and is judged
                wrong.append(f"{agent.name}, case number {number}: {error!r}")
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{server.url}/updateReports?agent={agent.name}") as ws,
        ):
            await ws.receive()
        return server.index()[agent.name], wrong


async def verdicts(interpreter: Path, cases: list[str]) -> dict[str, Verdicts]:
    """Play the cases with every agent at the same time, each against a server of its own."""
    async with asyncio.timeout(WHOLE), asyncio.TaskGroup() as group:
        playing = [group.create_task(play(interpreter, agent, cases)) for agent in AGENTS]
    for each in playing:
        for line in each.result()[1]:
            print(line)
    return {agent.name: each.result()[0] for agent, each in zip(AGENTS, playing, strict=True)}


def judge(index: dict[str, Verdicts]) -> bool:
    """Print what was found; whether each transport of ours does as its library does."""
    print(table(index))
    well = True
    for agent in AGENTS:
        print(f"{agent.name} fails: {', '.join(failed(index[agent.name])) or 'nothing'}")
    for ours, library in LIBRARIES.items():
        found = faults(index[ours], index[library])
        well = well and not found
        if found:
            print(f"FAULT: {ours} fails where {library} does not: {', '.join(found)}")
    return well


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--python27", metavar="EXECUTABLE")
    options.add_argument("cases", nargs="*", default=["*"], metavar="CASE")
    given = options.parse_args()
    logging.disable(logging.CRITICAL)  # each case breaks a rule, and three clients say so
    try:
        interpreter = install(python27(given.python27), ENVIRONMENT)
        print(
            f"autobahntestsuite {VERSION}, aiohttp {version('aiohttp')}, "
            f"picows {version('picows')}, Python {sys.version.split()[0]}"
        )
        without = ", ".join(agent.name for agent in AGENTS if not agent.compresses)
        print(f"no compression is offered by {without}: sections 12 and 13 say UNIMPLEMENTED")
        began = time.monotonic()
        shutil.rmtree(RUN, ignore_errors=True)
        index = asyncio.run(verdicts(interpreter, given.cases))
    except Unavailable as error:
        print(f"skipped: {error}")
        return 0
    well = judge(index)
    print(f"{time.monotonic() - began:.0f} s: {'well' if well else 'a transport fails more'}")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
