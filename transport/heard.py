"""Lets somebody hear each message on its way in, before anybody is given it."""

from collections.abc import Callable, Coroutine
from typing import Any, Final, NamedTuple

from recloser.transport.base import Frame, Opcode


class _Nothing(NamedTuple):
    """Stands in for a message that is given to nobody: a frame which nobody looks at."""

    type: Opcode = Opcode.PONG
    data: Any = b""
    extra: Any = None


_NOTHING: Final = _Nothing()


class Heard:
    """Reads as before; one more layer, and only where somebody listens."""

    __slots__ = ("_hear", "_read")

    def __init__(
        self,
        read: Callable[[], Coroutine[Any, Any, Frame]],
        hear: Callable[[str | bytes], bool],
    ) -> None:
        self._read = read
        self._hear = hear

    async def read(self) -> Frame:
        """Read the next frame; an empty pong in the place of a message that was kept back."""
        frame = await self._read()
        kind = frame.type
        if (kind is Opcode.TEXT or kind is Opcode.BINARY) and self._hear(frame.data):
            return _NOTHING
        return frame
