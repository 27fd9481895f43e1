"""What may befall an engine with an outbox over scripted sockets, a step at a time."""

import asyncio
from typing import Any

from hypothesis import strategies as st

import recloser
from recloser import Close, Delivery, Hold, Outbox, Retry, State, Stop
from recloser.fsm import Unsent
from recloser.testing import Plan, ScriptedTransport
from tests.engine.rig import CUT, others, pass_time, timers, turns

CODES = (1000, 1001, 1003, 1006, 1007, 1008, 1009, 1011, 1012, 1013, 3000, 4000, 4401)
ENDS = st.sampled_from([CUT] + [Close.frame(code) for code in CODES])
DECISIONS = st.sampled_from(
    [
        decision
        for fate in Unsent
        for decision in (Retry(2.0, unsent=fate), Hold(unsent=fate), Stop(unsent=fate))
    ]
)


class Fated:
    """Decides as it was told last; what the application asked for is followed."""

    def __init__(self) -> None:
        self.decision: Any = Retry(2.0)

    def decide(self, close: Close, context: recloser.Context) -> Any:
        if close.intentional:
            return Stop(unsent=self.decision.unsent)
        return self.decision


class Life:
    """One engine whose messages are numbered as they were sent, and what was asked of it."""

    def __init__(self, outbox: Outbox) -> None:
        self.policy = Fated()
        self.transport = ScriptedTransport(Plan() for _ in range(100))
        self.ws = recloser.connect(
            "ws://feed.example", outbox=outbox, policy=self.policy, transport=self.transport
        )
        self.count = 0
        self.tasks: dict[str, asyncio.Task[Delivery]] = {}
        self.cancelled: set[str] = set()
        self._leavers: list[asyncio.Task[None]] = []

    def send(self, options: dict[str, Any]) -> None:
        self.count += 1
        message = f"{self.count:04}"
        self.tasks[message] = asyncio.ensure_future(self.ws.send(message, **options))

    def outcomes(self) -> tuple[set[str], set[str]]:
        """The messages that were accepted since it was asked last, and those that wait."""
        accepted = set()
        for message, task in list(self.tasks.items()):
            if task.done():
                del self.tasks[message]
                if not task.cancelled() and task.exception() is None:
                    accepted.add(message)
        return accepted, set(self.tasks)

    async def perform(self, name: str, value: Any) -> None:
        """Have something happen that is not about one message."""
        ws = self.ws
        wire = self.transport.live[-1] if self.transport.live else None
        match name:
            case "send":
                for options in value:
                    self.send(options)
            case "end" if wire is not None:
                close, self.policy.decision = value
                wire.end(close)
            case "flow" if wire is not None:
                wire.flow(value)
            case "deafen" if wire is not None:
                wire.closed_with = wire.closed_with or (1000, "")  # ended, and nobody was told
            case "wait":
                await pass_time(value)
            case "cancel" if self.tasks:
                message, task = next(reversed(self.tasks.items()))
                task.cancel()
                self.cancelled.add(message)
            case "connect":
                ws.connect()
            case "reconnect" if ws.state is not State.CLOSED:
                self.policy.decision = value
                ws.reconnect()
            case "suspend" | "close":
                self.policy.decision = value
                self._leavers.append(asyncio.ensure_future(getattr(ws, name)()))

    async def over(self) -> None:
        """See that nothing is left of it, once it was closed."""
        assert all(task.done() for task in self._leavers)
        assert all(task.done() for task in self.tasks.values())
        await turns()
        assert others() == set()
        assert timers() == []
