"""The core under trio: one task owns it, and each connection is a task with a scope of its own.

pip install recloser trio websockets
python examples/core_in_trio.py ws://127.0.0.1:8765/
"""

import random
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from math import inf

import trio
from websockets.trio.client import ClientConnection, connect
from websockets_ends import record_of

from recloser.fsm import Cause, Close, Policy, State, StateChange, Timeouts, Wish
from recloser.fsm.core import Core
from recloser.fsm.effects import Abort, Announce, Dial, Shut
from recloser.fsm.events import Ask, Event, Expired, Lost, Opened
from recloser.policies import standard


@dataclass
class Generation:
    """One dial and the connection that it gives."""

    number: int
    not_before: float
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    connection: ClientConnection | None = None


class Client:
    """Awaits `on_message(connection, message)` in the task of the connection."""

    def __init__(
        self,
        url: str,
        on_message: Callable[[ClientConnection, str | bytes], Awaitable[None]],
        policy: Policy | None = None,
        on_change: Callable[[StateChange], None] = print,
    ) -> None:
        self._url, self._on_message, self._on_change = url, on_message, on_change
        self._put, self._events = trio.open_memory_channel[Event](inf)
        self._generation: Generation | None = None
        self._core = Core(policy or standard(), timeouts=Timeouts(), roll=random.random)

    async def run(self) -> None:
        """Connect; return when somebody has closed the client, or the policy has said `Stop`."""
        async with trio.open_nursery() as nursery:
            self._handle(Ask(Wish.CONNECT), nursery)
            while self._core.state is not State.CLOSED:
                due = self._core.deadline
                event: Event = Expired(due or 0.0)
                with trio.move_on_at(inf if due is None else due):
                    event = await self._events.receive()
                self._handle(event, nursery)
            nursery.cancel_scope.cancel()

    def close(self) -> None:
        """Ask for a close with code 1000."""
        self._put.send_nowait(Ask(Wish.CLOSE))

    def _handle(self, event: Event, nursery: trio.Nursery) -> None:
        for effect in self._core.handle(event, trio.current_time()):
            match effect, self._generation:
                case Announce(change), _:
                    self._on_change(change)
                case Dial(number, not_before), _:
                    self._generation = Generation(number, not_before)
                    nursery.start_soon(self._live, self._generation)
                case Shut(_, code, reason), Generation(connection=ClientConnection() as connection):
                    nursery.start_soon(connection.aclose, code, reason)
                case Shut() | Abort(), Generation(scope=scope):
                    scope.cancel()

    async def _live(self, generation: Generation) -> None:
        close = Close.cut(Cause.CANCELLED)
        with generation.scope:
            await trio.sleep_until(generation.not_before)
            try:
                async with connect(self._url, open_timeout=None) as connection:
                    generation.connection = connection
                    self._put.send_nowait(Opened(generation.number))
                    while True:
                        await self._on_message(connection, await connection.recv())
            except Exception as error:  # noqa: BLE001 - the record names the library's
                close = record_of(error)
        self._put.send_nowait(Lost(generation.number, close))


async def show(_connection: ClientConnection, message: str | bytes) -> None:
    print(message)


if __name__ == "__main__":
    trio.run(Client(sys.argv[1], show).run)
