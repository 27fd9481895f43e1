"""Where the software of the field comes from: pip, npm or Debian, with pinned versions.

What pip and npm give is installed in a folder of its own in `.venv`, and kept there until its list
of packages changes.
"""

import asyncio
import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

ENVIRONMENTS = Path(__file__).parents[2] / ".venv"
PATH = f"/usr/lib/rabbitmq/bin:{os.environ.get('PATH', '')}:/usr/sbin"


class Unavailable(Exception):
    """The software cannot be had here; the message says why, and what to install."""


async def output(*command: str, limit: float = 300.0) -> str:
    """Run a command to its end; raises `Unavailable` with the last lines of a failure."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        printed, _ = await asyncio.wait_for(process.communicate(), limit)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise Unavailable(f"{command[0]} took more than {limit:g} s") from None
    text = printed.decode(errors="replace")
    if process.returncode:
        raise Unavailable(" ".join(text.split())[-300:] or f"{command[0]} failed")
    return text


def pinned(package: str) -> tuple[str, str]:
    """The name and the version of "name==1.0" or "name@1.0"."""
    name, _, version = package.replace("==", "@").rpartition("@")
    return name, version


@dataclass(frozen=True)
class Installed:
    """What is there: versions by name, and the environment of its processes."""

    versions: dict[str, str]
    python: str = sys.executable
    environment: dict[str, str] | None = None


@dataclass(frozen=True)
class Pip:
    """Packages from pip, each as name==version, in an environment of their own."""

    packages: tuple[str, ...]

    async def install(self, name: str, *, newest: bool = False) -> Installed:
        """Install what is missing; the versions are those that are there then."""
        folder = ENVIRONMENTS / f"field-{name}"
        wanted = [pinned(each)[0] if newest else each for each in self.packages]
        stamp = folder / ".packages"
        python = folder / "bin" / "python"
        if not stamp.is_file() or stamp.read_text() != "\n".join(wanted):
            await output(sys.executable, "-m", "venv", "--without-pip", "--clear", str(folder))
            pip = (sys.executable, "-m", "pip", "--python", str(python), "install", "-qq")
            await output(*pip, "--disable-pip-version-check", *wanted)
            stamp.write_text("\n".join(wanted))
        found = {
            re.sub(
                r"[-_.]+", "-", info.name.removesuffix(".dist-info").rpartition("-")[0]
            ).lower(): info.name.removesuffix(".dist-info").rpartition("-")[2]
            for info in folder.glob("lib/python*/site-packages/*.dist-info")
        }
        names = [re.sub(r"\[.*\]", "", pinned(each)[0]) for each in self.packages]
        versions = {each: found[re.sub(r"[-_.]+", "-", each).lower()] for each in names}
        return Installed(versions, str(python))


@dataclass(frozen=True)
class Npm:
    """Packages from npm, each as name@version, in a folder of their own."""

    packages: tuple[str, ...]

    async def install(self, name: str, *, newest: bool = False) -> Installed:
        """Install what is missing; `NODE_PATH` leads there."""
        if shutil.which("npm") is None:
            raise Unavailable("it needs Node.js: apt-get install nodejs npm")
        folder = ENVIRONMENTS / f"field-{name}"
        wanted = [f"{pinned(each)[0]}@latest" if newest else each for each in self.packages]
        stamp = folder / ".packages"
        if not stamp.is_file() or stamp.read_text() != "\n".join(wanted):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "package.json").write_text('{"private": true}')
            quiet = ("--silent", "--no-audit", "--no-fund", "--no-package-lock")
            await output("npm", "install", "--prefix", str(folder), *quiet, *wanted)
            stamp.write_text("\n".join(wanted))
        modules = folder / "node_modules"
        versions = {}
        for each in self.packages:
            package = (modules / pinned(each)[0] / "package.json").read_text(encoding="utf-8")
            [version] = re.findall(r'^\s*"version":\s*"([^"]+)"', package, re.MULTILINE)[:1]
            versions[pinned(each)[0]] = version
        return Installed(versions, environment={"NODE_PATH": str(modules)})


@dataclass(frozen=True)
class Debian:
    """A program of the system. It is not installed here: the message says what to install."""

    program: str
    package: str

    async def install(self, name: str, *, newest: bool = False) -> Installed:
        """Find it, and ask dpkg for its version."""
        if shutil.which(self.program, path=PATH) is None:
            raise Unavailable(f"it is not installed: apt-get install {self.package}")
        asked = "${Version}"
        found = await output("dpkg-query", "-W", f"-f={asked}", self.package)
        version = re.split(r"[-+~]", found.rpartition(":")[2])[0]
        return Installed({name: version}, environment={"PATH": PATH})


Source = Pip | Npm | Debian
