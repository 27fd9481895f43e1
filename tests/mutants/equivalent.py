"""The changes that no test can notice, each with its reason: `equivalent.toml`."""

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.mutants.layers import ROOT

if TYPE_CHECKING:
    from tests.mutants.change import Change

FILE = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True)
class Entry:
    """A line of a function, before and after the change, and why nothing can tell them apart.

    `after` holds every change of the line that makes no difference.
    """

    file: str
    before: str
    after: tuple[str, ...]
    why: str


def entries() -> Iterator[Entry]:
    """What the file says."""
    for each in tomllib.loads(FILE.read_text(encoding="utf-8")).get("equivalent", []):
        yield Entry(each["file"], each["before"], tuple(each["after"]), each["why"])


class Table:
    """The entries, and which of them name a change."""

    def __init__(self, known: Iterable[Entry]) -> None:
        self._why = {
            (each.file, each.before, after): each.why for each in known for after in each.after
        }
        self._lines = {(file, before) for file, before, _ in self._why}
        self._unused = set(self._why)

    def why(self, change: "Change") -> str | None:
        """The reason why nothing can notice this change; none if it is not named."""
        file = str(change.path.relative_to(ROOT))
        if (file, change.before()) not in self._lines:
            return None
        key = (file, *change.texts())
        self._unused.discard(key)
        return self._why.get(key)

    def stale(self, files: Iterable[Path]) -> list[str]:
        """Entries of these files that named no change."""
        names = {str(each.relative_to(ROOT)) for each in files}
        return [f"{file}: {old} -> {new}" for file, old, new in self._unused if file in names]
