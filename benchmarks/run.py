"""All benchmarks, or those that are named: `python benchmarks/run.py [--scale N] [NAME ...]`."""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from against import HERE, Cells, Failed, NotBuilt, built, compare, measured
from peers import silence

MEASURES = (
    "receive",
    "pingpong",
    "send",
    "framing",
    "durable",
    "disk",
    "memory",
    "idle",
    "comeback",
    "transition",
    "check",
    "storm",
    "governed",
    "imports",
)
PACKAGES = ("aiohttp", "aiosqlite", "picows", "structlog", "transitions", "uvloop", "websockets")


def main() -> None:
    """Print the tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(MEASURES)}")
    parser.add_argument("--scale", type=float, default=1.0, help="times the usual number of rounds")
    parser.add_argument("--json", action="store_true", help="print the tables as JSON")
    parser.add_argument("--against", metavar="COMMIT", help="print ratios to that commit")
    parser.add_argument("--rounds", type=int, default=3, help="times each side, with --against")
    given = parser.parse_args()
    unknown = sorted(set(given.names) - set(MEASURES))
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}: choose from {', '.join(MEASURES)}")
    names = given.names or MEASURES
    if given.against is not None:
        _against(parser, names, given)
        return
    silence()
    if given.json:
        print(json.dumps([t.plain() for n in names for t in import_module(n).tables(given.scale)]))
        return
    print(f"{datetime.now(UTC):%Y-%m-%d}; {_machine()}; {_versions()}\n", flush=True)
    began = time.monotonic()
    for name in names:
        for table in import_module(name).tables(given.scale):
            print(table.markdown(), flush=True)
    print(f"{time.monotonic() - began:.0f} s in all", file=sys.stderr)


def _against(
    parser: argparse.ArgumentParser, names: Sequence[str], given: argparse.Namespace
) -> None:
    if given.rounds < 1:
        parser.error(f"--rounds must be 1 or more, not {given.rounds}")
    try:
        with built(given.against) as site:

            def measure(name: str, where: str) -> Cells | Failed:
                return measured(name, given.scale, None if where == HERE else site)

            for found in compare(names, given.against, given.rounds, measure):
                print(found if isinstance(found, str) else found.markdown(), flush=True)
    except NotBuilt as error:
        parser.error(str(error))


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}"


def _versions() -> str:
    found = [f"{platform.python_implementation()} {platform.python_version()}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"no {package}")
    return ", ".join(found)


if __name__ == "__main__":
    main()
