"""The events that go into the core of a governor. An engine is an int of the caller's choice."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import NamedTuple

from recloser.fsm.record import Close
from recloser.governor.news import News


class Ask(NamedTuple):
    """An engine wants to dial now."""

    engine: int
    key: str
    route: Hashable = None
    """Who has the same route may take the record of this engine's dial for its own."""
    intentional: bool = False
    """The application asked for this dial."""


class Ended(NamedTuple):
    """A dial that was granted has ended; the engine has given its permit back.

    After a failure the engine says what comes next: `Sleep`, `Ask` or `Leave`.
    """

    engine: int
    close: Close | None
    """The record of its failure; None: it has opened."""


class Sleep(NamedTuple):
    """An engine begins a backoff."""

    engine: int
    key: str
    close: Close
    """The record of the end before."""
    wake: bool = True
    """Whether the return of the host may end the backoff."""


class Leave(NamedTuple):
    """An engine neither waits nor dials any more."""

    engine: int


class Defer(NamedTuple):
    """An engine gives its turn to probe back: another process has dialled a probe."""

    engine: int
    seconds: float
    """How long to wait for the news of that probe."""


class Hear(NamedTuple):
    """Another process tells of a host."""

    news: News


@dataclass(frozen=True, slots=True)
class Due:
    """The deadline has passed."""


Event = Ask | Ended | Sleep | Leave | Defer | Hear | Due
