"""The sending half of a scripted socket, whose buffer a test fills and empties."""

import asyncio

from recloser.fsm.errors import NotOpen
from recloser.fsm.states import State
from recloser.transport.base import Delivery, OnUndeliverable


class ScriptedSender:
    """Takes messages as a socket does: into the peer's hands, or into a buffer that is stuck."""

    def __init__(self) -> None:
        self.sent: list[str | bytes] = []
        """What the peer has read."""
        self.closed_with: tuple[int, str] | None = None
        """Code and reason of the engine's close frame."""
        self.over = False
        self._stalled: asyncio.Future[bool] | None = None  # whether the buffer was emptied
        self._buffer: list[tuple[str | bytes, object]] = []
        self._undeliverable: OnUndeliverable | None = None
        self._resend = False

    def stall(self) -> None:
        """Have the peer read nothing: what is sent stays in the buffer, and its sender waits."""
        if self._stalled is None and not self.over:
            self._stalled = asyncio.get_running_loop().create_future()

    def flow(self, count: int | None = None) -> None:
        """Have the peer read the first `count` messages of the buffer, or all and what follows."""
        if self.over:
            return
        self.sent += [message for message, _ in self._buffer[:count]]
        del self._buffer[:count]
        if count is None:
            self._release()

    async def send(self, message: str | bytes, item: object = None) -> Delivery:
        """Note what is sent."""
        if self.over or self.closed_with is not None:
            if self._undeliverable is not None:
                return await self._undeliverable(message if item is None else item)
            raise NotOpen(State.CLOSING)
        if not isinstance(message, str | bytes | bytearray | memoryview):
            raise TypeError(f"a message is str or bytes, not {type(message).__name__}")
        stalled = self._stalled
        if stalled is None:
            self.sent.append(message)
            return Delivery.SENT
        self._buffer.append((message, message if item is None else item))
        await asyncio.wait((stalled,))
        if stalled.result():
            return Delivery.SENT
        if not self._resend:
            raise ConnectionResetError("the connection ended while the message was leaving")
        return Delivery.QUEUED

    def on_undeliverable(self, callback: OnUndeliverable, *, resend: bool) -> None:
        """Note who cares for what meets the end."""
        self._undeliverable, self._resend = callback, resend

    @property
    def unsent(self) -> int:
        """Messages that the peer has not read: none, unless it was told to stall."""
        return len(self._buffer)

    def unsent_messages(self) -> list[object]:
        """Those messages, or the items that stand for them."""
        return [item for _, item in self._buffer]

    def _release(self) -> None:
        if self._stalled is not None:
            self._stalled.set_result(not self.over)
            self._stalled = None
