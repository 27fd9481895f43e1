"""One event of one server: a raw recorder and an engine are there, and both are compared."""

import asyncio
import datetime as dt
import inspect
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from recloser import Hold, Retry, State, StateChange, Stop
from recloser.fsm import Decision
from recloser.policies.field import FieldRow
from tests.field.life import STABLE, Life, pause
from tests.field.line import Line
from tests.field.ports import reserved
from tests.field.recorder import HOST, Recorder, Wire, probe
from tests.field.software import Event, Place, Process, Software, echo_server, ready, serving
from tests.field.sources import Installed, Unavailable

PROMPT = 1.5
"""Seconds in which an engine is back, beside the delay that its policy chose."""
RETURN = 60.0
"""Seconds in which an engine must be back at all."""
EXIT = 70.0
"""Seconds in which a server that was asked to end must have ended."""


@dataclass
class Outcome:
    """The row of one event, and what was not as it should be."""

    row: FieldRow
    faults: list[str] = field(default_factory=list)


def short(decision: Decision | None) -> str:
    """A decision in the word of a row: stop, refresh or retry."""
    if isinstance(decision, Retry):
        return "refresh" if decision.refresh else "retry"
    return "stop" if isinstance(decision, Stop | Hold) else "stay"


class Experiment:
    """A server that runs, and the event that it is to have."""

    def __init__(
        self, software: Software, event: Event, installed: Installed, *, timed: bool
    ) -> None:
        self.software = software
        self.event = event
        self.installed = installed
        self.timed = timed
        self._loop = asyncio.get_running_loop()

    async def run(self) -> Outcome:
        """Let it happen; raises `Unavailable` if the server cannot be started."""
        async with AsyncExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="field-"))
            [port, upstream, through, spare] = stack.enter_context(reserved(4))
            settings = self.event.settings
            self.place = Place(port, Path(folder), self.installed, upstream, spare, settings)
            self.behind: Process | None = None
            if self.software.in_front:
                self.behind = echo_server(self.place)
                await stack.enter_async_context(serving(self.behind))
            self.port = port
            self.line = Line(through, port)
            if self.event.mute:
                self.port = through
                await stack.enter_async_context(self.line)
            self.life = Life(self.software, self._url, quiet=self.event.quiet)
            self.process = self._new_process()
            if self.event.name == "start":
                await self.process.start()
                stack.push_async_callback(self.process.release)
            else:
                await stack.enter_async_context(serving(self.process, self.software))
            stack.push_async_callback(self.life.leave)
            if self.event.name == "start":
                return await self._starting()
            if self.event.name in ("refused", "overload"):
                return await self._dialled()
            return await self._ended()

    # -- the server -----------------------------------------------------------------------

    def _new_process(self) -> Process:
        command = (*self.software.command(self.place), *self.event.options)
        environment = {**self.software.environment, **self.event.environment}
        return Process(command, self.place, environment)

    def _path(self) -> str:
        return self.event.path or self.software.path_at(self.place)

    def _url(self) -> str:
        return f"ws://{HOST}:{self.port}{self._path()}"

    def _recorder(self) -> Recorder:
        software = self.software
        return Recorder(self.port, self._path(), software.subprotocols, software.headers)

    async def _serves_again(self, limit: float) -> float:
        """The moment at which a dial is answered with 101; raises `Unavailable`."""
        deadline = self._loop.time() + limit
        while True:
            began = self._loop.time()
            if await probe(
                self.place.port,
                self.software.path_at(self.place),
                self.software.subprotocols,
                self.software.headers,
            ):
                return began
            if self._loop.time() > deadline:
                raise Unavailable(f"no dial was answered within {limit:g} s after the event")
            await pause(0.05)

    # -- events of an open connection -----------------------------------------------------

    async def _ended(self) -> Outcome:
        recorder = self._recorder()
        try:
            if not await recorder.answered(20.0):
                raise Unavailable("a raw client was not answered with 101")
            opened = self._loop.time()
            for message in self.software.greeting:
                await recorder.send(message)
            self.life.start()
            if not await self.life.until(State.OPEN, 20.0):
                raise Unavailable(f"the engine did not open: {self.life.changes[-1:]}")
            if self.software.echoes and not self.event.quiet:
                await recorder.send("ready")
                if not await recorder.hear(b"ready", 10.0):
                    raise Unavailable("it did not echo")
            await pause(2 * STABLE)
            generation, before = self.life.ws.generation, len(self.life.changes)
            if self.event.message:
                await recorder.send("last")
            waits = self.event.act is None and not self.event.mute
            began = opened if waits else self._loop.time()
            target = self.behind if self.event.upstream and self.behind else self.process
            self.line.mute = self.event.mute
            acted = None if self.event.act is None else self.event.act(target)
            if inspect.isawaitable(acted):
                await acted
            seen = await recorder.end(self.event.watch)
            served = seen.at if seen.end == "open" else await self._back_in_service(target)
            answered = b"last" in recorder.heard
        finally:
            await recorder.leave()
        if seen.end == "open":
            return self._stayed(seen, began, generation)
        first = await self._first_record(before)
        back = None if first is None else await self._back(before)
        said = self._fate(answered=answered) if self.event.message else ""
        outcome = Outcome(self._row(seen, began, max(served, seen.at), first, said))
        outcome.faults.extend(self._compare(seen, first))
        if self.event.should == "stop":
            return outcome
        ended = seen.at if first is None else first.at
        outcome.faults.extend(self._late(back, max(served, ended)))
        if back is not None and not await self.life.delivered(RETURN):
            reported = len(self.life.dropped)
            waiting = len(self.life.ws.outbox)
            outcome.faults.append(f"{waiting} of {self.life.sent} messages were not acknowledged")
            outcome.faults.append(f"{reported} were reported as dropped")
        if unknown := self.life.unknown(self.place.folder):
            outcome.faults.append(f"messages {unknown} neither arrived nor were reported")
        return outcome

    async def _back_in_service(self, target: Process) -> float:
        """Start it again where it has ended; the moment at which a dial is answered again."""
        if self.event.ends:
            if not await target.ended(EXIT):
                raise Unavailable(f"it had not ended {EXIT:g} s after the event")
            await target.restart()
            await ready(target, None if target is self.behind else self.software)
            if target is self.process:
                return self._loop.time()
        return await self._serves_again(RETURN)

    async def _first_record(self, before: int) -> StateChange | None:
        """The first change with a record after the event; None if none comes."""

        def ended() -> Iterator[StateChange]:
            return (each for each in self.life.changes[before:] if each.close is not None)

        deadline = self._loop.time() + self.event.watch
        while not any(ended()) and self._loop.time() < deadline:
            await pause(0.02)
        return next(ended(), None)

    async def _back(self, before: int) -> StateChange | None:
        """The change to open after the event; None if the policy does not come back."""

        def opened() -> Iterator[StateChange]:
            return (each for each in self.life.changes[before:] if each.current is State.OPEN)

        deadline = self._loop.time() + RETURN
        while not any(opened()) and self._loop.time() < deadline:
            if self.life.ws.state in (State.CLOSED, State.PASSIVE):
                return None
            await pause(0.02)
        return next(opened(), None)

    def _fate(self, *, answered: bool) -> str:
        """What became of the message just before the stop, as far as it can be known."""
        path = self.place.folder / "received"
        if answered or not path.exists():
            return "it was answered" if answered else "it was not answered"
        arrived = b"last" in path.read_bytes().split()
        return "it arrived, and was not answered" if arrived else "it did not arrive"

    def _stayed(self, seen: Wire, began: float, generation: int) -> Outcome:
        outcome = Outcome(self._row(seen, began, began, None))
        if self.life.ws.generation != generation or self.life.ws.state is not State.OPEN:
            outcome.faults.append("the raw client's connection stayed, the engine's did not")
        return outcome

    # -- events of a dial -----------------------------------------------------------------

    async def _dialled(self) -> Outcome:
        others = await self._fill()
        down = self.behind if self.event.upstream else None
        if down is not None:
            await down.release()
        try:
            began = self._loop.time()
            self.life.start()
            recorder = self._recorder()
            if await recorder.answered(self.event.watch):
                with suppress(OSError):  # it may have been ended behind the 101
                    for message in self.software.greeting:
                        await recorder.send(message)
            seen = await recorder.end(self.event.watch)
            await recorder.leave()
            if seen.end == "open":
                await self.life.until(State.OPEN, RETURN)
                return self._stayed(seen, began, 1)
            while not any(each.close for each in self.life.changes):
                if self._loop.time() > began + RETURN:
                    break
                await pause(0.02)
        finally:
            for other in others:
                await other.leave()
        if down is not None:
            await down.start()
            await ready(down)
        freed = self._loop.time() if down is None else await self._serves_again(RETURN)
        first = next((each for each in self.life.changes if each.close is not None), None)
        outcome = Outcome(self._row(seen, began, max(seen.at, freed), first))
        outcome.faults.extend(self._compare(seen, first))
        if self.event.fill or self.event.upstream:
            outcome.faults.extend(self._late(await self._back(0), freed))
        return outcome

    async def _fill(self) -> list[Recorder]:
        """Open the connections that fill it: those that it keeps."""
        others: list[Recorder] = []
        deadline = self._loop.time() + RETURN
        while len(others) < self.event.fill:
            if self._loop.time() > deadline:
                raise Unavailable("the connections that should fill it were not taken")
            other = self._recorder()
            if await other.answered(5.0):
                await pause(0.3)
            if other.over:
                await other.leave()
            else:
                others.append(other)
        return others

    async def _starting(self) -> Outcome:
        marker = self.place.folder / "starting"
        deadline = self._loop.time() + RETURN
        while not marker.exists():
            if not self.process.running or self._loop.time() > deadline:
                raise Unavailable("it did not say that it starts")
            await pause(0.02)
        began = self._loop.time()
        self.life.start()
        recorder = self._recorder()
        seen = await recorder.end(1.0)
        await recorder.leave()
        await ready(self.process, self.software)
        served = self._loop.time()
        back = await self._back(0)
        first = next((each for each in self.life.changes if each.close is not None), None)
        if seen.end == "unanswered" and first is None:
            seen = replace(seen, end="answered late")
        outcome = Outcome(self._row(seen, began, served, first))
        outcome.faults.extend(self._late(back, served))
        if back is not None and not await self.life.delivered(RETURN):
            outcome.faults.append("not all messages were acknowledged")
        return outcome

    # -- what is found --------------------------------------------------------------------

    def _row(
        self,
        seen: Wire,
        began: float,
        served: float,
        first: StateChange | None,
        note: str = "",
    ) -> FieldRow:
        return FieldRow(
            software=self.software.name,
            variant=self.software.variant,
            version=self.software.version(self.installed),
            event=self.event.name,
            how=self.event.how,
            end=seen.end,
            code=seen.code,
            reason=seen.reason,
            status=seen.status,
            tcp=seen.tcp,
            seconds=round(max(0.0, seen.at - began), 2),
            away=round(max(0.0, served - began), 2),
            policy=self.software.policy,
            rule="" if first is None else first.rule,
            should=self.event.should,
            note="; ".join(each for each in (self.event.note, note) if each),
            date=dt.datetime.now(dt.UTC).date().isoformat(),
        )

    def _compare(self, seen: Wire, first: StateChange | None) -> Iterator[str]:
        """The record of the engine against the wire, and the decision against the row."""
        if first is None or first.close is None:
            yield f"the wire ended ({seen.end}), and the engine has no record"
            return
        close = first.close
        record = (close.code, close.reason, close.status)
        on_wire = (1006 if seen.code is None else seen.code, seen.reason, seen.status)
        if record != on_wire:
            yield f"the record says {record}, the wire {on_wire}"
        answer = short(first.decision)
        wanted = self.event.should if self.event.should in ("stop", "refresh") else "retry"
        if answer != wanted:
            yield f"the policy answers {answer} by {first.rule}, and should {wanted}"

    def _late(self, back: StateChange | None, served: float) -> Iterator[str]:
        """Whether the engine was back, and, where times are judged, back in time."""
        if back is None:
            yield "the engine did not come back"
        if back is None or not self.timed:
            return
        waits = [each.delay for each in self.life.changes if each.delay is not None]
        allowed = PROMPT + (waits[-1] if waits else 0.0)
        late = back.at - served
        if late > allowed:
            yield f"the engine was back {late:.1f} s after the server, not within {allowed:.1f} s"
