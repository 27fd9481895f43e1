"""`FlowControl`: whether a connection has room in its write buffer."""

import asyncio
from typing import Any, Final

HANDED_OVER: Final = "recloser: the message had been handed to the connection before"
"""Note on the cancellation of a send whose message may arrive all the same."""


class FlowControl:
    """Whether there is room in the write buffer, as a protocol of asyncio is told."""

    __slots__ = ("_drained",)

    def __init__(self) -> None:
        self._drained: asyncio.Future[None] | None = None

    @property
    def writing_paused(self) -> bool:
        """Whether the write buffer is full."""
        return self._drained is not None

    @property
    def drained(self) -> "asyncio.Future[None] | None":
        """Done when there is room again, or the connection has gone; None: there is room."""
        return self._drained

    def pause_writing(self) -> None:
        """See `asyncio.BaseProtocol.pause_writing`."""
        if self._drained is None:
            self._drained = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """See `asyncio.BaseProtocol.resume_writing`; to be called at the end, too."""
        drained, self._drained = self._drained, None
        if drained is not None:
            drained.set_result(None)


async def left(drained: "asyncio.Future[Any]") -> None:
    """Wait for room behind a message that was handed over; a cancellation gets a note of that."""
    try:
        await asyncio.wait((drained,))
    except asyncio.CancelledError as error:
        error.add_note(HANDED_OVER)
        raise
