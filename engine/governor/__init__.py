"""The governor of the dials of a process, and the protocol of a store behind it."""

from recloser.governor.governor import Governor
from recloser.governor.limits import DialLimits
from recloser.governor.news import News, Reading
from recloser.governor.store import GovernorStore

__all__ = ["DialLimits", "Governor", "GovernorStore", "News", "Reading"]
