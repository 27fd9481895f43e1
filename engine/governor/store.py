"""The protocol of a store that governors of many processes share: permits, and news of hosts.

A fleet has a store behind it that all its processes reach: Redis, say. `GovernorStore` is all that
a governor asks of one, so that another store can be put in its place. A store need not know what a
host, a probe or a return is. How dials that count over days are shared says `BudgetStore`
(`recloser.budget`).
"""

from collections.abc import Callable
from typing import Protocol

from recloser.governor.limits import DialLimits
from recloser.governor.news import News


class GovernorStore(Protocol):
    """Permits and news for all processes of a fleet.

    Each coroutine raises `OSError` (a `ConnectionError`, say) while the store is away, within two
    seconds. The governor then goes on with its local limits, says so in the log, and asks the store
    again at later dials.
    """

    async def acquire(self, key: str, permit: str, limits: DialLimits, lease: float) -> float:
        """Take a permit to dial, if `limits` leave one for `key` in the whole fleet.

        Returns 0.0 where the permit was taken. Otherwise nothing was taken, and the result is the
        seconds after which to ask again, above 0; where a dial must end first, about a second.

        key: a text of up to 500 characters. Keys that differ have nothing to do with each other.
        permit: names the permit; two permits never have the same name.
        limits: the same for each key in a fleet that is configured as one. `rate` spaces the starts
            of dials evenly, over all processes, by the clock of the store. `at_once` bounds the
            permits that are neither released nor older than their lease.
        lease: seconds after which the permit counts as released: its process may have died.

        Safe to cancel: a permit that was taken although nobody got the answer ends by its lease.
        """
        ...

    async def release(self, key: str, permit: str) -> None:
        """Give a permit back; without effect for one that ended before."""
        ...

    async def publish(self, news: News) -> None:
        """Tell all other processes; news may be lost, and may come twice or late."""
        ...

    def subscribe(self, hear: Callable[[News], None]) -> Callable[[], None]:
        """Call `hear` with the news of other processes, in the running event loop.

        Returns a function that ends it, after which nothing of the subscription remains.
        """
        ...
