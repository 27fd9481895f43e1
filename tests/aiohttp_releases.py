"""The transport's tests on each supported release of aiohttp: python tests/aiohttp_releases.py.

pyproject.toml has the range. The oldest release of it, the newest of each minor release, the
newest of all and a pre-release, if there is one, are installed in temporary folders, each with
what it depends on, and stand there before the one of the environment. `--ends` runs a part of the
tests on the oldest and the newest alone, in seconds.
"""

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest

ROOT = Path(__file__).parent.parent
PIP = (sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check")
ALL = ("tests/transport",)
SHORT = (
    "tests/transport/test_contract.py",
    "tests/transport/test_dialling.py",
    "tests/transport/test_receiving.py",
    "tests/transport/test_own_close.py",
)


def numbers(version: str) -> tuple[int, ...]:
    """Read the leading numbers of a version: 3.15.0rc1 is (3, 15, 0)."""
    found = re.match(r"\d+(\.\d+)*", version)
    assert found is not None
    return tuple(map(int, found[0].split(".")))


def since_aiohttp(version: str, reason: str) -> pytest.MarkDecorator:
    """Skip a test on releases that lack something that docs/networks.md says they lack."""
    absent = numbers(aiohttp.__version__) < numbers(version)
    return pytest.mark.skipif(absent, reason=f"aiohttp {version}: {reason}")


class Release(NamedTuple):
    """A release that is installed in a folder of its own."""

    version: str
    folder: Path

    def run(self, tests: tuple[str, ...]) -> tuple[int, str]:
        """Run tests on it: the exit status, and the output."""
        environment = {**os.environ, "PYTHONPATH": str(self.folder), "HYPOTHESIS_PROFILE": "ci"}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", *tests],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr


def install(requirement: str, folder: Path, *options: str) -> Release:
    """Install a release of aiohttp in the folder; pip chooses the newest that is asked for."""
    subprocess.run([*PIP, *options, "--target", str(folder), requirement], check=True)
    (facts,) = folder.glob("aiohttp-*.dist-info")
    return Release(facts.name.removeprefix("aiohttp-").removesuffix(".dist-info"), folder)


def supported() -> tuple[str, str]:
    """Return what pyproject.toml says: the oldest version, and the whole requirement."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (requirement,) = [each for each in project["dependencies"] if each.startswith("aiohttp")]
    found = re.fullmatch(r"aiohttp>=([\d.]+),<\d+", requirement)
    assert found is not None, f"{requirement}: a floor, and the next major release"
    return found[1], requirement


def releases(folder: Path, *, ends: bool) -> Iterator[Release]:
    """Install the releases, one after the other; each version comes once."""
    oldest, requirement = supported()
    yield install(f"aiohttp=={oldest}", folder / "oldest")
    newest = install(requirement, folder / "newest")
    yield newest
    if ends:
        return
    major, first = numbers(oldest)[:2]
    for minor in range(first, numbers(newest.version)[1]):
        yield install(f"aiohttp~={major}.{minor}.0", folder / f"{major}.{minor}")
    coming = install(requirement, folder / "coming", "--pre")
    if coming.version == newest.version:
        print("no pre-release")
    else:
        yield coming


def main(arguments: list[str]) -> int:
    """Print a line for each release, and the output of what failed; 1 if something did."""
    ends = arguments == ["--ends"]
    if arguments and not ends:
        print(__doc__)
        return 2
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        for release in releases(Path(name), ends=ends):
            status, output = release.run(SHORT if ends else ALL)
            failed |= status
            said = output if status else output.splitlines()[-1]
            print(said, f"aiohttp {release.version}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
