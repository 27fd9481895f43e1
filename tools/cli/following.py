"""A journal as a live service: its engines in an `Inspector`, also while the file grows."""

import asyncio
import time
from pathlib import Path
from typing import BinaryIO, Final

from recloser.cli import journal_file
from recloser.inspector.inspector import Inspector
from recloser.inspector.rows import Moment
from recloser.journal.lines import JournalEntry
from recloser.journal.reader import Reader
from recloser.statistics.observer import CloseStatistics

_EVERY: Final = 0.5
"""Seconds between two looks at a file that has ended."""
_NAMELESS: Final = "engine"


class FollowedJournal:
    """Reads a journal, or the JSON log of a service, into an inspector.

    Raises `click.BadParameter` where the file cannot be read on.
    """

    def __init__(self, path: Path, file: BinaryIO, *, by: str | None) -> None:
        self._path = path
        self.reader: Reader = Reader(file, by=by)
        self._now = 0.0
        self._closes = CloseStatistics(clock=lambda: self._now)
        self.inspector: Inspector = Inspector(closes=self._closes, wall=time.time)

    def read(self) -> None:
        """Read what there is."""
        for entry in journal_file.read(self.reader, self._path):
            self._add(entry)

    async def follow(self) -> None:
        """Read on as the file grows, until cancelled."""
        while True:
            await asyncio.sleep(_EVERY)
            self.read()

    def _add(self, entry: JournalEntry) -> None:
        self._now = max(self._now, entry.time)
        self._closes(entry.change)
        self.inspector.add(Moment(entry.engine or _NAMELESS, entry.time, entry.change))
