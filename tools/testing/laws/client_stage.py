"""The real client in a story: over scripted sockets and in virtual time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from structlog.testing import capture_logs

from recloser.assembly import connect
from recloser.fsm.decisions import Policy
from recloser.fsm.record import Close
from recloser.fsm.states import State
from recloser.testing.doubles.scripted import Plan, ScriptedTransport, ScriptedWire
from recloser.testing.doubles.virtual_time import run
from recloser.testing.evidence.stories import Act, Call, Invoke, Lose, Open, Story, Tell, Wait
from recloser.transport.base import DialFailed, Request

if TYPE_CHECKING:
    from recloser.fsm.change import StateChange

_TURNS: Final = 25
"""Turns of the loop in which everything happens that needs no time."""


class _Prompted(ScriptedTransport):
    """Leaves each dial hanging until the story says how it ends."""

    def __init__(self) -> None:
        super().__init__()
        self.prompt: asyncio.Future[Close | None] | None = None

    async def dial(self, request: Request, ended: Callable[[Close], None]) -> ScriptedWire:
        self.requests.append(request)
        self.dialling += 1
        self.prompt = asyncio.get_running_loop().create_future()
        try:
            failed = await self.prompt
        finally:
            self.prompt = None
            self.dialling -= 1
        if failed is not None:
            raise DialFailed(failed)
        wire = ScriptedWire(Plan(), request, ended)
        self.wires.append(wire)
        return wire


class _ClientStage:
    def __init__(self, policy: Policy, story: Story) -> None:
        self.story = story
        self.transport = _Prompted()
        self.changes: list[StateChange] = []
        self.ws = connect(
            "ws://story.example/",
            policy=policy,
            transport=self.transport,
            observers=[self.changes.append],
            seed=0,
        )
        self.leaving: list[asyncio.Task[None]] = []

    async def play(self) -> str | None:
        self.ws.connect()
        for act in self.story.acts:
            await self.perform(act)
        await self.ws.close()
        for task in self.leaving:
            await task
        await _turns()
        return self.verdict()

    def verdict(self) -> str | None:
        for change in self.changes:
            if change.error is not None:
                cause = change.error.__cause__
                return str(change.error) if cause is None else f"{change.error} ({cause!r})"
        if self.ws.state is not State.CLOSED:
            return f"closed, it is in {self.ws.state.value}"
        if self.transport.live or self.transport.dialling:
            return "closed, it still holds a socket or a dial"
        left = asyncio.all_tasks() - {asyncio.current_task()}
        return f"closed, it leaves tasks behind: {left}" if left else None

    async def perform(self, act: Act) -> None:
        match act:
            case Wait(seconds):
                await asyncio.sleep(seconds)
            case Tell(advice, retry_after, spread):
                self.ws.advise(advice, retry_after=retry_after, spread=spread)
            case Invoke(call):
                self.call(call)
            case Open():
                await self.dialling()
                await self.answer(None)
            case Lose(close, uptime, times):
                for _ in range(times):
                    await self.lose(close, uptime)
        await _turns()

    def call(self, call: Call) -> None:
        if call in (Call.CLOSE, Call.SUSPEND):
            leave = self.ws.close if call is Call.CLOSE else self.ws.suspend
            self.leaving.append(asyncio.ensure_future(leave()))
        elif call is not Call.RECONNECT or self.ws.state is not State.CLOSED:
            getattr(self.ws, call.value)()

    async def dialling(self) -> None:
        """Wait for the end of a backoff, and for the dial that follows."""
        if self.ws.state is State.BACKOFF:
            await asyncio.sleep(self.ws.retry_in or 0.0)
        await _turns()

    async def answer(self, failed: Close | None) -> None:
        """Let the dial that hangs fail or open."""
        await asyncio.sleep(self.story.takes)
        prompt = self.transport.prompt
        if prompt is not None and not prompt.done():
            prompt.set_result(failed)
        await _turns()

    async def lose(self, close: Close, uptime: float | None) -> None:
        await self.dialling()
        if self.transport.prompt is not None:
            await self.answer(None if uptime is not None else close)
        for wire in self.transport.live:
            await asyncio.sleep(uptime or 0.0)
            wire.end(close)
        await _turns()


async def _turns() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)


def perform(policy: Policy, story: Story) -> str | None:
    """Play a story, in a thread where a loop is running here; one sentence if it went wrong."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _run(policy, story)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(_run, policy, story).result()


def _run(policy: Policy, story: Story) -> str | None:
    async def play() -> str | None:
        try:
            stage = _ClientStage(policy, story)
        except TypeError as error:
            return f"the client refuses the policy: {error}"
        return await stage.play()

    with capture_logs():
        return run(play())
