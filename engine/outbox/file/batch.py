"""`Batch`: the changes of an outbox file that are written in one transaction."""

from collections.abc import Collection

from recloser.outbox.file.database import Database, StoredMessage


class Batch:
    """Three maps by number, of which the latest change wins."""

    __slots__ = ("marked", "put", "removed")

    def __init__(self) -> None:
        self.put: dict[int, StoredMessage] = {}
        self.marked: dict[int, int] = {}
        self.removed: set[int] = set()

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
        return joined

    def write_to(self, database: Database) -> None:
        """Write the changes in one transaction; raises `OutboxUnusable`."""
        database.write(self.put.values(), self.marked, self.removed)
