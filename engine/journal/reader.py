"""Reads a journal, or the JSON log of a service, line by line; damage is counted, never fatal."""

import json
from collections.abc import Iterator
from typing import BinaryIO, Final

from recloser.journal import lines, logs
from recloser.journal.facts import BadLineError
from recloser.journal.lines import VERSION, JournalEntry

LONGEST: Final = 1 << 20
"""Bytes of a line; a longer one is counted as broken, so that memory stays bounded."""


class Reader:
    """Iterates over the entries of one file, once; the counters tell of what was no entry.

    `by` names the field of log lines that tells one engine from another; lines of a journal
    say so themselves.
    """

    def __init__(self, file: BinaryIO, *, by: str | None = None) -> None:
        self._file = file
        self._by = by
        self.lines: int = 0
        """Lines read, blank ones not counted."""
        self.read: int = 0
        """Bytes read."""
        self.entries: int = 0
        self.broken: int = 0
        """Lines that are no JSON object or lack a fact: truncated, garbled, too long."""
        self.foreign: int = 0
        """JSON objects that tell of no change of state."""
        self.newer: int = 0
        """Lines of a later version of the journal."""
        self.lost: int = 0
        """Changes that could not be written, as the journal itself says."""

    def __iter__(self) -> Iterator[JournalEntry]:
        for line in self._lines():
            entry = self._entry(line)
            if entry is not None:
                self.entries += 1
                yield entry

    def _lines(self) -> Iterator[bytes]:
        cut = False
        while line := self._file.readline(LONGEST):
            self.read += len(line)
            # What follows the first part of a line that is too long is not a line of its own.
            follows, cut = cut, not line.endswith(b"\n")
            if follows or not line.strip():
                continue
            self.lines += 1
            if len(line) == LONGEST and cut:
                self.broken += 1
            else:
                yield line

    def _entry(self, text: bytes) -> JournalEntry | None:
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            self.broken += 1
            return None
        if not isinstance(line, dict):
            self.broken += 1
            return None
        try:
            if logs.is_change(line):
                return logs.entry_of(line, self._by)
            if "v" in line and ("trigger" in line or "lost" in line):
                return self._own(line)
        except BadLineError:
            self.broken += 1
            return None
        self.foreign += 1
        return None

    def _own(self, line: dict[str, object]) -> JournalEntry | None:
        version = line["v"]
        if isinstance(version, bool) or not isinstance(version, int) or version < VERSION:
            raise BadLineError("v is no version")
        if version > VERSION:
            self.newer += 1
            return None
        lost = line.get("lost")
        if isinstance(lost, int):
            self.lost += lost
            return None
        return lines.entry_of(line)
