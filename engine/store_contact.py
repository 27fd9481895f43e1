"""Keeps whether a store of a fleet answers those of this process that use it."""

from collections.abc import Mapping
from typing import Final
from weakref import WeakSet

from recloser import log


class StoreContact:
    """Whether a store answers: a line when it does not, and one when it does again."""

    __slots__ = ("__weakref__", "problem")

    def __init__(self) -> None:
        self.problem: Exception | None = None
        """The error of a store that gives no answer."""

    def failed(self, key: str, error: Exception, app_fields: Mapping[str, object]) -> None:
        """Note that the store gave no answer for this key."""
        if self.problem is None:
            log.store_unreachable(app_fields, key, error)
            _away.add(self)
        self.problem = error

    def answered(self, key: str, app_fields: Mapping[str, object]) -> None:
        """Note that it gave one."""
        if self.problem is not None:
            log.store_reached(app_fields, key)
            _away.discard(self)
        self.problem = None


_away: Final = WeakSet[StoreContact]()
"""Those whose store gives no answer; who is let go of meanwhile is not among them."""


def stores_away() -> int:
    """Return how many users of a store in this process get no answer: leases, governors, groups."""
    return len(_away)
