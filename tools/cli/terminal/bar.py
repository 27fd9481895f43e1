"""A status line at the foot of a terminal, below everything that scrolls."""

import os
from typing import Final

_SAVE: Final = "\x1b7"
_BACK: Final = "\x1b8"
_CLEAR: Final = "\x1b[2K"
_LEAST_ROWS: Final = 4


class Bar:
    """Keeps the last row of a terminal for itself (DECSTBM, the region that scrolls).

    The cursor stays where it is, so that line editing goes on undisturbed. A size that
    changed is noticed when the line is drawn next.
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
