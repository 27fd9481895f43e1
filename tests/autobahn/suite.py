"""Autobahn's test suite: its packages in an environment of Python 2.7, and its fuzzing server."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

from tests.field.ports import reserved

VERSION: Final = "0.8.2"
"""The last release of the suite; it runs on Python 2.7 alone."""
_SUITE: Final = f"autobahntestsuite=={VERSION}"
_VIRTUALENV: Final = "virtualenv==20.15.1"
"""A release that still makes environments of Python 2.7."""
_QUIET: Final = ("-m", "pip", "install", "-qq", "--disable-pip-version-check")
_STARTING: Final = 30.0
"""Seconds that the server may take before it listens."""
_ENDING: Final = 10.0
"""Seconds that it may take to end."""
_ON_LOOPBACK: Final = """
from pkg_resources import load_entry_point
from twisted.internet import reactor
listen = reactor.listenTCP
reactor.listenTCP = lambda port, factory, backlog=50, interface="": listen(
    port, factory, backlog, "127.0.0.1"
)
load_entry_point("autobahntestsuite", "console_scripts", "wstest")()
"""
"""Runs wstest in Python 2.7; by itself it listens on every interface."""


class Unavailable(Exception):
    """The suite cannot be had here; the message says why, and what to do."""


def python27(named: str | None) -> Path:
    """Return a Python 2.7: the one that was named, or the first of PATH and of pyenv.

    Raises `Unavailable` where there is none, or where the one that was named is another.
    """
    if named:
        if not _is_python27(named):
            raise Unavailable(f"PYTHON27={named} is no Python 2.7: name its executable")
        return Path(named)
    candidates = [shutil.which("python2.7"), shutil.which("python2")]
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates += [str(path) for path in sorted(root.glob("versions/2.7.*/bin/python2.7"))]
    for each in candidates:
        if each is not None and _is_python27(each):
            return Path(each)
    raise Unavailable("no Python 2.7 in PATH or in pyenv: say make autobahn PYTHON27=...")


def _is_python27(executable: str) -> bool:
    """Whether it runs, and is a 2.7: a shim of pyenv stands in PATH also where none is chosen."""
    asked = [executable, "-c", "import sys; sys.stdout.write('%d.%d' % sys.version_info[:2])"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
    except OSError:
        return False
    return done.returncode == 0 and done.stdout == "2.7"


def install(python: Path, folder: Path) -> Path:
    """Install the suite in an environment in the folder, once; return its interpreter.

    Raises `Unavailable` with what pip printed where a package cannot be had.
    """
    environment, stamp = folder / "env", folder / "installed"
    interpreter = environment / "bin" / "python"
    if not stamp.is_file() or stamp.read_text() != _SUITE:
        shutil.rmtree(folder, ignore_errors=True)
        tool = folder / "virtualenv"
        _run(sys.executable, *_QUIET, "--target", str(tool), _VIRTUALENV)
        making = (sys.executable, "-m", "virtualenv", "-q", "-p", str(python), str(environment))
        _run(*making, PYTHONPATH=str(tool))
        _run(str(interpreter), *_QUIET, _SUITE)
        stamp.write_text(_SUITE)
    return interpreter


def _run(*command: str, **environment: str) -> None:
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Unavailable(f"{' '.join(command[1:])} failed:\n{done.stdout}{done.stderr}")


class FuzzingServer:
    """The server that plays the cases, on a port of loopback."""

    def __init__(self, url: str, reports: Path) -> None:
        self.url = url
        self._reports = reports

    def case(self, number: int, agent: str) -> str:
        """Return the URL that plays one case, counted from 1, to an agent."""
        return f"{self.url}/runCase?case={number}&agent={agent}"

    def index(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Read the server's verdicts, by agent and by case; `updateReports` writes them."""
        read: dict[str, dict[str, dict[str, Any]]] = json.loads(
            (self._reports / "index.json").read_text(encoding="utf-8")
        )
        return read


@asynccontextmanager
async def fuzzing_server(
    interpreter: Path, folder: Path, cases: list[str]
) -> AsyncIterator[FuzzingServer]:
    """Run the server over the cases, which are names such as "1.1.1" or "9.*"."""
    with reserved(1) as [port]:
        url, reports = f"ws://127.0.0.1:{port}", folder / "reports"
        spec = {
            "url": url,
            "outdir": str(reports),
            "cases": cases,
            "exclude-cases": [],
            "exclude-agent-cases": {},
        }
        (folder / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
        with (folder / "server.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                str(interpreter), "-c", _ON_LOOPBACK,
                "-m", "fuzzingserver", "-s", "spec.json", "--webport", "0",
                cwd=folder, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            async with asyncio.timeout(_STARTING):
                await _listening(process, port)
            yield FuzzingServer(url, reports)
        finally:
            await _end(process)


async def _listening(process: asyncio.subprocess.Process, port: int) -> None:
    """Wait until the server takes a connection; raises `RuntimeError` if it ends instead."""
    exited = asyncio.ensure_future(process.wait())
    try:
        while True:
            with suppress(ConnectionRefusedError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            done, _ = await asyncio.wait([exited], timeout=0.1)
            if done:
                raise RuntimeError("the fuzzing server ended at once: read its server.log")
    finally:
        exited.cancel()


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _ENDING)
        except TimeoutError:
            process.kill()
            await process.wait()
