"""The changes of an outbox that go into its file in one transaction."""

import asyncio
from collections.abc import Collection

from recloser.outbox.errors import OutboxUnusable
from recloser.outbox.file.database import Database, named
from recloser.outbox.file.stored_message import StoredMessage

Waiter = asyncio.Future[OutboxUnusable | None]


class Batch:
    """The changes of one transaction: three maps by number; the latest change wins."""

    __slots__ = ("marked", "problem", "put", "removed", "waiters")

    def __init__(self) -> None:
        self.put: dict[int, StoredMessage] = {}
        self.marked: dict[int, int] = {}
        self.removed: set[int] = set()
        self.problem: OutboxUnusable | None = None
        """Why the last attempt to write them has failed."""
        self.waiters: list[Waiter] = []
        """Callers that wait until they are in the file."""

    def __bool__(self) -> bool:
        return bool(self.put or self.marked or self.removed)

    def note(self, row: StoredMessage) -> None:
        """Write a message."""
        self.removed.discard(row.number)
        self.marked.pop(row.number, None)
        self.put[row.number] = row

    def forget(self, numbers: Collection[int]) -> None:
        """Remove messages."""
        for changes in (self.put, self.marked):
            if changes:
                for number in numbers:
                    changes.pop(number, None)
        self.removed.update(numbers)

    def behind(self, older: "Batch") -> "Batch":
        """Join changes that could not be written with the newer ones."""
        newer = self.put.keys() | self.removed
        joined = Batch()
        joined.put = {n: row for n, row in older.put.items() if n not in newer} | self.put
        joined.marked = {n: d for n, d in older.marked.items() if n not in newer} | self.marked
        joined.removed = (older.removed - newer) | self.removed
        joined.waiters = older.waiters + self.waiters
        return joined

    def attempt(self, database: Database) -> None:
        """Write the changes in one transaction, and keep the error instead of raising it."""
        self.problem = None
        try:
            database.write(self.put.values(), self.marked, self.removed)
        except OutboxUnusable as error:
            self.problem = error
        except Exception as error:  # noqa: BLE001 - whatever it was, those who wait are told
            self.problem = named(database.path, error)
