"""`Budget`: the dials that a service allows in a span of time, over all lives of its clients."""

import asyncio
from bisect import insort
from collections.abc import Mapping, Sequence
from os import PathLike, fspath, getpid
from typing import Protocol
from uuid import uuid4

from recloser import log
from recloser.clock import Clock
from recloser.fsm.allowance import Allowance, wait_for_budget
from recloser.fsm.record import Cause, Close
from recloser.transport.base import DialFailed


class HasLimit(Protocol):
    """A limit as the catalogue has it: `policies.service("binance").limits`."""

    @property
    def dials(self) -> int:
        """The number of dials."""
        ...

    @property
    def seconds(self) -> float:
        """The span of time in which there may be so many."""
        ...


class BudgetStore(Protocol):
    """What keeps the dials of a budget beyond this process: a file, or a database of a fleet."""

    @property
    def name(self) -> str:
        """What a line in the log calls it."""
        ...

    async def spend(
        self,
        owner: str,
        dials: Mapping[int, float],
        own: Sequence[float],
        allowances: Sequence[Allowance],
    ) -> tuple[Sequence[float], bool]:
        """Keep dials, and say whether the last of them may start; in one atomic step.

        owner: names the object that asks; no other object has its name.
        dials: moments by number, in seconds since the epoch. The one with the greatest number is to
            start now, and is kept only if it may. The others could not be kept before; a number of
            an owner that is kept already is ignored.
        own: all earlier dials of the owner that count, in order, kept or not.
        allowances: each must leave a dial, with the dials of all owners: see `wait_for_budget`. A
            dial more than their longest span in the future is kept as one of now: a clock was set
            back.

        Returns the moments of the dials of other owners that count, in order, and whether the dial
        may start. Raises `OSError` where the store cannot be reached, within two seconds. Safe to
        cancel: the dial is then kept or not.
        """
        ...


class Budget:
    """The most dials in any span of time, of one engine or of all engines that share it.

        budget = recloser.Budget((300, 300.0), (1000, 86_400.0), path="dials.db")
        ws = recloser.connect(url, budget=budget)

    allowances: pairs of a number of dials and a span in seconds, or limits of the catalogue:
        `Budget(*policies.service("binance").limits)`. Each of them is kept.
    path: a SQLite file, made for this user alone if it is not there. With it the dials of earlier
        processes count, and those of other processes that use the file now. A dial writes it in a
        thread, and waits for that two seconds at most. While it cannot be written, a log line
        says so, and the dials of this process count on in memory.
    store: what keeps the dials instead of a file, for the processes of a fleet: a `BudgetStore`.

    No dial exceeds it, whoever asks: a backoff, `connect()`, a hint. A stable connection resets
    nothing. A `Retry` that would come too early is put off, by the rule `budget-spent`; a dial
    that is asked for too early fails at once with cause BUDGET, and nothing goes out. Engines
    that share a budget belong to one event loop.

    Raises `TypeError` or `ValueError` for allowances that cannot work, and `OSError` for a file
    that cannot be opened, or belongs to something else.
    """

    __slots__ = (
        "_allowances",
        "_count",
        "_lock",
        "_longest",
        "_others",
        "_own",
        "_owner",
        "_process",
        "_store",
        "_unsaved",
    )

    def __init__(
        self,
        *allowances: tuple[int, float] | HasLimit,
        path: str | PathLike[str] | None = None,
        store: BudgetStore | None = None,
    ) -> None:
        if not allowances:
            raise ValueError("a budget needs an allowance: Budget((300, 300.0)), say")
        self._allowances = tuple(_allowance(each) for each in allowances)
        self._longest = max(each.seconds for each in self._allowances)
        if path is not None and store is not None:
            raise TypeError("a budget has a path or a store: give one of them")
        if store is not None and not callable(getattr(store, "spend", None)):
            raise TypeError(f"store must be a BudgetStore with spend(...), not {store!r}")
        self._store = store if path is None else _file(path)
        self._owner = uuid4().hex
        self._process = getpid()
        self._lock = asyncio.Lock()
        self._count = 0
        self._own: list[float] = []
        """The dials of this object, in seconds of the monotonic clock, in order."""
        self._others: list[float] = []
        """Those of others as the store had them last, on the same clock, in order."""
        self._unsaved: dict[int, float] = {}
        """Dials of this object that are not in the store yet, by number."""

    def __repr__(self) -> str:
        spans = ", ".join(f"{each.dials} in {each.seconds:g} s" for each in self._allowances)
        return f"<{type(self).__name__} {spans}>"

    def wait(self, now: float) -> float:
        """Return the seconds from `now` before which a dial would exceed it, as far as is known.

        `now` is on the engine's monotonic clock.
        """
        return wait_for_budget(self._allowances, sorted((*self._own, *self._others)), now)

    async def spend(self, clock: Clock, fields: Mapping[str, object]) -> None:
        """Count a dial that starts now; raises `DialFailed` with cause BUDGET if none is left.

        `fields` are those of the engine's log lines.
        """
        if self._process != getpid():
            self._forked()
        async with self._lock:
            now = clock.monotonic()
            if self.wait(now) > 0:
                raise DialFailed(Close.by_engine(Cause.BUDGET))
            self._own = [each for each in self._own if each > now - self._longest]
            before = tuple(self._own)
            insort(self._own, now)  # it counts also if this is cancelled while the store is written
            if self._store is None or await self._save(self._store, now, before, clock, fields):
                return
            self._own.remove(now)
            raise DialFailed(Close.by_engine(Cause.BUDGET))

    def _forked(self) -> None:
        """Count from now on as another owner than the process that was forked."""
        self._process = getpid()
        self._lock = asyncio.Lock()
        if self._store is not None:
            self._owner = uuid4().hex
            self._others = sorted((*self._others, *self._own))  # they are the parent's
            self._own = []
            self._unsaved = {}

    async def _save(
        self,
        store: BudgetStore,
        now: float,
        before: Sequence[float],
        clock: Clock,
        fields: Mapping[str, object],
    ) -> bool:
        """Keep a dial that starts now, and those that could not be kept before.

        Returns False if the dials of others leave none; only the earlier ones are kept then.
        """
        offset = clock.wall() - now
        self._count += 1
        self._unsaved = {
            number: at for number, at in self._unsaved.items() if at > now - self._longest
        }
        self._unsaved[self._count] = now
        rows = {number: at + offset for number, at in self._unsaved.items()}
        own = [at + offset for at in before]
        try:
            others, granted = await store.spend(self._owner, rows, own, self._allowances)
        except OSError as error:
            log.budget_not_saved(fields, store.name, error)
            return True
        self._others = [at - offset for at in others]
        self._unsaved.clear()
        return granted


def _allowance(given: object) -> Allowance:
    if isinstance(given, tuple):
        if len(given) != 2:  # noqa: PLR2004 - a pair
            raise TypeError(f"an allowance is a pair of dials and seconds, not {given!r}")
        return Allowance(*given)
    dials, seconds = getattr(given, "dials", None), getattr(given, "seconds", None)
    if dials is None or seconds is None:
        raise TypeError(f"an allowance is a pair of dials and seconds, not {given!r}")
    return Allowance(dials, seconds)


def _file(path: object) -> BudgetStore:
    name = fspath(path) if isinstance(path, PathLike) else path
    if not isinstance(name, str):
        raise TypeError(f"path must be a str or a path of str, not {path!r}")
    if not name or name.startswith((":", "file:")):  # SQLite would keep it in memory
        raise ValueError(f"path must be that of a file, not {name!r}")
    from recloser.budget_file import BudgetFile  # noqa: PLC0415 - loads SQLite; most need no file

    return BudgetFile(name)
