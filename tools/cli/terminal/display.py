"""The display of `recloser connect`: messages on stdout, states and notes on stderr."""

import asyncio
import json
import os
import select
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

from recloser.cli.terminal.lines import in_thread
from recloser.cli.terminal.wording import (
    describe_change,
    describe_states,
    duration,
    plain_words,
)
from recloser.client import ReconnectingWebSocket
from recloser.fsm import closecodes
from recloser.fsm.change import StateChange
from recloser.fsm.states import State
from recloser.redact import printable

_SAVE: Final = "\x1b7"
_BACK: Final = "\x1b8"
_CLEAR: Final = "\x1b[2K"
_LEAST_ROWS: Final = 4
_BYTES_SHOWN: Final = 64
"""The most bytes of a binary message that are shown on a terminal."""
_TICK: Final = 0.5
"""Seconds between two updates of the countdown of a backoff."""


class Bar:
    """Keeps the last row of a terminal for itself (DECSTBM, the region that scrolls).

    The cursor stays where it is, so line editing is not disturbed. A changed size of the
    terminal is noticed at the next drawing.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._size: os.terminal_size | None = None

    def draw(self, text: str) -> None:
        """Show one line of ASCII text, as much of it as fits."""
        size = os.get_terminal_size(self._fd)
        if size.lines < _LEAST_ROWS:
            return
        if size != self._size:
            # Setting the region moves the cursor home; it must not stay in the last row.
            self._write(f"\n{_SAVE}\x1b[1;{size.lines - 1}r{_BACK}\x1b[1A")
            self._size = size
        line = text[: size.columns].ljust(size.columns)
        self._write(f"{_SAVE}\x1b[{size.lines};1H{_CLEAR}\x1b[7m{line}\x1b[0m{_BACK}")

    def remove(self) -> None:
        """Give the row back."""
        if self._size is not None:
            self._write(f"{_SAVE}\x1b[r\x1b[{self._size.lines};1H{_CLEAR}{_BACK}")
            self._size = None

    def _write(self, text: str) -> None:
        os.write(self._fd, text.encode("ascii", "replace"))


class Display:
    """Writes above the line that is being typed: messages without blocking the event loop.

    Notes about the connection are few, and written at once: where nobody reads them they block it.
    """

    def __init__(
        self,
        *,
        out: int,
        err: int,
        pretty: bool = False,
        raw_bytes: bool = False,
        prompt: Callable[[], str] | None = None,
    ) -> None:
        """Write to these descriptors; `prompt` tells what is being typed at the moment."""
        self.waiting = 0
        """The number of lines that wait for a connection."""
        self._out, self._err = out, err
        self._out_shown, self._err_shown = os.isatty(out), os.isatty(err)
        self._pretty = pretty
        self._raw_bytes = raw_bytes
        self._prompt = prompt
        bar = self._err_shown and os.environ.get("TERM", "dumb") != "dumb"
        self._bar = Bar(err) if bar else None
        self._ws: ReconnectingWebSocket | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._why: str | None = None
        """What was said last in plain words; it is not repeated at each dial."""

    def watch(self, ws: ReconnectingWebSocket) -> None:
        """Show the states of this engine from now on."""
        self._ws = ws
        ws.subscribe(self._changed)
        self.status()

    async def message(self, message: str | bytes) -> None:
        """Show one message; raises `BrokenPipeError` when the reader has closed the pipe."""
        data = self._bytes(message) if isinstance(message, bytes) else self._text(message)
        await self._put(self._around(data + b"\n", shown=self._out_shown))

    def note(self, text: str) -> None:
        """Show a line about the connection on stderr."""
        data = f"-- {printable(text)}\n".encode(errors="backslashreplace")
        os.write(self._err, self._around(data, shown=self._err_shown))

    def status(self) -> None:
        """Draw the status line; during a backoff draw it again at each tick."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        ws = self._ws
        if self._bar is None or ws is None:
            return
        self._bar.draw(self._line(ws))
        if ws.state is State.BACKOFF:
            self._timer = asyncio.get_running_loop().call_later(_TICK, self.status)

    def leave(self) -> None:
        """Remove the status line."""
        if self._timer is not None:
            self._timer.cancel()
        if self._bar is not None:
            self._bar.remove()

    def _changed(self, change: StateChange) -> None:
        self.note(f"{describe_states(change)}: {describe_change(change)}")
        why = None if change.close is None else plain_words(change.close)
        if why is not None and why != self._why:
            self.note(why)
        if change.close is not None:
            self._why = why
        self.status()

    def _line(self, ws: ReconnectingWebSocket) -> str:
        words = [f" {ws.state.value}"]
        close = ws.last_close
        if close is not None and ws.state is not State.OPEN:
            status = "" if close.status is None else f", HTTP {close.status}"
            words.append(f"{close.code} {closecodes.name(close.code)}{status}")
        if ws.retry_in is not None:
            words.append(f"next dial in {duration(round(ws.retry_in))}")
        if self.waiting:
            words.append(f"{self.waiting} waiting")
        words.append(f"dial {ws.generation}")
        return " | ".join(words)

    def _text(self, message: str) -> bytes:
        if self._pretty:
            with suppress(
                ValueError, RecursionError
            ):  # a message that is no JSON is shown unchanged
                message = json.dumps(json.loads(message), indent=2, ensure_ascii=False)
        if self._out_shown:
            message = "< " + printable(message, keep="\n\t")
        return message.encode(errors="backslashreplace")

    def _bytes(self, message: bytes) -> bytes:
        if self._raw_bytes and not self._out_shown:
            return message
        if not self._out_shown:
            return message.hex().encode()
        more = "..." if len(message) > _BYTES_SHOWN else ""
        return f"< {len(message)} bytes: {message[:_BYTES_SHOWN].hex(' ')}{more}".encode()

    def _around(self, data: bytes, *, shown: bool) -> bytes:
        """Erase the line that is being typed before the data, and show it again after."""
        typed = self._prompt() if shown and self._prompt is not None else ""
        if not typed:
            return data
        return b"\r\x1b[K" + data + typed.encode(errors="replace")

    async def _put(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            # A descriptor that is ready takes as much as this without blocking.
            if len(left) <= select.PIPE_BUF and select.select([], [self._out], [], 0)[1]:
                left = left[os.write(self._out, left) :]
            else:
                left = left[await in_thread(partial(os.write, self._out, left)) :]
