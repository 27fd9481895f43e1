"""`Distinct`: the messages of an engine without those that came before."""

from collections.abc import Awaitable, Callable, Hashable
from typing import Self

from recloser.checks import check_plain_function
from recloser.client import ReconnectingWebSocket
from recloser.fsm.numbers import check_count

Message = str | bytes


class Distinct:
    """Receives from an engine, and leaves out messages whose key came before.

        async for message in recloser.Distinct(ws, key=lambda message: json.loads(message)["id"]):
            ...

    For feeds that give an event to two connections, as in a move, or again on the next one.
    `key(message)` returns what tells one event from another; a message with the key None is
    never left out. The latest `keep` keys are remembered. Receive through this object alone.

    Raises `TypeError` or `ValueError` for a key or a number that cannot work.
    """

    def __init__(
        self,
        ws: ReconnectingWebSocket,
        *,
        key: Callable[[Message], Hashable],
        keep: int = 10_000,
    ) -> None:
        check_plain_function("key", "one message", key)
        check_count("keep", keep)
        self.repeated: int = 0
        """Messages that were left out."""
        self._ws = ws
        self._key = key
        self._keep = keep
        self._seen: dict[Hashable, None] = {}

    async def receive(self) -> Message:
        """Wait for the next message that is new; raises as `ws.receive()`, and as `key` does."""
        return await self._next(self._ws.receive)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        return await self._next(self._ws.__anext__)

    async def _next(self, receive: Callable[[], Awaitable[Message]]) -> Message:
        while True:
            message = await receive()
            key = self._key(message)
            if key is None:
                return message
            if key not in self._seen:
                self._seen[key] = None
                if len(self._seen) > self._keep:
                    del self._seen[next(iter(self._seen))]
                return message
            self.repeated += 1
