"""A message as it stands in a file, and back: what is on a clock there must outlive its machine."""

from recloser.clock import Clock
from recloser.outbox.file import Row
from recloser.outbox.message import Message


def row_of(message: Message, clock: Clock) -> Row:
    """Give what is written of a message."""
    expires_at = message.expires_at
    if expires_at is not None:
        expires_at += clock.wall() - clock.monotonic()
    number, deliveries = message.number, message.deliveries
    return Row(number, message.id, message.key, message.data, expires_at, deliveries)


def message_of(row: Row, clock: Clock, *, numbered: bool) -> Message:
    """Give the message of a row; its number is its id, if it is `numbered` and has none."""
    expires_at = row.expires_at
    if expires_at is not None:
        expires_at += clock.monotonic() - clock.wall()
    return Message(
        row.data,
        row.size,
        row.key,
        expires_at,
        number=row.number,
        id=row.number if numbered and row.id is None else row.id,
        deliveries=row.deliveries,
    )
