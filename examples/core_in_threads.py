"""The core under threads, without asyncio: one thread owns it, and each connection has its own.

pip install recloser websockets
python examples/core_in_threads.py ws://127.0.0.1:8765/
"""

import random
import sys
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic, sleep

from websockets.sync.client import ClientConnection, connect
from websockets_ends import record_of

from recloser.fsm import Cause, Close, Policy, State, StateChange, Timeouts, Wish
from recloser.fsm.core import Core
from recloser.fsm.effects import Abort, Announce, Dial, Shut
from recloser.fsm.events import Ask, Event, Expired, Lost, Opened
from recloser.policies import standard

TIMEOUTS = Timeouts()


class Client:
    """Calls `on_message(connection, message)` on the thread of the connection."""

    def __init__(
        self,
        url: str,
        on_message: Callable[[ClientConnection, str | bytes], None],
        policy: Policy | None = None,
        on_change: Callable[[StateChange], None] = print,
    ) -> None:
        self._url, self._on_message, self._on_change = url, on_message, on_change
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._connections: dict[int, ClientConnection] = {}
        self._abandoned = 0
        """Dials up to this number are wanted no more."""
        self._core = Core(policy or standard(), timeouts=TIMEOUTS, roll=random.random)

    def run(self) -> None:
        """Connect; return when somebody has closed the client, or the policy has said `Stop`."""
        self._handle(Ask(Wish.CONNECT))
        while self._core.state is not State.CLOSED:
            due = self._core.deadline
            try:
                event = self._events.get(timeout=None if due is None else max(0, due - monotonic()))
            except Empty:
                event = Expired(due or 0.0)
            self._handle(event)

    def close(self) -> None:
        """Ask for a close with code 1000, from any thread."""
        self._events.put(Ask(Wish.CLOSE))

    def _handle(self, event: Event) -> None:
        for effect in self._core.handle(event, monotonic()):
            match effect:
                case Announce(change):
                    self._on_change(change)
                case Dial(generation, not_before):
                    Thread(target=self._live, args=(generation, not_before), daemon=True).start()
                case Shut(generation, code, reason):
                    self._abandoned = generation
                    connection = self._connections.get(generation)
                    if connection is None:
                        self._events.put(Lost(generation, Close.cut(Cause.CANCELLED)))
                    else:  # it waits for the peer's answer
                        Thread(target=connection.close, args=(code, reason), daemon=True).start()
                case Abort(generation):
                    self._abandoned = generation
                    if generation in self._connections:
                        self._connections[generation].socket.close()

    def _live(self, generation: int, not_before: float) -> None:
        sleep(max(0.0, not_before - monotonic()))
        try:
            with connect(self._url, open_timeout=TIMEOUTS.connect) as connection:
                self._connections[generation] = connection
                if self._abandoned < generation:
                    self._events.put(Opened(generation))
                    while True:
                        self._on_message(connection, connection.recv())
        except Exception as error:  # noqa: BLE001 - the record names the library's
            self._events.put(Lost(generation, record_of(error)))
        finally:
            self._connections.pop(generation, None)


if __name__ == "__main__":
    Client(sys.argv[1], lambda _connection, message: print(message)).run()
