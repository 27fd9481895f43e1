"""The contract of a store, which keeps messages besides memory; and a store without a file."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from recloser.outbox.effects import Change, Read, Survey
from recloser.outbox.errors import OutboxUnusable
from recloser.outbox.events import Event, Restored


class Store(Protocol):
    """Told of each change by `note`, and asked by `saved` when all of them are safe.

    The other methods are about its file, which is open from leaving closed until closed.
    """

    ready: bool
    """Whether changes are written soon: the file is open, or being closed and opened again."""

    def note(self, change: Change) -> None:
        """Take a change; it is written after `write` or `saved`."""
        ...

    def write(self) -> None:
        """Write the changes soon."""
        ...

    def saved(self) -> asyncio.Future[OutboxUnusable | None] | None:
        """Return a future that is done when all changes so far are written, with the error if not.

        The changes are written at once. None: they are written already.
        """
        ...

    def hold(self, until: asyncio.Future[OutboxUnusable | None]) -> None:
        """Do not release the file before this is done: then changes come that belong to it."""
        ...

    def open(self) -> Restored | None:
        """Open the file and return its first messages, unless it is open.

        Raises `OutboxUnusable`.
        """
        ...

    def read(self, request: Survey | Read, tell: Callable[[Event], object]) -> None:
        """Read what the core asks for, and `tell` it in a later turn of the event loop."""
        ...

    def read_now(self, *requests: Survey | Read) -> list[Event]:
        """Read at once what the core would ask for; a file that is not open is read as a whole.

        What was asked for before is not told any more. Raises `OutboxUnusable`.
        """
        ...

    def claim(self) -> AbstractContextManager[None]:
        """Hold the file for the changes in the block, also while it is not open.

        Raises `OutboxUnusable` before the first change.
        """
        ...

    async def release(self, wanted: Callable[[], bool], reading: Callable[[], bool]) -> None:
        """Write the remaining changes and release the file, as long as that is `wanted`.

        `reading` says whether the core needs more of the file before that.
        """
        ...

    def abandon(self) -> None:
        """Write the remaining changes and release the file without a task of its own."""
        ...


class MemoryStore:
    """Keeps nothing: the messages end with the process."""

    __slots__ = ()
    ready = True

    def note(self, change: Change) -> None:
        """Drop the change: there is no file."""

    def write(self) -> None:
        """There is nothing to write."""

    def saved(self) -> None:
        """Answer at once."""

    def hold(self, until: asyncio.Future[OutboxUnusable | None]) -> None:
        """There is nothing to release."""

    def open(self) -> None:
        """There is nothing to read."""

    def read(self, request: Survey | Read, tell: Callable[[Event], object]) -> None:
        """Nothing is asked for: no file was opened."""

    def read_now(self, *requests: Survey | Read) -> list[Event]:
        """There is nothing to read."""
        del requests
        return []

    def claim(self) -> AbstractContextManager[None]:
        """There is nothing to claim."""
        return nullcontext()

    async def release(self, wanted: Callable[[], bool], reading: Callable[[], bool]) -> None:
        """There is nothing to release."""

    def abandon(self) -> None:
        """There is nothing to release."""
