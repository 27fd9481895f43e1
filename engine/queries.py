"""`Queries`: questions and answers on a connection that carries other messages too."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Self

from recloser import log
from recloser.checks import check_plain_function
from recloser.client import ReconnectingWebSocket, driver_of
from recloser.fsm.change import StateChange
from recloser.fsm.errors import RecloserError
from recloser.fsm.numbers import check_count, check_seconds
from recloser.fsm.states import State
from recloser.transport.errors import ConcurrentReceive
from recloser.waiter import Waiter

Message = str | bytes


class Queries:
    """Awaits the answer to a message; all other messages go on to the consumer.

        queries = recloser.Queries(ws, key=lambda message: json.loads(message).get("id"))
        answer = await queries.ask('{"id": 7, "op": "time"}', 7)
        async for message in queries: ...     # messages that answer no query

    `key(message)` returns the key of the query that a message answers, and anything else (None,
    say) for other messages; it is called only while a query is pending. Make one `Queries` for
    an engine, and receive through it alone, not through the engine.

    A consumer is not needed. While a query is pending and nobody receives, a task in the scope
    of the generation reads, and up to `backlog` messages are kept for the consumer. They come
    first, also when the next connection is open; where the engine was made with
    `unread="discard"` they are dropped then, and counted in `undelivered`. A message of an
    earlier connection answers no query.

    Raises `TypeError` or `ValueError` for a key or a backlog that cannot work.
    """

    def __init__(
        self,
        ws: ReconnectingWebSocket,
        *,
        key: Callable[[Message], object],
        backlog: int = 1000,
    ) -> None:
        check_plain_function("key", "one message", key)
        check_count("backlog", backlog)
        self.undelivered: int = 0
        """Messages that were kept for the consumer and dropped."""
        self._ws = ws
        self._inbound = driver_of(ws).inbound
        self._key = key
        self._limit = backlog
        self._pending: dict[object, asyncio.Future[Message]] = {}
        self._backlog: deque[Message] = deque()
        self._reading = False
        """Whether the consumer is inside the engine's `receive()`."""
        self._pump: asyncio.Task[None] | None = None
        """The task that reads while a query is pending and nobody receives."""
        self._consumer = Waiter()
        """Waits while the pump reads."""
        ws.subscribe(self._changed)

    async def ask(self, message: Message, key: Hashable, *, within: float = 10.0) -> Message:
        """Send `message` and return the first message whose key equals `key`.

        `within` is in seconds, sending included. Raises `NotOpen` unless open, `TimeoutError`,
        `ValueError` for a key that is pending already, and what `send` raises. Raises
        `ConnectionError` when the connection ends before the answer comes; the peer may have
        seen the query or not. An answer that comes too late goes to the consumer.
        """
        check_seconds("within", within, positive=True)
        if key in self._pending:
            raise ValueError(f"a query with the key {key!r} is pending: choose another")
        scope = self._ws.scope
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        unregister = scope.callback(_fail, answer, _connection_ended())
        self._pending[key] = answer
        try:
            with scope.exchange():
                async with asyncio.timeout(within):
                    # In an outbox the message may wait behind others, but not longer than this.
                    await self._ws.send(message, ttl=self._ttl(within), this_generation=True)
                    self._start_pump()
                    return await answer
        finally:
            unregister()
            if answer.done() and not answer.cancelled():
                answer.exception()  # retrieved, although send() may have raised first
            if self._pending.get(key) is answer:
                del self._pending[key]
            if not self._pending and self._pump is not None:
                self._pump.cancel()  # this loses no message (F8)

    def _ttl(self, within: float) -> float | None:
        return within if driver_of(self._ws).sender.holds else None

    async def receive(self) -> Message:
        """Wait for the next message that answers no query; otherwise as `ws.receive()`."""
        return await self._next(self._ws.receive)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        return await self._next(self._ws.__anext__)

    async def _next(self, receive: Callable[[], Awaitable[Message]]) -> Message:
        if self._reading or self._consumer.waiting:
            raise ConcurrentReceive
        while not self._backlog:
            if self._pump is None:
                return await self._read(receive)
            await self._consumer.wait()
        message = self._backlog.popleft()
        self._start_pump()
        return message

    async def _read(self, receive: Callable[[], Awaitable[Message]]) -> Message:
        self._reading = True
        try:
            while True:
                message, present = await self._receive(receive)
                if not (present and self._answers(message)):
                    return message
        finally:
            self._reading = False
            self._start_pump()

    async def _receive(self, receive: Callable[[], Awaitable[Message]]) -> tuple[Message, bool]:
        """Receive a message; whether it is of the present connection, and not of one before."""
        late = self._inbound.given_late
        message = await receive()
        return message, self._inbound.given_late == late

    def _start_pump(self) -> None:
        """Start the pump if a query is pending, nobody reads, and the backlog has room."""
        if not self._pending or self._reading or self._pump is not None:
            return
        if self._ws.state is State.OPEN and len(self._backlog) < self._limit:
            self._pump = self._ws.scope.create_task(
                self._read_for_queries(), name="recloser queries"
            )
            self._pump.add_done_callback(self._pump_ended)

    async def _read_for_queries(self) -> None:
        try:
            while self._pending and len(self._backlog) < self._limit:
                message, present = await self._receive(self._ws.receive)
                if not (present and self._answers(message)):
                    self._backlog.append(message)
                    self._consumer.wake()
        except RecloserError as error:
            for answer in self._pending.values():
                _fail(answer, error)
            self._pending.clear()

    def _pump_ended(self, task: asyncio.Task[None]) -> None:
        if self._pump is task:
            self._pump = None
            self._consumer.wake()
            self._start_pump()

    def _answers(self, message: Message) -> bool:
        """Give a message to the query that it answers; False if it answers none."""
        if not self._pending:
            return False
        try:
            key = self._key(message)
            answer = self._pending.get(key)
        except Exception as error:  # noqa: BLE001 - a message that key() cannot read is no answer
            log.failure(log.LISTENER_FAILED, self._ws.fields, self._key, error)
            return False
        if answer is None or answer.done():
            return False
        del self._pending[key]
        answer.set_result(message)
        return True

    def _changed(self, change: StateChange) -> None:
        """Drop messages of an old generation where the engine does (C3)."""
        if change.current is State.OPEN and self._inbound.discards:
            self.undelivered += len(self._backlog)
            self._backlog.clear()


def _fail(answer: asyncio.Future[Message], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)


def _connection_ended() -> ConnectionError:
    return ConnectionError("the connection ended before the answer came: ask again when open")
