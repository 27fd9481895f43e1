"""What one line of a journal or of a service's log says, as the engine's own records."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from recloser.fsm.change import StateChange


class RecordedError(Exception):
    """Stands for an exception that was written down: its type is only a name in its text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One change of state that was read back."""

    time: float
    """Seconds since the epoch."""
    engine: str
    """Which of the engines in the file; empty if the line does not say."""
    change: StateChange
    """As it was announced, but for redacted text, headers named like secrets, and errors.

    A line of a log has no context, a decision without `refresh` and `unsent`, and seconds
    rounded to milliseconds.
    """
    fields: Mapping[str, object] = field(default_factory=dict)
    """The application's own fields."""
