"""The run: each piece of software, each event; what changed since the rows of the field guide.

    python -m tests.field [NAME ...] [--event EVENT] [--write] [--newest] [--untimed]

A name is that of a file in `tests/field/servers`, or "name variant". Exit status: 0 if everything
is as the rows say, 1 if something has changed, an engine did not do as it should, or a piece that
was asked for by its name was skipped.
"""

import argparse
import asyncio
import importlib
import json
import logging
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import structlog

from recloser.policies.field import FieldRow, rows
from tests.field.comparison import differences, merged
from tests.field.experiment import Experiment, Outcome
from tests.field.software import Event, Software
from tests.field.sources import Installed, Unavailable

SERVERS = Path(__file__).parent / "servers"
DATA = Path(__file__).parents[2] / "policies" / "data" / "field.json"
BOUND = 180.0
"""Seconds after which one event is given up."""
WHOLE = 1800.0
"""Seconds after which the run is given up: what was not reached is skipped."""


def known(names: list[str]) -> Iterator[Software]:
    """The software of the files of those names, or with those full names; all if none is given."""
    for path in sorted(SERVERS.glob("*.py")):
        module = importlib.import_module(f"tests.field.servers.{path.stem}")
        for software in module.SOFTWARE:
            if not names or {path.stem, software.name, software.full_name} & set(names):
                yield software


class Run:
    """One run over some software, a few pieces at a time."""

    def __init__(self, *, newest: bool, events: list[str], at_once: int, timed: bool) -> None:
        self.rows: list[FieldRow] = []
        self.faults: list[str] = []
        self.skipped: list[str] = []
        self._newest = newest
        self._events = events
        self._timed = timed
        self._room = asyncio.Semaphore(at_once)
        self._installing = asyncio.Lock()

    async def over(self, software: list[Software]) -> None:
        """Run all events of all of it, as far as there is time."""
        try:
            async with asyncio.timeout(WHOLE), asyncio.TaskGroup() as group:
                for each in software:
                    group.create_task(self._one(each))
        except TimeoutError:
            self._skip("what was not reached", TimeoutError(f"the run took {WHOLE:g} s"))

    async def _one(self, software: Software) -> None:
        async with self._room:
            try:
                async with self._installing:
                    installed = await software.source.install(
                        software.folder_name, newest=self._newest
                    )
            except Unavailable as error:
                self._skip(software.full_name, error)
                return
            for event in software.events:
                if not self._events or event.name in self._events:
                    await self._event(software, event, installed)

    async def _event(self, software: Software, event: Event, installed: Installed) -> None:
        name = f"{software.full_name}: {event.name}"
        try:
            async with asyncio.timeout(BOUND):
                experiment = Experiment(software, event, installed, timed=self._timed)
                outcome = await experiment.run()
        except (Unavailable, TimeoutError) as error:
            self._skip(name, error)
            return
        except Exception as error:  # noqa: BLE001 - one event that breaks does not end the run
            self.faults.append(f"{name}: {error!r}")
            print(f"  FAULT  {name}: {error!r}", flush=True)
            return
        self.rows.append(outcome.row)
        self._print(name, outcome)

    def _skip(self, name: str, error: Exception) -> None:
        said = str(error) or f"not done after {BOUND:g} s"
        self.skipped.append(f"{name}: {said}")
        print(f"skipped  {name}: {said}", flush=True)

    def _print(self, name: str, outcome: Outcome) -> None:
        row = outcome.row
        rule = row.rule or "nothing ended"
        print(f"{row.seconds:6.2f} s {name}: {row.wire} ({row.tcp}); {rule}", flush=True)
        for fault in outcome.faults:
            self.faults.append(f"{name}: {fault}")
            print(f"  FAULT  {fault}", flush=True)


def main() -> int:
    """Run, print what changed, and write the rows if asked to."""
    parser = argparse.ArgumentParser(prog="python -m tests.field", description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--event", action="append", default=[])
    parser.add_argument("--write", action="store_true", help="write the rows of the field guide")
    parser.add_argument("--newest", action="store_true", help="the newest versions, not the pins")
    parser.add_argument(
        "--untimed", action="store_true", help="judge no times: the machine is slow"
    )
    parser.add_argument("--at-once", type=int, default=2, help="pieces of software at a time")
    given = parser.parse_args()
    software = list(known(given.names))
    if not software:
        parser.error(f"nothing is called {' '.join(given.names)}")
    quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=quiet)
    began = time.monotonic()
    timed = not given.untimed
    run = Run(newest=given.newest, events=given.event, at_once=given.at_once, timed=timed)
    asyncio.run(run.over(software))
    changed = list(differences(rows(), run.rows, timed=timed))
    print(f"\n{len(run.rows)} events of {len(software)} pieces in {time.monotonic() - began:.0f} s")
    for heading, lines in (
        ("skipped", run.skipped),
        ("changed", changed),
        ("not as it should be", run.faults),
    ):
        print(f"{heading}: {len(lines)}")
        print("".join(f"  {line}\n" for line in lines), end="")
    if given.write:
        text = json.dumps([asdict(each) for each in merged(rows(), run.rows)], indent=1)
        DATA.write_text(f"{text}\n", encoding="utf-8")
    missed = given.names and run.skipped
    return 1 if run.faults or missed or (changed and not given.write) else 0


if __name__ == "__main__":
    sys.exit(main())
