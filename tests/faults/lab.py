"""A small network of its own: client, router and server, and the faults that the router makes.

    here (10.7.0.1) -- router -- there (10.8.0.1)

`here` is the namespace of the test itself, so `make faults` starts the tests in a new one.
"""

import asyncio
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest

PATIENCE = 90.0
"""Seconds within which anything must have happened; far more than it takes."""
HERE, THERE = "10.7.0.1", "10.8.0.1"
HERE6, THERE6 = "fd07::1", "fd08::1"
SECOND = "10.9.0.1"
"""Our address on the second link to the router."""
PORT = 8765
OWN = "RECLOSER_FAULTS"
"""Set by `make faults`: the namespaces of this process are its own."""

Direction = Literal["to the server", "to the client"]
BOTH: tuple[Direction, ...] = ("to the server", "to the client")
_MATCHES: dict[Direction, str] = {
    "to the server": f"ip daddr {THERE}",
    "to the client": f"ip saddr {THERE}",
}

_HERE = f"""
link set lo up
link add here0 type veth peer name mid0
link add here1 type veth peer name mid2
address add {HERE}/24 dev here0
address add {HERE6}/64 dev here0 nodad
address add {SECOND}/24 dev here1
link set here0 up
link set here1 up
"""
_ROUTES = """
route add 10.8.0.0/24 via 10.7.0.254
route add fd08::/64 via fd07::fe
"""
_ROUTER = """
link set lo up
link add mid1 type veth peer name there0
address add 10.7.0.254/24 dev mid0
address add fd07::fe/64 dev mid0 nodad
address add 10.8.0.254/24 dev mid1
address add fd08::fe/64 dev mid1 nodad
address add 10.9.0.254/24 dev mid2
link set mid0 up
link set mid1 up
link set mid2 up
"""
_SERVER = f"""
link set lo up
address add {THERE}/24 dev there0
address add 10.8.0.2/24 dev there0
address add {THERE6}/64 dev there0 nodad
link set there0 up
route add default via 10.8.0.254
route add default via fd08::fe
"""
_SETTINGS = (
    "net.ipv4.ip_forward=1",
    "net.ipv6.conf.all.forwarding=1",
    "net.ipv4.icmp_ratelimit=0",  # each packet is answered, that of a dial too
)


class Namespace:
    """A network namespace, kept by a process that sleeps."""

    def __init__(self) -> None:
        self._keeper = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        ours = Path("/proc/self/ns/net").readlink()
        while Path(f"/proc/{self.pid}/ns/net").readlink() == ours:
            assert self._keeper.poll() is None, "no namespace"

    @property
    def pid(self) -> int:
        return self._keeper.pid

    def inside(self, *command: str) -> tuple[str, ...]:
        """The command, as it runs in here."""
        return ("nsenter", "--target", str(self.pid), "--net", *command)

    def ip(self, batch: str) -> None:
        _batch(self.inside("ip", "-batch", "-"), batch)

    def end(self) -> None:
        self._keeper.kill()
        self._keeper.wait()


def needs(program: str, package: str) -> None:
    """Skip the test aloud where a program of the system is missing."""
    if shutil.which(program) is None:
        pytest.skip(f"no {program}: apt-get install {package}")


def ip(batch: str) -> None:
    """Run commands of `ip` in the namespace of the test."""
    _batch(("ip", "-batch", "-"), batch)


def _batch(command: tuple[str, ...], batch: str) -> None:
    run = subprocess.run(command, input=batch, text=True, check=False, capture_output=True)
    assert run.returncode == 0, f"{run.stderr}in\n{batch}"


class Lab:
    """The network of one test."""

    def __init__(self, router: Namespace, there: Namespace, folder: Path) -> None:
        self.router = router
        self.there = there
        self._folder = folder
        self._server: subprocess.Popen[bytes] | None = None

    # -- the server -----------------------------------------------------------------------

    async def serve(self, *options: str) -> None:
        """Start the server of `server.py` in `there`."""
        self._server = server = self._start(options)
        assert server.stdout is not None
        line = await asyncio.wait_for(asyncio.to_thread(server.stdout.readline), PATIENCE)
        assert line == b"ready\n"

    def _start(self, options: tuple[str, ...]) -> "subprocess.Popen[bytes]":
        path = Path(__file__).with_name("server.py")
        arguments = (sys.executable, str(path), str(PORT), str(self._folder / "received"), *options)
        return subprocess.Popen(self.there.inside(*arguments), stdout=subprocess.PIPE)

    def signal(self, number: int) -> None:
        """Send a signal to the server; wait for its end where the signal kills it."""
        assert self._server is not None
        if number == signal.SIGKILL:
            self.end()
        else:
            self._server.send_signal(number)

    @property
    def received(self) -> list[int]:
        """The numbers of the messages that the server has had, in their order."""
        path = self._folder / "received"
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def end(self) -> None:
        """Kill the server, also one that a failed or skipped test has left; twice is once."""
        server, self._server = self._server, None
        if server is not None:
            with server:
                server.kill()

    # -- faults ---------------------------------------------------------------------------

    def black_hole(self, *directions: Direction) -> None:
        """The router drops what goes in these directions, and says nothing."""
        self.router.ip("".join(f"route add blackhole {each}\n" for each in _goals(directions)))

    def unreachable(self) -> None:
        """The router answers by ICMP that the server cannot be reached."""
        self.router.ip(f"route add unreachable {THERE}/32\n")

    def filter(self, rule: str, *directions: Direction) -> None:
        """The router treats what goes in these directions by a rule of nft, such as "drop"."""
        needs("nft", "nftables")
        rules = "".join(f"{_MATCHES[each]} {rule}\n" for each in directions)
        chain = f"chain forward {{\ntype filter hook forward priority 0\n{rules}}}"
        self._nft(f"flush ruleset\ntable inet faults {{\n{chain}\n}}\n")

    def _nft(self, commands: str) -> None:
        _batch(self.router.inside("nft", "-f", "-"), commands)

    def restore(self) -> None:
        """Routes of the router as they were, and no rules."""
        if shutil.which("nft") is not None:
            self._nft("flush ruleset\n")
        listed = subprocess.run(
            self.router.inside("ip", "route", "show"), check=True, capture_output=True, text=True
        )
        for line in listed.stdout.splitlines():
            if line.startswith(("blackhole", "unreachable")):
                self.router.ip(f"route delete {line}\n")


def _goals(directions: tuple[Direction, ...]) -> Iterator[str]:
    if "to the server" in directions:
        yield f"{THERE}/32"
    if "to the client" in directions:
        yield from (f"{HERE}/32", f"{SECOND}/32")


@contextmanager
def laid_out(folder: Path) -> Iterator[Lab]:
    """Lay the network out, and take it away."""
    router, there = Namespace(), Namespace()
    try:
        ip(_HERE)
        ip(f"link set mid0 netns {router.pid}\nlink set mid2 netns {router.pid}\n")
        router.ip(_ROUTER)
        router.ip(f"link set there0 netns {there.pid}\n")
        there.ip(_SERVER)
        ip(_ROUTES)
        for setting in _SETTINGS:
            subprocess.run(router.inside("sysctl", "-qw", setting), check=True)
        lab = Lab(router, there, folder)
        try:
            yield lab
        finally:
            lab.end()
    finally:
        for each in (router, there):
            each.end()
        for link in ("here0", "here1"):
            subprocess.run(["ip", "link", "delete", link], check=False, capture_output=True)
