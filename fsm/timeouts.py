"""The deadlines that the core keeps."""

from typing import Final

from recloser.fsm.numbers import check_seconds
from recloser.fsm.value import Value, assign

STABLE: Final = 10.0
"""Seconds: `Timeouts.stable` unless the application says otherwise."""
FAREWELL: Final = 0.5
"""Seconds for the peer's answer to a close frame when the application wants to dial again."""


class Timeouts(Value):
    """Deadlines in seconds. Raises `TypeError` or `ValueError` unless finite and above 0."""

    __slots__ = ("close", "connect", "stable")
    __match_args__ = ()

    connect: float
    """For one dial: providers, look-up, TCP, TLS, upgrade and `on_open` together."""
    close: float
    """For closing in all, whatever the peer does; then the transport is aborted."""
    stable: float
    """Time in open after which the failures are forgotten."""

    def __init__(
        self, *, connect: float = 20.0, close: float = 5.0, stable: float = STABLE
    ) -> None:
        for name, given in (("connect", connect), ("close", close), ("stable", stable)):
            check_seconds(f"timeouts.{name}", given, positive=True)
            assign(self, name, given)
