"""One dial at a host, from its permit to its end."""

from collections.abc import Hashable
from typing import NamedTuple


class Dial(NamedTuple):
    """A dial that may begin, or has begun."""

    route: Hashable
    """By which it goes."""
    began: float
    rate: float
    """The pace at that moment; infinity if no return was going on."""
