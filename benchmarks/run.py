"""All benchmarks, or those that are named: `python benchmarks/run.py [--scale N] [NAME ...]`."""

import argparse
import os
import platform
import sys
import time
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from peers import silence

MEASURES = ("receive", "pingpong", "send", "framing", "durable", "memory", "transition", "imports")
PACKAGES = ("aiohttp", "aiosqlite", "picows", "structlog", "transitions", "uvloop", "websockets")


def main() -> None:
    """Print the tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(MEASURES)}")
    parser.add_argument("--scale", type=float, default=1.0, help="times the usual number of rounds")
    given = parser.parse_args()
    unknown = sorted(set(given.names) - set(MEASURES))
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}: choose from {', '.join(MEASURES)}")
    silence()
    print(f"{datetime.now(UTC):%Y-%m-%d}; {_machine()}; {_versions()}\n", flush=True)
    began = time.monotonic()
    for name in given.names or MEASURES:
        for table in import_module(name).tables(given.scale):
            print(table.markdown(), flush=True)
    print(f"{time.monotonic() - began:.0f} s in all", file=sys.stderr)


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
