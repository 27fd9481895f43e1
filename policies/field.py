"""The field guide: how real servers end a connection, as data from runs of the software itself.

The rows lie in `data/field.json`, and are read when one is first asked for. `make field` runs the
software and compares it with the rows. In a row, `end` is "close frame", "cut" (no close frame),
"refused" (the upgrade), "no connection", "unanswered", "answered late" (the dial waits and
succeeds), or "open" where the connection outlives the event. `should` is one word of `SHOULD`.
"""

import json
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from recloser.fsm.decisions import Phase
from recloser.fsm.record import Cause, Close

__all__ = ["EVENTS", "SHOULD", "FieldRow", "UnknownRowError", "find", "rows"]

_DATA: Final = Path(__file__).with_name("data") / "field.json"

SHOULD: Final = MappingProxyType(
    {
        "soon": "come back within two seconds: nobody else comes",
        "spread": "come back at a random moment of some seconds: a fleet moves",
        "refresh": "come back with another credential",
        "stop": "stop: the same dial would be answered in the same way",
        "stay": "do nothing: the connection, or the dial, goes on",
    }
)
"""What a client should do, by the word of a row."""

EVENTS: Final = MappingProxyType(
    {
        "stop": "a planned stop",
        "reload": "a new configuration, or new workers, without a stop",
        "kill": "the process is killed",
        "idle": "nothing is said for too long",
        "age": "the connection, or its worker, has reached its greatest age",
        "refused": "the upgrade is refused",
        "start": "a dial while it starts",
        "overload": "it is full",
        "message": "a message is sent just before the stop",
        "upstream": "the server behind it is killed",
    }
)
"""The events of the guide, with their meaning."""


class UnknownRowError(ValueError):
    """The field guide has no such row; the message names what it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRow:
    """One event of one piece of software, as it was seen."""

    software: str
    variant: str
    """What it is run with, such as a library or a kind of worker; empty if there is one way."""
    version: str
    event: str
    """A key of `EVENTS`."""
    how: str
    """What made the event."""
    end: str
    code: int | None
    """The code of the close frame; 1005 if it had none."""
    reason: str
    status: int | None
    """The status of a refused upgrade."""
    tcp: str | None
    """How TCP ended: "FIN" or "RST"; None if it did not."""
    seconds: float
    """Seconds from the event to the end."""
    away: float
    """Seconds from the event until a dial was answered with 101 again."""
    policy: str
    """The policy: "standard", or that of a service of the catalogue."""
    rule: str
    """The rule by which the policy decided; empty where nothing ended."""
    should: str
    """A key of `SHOULD`."""
    note: str
    date: str

    @property
    def name(self) -> str:
        """The software with its variant."""
        return f"{self.software} {self.variant}".rstrip()

    @property
    def wire(self) -> str:
        """The end in a few words, such as `1012 ""` or `cut`."""
        if self.end == "close frame":
            no_code = self.code == _NO_CODE
            return "close frame without a code" if no_code else f'{self.code} "{self.reason}"'
        if self.end == "refused":
            return f"HTTP {self.status}"
        return "stays open" if self.end == "open" else self.end

    @property
    def phase(self) -> Phase:
        """Whether a dial failed, or an open connection ended."""
        return Phase.OPEN if self.end in ("close frame", "cut") else Phase.DIAL

    @property
    def close(self) -> Close | None:
        """The record of that end; None where the connection goes on."""
        if self.end == "close frame" and self.code is not None:
            return Close.frame(self.code, self.reason)
        if self.end == "refused" and self.status is not None:
            return Close.refused(self.status)
        if self.end == "no connection":
            return Close.cut(Cause.TCP)
        if self.end == "unanswered":
            return Close.by_engine(Cause.CONNECT_TIMEOUT) if self.tcp is None else Close.cut()
        if self.end == "cut":
            return Close.cut(Cause.RESET if self.tcp == "RST" else Cause.EOF)
        return None


_NO_CODE: Final = 1005


@cache
def rows() -> tuple[FieldRow, ...]:
    """Return all rows, in the order of software and event."""
    return tuple(FieldRow(**each) for each in json.loads(_DATA.read_text(encoding="utf-8")))


def find(software: str | None = None, event: str | None = None) -> tuple[FieldRow, ...]:
    """Return the rows of a piece of software, of an event, of both, or all.

    `software` is the name, or the name with the variant; case and signs do not matter. Raises
    `UnknownRowError`, a `ValueError`.
    """
    found = rows()
    if software is not None:
        wanted = _plain(software)
        names = {_plain(row.software): row.software for row in found}
        if wanted not in names and wanted not in {_plain(row.name) for row in found}:
            near = get_close_matches(wanted, names, n=3, cutoff=0.5)
            meant = " or ".join(sorted(repr(names[each]) for each in near))
            hint = f"did you mean {meant}?" if near else "recloser field lists all"
            raise UnknownRowError(f"the field guide has no {software!r}: {hint}")
        found = tuple(row for row in found if wanted in {_plain(row.software), _plain(row.name)})
    if event is not None:
        if event not in EVENTS:
            raise UnknownRowError(f"no event {event!r}: give one of {', '.join(EVENTS)}")
        seen = ", ".join(dict.fromkeys(row.event for row in found))
        found = tuple(row for row in found if row.event == event)
        if not found:
            raise UnknownRowError(f"{software} has no row for {event!r}, but for {seen}")
    return found


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower()))
