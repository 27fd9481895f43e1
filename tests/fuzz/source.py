"""Makes values of bytes that a fuzzer chooses; where the bytes end, all is zero and empty."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Source:
    """Gives the bytes away, from the front, as numbers, choices and texts."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        """Give so many bytes, or those that are left."""
        found = self._data[self._at : self._at + size]
        self._at += len(found)
        return found

    def number(self, size: int = 1) -> int:
        """Give a number of so many bytes."""
        return int.from_bytes(self.take(size))

    def choice(self, among: Sequence[T]) -> T:
        """Choose one."""
        return among[self.number() % len(among)]

    def flag(self) -> bool:
        """Say yes or no."""
        return self.number() % 2 == 1

    def text(self) -> str:
        """Give a text of up to 255 bytes; what is no UTF-8 is there as lone
        surrogates, as in headers that a server has read."""
        return self.take(self.number()).decode(errors="surrogateescape")

    def rest(self) -> bytes:
        """Give all that is left."""
        return self.take(len(self._data))
