"""A piece of software: how it is had, how it is started, and the events that it can have."""

import asyncio
import os
import signal
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.field.recorder import probe
from tests.field.sources import Installed, Source, Unavailable

APPS = Path(__file__).parent / "apps"
START = 60.0
"""Seconds in which a server must be there."""
ERLANG_NAMES = "epmd &\nuntil epmd -names >/dev/null 2>&1; do :; done\n"
"""Starts Erlang's daemon of names in the same group of processes, so that it ends with them."""


@dataclass(frozen=True)
class Place:
    """What a server is started with: its port, a folder of its own, what is installed."""

    port: int
    folder: Path
    installed: Installed
    upstream: int = 0
    """The port of the server behind it, for what stands in front."""
    spare: int = 0
    """Another port, for an API or a second listener."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Lines for its configuration, of the event; the key is the part in which they stand."""

    @property
    def python(self) -> str:
        """The interpreter that has the packages."""
        return self.installed.python

    def program(self, name: str) -> str:
        """The path of a program that a package of pip has installed."""
        return str(Path(self.python).with_name(name))

    def configured(self, name: str, template: str, **more: str) -> str:
        """Write a file of this name into the folder; return its path.

        The template names in braces: the ports, `folder`, what is given here, and parts of
        `settings`. A part without settings is empty.
        """
        ports = {"port": self.port, "upstream": self.upstream, "spare": self.spare}
        facts = {**ports, "folder": self.folder, **more, **self.settings}
        path = self.folder / name
        path.write_text(template.format_map(defaultdict(str, facts)))
        return str(path)


class Process:
    """A server that runs in a session of its own, and can be started again."""

    process: asyncio.subprocess.Process

    def __init__(
        self, command: tuple[str, ...], place: Place, environment: Mapping[str, str]
    ) -> None:
        self.place = place
        self._command = command
        self._environment = environment

    async def start(self) -> None:
        """Start it, with its output in a file of the folder."""
        with (self.place.folder / "output").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self._command,
                cwd=self.place.folder,
                env={
                    **os.environ,
                    "PYTHONPATH": str(APPS),
                    "PYTHONUNBUFFERED": "1",
                    **(self.place.installed.environment or {}),
                    "PORT": str(self.place.port),
                    **self._environment,
                },
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def restart(self) -> None:
        """Start it again, once it has ended; what it left behind is killed."""
        await self.release()
        await self.start()

    @property
    def running(self) -> bool:
        """Whether the first of its processes is there."""
        return self.process.returncode is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the first process, as an init system would."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """End all its processes at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def say(self, command: str) -> None:
        """Write a line to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n".encode())

    async def run(self, *command: str) -> None:
        """Run a command of its software to its end."""
        environment = self.place.installed.environment or {}
        process = await asyncio.create_subprocess_exec(
            *command,
            env={**os.environ, **environment},
            cwd=self.place.folder,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await process.wait()

    async def ended(self, limit: float) -> bool:
        """Wait until its first process has ended; False if it has not within the limit."""
        try:
            await asyncio.wait_for(self.process.wait(), limit)
        except TimeoutError:
            return False
        return True

    async def release(self) -> None:
        """Kill what is left of it, and reap it."""
        self.kill()
        await self.process.wait()
        self.process._transport.close()  # type: ignore[attr-defined] # closes its pipes


Act = Callable[[Process], Awaitable[None] | None]
Command = Callable[[Place], tuple[str, ...]]
"""Writes what a server needs into the folder, and gives the command that starts it."""


def script(name: str, *arguments: str) -> Command:
    """The command of a file in `apps`, run by the interpreter that has the packages."""
    return lambda place: (place.python, str(APPS / name), *arguments)


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event of a server, and how it is made."""

    name: str
    """A key of `recloser.policies.field.EVENTS`."""
    how: str
    """What makes it, in a few words."""
    should: str
    """What a client should do; see `recloser.policies.field`."""
    act: Act | None = None
    options: tuple[str, ...] = ()
    """More arguments of the command."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """More lines of its configuration, by the part in which they stand; see `Place`."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """More variables of the process."""
    path: str | None = None
    """Another path than the usual one."""
    watch: float = 10.0
    """Seconds for which the wire is watched."""
    quiet: bool = False
    """The client sends nothing, neither messages nor pings."""
    mute: bool = False
    """What the client says, pongs included, no longer arrives; it still hears."""
    ends: bool = False
    """The process ends with it, and is started again as soon as it has."""
    fill: int = 0
    """Connections that are open before the one that is looked at."""
    message: bool = False
    """A message is sent just before it."""
    upstream: bool = False
    """It happens to the server behind: `act` gets that process. Before a dial that server ends."""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Software:
    """One piece of software, or one variant of it."""

    name: str
    variant: str = ""
    source: Source
    command: Command
    events: tuple[Event, ...]
    title: str = ""
    """The package whose version is the row's; the name if empty."""
    path: str = "/"
    locate: Callable[[Place], str] | None = None
    """Finds the path anew before each dial, where it changes with each start."""
    subprotocols: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    greeting: tuple[str | bytes, ...] = ()
    """Messages by which a client of its protocol begins."""
    policy: str = "standard"
    """Who decides for the engine: "standard", or a service of the catalogue."""
    echoes: bool = True
    """It answers each text with the same text."""
    in_front: bool = False
    """It stands in front of another server."""

    @property
    def full_name(self) -> str:
        """The name, with the variant."""
        return f"{self.name} {self.variant}".rstrip()

    def path_at(self, place: Place) -> str:
        """The path to dial now."""
        return self.path if self.locate is None else self.locate(place)

    @property
    def folder_name(self) -> str:
        """The name of the folder in which its packages are."""
        return self.full_name.lower().replace(" ", "-").replace("/", "-")

    def version(self, installed: Installed) -> str:
        """The version of the row: that of the software, and of what it is made with."""
        (_, first), *others = installed.versions.items()
        return ", ".join((first, *(f"{name} {version}" for name, version in others)))


async def ready(process: Process, software: Software | None = None) -> None:
    """Wait until a WebSocket opens; raises `Unavailable` with the end of its output if it dies."""
    asked = () if software is None else software.subprotocols
    headers = {} if software is None else dict(software.headers)
    deadline = asyncio.get_running_loop().time() + START
    while True:
        path = "/" if software is None else software.path_at(process.place)
        if await probe(process.place.port, path, asked, headers):
            return
        if not process.running or asyncio.get_running_loop().time() > deadline:
            said = (process.place.folder / "output").read_text(errors="replace")
            raise Unavailable(f"it did not start: {' '.join(said.split())[-300:]}")
        await process.ended(0.05)


@asynccontextmanager
async def serving(process: Process, software: Software | None = None) -> AsyncIterator[Process]:
    """Start it, wait until it is ready, and leave nothing of it."""
    await process.start()
    try:
        await ready(process, software)
        yield process
    finally:
        await process.release()


def echo_server(place: Place) -> Process:
    """The server behind a proxy: an echo over `websockets`, at the upstream port."""
    behind = Place(place.upstream, place.folder, Installed({}))
    return Process((behind.python, str(APPS / "echo.py")), behind, {})
