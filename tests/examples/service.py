"""A service in memory and in virtual time: a coroutine plays the server of each connection."""

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from recloser import Close
from recloser.testing import Plan, ScriptedWire
from recloser.transport import Delivery, DialFailed, Request


class Gone(Exception):
    """The client has closed, or its connection has ended."""


class _Wire(ScriptedWire):
    """The engine's end of a connection: what it sends is put before the server."""

    def __init__(self, request: Request, ended: Callable[[Close], None]) -> None:
        super().__init__(Plan(), request, ended)
        self.arrived: asyncio.Queue[str | bytes | None] = asyncio.Queue()

    async def send(self, message: str | bytes, item: object = None) -> Delivery:
        before = len(self.sent)
        delivery = await super().send(message, item)
        for each in self.sent[before:]:
            self.arrived.put_nowait(each)
        return delivery

    def close(self, code: int, reason: str) -> None:
        super().close(code, reason)
        self.arrived.put_nowait(None)

    def finish(self) -> None:
        super().finish()
        self.arrived.put_nowait(None)


class Client:
    """The server's end of a connection."""

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire
        self.request = wire.request

    async def receive(self) -> Any:
        """Wait for a message, and read it as JSON; raises `Gone`."""
        message = await self._wire.arrived.get()
        if message is None:
            raise Gone
        return json.loads(message)

    def send(self, value: object) -> None:
        """Send a value as JSON."""
        self._wire.deliver(json.dumps(value))

    def close(self, code: int, reason: str = "") -> None:
        """Send a close frame, which the engine answers."""
        self.cut(Close.frame(code, reason, sent_code=code))

    def cut(self, close: Close) -> None:
        """Break the connection, with this record, behind the messages that were sent."""
        if self._wire.attended and self._wire.unread:
            # As on a socket: whoever waits reads the messages first.
            asyncio.get_running_loop().call_later(0.001, self.cut, close)
        else:
            self._wire.end(close)

    @property
    def left_with(self) -> tuple[int, str] | None:
        """Code and reason of the client's close frame."""
        return self._wire.closed_with

    @property
    def gone(self) -> bool:
        """Whether the client has closed, or the connection has ended."""
        return self._wire.over or self.left_with is not None


class Service(ABC):
    """A transport. Each dial that `admit` lets in meets `serve`, which may end as it likes."""

    def __init__(self) -> None:
        self.clients: list[Client] = []
        self._serving = set[asyncio.Task[None]]()

    def admit(self, request: Request) -> Close | None:
        """Say how a dial is refused; None opens."""
        del request
        return None

    @abstractmethod
    async def serve(self, client: Client) -> None:
        """Play the server until the client is gone; `Gone` may leave it."""

    async def dial(self, request: Request, ended: Callable[[Close], None]) -> ScriptedWire:
        refused = self.admit(request)
        if refused is not None:
            raise DialFailed(refused)
        wire = _Wire(request, ended)
        client = Client(wire)
        self.clients.append(client)
        task = asyncio.create_task(self._play(client))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        return wire

    async def _play(self, client: Client) -> None:
        try:
            await self.serve(client)
        except* Gone:  # alone, or out of a group of tasks
            assert client.gone

    async def aclose(self) -> None:
        """Nothing is kept."""
        if self._serving:
            await asyncio.wait(self._serving)
