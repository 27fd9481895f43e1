"""The FILE argument of the commands that read a journal: opening it, progress, skipped lines."""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import click

from recloser.journal.lines import JournalEntry
from recloser.journal.reader import Reader

FILE: Final = click.Path(path_type=Path, allow_dash=True)
_EVERY: Final = 5000
"""Entries between two movements of the progress bar."""


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file, or standard input for -; raises `click.BadParameter`."""
    if str(path) == "-":
        yield sys.stdin.buffer
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise click.BadParameter(f"{path}: {error.strerror}", param_hint="FILE") from error
    with file:
        yield file


def read(reader: Reader, path: Path) -> Iterator[JournalEntry]:
    """Yield the entries of a file; raises `click.BadParameter` where it cannot be read on."""
    try:
        yield from reader
    except OSError as error:
        raise click.BadParameter(f"{name(path)}: {error.strerror}", param_hint="FILE") from error


def entries(reader: Reader, path: Path, file: BinaryIO) -> Iterator[JournalEntry]:
    """Yield the entries of a file, with a progress bar if stderr is a terminal.

    Raises `click.UsageError` if the file holds no entry.
    """
    if sys.stderr.isatty() and stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        size = os.fstat(file.fileno()).st_size
        with click.progressbar(length=size, label="reading", file=sys.stderr) as bar:
            for count, entry in enumerate(read(reader, path)):
                if count % _EVERY == 0:
                    bar.update(reader.read - bar.pos)
                yield entry
    else:
        yield from read(reader, path)
    if not reader.entries:
        text = f"no change of state in {name(path)}: {reader.lines} lines, {skipped(reader)}"
        raise click.UsageError(text, click.get_current_context())


def name(path: Path) -> str:
    """Return the name of the file for a message."""
    return "standard input" if str(path) == "-" else str(path)


def skipped(reader: Reader) -> str:
    """Say how many lines were no entries, and why."""
    counts = (
        (reader.broken, "broken"),
        (reader.foreign, "about something else"),
        (reader.newer, "of a newer version of recloser"),
    )
    return ", ".join(f"{count} {what}" for count, what in counts if count) or "none skipped"


def figures(reader: Reader) -> dict[str, int]:
    """Return the counts of lines for JSON."""
    names = ("lines", "entries", "broken", "foreign", "newer", "lost")
    return {name: getattr(reader, name) for name in names}
