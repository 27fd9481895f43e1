"""The part of a governor that speaks with the store of a fleet, and does without it if it must."""

import asyncio
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any, Final
from uuid import uuid4

from recloser.governor.limits import DialLimits
from recloser.governor.news import News
from recloser.governor.store import GovernorStore
from recloser.store_contact import StoreContact

_LEASE: Final = 120.0
"""Seconds after which the permit of a dial ends whose process has died."""
_PAUSE: Final = 5.0
"""Seconds for which a store that gave no answer is not asked again."""


class Sharing:
    """Takes permits of the store, gives them back, and passes news on, for one event loop."""

    __slots__ = (
        *("_away_until", "_contact", "_end", "_hear", "_limits", "_names"),
        *("_owner", "_permits", "_store", "_tasks"),
    )

    def __init__(
        self, store: GovernorStore, limits: DialLimits, hear: Callable[[News], None]
    ) -> None:
        self._store = store
        self._limits = limits
        self._hear = hear
        self._owner = uuid4().hex
        self._names = count(1)
        self._permits: dict[int, tuple[str, str]] = {}
        """The key and the name of the permit of each engine that dials."""
        self._contact = StoreContact()
        self._away_until: float | None = None
        """When to ask again a store that gave no answer; None while it answers."""
        self._end: Callable[[], None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, engine: int, key: str, gap: float | None) -> float:
        """Take a permit; return 0.0, or the seconds after which to ask again.

        `gap` is that between two probes, if the dial is one. While the store is away the result is
        0.0: the local limits hold. An engine that has a permit of this key keeps it; it gives back
        one of another key.
        """
        if engine in self._permits:
            if self._permits[engine][0] in (key, _probe(key)):
                return 0.0
            self.give_back(engine)
        if self._paused:
            return 0.0
        limits, lease = self._limits, _LEASE
        if gap is not None:
            key, limits, lease = _probe(key), DialLimits(rate=1 / gap), gap
        name = f"{self._owner} {next(self._names)}"
        self._permits[engine] = key, name
        try:
            wait = await self._store.acquire(key, name, limits, lease)
        except OSError as error:
            self._unreachable(key, error)
            wait = 0.0
        else:
            self._reached(key)
        if wait > 0:
            self._permits.pop(engine, None)
        return wait

    def give_back(self, engine: int) -> None:
        """Release the permit of an engine, if it has one."""
        permit = self._permits.pop(engine, None)
        if permit is not None and not self._paused:
            self._start(permit[0], self._store.release(*permit))

    def tell(self, news: News) -> None:
        """Publish news."""
        if not self._paused:
            self._start(news.key, self._store.publish(news))

    def listen(self, wanted: bool) -> None:
        """Hear news as long as they are wanted."""
        if wanted and self._end is None:
            self._end = self._store.subscribe(self._hear)
        elif not wanted and self._end is not None:
            end, self._end = self._end, None
            end()

    @property
    def _paused(self) -> bool:
        until = self._away_until
        return until is not None and asyncio.get_running_loop().time() < until

    def _start(self, key: str, request: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(self._attempt(key, request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _attempt(self, key: str, request: Coroutine[Any, Any, None]) -> None:
        try:
            await request
        except OSError as error:
            self._unreachable(key, error)
        else:
            self._reached(key)

    def _unreachable(self, key: str, error: OSError) -> None:
        self._contact.failed(key, error, {})
        self._away_until = asyncio.get_running_loop().time() + _PAUSE

    def _reached(self, key: str) -> None:
        self._contact.answered(key, {})
        self._away_until = None


def _probe(key: str) -> str:
    """Return the key of the probes of a host."""
    return f"probe {key}"
