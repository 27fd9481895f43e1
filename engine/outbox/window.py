"""`ReadWindow`: how many of the waiting messages of an outbox with a file are in memory."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReadWindow:
    """The bounds of what is in memory of the messages that wait in a file.

    The other waiting messages are *unread*: they are in the file alone. The file is read in order,
    and ahead of the flush, so that the messages that go next are in memory. With acknowledgements
    the first reading goes on behind these bounds to the end of the messages that an earlier process
    has handed over: an acknowledgement may come for each of them.
    """

    messages: int = 1024
    """Messages of one reading, at most."""
    bytes: int = 2**20
    """Bytes of one reading, unless its first message is longer."""
    ahead: int = 2048
    """Messages in memory below which more are read, unless they have `2 * bytes`."""
    most: int = 8192
    """Messages in memory from which on a new message is unread as soon as it is in the file."""
    most_bytes: int = 8 * 2**20
    """Bytes in memory from which on a new message is unread as soon as it is in the file."""
