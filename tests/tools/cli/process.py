"""The command line as a process, in pipes or in a pseudo-terminal, and a real server for it."""

import asyncio
import fcntl
import os
import pty
import re
import ssl
import struct
import sys
import termios
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import WSCloseCode, web

RECLOSER = str(Path(sys.executable).parent / "recloser")
PATIENCE = 120.0
"""Seconds until a test that hangs is given up; nothing depends on the figure."""

Act = Callable[["Peer", web.WebSocketResponse], Awaitable[object]]


class Peer:
    """A server on loopback: plays one act a connection, the last one for ever."""

    def __init__(self, *acts: Act | int) -> None:
        self.acts = list(acts) or [echo]
        self.dials = 0
        self.received: list[str | bytes] = []
        self.requests: list[dict[str, str]] = []
        self.codes: list[int | None] = []
        """Close codes of the connections that have ended."""
        self.sockets: list[web.WebSocketResponse] = []
        self.port = 0
        self.scheme = "ws"
        self.over = asyncio.Event()
        self._news = asyncio.Condition()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/"

    async def until(self, ready: Callable[["Peer"], object]) -> None:
        """Wait until something has come true of what the server saw."""
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: ready(self))

    async def told(self) -> None:
        """Let those look who wait for news."""
        async with self._news:
            self._news.notify_all()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        act = self.acts[min(self.dials, len(self.acts) - 1)]
        self.dials += 1
        self.requests.append(dict(request.headers))
        await self.told()
        if isinstance(act, int):
            return web.Response(status=act)
        ws = web.WebSocketResponse(protocols=["chat"])
        await ws.prepare(request)
        self.sockets.append(ws)
        await self.told()
        await act(self, ws)
        self.codes.append(ws.close_code)
        await self.told()
        return ws


async def echo(peer: Peer, ws: web.WebSocketResponse) -> None:
    """Answer every message until the client leaves."""
    async for message in ws:
        peer.received.append(message.data)
        await peer.told()
        if isinstance(message.data, bytes):
            await ws.send_bytes(b"echo " + message.data)
        else:
            await ws.send_str(f"echo {message.data}")


async def silent(peer: Peer, ws: web.WebSocketResponse) -> None:
    """Read nothing, not even a close frame."""
    await peer.over.wait()


def closes(code: int, reason: str = "", after: int = 0) -> Act:
    """Close with this code once so many messages have been answered."""

    async def act(peer: Peer, ws: web.WebSocketResponse) -> None:
        for _ in range(after):
            message = await ws.receive_str()
            peer.received.append(message)
            await ws.send_str(f"echo {message}")
        await ws.close(code=code, message=reason.encode())

    return act


def says(*messages: str | bytes) -> Act:
    """Send these at once, then echo."""

    async def act(peer: Peer, ws: web.WebSocketResponse) -> None:
        for message in messages:
            await (ws.send_str if isinstance(message, str) else ws.send_bytes)(message)
        await echo(peer, ws)

    return act


@asynccontextmanager
async def serving(*acts: Act | int, tls: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    """A server for as long as the block lasts."""
    peer = Peer(*acts)
    peer.scheme = "ws" if tls is None else "wss"
    app = web.Application()
    app.router.add_get("/", peer.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    peer.port = runner.addresses[0][1]
    try:
        yield peer
    finally:
        peer.over.set()
        for ws in peer.sockets:
            await ws.close(code=WSCloseCode.GOING_AWAY)
        await runner.cleanup()


class Terminal:
    """A process on a pseudo-terminal of its own, which is its controlling terminal."""

    def __init__(self, fd: int, child: int, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.child = child
        self._fd = fd
        self._text = ""
        self._seen = 0
        self._news = asyncio.Event()
        asyncio.get_running_loop().add_reader(fd, self._read)

    def _read(self) -> None:
        self._text += os.read(self._fd, 65536).decode()
        self._news.set()

    def type(self, text: str) -> None:
        """Press these keys."""
        os.write(self._fd, text.encode())

    async def expect(self, pattern: str) -> "re.Match[str]":
        """Wait for output that matches, after what was expected before; fails if it never comes."""
        async with asyncio.timeout(PATIENCE):
            while not (found := re.compile(pattern).search(self._text, self._seen)):
                self._news.clear()
                await self._news.wait()
        self._seen = found.end()
        return found

    async def write(self, text: str) -> None:
        """Press these keys, and wait until each has been read and shown.

        Between two of them the status line may be drawn, which ends by going back (DECRC).
        """
        await self.editing()
        self.type(text)
        await self.expect(r"(?:[\s\S]*?\x1b8)?".join(map(re.escape, text)))

    async def editing(self) -> None:
        """Wait until lines are edited: until then Ctrl-D would be the terminal's own."""
        async with asyncio.timeout(PATIENCE):
            while termios.tcgetattr(self.child)[3] & termios.ICANON:
                self._news.clear()  # the prompt comes after the modes are set
                await self._news.wait()

    @property
    def text(self) -> str:
        """Everything that was written so far."""
        return self._text

    async def ended(self) -> int:
        """Wait for the end of the process; its exit status."""
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)
        os.close(self.child)


@asynccontextmanager
async def on_terminal(
    *arguments: str, cwd: Path | None = None, **environment: str
) -> AsyncIterator[Terminal]:
    """Run the command on a terminal of 24 rows and 100 columns; it has ended after the block."""
    fd, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    process = await asyncio.create_subprocess_exec(
        RECLOSER,
        *arguments,
        stdin=child,
        stdout=child,
        stderr=child,
        cwd=cwd,
        env={**os.environ, "TERM": "xterm", "INPUTRC": os.devnull, **environment},
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    terminal = Terminal(fd, child, process)
    try:
        yield terminal
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        terminal.close()


@asynccontextmanager
async def in_pipes(
    *arguments: str, cwd: Path | None = None, stdin: int = asyncio.subprocess.PIPE
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the command between pipes; it has ended after the block."""
    process = await asyncio.create_subprocess_exec(
        RECLOSER,
        *arguments,
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=cwd,
        limit=1 << 24,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def finished(process: asyncio.subprocess.Process, text: bytes = b"") -> tuple[int, str, str]:
    """Give it its last input and wait for its end: exit status, stdout, stderr."""
    async with asyncio.timeout(PATIENCE):
        out, err = await process.communicate(None if process.stdin is None else text)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()
