"""Questions and answers on a connection that carries other messages too."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Self

from recloser import log
from recloser.client import ReconnectingWebSocket
from recloser.fsm.change import StateChange
from recloser.fsm.errors import ConcurrentReceive, RecloserError
from recloser.fsm.states import State
from recloser.seconds import check_seconds

Message = str | bytes


class Queries:
    """Awaits the answer to a message; all other messages go on to the consumer.

        queries = recloser.Queries(ws, key=lambda message: json.loads(message).get("id"))
        answer = await queries.ask('{"id": 7, "op": "time"}', 7)
        async for message in queries: ...     # what answers no query

    `key(message)` gives what an answer names its query by, and anything else (None, say) for
    other messages; it is asked only while a query is pending. Make one per engine, and receive
    through it alone, not through the engine. Nobody need consume: while a query is pending and
    nobody does, a task in the scope of the generation reads, and up to `backlog` messages are
    held for the consumer; what it has not taken when the next generation opens is dropped and
    counted in `undelivered`, as the engine does with its own.
    """

    def __init__(
        self,
        ws: ReconnectingWebSocket,
        *,
        key: Callable[[Message], object],
        backlog: int = 1000,
    ) -> None:
        if not callable(key):
            raise TypeError(f"key must be a function of one message, not {key!r}")
        if isinstance(backlog, bool) or not isinstance(backlog, int):
            raise TypeError(f"backlog must be an int of messages, not {backlog!r}")
        if backlog < 1:
            raise ValueError(f"backlog must be at least 1, not {backlog}")
        self.undelivered = 0
        """Messages that were held for the consumer and dropped."""
        self._ws = ws
        self._key = key
        self._backlog = backlog
        self._pending: dict[object, asyncio.Future[Message]] = {}
        self._held: deque[Message] = deque()
        self._reading = False
        """The consumer is inside the engine's `receive()`."""
        self._pump: asyncio.Task[None] | None = None
        """Reads while a query is pending and the consumer is busy or absent."""
        self._waiter: asyncio.Future[None] | None = None
        """The consumer, while the pump reads."""
        ws.subscribe(self._changed)

    async def ask(self, message: Message, key: Hashable, *, within: float = 10.0) -> Message:
        """Send `message` and return the first message whose key equals `key`.

        `within` is in seconds, sending included. Raises `NotOpen` unless open, `TimeoutError`,
        `ConnectionError` when the connection ends before the answer came: whether the peer
        saw the query is not known then. Raises `ValueError` for a key that is pending already,
        and what `send` raises. An answer that comes too late goes to the consumer.
        """
        check_seconds("within", within, above=True)
        if key in self._pending:
            raise ValueError(f"a query with the key {key!r} is pending: choose another")
        scope = self._ws.scope
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        taken_back = scope.callback(_settle, answer, _lost())
        self._pending[key] = answer
        try:
            async with asyncio.timeout(within):
                # With an outbox it may wait behind others; it must not outlive its asker there.
                await self._ws.send(message, ttl=within, this_generation=True)
                self._read_on()
                return await answer
        finally:
            taken_back()
            if answer.done() and not answer.cancelled():
                answer.exception()  # marks it as seen: send() may have raised first
            if self._pending.get(key) is answer:
                del self._pending[key]
            if not self._pending and self._pump is not None:
                self._pump.cancel()  # it loses no message (F8)

    async def receive(self) -> Message:
        """Wait for the next message that answers no query; otherwise as `ws.receive()`."""
        return await self._next(self._ws.receive)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        return await self._next(self._ws.__anext__)

    async def _next(self, receive: Callable[[], Awaitable[Message]]) -> Message:
        if self._reading or self._waiter is not None:
            raise ConcurrentReceive
        while not self._held:
            if self._pump is None:
                return await self._read(receive)
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        message = self._held.popleft()
        self._read_on()
        return message

    async def _read(self, receive: Callable[[], Awaitable[Message]]) -> Message:
        self._reading = True
        try:
            while True:
                message = await receive()
                if not self._answers(message):
                    return message
        finally:
            self._reading = False
            self._read_on()

    def _read_on(self) -> None:
        """Have the pump read if a query needs it and nobody else does."""
        if not self._pending or self._reading or self._pump is not None:
            return
        if self._ws.state is State.OPEN and len(self._held) < self._backlog:
            self._pump = self._ws.scope.create_task(self._pumping(), name="recloser queries")
            self._pump.add_done_callback(self._pumped)

    async def _pumping(self) -> None:
        try:
            while self._pending and len(self._held) < self._backlog:
                message = await self._ws.receive()
                if not self._answers(message):
                    self._held.append(message)
                    self._wake()
        except RecloserError as error:
            for answer in self._pending.values():
                _settle(answer, error)
            self._pending.clear()

    def _pumped(self, task: asyncio.Task[None]) -> None:
        if self._pump is task:
            self._pump = None
            self._wake()
            self._read_on()

    def _answers(self, message: Message) -> bool:
        """Settle the query that a message answers, if it answers one."""
        if not self._pending:
            return False
        try:
            key = self._key(message)
            answer = self._pending.get(key)
        except Exception as error:  # noqa: BLE001 - a message that key() cannot read is no answer
            fields = self._ws._driver.fields  # noqa: SLF001 - a part of the engine
            log.failed(log.LISTENER_FAILED, fields, self._key, error)
            return False
        if answer is None or answer.done():
            return False
        del self._pending[key]
        answer.set_result(message)
        return True

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _changed(self, change: StateChange) -> None:
        """Drop what the engine would: messages of an old generation (C3)."""
        if change.current is State.OPEN or change.previous is State.CLOSING:
            self.undelivered += len(self._held)
            self._held.clear()


def _settle(answer: asyncio.Future[Message], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)


def _lost() -> ConnectionError:
    return ConnectionError("the connection ended before the answer came: ask again when open")
