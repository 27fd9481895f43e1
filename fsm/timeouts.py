"""The deadlines that the core keeps."""

from dataclasses import dataclass, fields
from typing import Final

from recloser.fsm.numbers import check_seconds

STABLE: Final = 10.0
"""Seconds: `Timeouts.stable` unless the application says otherwise."""
FAREWELL: Final = 0.5
"""Seconds for the peer's answer to a close frame when the application wants to dial again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Deadlines in seconds. Raises `TypeError` or `ValueError` unless finite and above 0."""

    connect: float = 20.0
    """For one dial: providers, look-up, TCP, TLS, upgrade and `on_open` together."""
    close: float = 5.0
    """For closing in all, whatever the peer does; then the transport is aborted."""
    stable: float = STABLE
    """Time in open after which the failures are forgotten."""

    def __post_init__(self) -> None:
        for each in fields(self):
            check_seconds(f"timeouts.{each.name}", getattr(self, each.name), positive=True)
