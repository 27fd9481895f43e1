"""The effects that come out of the core of a governor, in order."""

from typing import NamedTuple

from recloser.fsm.record import Close
from recloser.governor.news import News


class Grant(NamedTuple):
    """This engine dials now."""

    engine: int
    gap: float | None = None
    """Seconds until the next probe, if its dial is one: it stands for those who wait."""


class Share(NamedTuple):
    """This engine does not dial: the record of another engine's dial is its own."""

    engine: int
    close: Close


class Wake(NamedTuple):
    """End the backoff of this engine: it dials now."""

    engine: int


class Tell(NamedTuple):
    """Tell the other processes."""

    news: News


Effect = Grant | Share | Wake | Tell
