"""Reads typed or piped lines, without blocking the event loop."""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from typing import Final, Protocol, TypeVar

T = TypeVar("T")
PROMPT: Final = "> "
_CHUNK: Final = 1 << 16


def in_thread(function: Callable[[], T]) -> "asyncio.Future[T]":
    """Call a function in a daemon thread; the future has its result or its exception.

    An executor of asyncio or `concurrent.futures` would be joined at the end, and reading
    from a terminal, or writing to a full pipe, may never return.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(tell: Callable[[], None]) -> None:
        if not future.done():  # otherwise the caller has stopped waiting
            tell()

    def work() -> None:
        try:
            tell = partial(future.set_result, function())
        except BaseException as error:  # noqa: BLE001 - handed over to the caller that waits
            tell = partial(future.set_exception, error)
        with suppress(RuntimeError):  # the loop has been closed meanwhile: no caller waits
            loop.call_soon_threadsafe(settle, tell)

    threading.Thread(target=work, name="recloser terminal", daemon=True).start()
    return future


async def piped(fd: int) -> AsyncIterator[bytes]:
    """Yield the lines of a pipe, a file or a plain terminal, without their ends.

    The next line is read when the caller asks for it, so a long input waits in its pipe and
    not in memory.
    """
    left = b""
    # Not through sys.stdin: a thread that waits in it holds a lock that the exit needs.
    while chunk := await in_thread(partial(os.read, fd, _CHUNK)):
        *whole, left = (left + chunk).split(b"\n") if b"\n" in chunk else (left + chunk,)
        for line in whole:
            yield line
    if left:
        yield left


class Editor(Protocol):
    """The functions of the module `readline` that are used here."""

    def parse_and_bind(self, string: str, /) -> None:
        """Take one line of an init file."""
        ...

    def set_pre_input_hook(self, function: Callable[[], object], /) -> None:
        """Set the function to call when the prompt has been shown."""
        ...

    def get_line_buffer(self) -> str:
        """Return the text that has been typed so far."""
        ...


class Typed:
    """A prompt with line editing and a history of this session, on a terminal."""

    def __init__(self, editor: Editor) -> None:
        self._editor = editor
        self._shown = False
        # A paste of several lines is several messages; and the mode would outlive us.
        editor.parse_and_bind("set enable-bracketed-paste off")
        editor.set_pre_input_hook(self._prompted)

    def _prompted(self) -> None:
        self._shown = True

    def current(self) -> str:
        """Return the text in the line of the prompt; empty while there is no prompt."""
        return f"{PROMPT}{self._editor.get_line_buffer()}" if self._shown else ""

    async def lines(self) -> AsyncIterator[bytes]:
        """Yield each line that is entered; ends with Ctrl-D."""
        while True:
            try:
                line = await in_thread(partial(input, PROMPT))
            except EOFError:
                os.write(sys.stdout.fileno(), b"\n")  # out of the line of the prompt
                return
            finally:
                self._shown = False
            yield line.encode(errors="surrogateescape")
