"""Close statistics: how often connections end, of what kind, and an alarm when that is unusual.

from recloser.statistics import CloseStatistics

closes = CloseStatistics()
ws = recloser.connect(url, observers=[closes])
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from recloser.statistics.detector import CloseAlarm
from recloser.statistics.kinds import CloseKind, EndKind

if TYPE_CHECKING:
    from recloser.statistics.observer import CloseStatistics

__all__ = ["CloseAlarm", "CloseKind", "CloseStatistics", "EndKind"]


def __getattr__(name: str) -> Any:
    """Load the observer when it is first used: who reads a journal needs no log."""
    if name != "CloseStatistics":
        from recloser.fsm.spelling import UnknownName  # noqa: PLC0415 - a mistake needs it

        raise UnknownName("recloser.statistics", name, __all__)
    value = import_module("recloser.statistics.observer").CloseStatistics
    globals()[name] = value
    return value
