"""An engine with the standard policy that lives through an event of a real server."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import recloser
from recloser import Acknowledgements, Outbox, State, StateChange
from recloser.fsm import Timeouts
from recloser.outbox import Drop, Message
from tests.field.software import Software
from tests.policies.rig import shipped

STABLE = 0.5
"""Seconds after which a connection counts as stable: the runs are shorter than a service's life."""


async def pause(seconds: float) -> None:
    """Let time pass: what is looked at here lives by the real clock."""
    await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=seconds)


class Life:
    """One engine, the changes of its state, and the messages that it sends all the while."""

    def __init__(self, software: Software, url: Callable[[], str], *, quiet: bool) -> None:
        self.changes: list[StateChange] = []
        self.dropped: list[Drop] = []
        self.sent = 0
        self._speaks = software.echoes and not quiet
        outbox = Outbox(
            on_drop=self.dropped.append,
            acknowledgements=Acknowledgements(matcher=self._number, render=self._text, timeout=5.0),
        )
        self.ws = recloser.connect(
            url,
            policy=shipped()[software.policy],
            timeouts=Timeouts(stable=STABLE, connect=8.0),
            subprotocols=software.subprotocols,
            headers=dict(software.headers),
            heartbeat=None if quiet else recloser.Heartbeat(),
            outbox=outbox if self._speaks else None,
            on_open=self._greet if software.greeting else None,
            observers=[self.changes.append],
        )
        self._greeting = software.greeting
        self._talk: asyncio.Task[None] | None = None

    async def _greet(self, opening: recloser.Opening) -> None:
        for message in self._greeting:
            await opening.send(message)

    @staticmethod
    def _text(message: Message) -> str:
        return f"message {message.number}"

    @staticmethod
    def _number(message: str | bytes) -> int | None:
        words = (message if isinstance(message, str) else message.decode("latin-1")).split()
        return int(words[1]) if words[:1] == ["message"] and len(words) == 2 else None

    def start(self) -> None:
        """Dial, and begin to talk."""
        self.ws.connect()
        if self._speaks:
            self._talk = asyncio.create_task(self._speak())

    async def _speak(self) -> None:
        while True:
            await self.ws.send("")
            self.sent += 1
            await pause(0.1)

    async def until(self, state: State, limit: float) -> bool:
        """Wait for a state; False if it does not come within the limit, or never can."""
        try:
            await asyncio.wait_for(self.ws.wait_for(state), limit)
        except (TimeoutError, recloser.ConnectionClosed):
            return False
        return True

    async def delivered(self, limit: float) -> bool:
        """Stop talking; whether all messages are acknowledged within the limit."""
        if self._talk is None:
            return True
        self._talk.cancel()
        with suppress(asyncio.CancelledError, recloser.ConnectionClosed):
            await self._talk
        try:
            await asyncio.wait_for(self.ws.drain(), limit)
        except (TimeoutError, recloser.ConnectionClosed):
            return False
        return True

    def unknown(self, folder: Path) -> list[int]:
        """The messages that neither the application of the server nor the engine tells of.

        An application of ours writes down what comes in; see `apps/received.py`. Empty where the
        server runs none.
        """
        path = folder / "received"
        if not path.exists():
            return []
        arrived = {self._number(line) for line in path.read_text("latin-1").splitlines()}
        dropped = {each.message.number for each in self.dropped}
        return sorted(set(range(1, self.sent + 1)) - arrived - dropped)

    async def leave(self) -> None:
        """End the engine."""
        if self._talk is not None:
            self._talk.cancel()
            with suppress(asyncio.CancelledError, recloser.ConnectionClosed):
                await self._talk
        await self.ws.close()
