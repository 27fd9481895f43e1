"""Builds the release and tries it: python tests/release.py. `make dist` runs it.

It builds wheel and source distribution, and tries them in these steps:

- metadata: what the wheel says of itself;
- source: an installation of the source distribution alone, where every module is imported, and a
  bill of materials of what that brings;
- types: the types of the whole package as pyright reads them;
- 3.11 and each later Python that is found, oldest, newest: all tests against the installed wheel,
  with the pinned versions of all dependencies, with the oldest ones and with the newest ones.

The tests of an environment run in pieces, one after the other.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from email import message_from_bytes
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).parent.parent
DIST = ROOT / "dist"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
[EXTRAS] = [
    each.removeprefix("recloser[").removesuffix("]")
    for each in PROJECT["optional-dependencies"]["dev"]
    if each.startswith("recloser[")
]
"""The extras that a user can want: those of `dev`."""
STEPS = ("metadata", "source", "types", *PYTHONS, "oldest", "newest")
PART = (("tests/fsm", "tests/policies", "tests/transport/test_dialling.py"),)
PIECES = (
    ("tests/fsm", "tests/policies"),
    ("tests/transport",),
    ("tests/engine/outbox", "tests/engine/driver"),
    ("tests/engine", "tests/tools/testing"),
    ("tests",),
)
"""What one run of pytest tries; a piece leaves out what the pieces before it have."""
OUTCOMES = ("passed", "failed", "skipped", "error", "errors", "warning", "warnings")
LEFT_OUT = (
    "tests/test_wheel.py::test_in_the_clone_every_module_is_a_link_to_its_source",
    "tests/mutants/test_trial.py::test_a_change_is_seen_unless_its_file_was_imported_before",
    "tests/mutants/test_trial.py::test_an_import_that_does_not_end_is_noticed",
)
"""Tests of the clone: a wheel has no link to a source, and no change of a source reaches it."""

IMPORT_ALL = """
import importlib, pkgutil
import recloser
missing = set()
for found in pkgutil.walk_packages(recloser.__path__, "recloser."):
    if found.name.endswith("__main__"):
        continue
    try:
        importlib.import_module(found.name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("recloser"):
            raise
        missing.add(error.name.partition(".")[0])
print(*sorted(missing))
"""
"""Imports every module; prints the packages of extras that are not there."""


class Failed(Exception):
    """A step found something wrong; the text says what."""


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> str:
    """Run a command; raises `Failed` with its output unless it succeeds."""
    done = subprocess.run(
        [str(each) for each in command],
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command))}\n{done.stdout}")
    return done.stdout


class Environment:
    """A virtual environment with nothing in it at first."""

    def __init__(self, python: str, folder: Path) -> None:
        run(python, "-m", "venv", folder)
        self.bin = folder / "bin"
        self.python = self.bin / "python"

    def install(self, *requirements: str) -> None:
        pip = ("-m", "pip", "install", "-qq", "--disable-pip-version-check")
        run(self.python, *pip, *requirements)


def build(tree: Path) -> tuple[Path, Path]:
    """Build both from what git knows, and return wheel and source archive."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(sys.executable, "-m", "build", "--outdir", DIST, tree)
    [wheel], [source] = DIST.glob("*.whl"), DIST.glob("*.tar.gz")
    return wheel, source


def check_metadata(wheel: Path, source: Path) -> str:
    run(sys.executable, "-m", "twine", "check", "--strict", wheel, source)
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        [metadata] = [each for each in names if each.endswith(".dist-info/METADATA")]
        facts = message_from_bytes(archive.read(metadata))
    expected = {
        "Version": PROJECT["version"],
        "License-Expression": PROJECT["license"],
        "Requires-Python": PROJECT["requires-python"],
        "License-File": "LICENSE",
    }
    for name, value in expected.items():
        if facts[name] != value:
            raise Failed(f"{name} is {facts[name]!r} in the wheel and must be {value!r}")
    if "recloser/py.typed" not in names:
        raise Failed("recloser/py.typed is not in the wheel")
    urls = dict(each.split(", ", 1) for each in facts.get_all("Project-URL", ()))
    if urls != PROJECT.get("urls", {}):
        raise Failed(f"the wheel has the project URLs {urls}")
    if not urls:
        return "no project URLs: the project has no public address yet; name it in [project.urls]"
    return f"{len(urls)} project URLs"


def check_source(source: Path, folder: Path) -> str:
    """Install the source distribution alone, import everything, and run the command."""
    clean = Environment(sys.executable, folder / "clean")
    clean.install(str(source))
    missing = run(clean.python, "-W", "error", "-X", "dev", "-c", IMPORT_ALL, cwd=folder).split()
    said = run(clean.bin / "recloser", "--version", cwd=folder)
    if PROJECT["version"] not in said:
        raise Failed(f"recloser --version says {said}")
    run(clean.bin / "recloser", "diagram", "--format", "mermaid", cwd=folder)
    bill = DIST / f"recloser-{PROJECT['version']}.cdx.json"
    cyclonedx = Path(sys.executable).with_name("cyclonedx-py")
    options = ("--output-reproducible", "--of", "JSON", "-o", bill)
    run(cyclonedx, "environment", *options, "--pyproject", ROOT / "pyproject.toml", clean.python)
    parts = json.loads(bill.read_text(encoding="utf-8"))["components"]
    return f"without {', '.join(missing)}; {len(parts)} components in {bill.name}"


def check_imports(environment: Environment, folder: Path) -> None:
    """With every extra, every module imports without a warning."""
    options = ("-W", "error", "-X", "dev")
    missing = run(environment.python, *options, "-c", IMPORT_ALL, cwd=folder).split()
    if missing:
        raise Failed(f"with every extra these packages are missing: {missing}")


def check_types(wheel: Path, folder: Path) -> str:
    """Ask pyright about every name of the package, with the extras of users and no others."""
    whole = Environment(sys.executable, folder / "whole")
    whole.install("-c", str(ROOT / "constraints.txt"), f"{wheel}[{EXTRAS}]", "pytest")
    check_imports(whole, folder)
    pyright = Path(sys.executable).with_name("pyright")
    path = f"{whole.bin}{os.pathsep}{os.environ['PATH']}"
    command = (pyright, "--ignoreexternal", "--outputjson", "--verifytypes", "recloser")
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PATH": path},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = json.loads(done.stdout)["typeCompleteness"]
    untyped = {
        each["name"]
        for each in found["symbols"]
        if each["isExported"] and (not each["isTypeKnown"] or each["isTypeAmbiguous"])
    }
    if untyped or not found["symbols"]:
        raise Failed(f"pyright does not know the types of {sorted(untyped)}")
    return f"{len(found['symbols'])} names, and each is typed"


def interpreters() -> Iterator[tuple[str, str | None]]:
    """Find each version of Python: on the path, or by pyenv."""
    managed: dict[str, str] = {}
    if shutil.which("pyenv"):
        for version in run("pyenv", "versions", "--bare").split():
            managed[version.rpartition(".")[0]] = version
    for version in PYTHONS:
        found = shutil.which(f"python{version}")
        if found is not None and subprocess.run([found, "-c", ""], check=False,
                                                capture_output=True).returncode == 0:  # fmt: skip
            yield version, found
        elif version in managed:
            yield version, f"{run('pyenv', 'prefix', managed[version]).strip()}/bin/python"
        else:
            yield version, None


def floors() -> list[str]:
    """Return the oldest version of each dependency that pyproject.toml allows."""
    named = [*PROJECT["dependencies"]]
    for extra in EXTRAS.split(","):
        named += PROJECT["optional-dependencies"][extra]
    oldest: dict[str, str] = {}
    for requirement in named:
        found = re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?>=([\d.]+)", requirement)
        if found is None:
            raise Failed(f"{requirement} in pyproject.toml has no oldest version")
        name, version = found.groups()
        oldest[name] = max(oldest.get(name, "0"), version, key=_numbers)
    return [f"{name}=={version}" for name, version in oldest.items()]


def _numbers(version: str) -> list[int]:
    return [int(each) for each in version.split(".")]


class Suite:
    """The tests, against an installed wheel.

    `through` is a command that each piece is run through, as `nice`; empty for none.
    """

    def __init__(
        self, tree: Path, pieces: tuple[tuple[str, ...], ...], workers: int, through: str
    ) -> None:
        self._tree = tree
        self._pieces = pieces
        self._workers = workers
        self._through = shlex.split(through)

    def run(self, environment: Environment) -> str:
        """Run every piece, also after one that failed, and print how each ended.

        Raises `Failed` at the end if one failed.
        """
        home = run(
            environment.python, "-c", "import recloser; print(recloser.__file__)", cwd=self._tree
        )
        if "site-packages" not in home:
            raise Failed(f"recloser is {home.strip()}, and not the wheel")
        check_imports(environment, self._tree)
        total: Counter[str] = Counter()
        failures = []
        earlier: list[str] = []
        for piece in self._pieces:
            try:
                said = self._run_piece(environment, piece, earlier)
            except Failed as failed:
                failures.append(str(failed))
                said = str(failed)
            last = said.rstrip().splitlines()[-1]
            print(f"  {' '.join(piece)}: {last.strip('= ')}", flush=True)
            for number, word in re.findall(r"(\d+) (\w+)", last):
                total[word] += int(number)
            earlier += piece
        summary = ", ".join(f"{total[word]} {word}" for word in OUTCOMES if total[word])
        if failures:
            raise Failed("\n".join([*failures, summary]))
        return summary

    def _run_piece(
        self, environment: Environment, piece: tuple[str, ...], earlier: list[str]
    ) -> str:
        # The tests start commands by their names.
        path = f"{environment.bin}{os.pathsep}{os.environ['PATH']}"
        return run(
            *self._through, environment.python, "-m", "pytest",
            "-q", "-p", "no:cacheprovider", "-n", str(self._workers), "--dist", "worksteal",
            *(f"--ignore={each}" for each in earlier),
            *(f"--deselect={each}" for each in LEFT_OUT),
            *piece,
            cwd=self._tree, PATH=path, HYPOTHESIS_PROFILE="ci", HYPOTHESIS_NO_PLUGINS="1",
        )  # fmt: skip


def export(folder: Path) -> Path:
    """Export the latest commit, and make it a repository, since tests ask git for its files."""
    tree = folder / "tree"
    archive = subprocess.run(
        ["git", "archive", "--format=tar", "HEAD"], cwd=ROOT, check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as members:
        members.extractall(tree, filter="data")
    run("git", "init", "-q", cwd=tree)
    run("git", "add", "-A", cwd=tree)
    return tree


def read(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tests/release.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", action="append", choices=STEPS, help="a step; all without one")
    parser.add_argument("--part", action="store_true", help="a part of the tests, not all")
    parser.add_argument("--workers", type=int, default=3, help="processes that run tests; 3")
    parser.add_argument("--through", default="", help="a command to run each piece of tests with")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Print a line for each step; 1 if one failed."""
    options = read(arguments)
    failed = 0

    def step(name: str, work: Callable[[], str]) -> None:
        nonlocal failed
        if options.only and name not in options.only:
            return
        try:
            print(f"{name}: {work()}", flush=True)
        except Failed as error:
            failed = 1
            print(f"{name}: FAILED\n{error}", flush=True)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tree = export(folder)
        wheel, source = build(tree)
        suite = Suite(tree, PART if options.part else PIECES, options.workers, options.through)
        step("metadata", lambda: check_metadata(wheel, source))
        step("source", lambda: check_source(source, folder))
        step("types", lambda: check_types(wheel, folder))

        def tests(label: str, python: str | None, *requirements: str) -> None:
            def work() -> str:
                if python is None:
                    return "not on this machine, left out"
                environment = Environment(python, folder / label)
                environment.install(*requirements)
                return suite.run(environment)

            step(label, work)

        pins = ("-c", str(ROOT / "constraints.txt"))
        for version, python in interpreters():
            tests(version, python, *pins, f"{wheel}[dev]")
        tests("oldest", sys.executable, f"{wheel}[dev]", *floors())
        tests("newest", sys.executable, "--upgrade", f"{wheel}[dev]")
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
