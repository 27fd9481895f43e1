"""The contract of what keeps messages besides memory, and a store that keeps none."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from recloser.outbox.effects import Change
from recloser.outbox.errors import OutboxUnusable
from recloser.outbox.events import Restored


class Store(Protocol):
    """Told of each change by `note`, and asked by `saved` when all of them are safe.

    The rest is about its file, which is held from leaving closed until closed.
    """

    ready: bool
    """Whether changes are written soon: the file is open, or being closed and opened again."""

    def note(self, change: Change) -> None:
        """Take a change; it is written soon."""
        ...

    def saved(self) -> asyncio.Future[OutboxUnusable | None] | None:
        """Give what is done when all that was noted so far is written, with what went wrong if not.

        None: it is written already.
        """
        ...

    def open(self) -> Restored | None:
        """Open the file and give what is in it, unless it is open. Raises `OutboxUnusable`."""
        ...

    def claim(self) -> AbstractContextManager[None]:
        """Have the file for changes that are noted meanwhile, also while it is not open.

        Raises `OutboxUnusable` before any of them was made.
        """
        ...

    async def release(self, wanted: Callable[[], bool]) -> None:
        """Write what is left and give the file free, as long as that is `wanted`."""
        ...


class MemoryStore:
    """Keeps nothing: the messages end with the process."""

    __slots__ = ()
    ready = True

    def note(self, change: Change) -> None:
        """Forget it: there is no file."""

    def saved(self) -> None:
        """Answer at once."""

    def open(self) -> None:
        """There is nothing to read."""

    def claim(self) -> AbstractContextManager[None]:
        """There is nothing to claim."""
        return nullcontext()

    async def release(self, wanted: Callable[[], bool]) -> None:
        """There is nothing to give free."""
