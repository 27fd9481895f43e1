"""The governor of the dials of a process, and the protocol of a store behind it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from recloser.governor.limits import DialLimits
from recloser.governor.news import News, Reading
from recloser.governor.store import GovernorStore

if TYPE_CHECKING:
    from recloser.governor.governor import Governor

__all__ = ["DialLimits", "Governor", "GovernorStore", "News", "Reading"]


def __getattr__(name: str) -> Any:
    """Load the governor when it is first used: the simulator needs its core alone."""
    if name != "Governor":
        from recloser.fsm.spelling import UnknownName  # noqa: PLC0415 - a mistake needs it

        raise UnknownName(__name__, name, __all__)
    value = import_module("recloser.governor.governor").Governor
    globals()[name] = value
    return value
