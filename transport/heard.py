"""Lets somebody hear each message on its way in, before anybody is given it."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
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

    __slots__ = ("_context", "_hear", "_read", "_soon", "_watch")

    def __init__(
        self,
        read: Callable[[], Coroutine[Any, Any, Frame]],
        hear: Callable[[str | bytes], bool],
        watch: Callable[[], None],
        context: Context,
    ) -> None:
        self._read = read
        self._hear = hear
        self._watch = watch
        self._context = context
        self._soon = False

    async def read(self) -> Frame:
        """Read the next frame; an empty pong in the place of a message that was kept back."""
        frame = await self._read()
        kind = frame.type
        if kind is Opcode.TEXT or kind is Opcode.BINARY:
            if self._hear(frame.data):
                return _NOTHING
            if not self._soon:
                # Whoever is given it may be busy for long: what comes next is heard all the same.
                self._soon = True
                asyncio.get_running_loop().call_soon(self._look, context=self._context)
        return frame

    def _look(self) -> None:
        self._soon = False
        self._watch()
