"""The world of one generated story: a real engine, its scripted peer, and an application."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, cast

import recloser
from recloser import Close, ConcurrentReceive, Context, RecloserError, Retry, State, StateChange
from recloser.clock import Alarm
from recloser.driver.stable import settle
from recloser.fsm import TABLE
from recloser.testing import Plan, ScriptedTransport, ScriptedWire
from recloser.transport import Request
from tests.engine.rig import URL, called, pass_time, timers

STEPS = frozenset((row.source, row.trigger, row.target) for row in TABLE)
LATE = "of a failed dial"
LEAVING = 4000


class World(ScriptedTransport):
    """Plays what the story asks for, and checks what must hold at each event.

    `fault` collects what cannot be raised where it is seen: inside the engine's callbacks.
    """

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.upcoming: deque[Plan] = deque()
        self.providers: deque[str] = deque()
        self.hooks: deque[str] = deque()
        self.answers: deque[Any] = deque()
        self.reactions: deque[Callable[[], object]] = deque()
        self.changes: list[StateChange] = []
        self.dials_wanted = False
        """The application's last wish leads to dials."""
        self.ended: list[int] = []
        """Generations that have had their close record."""
        self.delivered = 0
        self.got: list[str] = []
        self.place = (0, -1)
        """Generation and number of the message that the consumer got last."""
        self.sent: list[str] = []
        self.refused: list[str] = []
        self.cleaning = 0
        """Tasks of a scope that have not finished."""
        self.tasks: list[asyncio.Task[Any]] = []
        self.ws = recloser.connect(
            self.url, transport=self, policy=self, on_open=self.on_open, observers=[self.changed]
        )

    def check(self, holds: object, fault: str) -> None:
        if not holds:
            self.faults.append(fault)

    # -- what the engine asks -------------------------------------------------------------

    async def url(self) -> str:
        how = self.providers.popleft() if self.providers else "now"
        if how == "fails":
            raise OSError("no vault")
        if how == "refuses":
            raise recloser.Unauthorized
        try:
            if how != "now":
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            if how == "hangs":
                raise
        return URL

    async def dial(self, request: Request, ended: Callable[[Close], None]) -> ScriptedWire:
        self.check(self.dials_wanted, "A1: a dial after an intentional end")
        self.check(not self.live, "C3: a dial before the old wire was released")
        self.check(not self.dialling, "C1: two dials in flight")
        self.check(not self.cleaning, "C3: a dial before the old tasks had ended")
        self._plans = iter([self.upcoming.popleft() if self.upcoming else Plan()])
        return await super().dial(request, ended)

    async def on_open(self, opening: recloser.Opening) -> None:
        how = self.hooks.popleft() if self.hooks else "returns"
        if how == "raises":
            raise ValueError("not what we expected")
        if how == "starts a poller":
            opening.scope.create_task(asyncio.Event().wait())  # type: ignore[arg-type]  # a bool
        elif how == "starts a closer":
            opening.scope.create_task(self.leave("close"))
        elif how == "starts a slow cleaner":
            opening.scope.create_task(self.clean_slowly())
        elif how == "receives":
            message, place = await self.message(opening.receive())
            self.check(place[0] == opening.generation, "C3: on_open got an old message")
            self.got.append(message)
        elif how == "hangs":
            await asyncio.Event().wait()
        elif how == "closes":
            await self.leave("close")

    def decide(self, close: Close, context: Context) -> Any:
        answer = self.answers.popleft() if self.answers else Retry(2.0)
        if isinstance(answer, Exception):
            raise answer
        if close.intentional and close.cause and isinstance(answer, Retry) and answer.delay:
            return recloser.Stop()  # a Retry of 0 stands for a policy that gets this wrong
        return answer

    def changed(self, change: StateChange) -> None:
        before = self.changes[-1] if self.changes else None
        self.changes.append(change)
        self.check(
            change.previous is (before.current if before else State.CLOSED),
            "I3: a change does not follow the one before",
        )
        self.check(
            (change.previous, change.trigger, change.current) in STEPS,
            f"I3: no row for {change.previous} {change.trigger} {change.current}",
        )
        if change.current is State.CONNECTING:
            self.check(self.dials_wanted, "A1: connecting after an intentional end")
        if change.close is not None:
            self.check(change.generation not in self.ended, "A7: two records of one generation")
            self.ended.append(change.generation)
        if change.current is State.CONNECTING:
            dialled = list(range(1, change.generation + (change.close is not None)))
            self.check(self.ended == dialled, "A7: a generation without a record")
        if self.reactions:
            self.reactions.popleft()()

    # -- what the application does --------------------------------------------------------

    def start(self, work: Coroutine[Any, Any, Any]) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(work))

    async def clean_slowly(self) -> None:
        self.cleaning += 1
        try:
            await asyncio.Event().wait()
        finally:
            try:
                await pass_time(2)
            finally:
                self.cleaning -= 1

    def cancel(self, index: int) -> None:
        running = [task for task in self.tasks if not task.done()]
        if running:
            running[index].cancel()

    def connect(self) -> None:
        self.dials_wanted = True
        self.ws.connect()

    def reconnect(self) -> None:
        try:
            before, self.dials_wanted = self.dials_wanted, True
            self.ws.reconnect(LEAVING)
        except RecloserError:
            self.dials_wanted = before

    async def leave(self, how: str) -> None:
        self.dials_wanted = False
        await getattr(self.ws, how)(LEAVING, "bye")

    async def message(
        self, receiving: Coroutine[Any, Any, str | bytes]
    ) -> tuple[str, tuple[int, int]]:
        message = await receiving
        assert isinstance(message, str)
        self.check(message != LATE, "C3: a message of a failed dial")
        generation, _, number = message.partition(":")
        return message, (int(generation), int(number))

    async def receive(self) -> None:
        try:
            message, place = await self.message(self.ws.receive())
            self.check(place > self.place, "C3: a message out of order, or of two interleaved")
            self.place = place
            self.got.append(message)
        except ConcurrentReceive:
            pass  # two tasks receive: one of them is told
        except RecloserError:
            self.check(self.ws.state is State.CLOSED or self.recently_closed, "H3: raised early")

    @property
    def recently_closed(self) -> bool:
        return any(change.current is State.CLOSED for change in self.changes[-4:])

    async def send(self) -> None:
        message = f"message {len(self.sent) + len(self.refused)}"
        try:
            await self.ws.send(message)
        except RecloserError:
            self.refused.append(message)
        else:
            self.sent.append(message)
            self.check(self.ws.state is State.OPEN, "G1: accepted while not open")

    async def wait_for(self, state: State) -> None:
        try:
            await self.ws.wait_for(state)
        except RecloserError:
            self.check(self.recently_closed or self.ws.state is State.CLOSED, "A11: raised early")

    @property
    def parting(self) -> bool:
        """Whether the last wire's generation has ended, and only the peer's answer is awaited."""
        if not self.live or self.ws.state is State.CLOSING:
            return False
        return self.live[-1].closed_with is not None

    # -- what the peer does ---------------------------------------------------------------

    def deliver(self) -> None:
        if self.parting and self.ws._driver.inbound._latest is not self.live[-1]:
            self.live[-1].deliver(LATE)
        elif self.live:
            self.live[-1].deliver(f"{self.ws.generation}:{self.delivered}")
            self.delivered += 1

    def lose(self, close: Close) -> None:
        if self.live:
            self.live[-1].end(close)

    def echo_of_the_dead(self, close: Close) -> None:
        """An event of an old generation reaches the engine; it must change nothing.

        The end of the stable period is taken note of before it, as before any event.
        """
        settle(self.ws._driver.core, asyncio.get_running_loop().time())
        for wire in self.wires:
            if wire.over:
                before = self.picture()
                wire._ended(replace(close))
                self.check(self.picture() == before, "C2: an old event changed something")

    def picture(self) -> tuple[object, ...]:
        core = self.ws._driver.core
        return (core.state, core.wish, core.generation, core.deadline, core.run, len(self.changes))

    # -- what must hold after every step --------------------------------------------------

    def invariants(self) -> None:
        ws, driver = self.ws, self.ws._driver
        ready = cast("Any", asyncio.get_running_loop())._ready
        due = [each for handle in ready if not handle.cancelled() for each in called(handle)]
        alarms = [each for each in (*timers(), *due) if isinstance(each, Alarm)]
        self.check(len(alarms) <= 1, "C1: two timers")
        stands = ws.state is State.OPEN and driver.core.successor is None
        waits = driver.core.deadline is not None and not stands
        self.check(waits is bool(alarms), "D1, D7: the timer is not the deadline that needs one")
        if ws.state in (State.CLOSED, State.PASSIVE):
            self.check(not alarms, "H1: a timer at rest")
            self.check(not self.live or self.parting, "H1: a socket at rest")
        self.check(len(self.live) + self.dialling <= 1, "C1: more than one connection")
        if ws.state is State.OPEN:
            self.check(len(self.live) == 1, "C1: open without a live wire")
        handed = [message for wire in self.wires for message in wire.sent]
        self.check(handed == self.sent, "G1: accepted is not what was handed over")
        pending = driver.inbound.unread
        present = None if driver.generation is None else driver.generation.wire
        pending += driver.inbound.unserved(present)
        self.check(
            self.delivered == len(self.got) + ws.statistics().undelivered + pending,
            "C3: a message is neither received, nor pending, nor counted",
        )
        assert not self.faults, self.faults
