"""Senders that wait for room in a full outbox, first come first served."""

import asyncio
from collections.abc import Callable

from recloser.outbox.message import Message
from recloser.transport.base import Delivery


class Waiting:
    """What is in line, and who waits for it."""

    __slots__ = ("_line",)

    def __init__(self) -> None:
        self._line: dict[Message, asyncio.Future[Exception | None]] = {}

    def __bool__(self) -> bool:
        return bool(self._line)

    async def wait(self, message: Message) -> Delivery:
        """Wait until the message is admitted; raises what `fail` says."""
        future: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self._line[message] = future
        try:
            error = await future
        except asyncio.CancelledError as cancelled:
            if future.cancelled() or future.result() is not None:
                cancelled.add_note("recloser: the message was not taken")
            else:
                cancelled.add_note("recloser: the message had been put into the outbox before")
            raise
        finally:
            self._line.pop(message, None)
        if error is not None:
            raise error
        return Delivery.QUEUED

    def admit(self, fits: Callable[[Message], bool], put: Callable[[Message], None]) -> None:
        """Let in who fits, and nobody before his turn."""
        while self._line:
            message, future = next(iter(self._line.items()))
            if not future.done():
                if not fits(message):
                    return
                put(message)
                future.set_result(None)
            del self._line[message]

    def fail(self, error: Callable[[], Exception], generation: int | None = None) -> None:
        """Send all away, or those whose message must not outlive `generation`."""
        for message, future in list(self._line.items()):
            if generation is None or message.generation == generation:
                del self._line[message]
                if not future.done():
                    future.set_result(error())
