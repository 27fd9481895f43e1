"""Sends lines as messages and shows messages as lines, until one side ends it."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from math import isinf
from typing import Any

from recloser.cli.terminal.display import Display
from recloser.client import ReconnectingWebSocket
from recloser.fsm.change import StateChange
from recloser.fsm.errors import ConnectionClosed, PolicyError
from recloser.fsm.states import State
from recloser.transport.errors import NotOpen


class Resting(Exception):
    """The policy answered Hold, and without a terminal no line can wake the engine."""


class Conversation:
    """One run of the terminal client.

    interactive: the lines are typed. A line that cannot be sent at once is refused with a note,
        an empty line dials now, and the end of the input ends the conversation.
        Otherwise each line waits until it can be sent, and after the last one the
        conversation goes on for `linger` seconds, for answers.
    """

    def __init__(
        self,
        ws: ReconnectingWebSocket,
        lines: AsyncIterator[bytes],
        display: Display,
        *,
        interactive: bool,
        binary: bool,
        linger: float,
    ) -> None:
        self._ws = ws
        self._lines = lines
        self._display = display
        self._interactive = interactive
        self._binary = binary
        self._linger = linger
        self._left = asyncio.Event()
        self._refused = 0

    def leave(self) -> None:
        """End it as soon as possible, with an intentional 1000."""
        self._left.set()

    async def run(self) -> int:
        """Return 0 when it was left, 1 when the policy ended it or a line was refused.

        Cancelled, it ends within a second.
        """
        ways: tuple[Coroutine[Any, Any, object], ...] = (
            self._own(),  # the first to run, since it connects
            self._listen(),
            self._talk(),
            self._rests(),
            self._left.wait(),
        )
        tasks = [asyncio.ensure_future(way) for way in ways]
        try:
            done, _ = await asyncio.wait(tasks[1:], return_when=asyncio.FIRST_COMPLETED)
            # Messages that arrive during the closing are shown, too.
            await self._ws.close()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        outcomes = {self._outcome(task) for task in done}  # several may have met the same end
        for _, text in sorted(outcomes):
            if text:
                self._display.note(text)
        return max(status for status, _ in outcomes)

    async def _own(self) -> None:
        """Own the engine; a cancellation before the engine is closed aborts it."""
        async with self._ws:
            await asyncio.get_running_loop().create_future()

    def _outcome(self, task: "asyncio.Future[object]") -> tuple[int, str]:
        """Return the exit status of the end that a task met, and a note on it."""
        error = task.exception()
        if error is None:
            return (1 if self._refused else 0), ""
        if isinstance(error, BrokenPipeError):
            return 0, ""  # the reader of the messages has closed the pipe, as `head` does
        if isinstance(error, ConnectionClosed) and error.change is not None:
            return 1, f"stopped: rule {error.change.rule} gave up"  # the change itself was shown
        if isinstance(error, PolicyError | Resting):
            return 1, f"stopped: {error}"
        if isinstance(error, OSError):
            return 1, f"cannot read or write: {error.strerror}"
        raise error

    async def _listen(self) -> None:
        async for message in self._ws:
            await self._display.message(message)

    async def _rests(self) -> None:
        if self._interactive:
            await asyncio.get_running_loop().create_future()
        resting: asyncio.Future[StateChange] = asyncio.get_running_loop().create_future()

        def changed(change: StateChange) -> None:
            if change.current is State.PASSIVE and not resting.done():
                resting.set_result(change)

        self._ws.subscribe(changed)
        change = await resting
        raise Resting(f"rule {change.rule} rests, and in a pipe nobody can wake it")

    async def _talk(self) -> None:
        number = 0
        async for line in self._lines:
            number += 1
            message = self._message(line, number)
            if message is None:
                continue
            if self._interactive:
                await self._send(message)
            else:
                await self._send_waiting(message, number)
        if self._interactive:
            return
        await self._ws.wait_for(State.OPEN)
        if isinf(self._linger):
            await asyncio.get_running_loop().create_future()
        await asyncio.sleep(self._linger)

    def _message(self, line: bytes, number: int) -> str | bytes | None:
        if self._binary:
            return line
        try:
            return line.removesuffix(b"\r").decode()
        except UnicodeDecodeError:
            self._refused += 1
            self._display.note(f"line {number} not sent: it is no UTF-8 (--binary sends any bytes)")
            return None

    async def _send(self, message: str | bytes) -> None:
        ws = self._ws
        if not message:
            ws.wake()  # an empty line: now, rather than later
            return
        try:
            await ws.send(message)
        except NotOpen:
            wait = "" if ws.retry_in is None else f", next dial in {ws.retry_in:.0f} s"
            hint = "; Enter dials now" if ws.state in (State.BACKOFF, State.PASSIVE) else ""
            self._display.note(f"not sent ({ws.state.value}{wait}){hint}")
        except ConnectionError:
            self._display.note("the connection ended while sending: perhaps it did not arrive")

    async def _send_waiting(self, message: str | bytes, number: int) -> None:
        ws, display = self._ws, self._display
        while True:
            try:
                await ws.send(message)
            except NotOpen:
                display.waiting = 1
                display.status()
                await ws.wait_for(State.OPEN)
                display.waiting = 0
                display.status()
            except ConnectionError:
                display.note(f"the connection ended while sending line {number}: sending it again")
                await ws.wait_for(State.OPEN)
            else:
                return
