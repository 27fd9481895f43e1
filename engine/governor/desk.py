"""One governor's core in one event loop: it is told what engines say, and its effects happen."""

import asyncio
from collections.abc import Coroutine, Hashable
from typing import TYPE_CHECKING, Any

from recloser.clock import Alarm, loop_clock
from recloser.fsm.events import Hint
from recloser.fsm.named_tuple import NamedTuple
from recloser.fsm.record import Close
from recloser.governor.core import GovernorCore
from recloser.governor.effects import Effect, Grant, Share, Tell, Wake
from recloser.governor.limits import DialLimits
from recloser.governor.news import News
from recloser.governor.sharing import Sharing
from recloser.governor.store import GovernorStore
from recloser.transport.base import DialFailed

if TYPE_CHECKING:
    from weakref import ref

    from recloser.contract import Hinted


class Rest(NamedTuple):
    """A backoff that the return of the host may end."""

    driver: "ref[Hinted]"
    """Who takes the hint that ends it."""
    address: str
    """What is dialled then."""
    route: Hashable
    """By what."""


class Desk:
    """Tells one core what engines say, and performs its effects in one event loop.

    It keeps neither that loop nor an engine alive.
    """

    __slots__ = ("_alarm", "_answers", "_asleep", "_core", "_rings", "_sharing", "asking", "woken")

    def __init__(self, core: GovernorCore, store: GovernorStore | None, limits: DialLimits) -> None:
        self._core = core
        self._sharing = None if store is None else Sharing(store, limits, self._hear)
        self._alarm = Alarm()
        self._rings: float | None = None
        """When the alarm rings: at the deadline of the core."""
        self._answers: dict[int, Grant | Close | asyncio.Future[Grant | Close] | None] = {}
        """What those get who want to dial: a permit, or a record that stands for theirs; until
        then the future of it, or None while the core is still being asked."""
        self.asking: set[int] = set()
        """Those that have no permit yet."""
        self._asleep: dict[int, Rest] = {}
        """Those in backoff."""
        self.woken: dict[int, str] = {}
        """Those who have got that hint, with the permit to dial this address, and nothing more to
        ask for: no store shares the permits."""

    # -- what engines say ----------------------------------------------------------------

    def permit(
        self, engine: int, key: str, route: Hashable, intentional: bool
    ) -> Coroutine[Any, Any, bool] | None:
        """See `Route.permit`."""
        self._asleep.pop(engine, None)
        now = asyncio.get_running_loop().time()
        found = self._core.ask(engine, key, now, route=route, intentional=intentional)
        answer = Grant(engine) if found is None else self._asked(engine, found)
        if self._sharing is None and type(answer) is Grant:
            return None
        return self._turn(engine, key, answer)

    def opened(self, engine: int) -> None:
        """Take note that a dial has opened."""
        found = self._core.opened(engine, asyncio.get_running_loop().time())
        self._perform(found, done=engine)

    def failed(self, engine: int, close: Close) -> None:
        """Take note that a dial has failed with this record."""
        found = self._core.failed(engine, close, asyncio.get_running_loop().time())
        self._perform(found, done=engine)

    def sleep(
        self, engine: int, key: str, rest: Rest, close: Close, *, wake: bool, brief: bool
    ) -> None:
        """See `GovernorCore.sleep`."""
        self.woken.pop(engine, None)  # it was lost before it asked
        self._asleep[engine] = rest
        now = asyncio.get_running_loop().time()
        found = self._core.sleep(engine, key, close, now, route=rest.route, wake=wake, brief=brief)
        self._perform(found)

    def dials(self, engine: int) -> bool:
        """Whether the engine dials, or waits for that."""
        return self._core.dials(engine)

    def leave(self, engine: int) -> None:
        """Take note that the engine neither waits nor dials."""
        self._asleep.pop(engine, None)
        self.woken.pop(engine, None)
        self._part(engine)

    def _part(self, engine: int) -> None:
        found = self._core.leave(engine, asyncio.get_running_loop().time())
        self._perform(found, done=engine)

    def _asked(
        self, engine: int, found: list[Effect]
    ) -> "Grant | Close | asyncio.Future[Grant | Close]":
        """Perform what follows from a question; return the answer to it, or the future of it."""
        self._answers[engine] = None
        self._perform(found)
        answer = self._answers[engine]
        if answer is None:
            answer = self._answers[engine] = asyncio.get_running_loop().create_future()
        else:
            del self._answers[engine]
        return answer

    async def _turn(
        self, engine: int, key: str, answer: "Grant | Close | asyncio.Future[Grant | Close]"
    ) -> bool:
        """Return once the engine may dial, and whether it had to wait."""
        waited, sharing = False, self._sharing
        self.asking.add(engine)
        try:
            while True:
                if isinstance(answer, asyncio.Future):
                    waited, turn = True, answer
                    try:
                        answer = await turn
                    finally:
                        if self._answers.get(engine) is turn:
                            del self._answers[engine]
                if isinstance(answer, Close):
                    raise DialFailed(answer)
                if sharing is None:
                    return waited
                wait = await sharing.take(engine, key, answer.gap)
                while wait > 0 and answer.gap is None:
                    waited = True
                    await asyncio.sleep(wait)
                    wait = await sharing.take(engine, key, None)
                if wait <= 0:
                    return waited
                now = asyncio.get_running_loop().time()
                answer = self._asked(engine, self._core.defer(engine, wait, now))
        except asyncio.CancelledError:
            self._part(engine)
            raise
        finally:
            self.asking.discard(engine)

    # -- what the core answers -----------------------------------------------------------

    def _perform(self, found: list[Effect], *, done: int | None = None) -> None:
        """Perform the effects of the core; `done`: the engine whose permit is given back."""
        for effect in found:
            match effect:
                case Wake(engine):
                    self._wake(engine)
                case Grant(engine):
                    self._answer(engine, effect)
                case Share(engine, close):
                    self._answer(engine, close)
                case Tell(news) if self._sharing is not None:
                    self._sharing.tell(news)
        core = self._core
        if self._sharing is not None:
            if done is not None:
                self._sharing.give_back(done)
            self._sharing.listen(core.hosts > 0)
        if core.deadline != self._rings:
            self._set_alarm(core.deadline)

    def _wake(self, engine: int) -> None:
        rest = self._asleep.pop(engine, None)
        if rest is None:
            return
        driver = rest.driver()
        if driver is None:
            self._part(engine)  # it was forgotten
            return
        if self._sharing is None:
            self.woken[engine] = rest.address
        driver.feed(Hint())

    def _answer(self, engine: int, answer: Grant | Close) -> None:
        turn = self._answers.get(engine)
        if isinstance(turn, asyncio.Future):
            if not turn.done():
                turn.set_result(answer)
        elif engine in self._answers:
            self._answers[engine] = answer

    def _hear(self, news: News) -> None:
        self._perform(self._core.hear(news, asyncio.get_running_loop().time()))

    def _set_alarm(self, due: float | None) -> None:
        self._rings = due
        self._alarm.set(due, loop_clock(asyncio.get_running_loop()), self._ring)

    def _ring(self, deadline: float) -> None:
        del deadline
        self._rings = None
        self._perform(self._core.pass_time(asyncio.get_running_loop().time()))
