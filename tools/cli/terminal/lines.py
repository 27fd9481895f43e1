"""What is typed or piped in, line by line, without ever blocking the event loop."""

import os
import sys
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Final, Protocol

from recloser.cli.terminal.threads import in_thread

PROMPT: Final = "> "
_CHUNK: Final = 1 << 16


async def piped(fd: int) -> AsyncIterator[bytes]:
    """Give the lines of a pipe, a file or a plain terminal, without their ends.

    Reads on only when the line before has been dealt with, so that a long input waits in
    its pipe and not in memory.
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
    """What is used of the module `readline`."""

    def parse_and_bind(self, string: str, /) -> None:
        """Take one line of an init file."""
        ...

    def set_pre_input_hook(self, function: Callable[[], object], /) -> None:
        """Have a function called when the prompt has been shown."""
        ...

    def get_line_buffer(self) -> str:
        """Return what has been typed so far."""
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
        """Return what stands in the line of the prompt; empty while there is none."""
        return f"{PROMPT}{self._editor.get_line_buffer()}" if self._shown else ""

    async def lines(self) -> AsyncIterator[bytes]:
        """Give each line that is entered; ends with Ctrl-D."""
        while True:
            try:
                line = await in_thread(partial(input, PROMPT))
            except EOFError:
                os.write(sys.stdout.fileno(), b"\n")  # out of the line of the prompt
                return
            finally:
                self._shown = False
            yield line.encode(errors="surrogateescape")
