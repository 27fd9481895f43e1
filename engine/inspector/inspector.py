"""`Inspector`: what the live page knows of the engines, and the stream to the open pages."""

import asyncio
import json
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Any, Final
from weakref import WeakValueDictionary

from recloser.client import ReconnectingWebSocket
from recloser.fsm.change import StateChange
from recloser.fsm.states import State, Trigger
from recloser.inspector.rows import Moment, merged, row_of
from recloser.statistics.detector import facts_of
from recloser.statistics.observer import CloseStatistics

EVERY: Final = 0.25
"""Seconds between two messages to the pages: what changes meanwhile goes in one."""
TOTALS_EVERY: Final = 4
"""Messages for each one with totals."""
WAITING: Final = 8
"""Messages that a slow page may be behind; one that is further behind begins anew."""
MOST: Final = 20_000
"""Engines that are shown; the oldest that are closed give way."""
RECENT: Final = 2_000
"""Changes, over all engines, that a timeline is made of."""
_END: Final = ""
PAGES: Final = 20
"""Pages that may be open at a time."""


class Inspector:
    """Watches engines for the live page. Costs a row for each engine while no page is open.

        inspector = Inspector()
        inspector.watch("ada", ws)
        app.add_subapp("/recloser/", aiohttp_app(inspector))

    It belongs to one event loop.

    closes: the statistics that the page shows; one of its own, which counts the watched
        engines, if None. One that is given is to be given to the engines, too.
    wall: gives seconds since the epoch.
    """

    def __init__(
        self,
        *,
        closes: CloseStatistics | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._own = closes is None
        self._closes = CloseStatistics() if closes is None else closes
        self._wall = wall
        self._latest: dict[str, Moment] = {}
        self._ended: dict[str, Moment] = {}
        """The latest change of each engine that tells of a close."""
        self._recent: deque[Moment] = deque(maxlen=RECENT)
        self._engines: WeakValueDictionary[str, ReconnectingWebSocket] = WeakValueDictionary()
        self._dirty: set[str] = set()
        self._pages: set[asyncio.Queue[str | None]] = set()
        self._pump: asyncio.Task[None] | None = None

    def bind(self, engine: str) -> Callable[[StateChange], None]:
        """Return an observer for one engine, known to the page by this name."""

        def observe(change: StateChange) -> None:
            self.add(Moment(engine, self._wall(), change))

        return observe

    def watch(self, engine: str, ws: ReconnectingWebSocket) -> Callable[[], None]:
        """Watch an engine from now on, and let the page's buttons reach it.

        The returned function ends that. Raises `ValueError` for the name of another engine.
        """
        if self._engines.get(engine, ws) is not ws:
            raise ValueError(f"another engine is watched as {engine!r}: give each a name")
        self._engines[engine] = ws
        if engine not in self._latest:
            self._begin(engine, ws)
        unsubscribe = ws.subscribe(self.bind(engine))

        def forget() -> None:
            unsubscribe()
            self._engines.pop(engine, None)
            self._drop(engine)

        return forget

    def engine(self, name: str) -> ReconnectingWebSocket | None:
        """Return a watched engine; None for one that is unknown or gone."""
        return self._engines.get(name)

    def add(self, moment: Moment) -> None:
        """Take one change of an engine into account."""
        self._keep(moment)
        self._recent.append(moment)
        if self._own:
            self._closes(moment.change)

    def _begin(self, engine: str, ws: ReconnectingWebSocket) -> None:
        """Show an engine as it is when it begins to be watched."""
        change = StateChange(
            previous=State.CLOSED,
            current=ws.state,
            trigger=Trigger.CLOSE if ws.state is State.CLOSED else Trigger.CONNECT,
            at=0.0,
            generation=ws.generation,
            attempt=ws.attempt,
            close=ws.last_close,
            delay=ws.retry_in,
        )
        self._keep(Moment(engine, self._wall(), change))

    def _keep(self, moment: Moment) -> None:
        if moment.engine not in self._latest and len(self._latest) >= MOST:
            closed = (
                name for name, each in self._latest.items() if each.change.current is State.CLOSED
            )
            self._drop(next(closed, None) or next(iter(self._latest)))
        self._latest[moment.engine] = moment
        if moment.change.close is not None:
            self._ended[moment.engine] = moment
        if self._pages:
            self._dirty.add(moment.engine)

    def _drop(self, engine: str) -> None:
        self._latest.pop(engine, None)
        self._ended.pop(engine, None)
        if self._pages:
            self._dirty.add(engine)

    # -- what a page is told ------------------------------------------------------------

    def row(self, engine: str) -> dict[str, Any]:
        """Return the row of one engine; raises `KeyError`."""
        ended = self._ended.get(engine)
        return merged(row_of(self._latest[engine]), None if ended is None else row_of(ended))

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of all engines."""
        return [self.row(engine) for engine in self._latest]

    def timeline(self, engine: str) -> list[dict[str, Any]]:
        """Return the latest changes of one engine, of those that are remembered."""
        return [row_of(each) for each in self._recent if each.engine == engine]

    def totals(self) -> dict[str, Any]:
        """Return counts: engines by state, closes by code for each minute, rules, alarms."""
        rules: Counter[str] = Counter()
        for kind, count in self._closes.counts().items():
            rules[kind.rule] += count
        states = Counter(each.change.current.value for each in self._latest.values())
        return {
            "now": round(self._wall(), 3),
            "states": {state.value: states[state.value] for state in State},
            "minutes": [
                {str(number): count for number, count in minute.items()}
                for minute in self._closes.minutes()
            ],
            "rules": dict(rules.most_common(50)),
            "alarms": [facts_of(alarm) for alarm in self._closes.alarms],
        }

    async def stream(self) -> AsyncGenerator[str, None]:
        """Yield server-sent events: a snapshot, then what changes; until the caller goes.

        Raises `TooManyPagesError`.
        """
        if len(self._pages) >= PAGES:
            raise TooManyPagesError
        queue: asyncio.Queue[str | None] = asyncio.Queue(WAITING)
        self._pages.add(queue)
        if self._pump is None:
            self._dirty.clear()
            self._pump = asyncio.create_task(self._run(), name="recloser inspector")
        try:
            yield self._snapshot()
            while True:
                text = await queue.get()
                if text == _END:
                    return
                # None: the page was too slow for what came meanwhile.
                yield self._snapshot() if text is None else text
        finally:
            self._pages.discard(queue)
            if not self._pages:
                await self._stop()

    def end_pages(self) -> None:
        """End the stream of every open page, as a service does that stops; pages come back."""
        for queue in self._pages:
            while not queue.empty():
                queue.get_nowait()
            queue.put_nowait(_END)

    async def _stop(self) -> None:
        pump, self._pump = self._pump, None
        if pump is not None:
            pump.cancel()
            with suppress(asyncio.CancelledError):
                await pump

    async def _run(self) -> None:
        """Send what has changed to every page; runs while one is open."""
        turn = 0
        while True:
            await asyncio.sleep(EVERY)
            turn += 1
            if self._dirty:
                gone = [each for each in self._dirty if each not in self._latest]
                rows = [self.row(each) for each in self._dirty if each in self._latest]
                self._dirty.clear()
                if gone:
                    self._send(event("gone", gone))
                if rows:
                    self._send(event("rows", rows))
            if turn % TOTALS_EVERY == 0:
                self._send(event("totals", self.totals()))

    def _send(self, text: str) -> None:
        for queue in self._pages:
            if queue.full():
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(None)
            else:
                queue.put_nowait(text)

    def _snapshot(self) -> str:
        return event("snapshot", {"rows": self.rows(), "totals": self.totals()})


class TooManyPagesError(Exception):
    """As many pages are open as may be."""


def event(name: str, data: object) -> str:
    """Return a server-sent event with JSON in it."""
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"
