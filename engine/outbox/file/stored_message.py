"""`StoredMessage`: a message as a row of the outbox file, with its checksum."""

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zlib import crc32

from recloser.outbox.message import Id, Message

if TYPE_CHECKING:
    from recloser.clock import Clock

COLUMNS: Final = "number, id, key, data, expires_at, deliveries, suspect, checksum"

_PRIME: Final = 2**32 - 5
"""The largest prime of 32 bits. A CRC-32 begins with 32 bits: here with number and form, modulo
the prime, so that no change of a single bit of the number is without effect."""


class StoredMessage(NamedTuple):
    """A message as the file has it."""

    number: int
    id: Id | None
    key: Hashable
    data: str | bytes
    expires_at: float | None
    """Seconds since the epoch; None: never."""
    deliveries: int
    suspect: int = 0
    """1 for a message of several of which the peer refused one."""

    @classmethod
    def of(cls, message: Message, clock: "Clock") -> "StoredMessage":
        """Make the row of a message, with its end by the wall clock."""
        expires_at = message.expires_at
        if expires_at is not None:
            expires_at += clock.wall() - clock.monotonic()
        number, own, key, data = message.number, message.id, message.key, message.data
        return cls(number, own, key, data, expires_at, message.deliveries, int(message.suspect))

    @property
    def size(self) -> int:
        """Bytes, text as UTF-8."""
        data = self.data
        return len(data.encode()) if isinstance(data, str) and not data.isascii() else len(data)

    def sealed(self) -> tuple[object, ...]:
        """Return the values of a row of `COLUMNS`: the message and its checksum."""
        return (*self, self._checksum())

    @classmethod
    def unsealed(cls, *values: Any) -> "StoredMessage":
        """Make a row of `COLUMNS`; raises `ValueError` if its checksum is wrong."""
        row = cls(*values[:-1])
        whole = isinstance(row.data, str | bytes) and isinstance(row.deliveries, int)
        if not whole or values[-1] != row._checksum():
            raise ValueError(f"message {row.number} is not as it was written")
        return row

    def _checksum(self) -> int:
        number, own, key, data, expires_at, _, suspect = self
        kind, encoded = ("str", data.encode()) if isinstance(data, str) else ("bytes", data)
        named = type(own) is int and own == number
        if (own is None or named) and key is None and expires_at is None and suspect == 0:
            form = b"bBtT"[named + 2 * (kind == "str")]  # as in `plain_checksums`
            return crc32(encoded, (number << 8 | form) % _PRIME)
        facts = f"{number} {own!r} {key!r} {kind} {expires_at!r} {suspect}"
        return crc32(encoded, crc32(facts.encode()))


def plain_checksums(numbers: Iterable[int], forms: bytes, data: Iterable[bytes]) -> list[int]:
    """Return the checksums of rows without key, end and suspicion, column by column.

    The form of a row is a letter: b for bytes, t for text, a capital one if its number is its id.
    """
    pairs = zip(numbers, forms, strict=True)
    return list(map(crc32, data, [(number << 8 | form) % _PRIME for number, form in pairs]))
