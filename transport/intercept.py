"""Shows each incoming message to a function, before any consumer gets it."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Any, Final

from recloser.fsm.named_tuple import NamedTuple
from recloser.transport.base import Frame, Interceptor, Opcode, Read


class _Withheld(NamedTuple):
    """Replaces a message that no consumer gets: a frame that needs no answer."""

    type: Opcode = Opcode.PONG
    data: Any = None
    extra: Any = None


class _Replaced(NamedTuple):
    """A message in whose place a consumer gets something else."""

    type: Opcode
    data: Any
    extra: Any = None


_WITHHELD: Final = _Withheld()


class InterceptedReader:
    """One more layer around `Wire.read`, only while a function intercepts."""

    __slots__ = ("_context", "_intercept", "_read", "_scheduled", "_watch")

    def __init__(
        self,
        read: Read,
        interceptor: Interceptor,
        watch: Callable[[], None],
        context: Context,
    ) -> None:
        self._read = read
        self._intercept = interceptor
        self._watch = watch
        self._context = context
        self._scheduled = False

    async def read(self) -> Frame:
        """Read the next frame; an empty pong replaces a message that no consumer gets."""
        frame = await self._read()
        kind = frame.type
        if kind is Opcode.TEXT or kind is Opcode.BINARY:
            data = self._intercept(frame.data)
            if data is None:
                return _WITHHELD
            if data is not frame.data:
                frame = _Replaced(kind, data)
            if not self._scheduled:
                # The consumer may be busy with this message for long: those behind it are read
                # and shown all the same.
                self._scheduled = True
                asyncio.get_running_loop().call_soon(self._read_ahead, context=self._context)
        return frame

    def _read_ahead(self) -> None:
        self._scheduled = False
        self._watch()
