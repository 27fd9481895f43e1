"""`Workers`: the live members of a group, and the share of the work that each of them has."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Final, Protocol, Self
from uuid import uuid4

from recloser.clock import loop_clock
from recloser.fleet.core import Instant, times_of
from recloser.fleet.rendezvous import Assignment, rendezvous
from recloser.fsm.errors import RecloserError
from recloser.store_contact import StoreContact

_SHARE: Final = 3
"""A member says that it lives when one part in so many of its time has passed."""


class MemberStore(Protocol):
    """Keeps who is alive in which group. What a method raises is told in the log."""

    async def beat(self, group: str, member: str, ttl: float) -> Iterable[str]:
        """Count `member` as alive for `ttl` seconds from now; return all who are alive."""
        ...

    async def leave(self, group: str, member: str) -> None:
        """Count `member` as gone, and tell those who watch."""
        ...

    def watch(self, key: str, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback()` when a member has joined or left; soon, not surely."""
        ...


class Workers:
    """One member of a group of workers, each of which has a share of the work.

        async with Workers(store, "feeds") as workers:
            async for mine in workers.shares(symbols):
                await subscribe_to(mine)

    store: a `MemberStore`: `MemoryStore()`, or `RedisStore(url)` for a fleet.
    group: names the group; all members must give the same `ttl`.
    name: names this member; no two members have one name. A random one if None.
    ttl: seconds after which a member that says nothing is gone. It speaks each third of that.

    A key belongs to one member, by rendezvous hashing over those that are alive. When a member
    joins or dies, its share of the keys moves, and no other. While members hear of a change, two
    may have one key, or none: where that does harm, give a connection a `Lease` as well.

    A member that cannot reach the store for nine tenths of `ttl` has no keys: the others have
    them by then. Raises `TypeError` or `ValueError` for what cannot work.
    """

    def __init__(
        self, store: MemberStore, group: str, *, name: str | None = None, ttl: float = 10.0
    ) -> None:
        for what in ("beat", "leave", "watch"):
            if not callable(getattr(store, what, None)):
                raise TypeError(f"store must be a MemberStore such as MemoryStore(), not {store!r}")
        for what, given in (("group", group), ("name", name)):
            if not isinstance(given, str) and not (what == "name" and given is None):
                raise TypeError(f"{what} must be a str, not {type(given).__name__}")
            if given is not None and not given:
                raise ValueError(f"{what} must not be empty: name what it is for")
        self._times = times_of(ttl, None)
        self._store = store
        self._group = group
        self._name = uuid4().hex if name is None else name
        self._members: frozenset[str] = frozenset()
        self._sent: Instant | None = None
        self._changes = 0
        self._changed = asyncio.Event()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._unwatch: Callable[[], None] = self._news.clear
        self._contact = StoreContact()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._group!r} {len(self.members)} members>"

    @property
    def name(self) -> str:
        """The name of this member."""
        return self._name

    @property
    def members(self) -> frozenset[str]:
        """The names of those that are alive; empty while that is not known."""
        now, sent = self._now(), self._sent
        known = sent is not None and now.since(sent) < self._times.validity
        return self._members if known else frozenset()

    def has(self, key: str) -> bool:
        """Return whether this member has the key now."""
        members = self.members
        return self._name in members and rendezvous(key, members) == self._name

    async def shares(self, keys: Iterable[str]) -> AsyncIterator[frozenset[str]]:
        """Iterate over the keys that this member has: now, and after each change of them.

        Raises `RecloserError` outside of `async with`.
        """
        assignment, latest, seen = Assignment(keys), None, -1
        while True:
            if self._task is None:
                raise RecloserError("the worker is no member: use it in 'async with'")
            if seen != self._changes:
                seen = self._changes
                assignment.change(self.members)
                mine = assignment.of(self._name)
                if mine != latest:
                    latest = mine
                    yield mine
                continue
            self._changed.clear()
            await self._changed.wait()

    async def __aenter__(self) -> Self:
        if self._task is not None:
            raise RecloserError("the worker is a member already: make one for each block")
        self._unwatch = self._store.watch(self._group, self._news.set)  # before others can join
        try:
            await self._beat()
        except BaseException:
            self._unwatch()
            raise
        self._task = asyncio.get_running_loop().create_task(self._live(), name="recloser worker")
        return self

    async def __aexit__(self, *raised: object) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            self._unwatch()
            await asyncio.wait((task,))
        self._know(frozenset(), None)
        await self._ask(lambda: self._store.leave(self._group, self._name))

    # -- being alive --------------------------------------------------------------------

    def _now(self) -> Instant:
        clock = loop_clock(asyncio.get_running_loop())
        return Instant(clock.monotonic(), clock.wall())

    async def _live(self) -> None:
        while True:
            pause = self._times.retry if self._contact.problem else self._times.ttl / _SHARE
            with suppress(TimeoutError):
                async with asyncio.timeout(min(pause, self._left)):
                    await self._news.wait()
            self._news.clear()
            await self._beat()

    @property
    def _left(self) -> float:
        """Seconds for which the members are known, and a pause where they are not."""
        if self._sent is None:
            return self._times.retry
        return max(self._times.retry / 2, self._times.validity - self._now().since(self._sent))

    async def _beat(self) -> None:
        sent = self._now()
        found: list[str] = []

        async def call() -> None:
            found.extend(await self._store.beat(self._group, self._name, self._times.ttl))

        if await self._ask(call):
            self._know(frozenset(found), sent)
        elif not self.members and self._members:
            self._know(frozenset(), None)

    def _know(self, members: frozenset[str], sent: Instant | None) -> None:
        self._sent = sent
        if members != self._members or sent is None:
            self._members = members
            self._changes += 1
            self._changed.set()

    async def _ask(self, call: Callable[[], Awaitable[None]]) -> bool:
        """Ask the store, and say whether it answered; tell the log of the first failure."""
        patience = (
            self._times.patience if self._sent is None else min(self._times.patience, self._left)
        )
        try:
            async with asyncio.timeout(patience):
                await call()
        except Exception as error:  # noqa: BLE001 - of any store; the members go on alone
            self._contact.failed(self._group, error, {})
            return False
        self._contact.answered(self._group, {})
        return True
