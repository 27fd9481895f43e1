"""A real aiohttp server on loopback that misbehaves as a fault script says."""

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self

from aiohttp import WSMsgType, web

from recloser.fsm.closecodes import ABNORMAL
from recloser.testing.doubles.faults import Fault
from recloser.testing.doubles.timeline import Timeline, TimelineEntry

_PATIENCE = 1.0
"""Seconds that a closing handshake may take before the socket is dropped."""
_TURNS = 5
_SERVE = Fault(do="serve")


class ScriptedServer:
    """Plays one `Fault` a connection, in order; ordinary service after the last.

        async with ScriptedServer([Fault(do="close", code=1012), Fault(do="refuse")]) as server:
            async with recloser.connect(server.url) as ws: ...
        print(server.timeline)

    Ordinary service echoes every message. A fault for a `client` is met by those connections
    alone whose URL says `?client=NAME`; `url_for` makes such a URL.
    """

    def __init__(
        self,
        script: Iterable[Fault] = (),
        *,
        port: int = 0,
        repeat: bool = False,
        on_entry: Callable[[TimelineEntry], object] | None = None,
    ) -> None:
        self.script: tuple[Fault, ...] = tuple(script)
        self.timeline: Timeline = Timeline(on_entry)
        self.port: int = port
        """0 until it listens, if none was chosen."""
        self._repeat = repeat
        self._left = [fault.times for fault in self.script]
        self._dials = 0
        self._started = 0.0
        self._stopping = asyncio.Event()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The URL at which it listens."""
        return f"ws://127.0.0.1:{self.port}/"

    def url_for(self, client: str) -> str:
        """Return the URL for a client with a name."""
        return f"{self.url}?client={client}"

    async def start(self) -> None:
        """Listen on loopback; raises `OSError` if the port is taken."""
        app = web.Application()
        app.router.add_get("/{tail:.*}", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=_PATIENCE)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()
        except OSError:
            await self._runner.cleanup()
            raise
        self.port = self._runner.addresses[0][1]
        self._started = asyncio.get_running_loop().time()

    async def stop(self) -> None:
        """End every connection and stop listening."""
        self._stopping.set()
        # A connection accepted in the last moment must be made before the listener goes: asyncio
        # would leave its socket open (python/cpython #109564).
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    # -- one connection -----------------------------------------------------------------

    def _next(self, client: str | None) -> Fault:
        for at, fault in enumerate(self.script):
            if fault.client in (None, client) and (self._left[at] > 0 or fault.times == 0):
                self._left[at] -= 1
                return fault
        if self._repeat and any(fault.times and fault.client is None for fault in self.script):
            self._left = [fault.times for fault in self.script]
            return self._next(client)
        return _SERVE

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self._dials += 1
        fault = self._next(request.query.get("client"))
        connection = _Connection(self, self._dials, fault, request)
        return await connection.play(self._stopping)

    def note(self, connection: int, what: str, detail: str = "") -> None:
        """Add an entry to the timeline."""
        at = asyncio.get_running_loop().time() - self._started
        self.timeline.add(TimelineEntry(at, connection, what, detail))


class _Connection:
    def __init__(
        self, server: ScriptedServer, number: int, fault: Fault, request: web.Request
    ) -> None:
        self._server = server
        self._number = number
        self._fault = fault
        self._request = request
        self._ws = web.WebSocketResponse(
            autoping=fault.pongs, autoclose=True, timeout=_PATIENCE, max_msg_size=0
        )

    def _note(self, what: str, detail: str = "") -> None:
        self._server.note(self._number, what, detail)

    async def play(self, stopping: asyncio.Event) -> web.StreamResponse:
        fault = self._fault
        self._note("dialled", fault.title)
        if fault.do == "hang" or fault.delay:
            if fault.do == "hang":
                self._note("hanging")
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), None if fault.do == "hang" else fault.delay)
        if fault.do == "refuse" or (fault.do == "hang" and stopping.is_set()):
            self._note("refused", str(fault.status))
            return web.Response(status=fault.status, headers=dict(fault.headers))
        await self._ws.prepare(self._request)
        self._note("accepted")
        try:
            await self._live(stopping)
        except ConnectionError as error:
            self._note("gone", type(error).__name__)
        return self._ws

    async def _live(self, stopping: asyncio.Event) -> None:
        fault = self._fault
        for message in fault.send:
            await self._say(message)
        if fault.after or fault.do == "serve":
            stays = await self._echo(None if fault.do == "serve" else fault.after, stopping)
            if not stays:
                return
        match fault.do:
            case "close":
                self._note("closing", f"{fault.code} {fault.reason}".rstrip())
                await self._ws.close(code=fault.code, message=fault.reason.encode())
                self._note("closed", f"the client answers {self._ws.close_code}")
            case "cut":
                self._note("cut")
                self._drop()
            case "reset":
                self._note("reset")
                self._drop(reset=True)
            case "silence":
                self._note("silent")
                await self._ignore(stopping)
            case "flood":
                for number in range(fault.count):
                    await self._ws.send_str(f"{number} ".ljust(fault.size, "."))
                self._note("sent", f"{fault.count} messages of {fault.size} bytes")
                await self._echo(None, stopping)

    async def _say(self, message: str | bytes) -> None:
        for _ in range(2 if self._fault.duplicate else 1):
            if isinstance(message, str):
                await self._ws.send_str(message)
            else:
                await self._ws.send_bytes(message)
            self._note("sent", _brief(message))

    async def _echo(self, seconds: float | None, stopping: asyncio.Event) -> bool:
        """Serve for so long; return whether the client is still there then."""
        serving = asyncio.ensure_future(self._echoing())
        stop = asyncio.ensure_future(stopping.wait())
        await asyncio.wait({serving, stop}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        stays = not serving.done()
        for task in (serving, stop):
            task.cancel()
        await asyncio.wait({serving, stop})
        if not serving.cancelled() and (error := serving.exception()) is not None:
            raise error
        if stays and stop.done() and stopping.is_set():
            await self._ws.close(code=1001)
            return False
        return stays

    async def _echoing(self) -> None:
        async for message in self._ws:
            if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                self._note("received", _brief(message.data))
                await self._say(message.data)
        self._note(
            "closed" if self._ws.close_code != ABNORMAL else "gone", str(self._ws.close_code)
        )

    def _drop(self, *, reset: bool = False) -> None:
        transport = self._request.transport
        if transport is None:
            return
        if reset:
            sock = transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        else:
            transport.close()

    async def _ignore(self, stopping: asyncio.Event) -> None:
        """Be silent until the client is gone or the server stops."""
        transport = self._request.transport
        if isinstance(transport, asyncio.Transport):
            transport.pause_reading()
        await stopping.wait()
        self._drop(reset=True)


def _brief(message: str | bytes) -> str:
    shown = repr(message)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."  # noqa: PLR2004 - a line's width
