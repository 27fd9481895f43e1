"""The places of an engine at a host: it sleeps there, or it dials."""

from collections.abc import Hashable
from typing import NamedTuple


class Sleeper(NamedTuple):
    """An engine in backoff that the return of the host may not wake yet."""

    ripe: float
    """When it may; infinity for never."""
    number: int
    """They fell asleep in this order."""
    engine: int
    route: Hashable
    """By which its next dial goes."""


class Dial(NamedTuple):
    """A dial that may begin, or has begun."""

    route: Hashable
    """By which it goes."""
    began: float
    rate: float
    """The pace at that moment; infinity if no return was going on."""
