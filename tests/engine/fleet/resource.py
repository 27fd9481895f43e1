"""The server of a fleet: it takes fencing numbers seriously, and keeps what came when."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from tests.engine.fleet.redis_server import until
from tests.engine.served import serving


@dataclass
class Connection:
    """One connection of a holder."""

    number: int
    """Its fencing number."""
    opened: float
    frames: list[tuple[float, str]] = field(default_factory=list)
    """Every frame that came, with its time: messages, pings and the close frame."""
    ended: float | None = None

    @property
    def last(self) -> float:
        """When something came last."""
        return self.frames[-1][0] if self.frames else self.opened


class Resource:
    """Refuses a number that is lower than one that it has seen, or not above it for a dial."""

    def __init__(self) -> None:
        self.url = ""
        self.highest = 0
        self.connections: list[Connection] = []
        self.refused: list[int] = []
        self.late: list[str] = []
        """Frames of an old holder that came after a newer one was there."""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        number, now = int(request.headers["X-Fencing"]), asyncio.get_running_loop().time
        if number < self.highest:
            self.refused.append(number)
            raise web.HTTPConflict
        self.highest = number
        ws = web.WebSocketResponse(autoping=False, autoclose=True)
        await ws.prepare(request)
        connection = Connection(number, now())
        self.connections.append(connection)
        while True:
            frame = await ws.receive()
            if frame.type in (WSMsgType.CLOSED, WSMsgType.ERROR, WSMsgType.CLOSING):
                break
            said = f"{frame.type.name} {frame.data}"
            if number < self.highest:
                self.late.append(said)
            connection.frames.append((now(), said))
            if frame.type is WSMsgType.PING:
                await ws.pong(frame.data)
            elif frame.type is WSMsgType.TEXT:
                assert int(frame.data.split()[0]) == number
        connection.ended = now()
        return ws

    async def opened(self, count: int) -> Connection:
        """Wait until so many connections have been opened; return the latest."""

        async def there() -> bool:
            return len(self.connections) >= count

        await until(there)
        return self.connections[count - 1]

    def check(self) -> None:
        """Raise `AssertionError` unless numbers rose, and nothing came of an old holder."""
        numbers = [each.number for each in self.connections]
        assert numbers == sorted(set(numbers)), numbers
        assert self.late == []


@asynccontextmanager
async def resource() -> AsyncIterator[Resource]:
    found = Resource()
    async with serving(found.serve) as url:
        found.url = url
        yield found
    found.check()


class Proxy:
    """Stands between a process and its Redis server, and can stop to forward."""

    def __init__(self, target: int) -> None:
        self.target = target
        """The port of the server to which new connections go."""
        self.port = 0
        self.cut: frozenset[str] = frozenset()
        """What is not forwarded: "requests", "answers"."""
        self._serving: set[asyncio.Task[Any]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def drop(self) -> None:
        """Reset every connection, as a failover does."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        try:
            theirs, ours = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._writers.add(ours)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._forward(reader, ours, "requests"))
            tasks.create_task(self._forward(theirs, writer, "answers"))

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, what: str
    ) -> None:
        try:
            while data := await reader.read(65536):
                if what not in self.cut:
                    writer.write(data)
        except ConnectionError:
            writer.transport.abort()
        else:
            writer.close()
        self._writers.discard(writer)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Proxy"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            while self._serving:
                self.drop()
                await asyncio.wait(self._serving, timeout=1.0)
            await server.wait_closed()
