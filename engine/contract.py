"""The contract between an engine and its sending half: what each has to know of the other."""

from collections.abc import Callable, Coroutine, Hashable, Mapping
from typing import Any, Protocol

from recloser.clock import Clock
from recloser.fsm.change import StateChange
from recloser.fsm.states import State, Wish
from recloser.transport.base import Delivery
from recloser.transport.wire import Wire

Data = str | bytes


class Position(Protocol):
    """Where an engine stands."""

    @property
    def state(self) -> State:
        """The state of its machine."""
        ...

    @property
    def wish(self) -> Wish:
        """What the application asked for last."""
        ...

    @property
    def generation(self) -> int:
        """The number of its latest dial."""
        ...


class Counts(Protocol):
    """What an engine counts."""

    dropped: int
    resent: int
    acknowledged: int


class Engine(Protocol):
    """What an outbox has to know of its engine."""

    @property
    def core(self) -> Position:
        """Where it stands."""
        ...

    @property
    def clock(self) -> Clock:
        """Its clock."""
        ...

    @property
    def fields(self) -> Mapping[str, object]:
        """What the application has bound to its log lines."""
        ...

    @property
    def counters(self) -> Counts:
        """What it counts."""
        ...

    @property
    def last_change(self) -> StateChange | None:
        """How it came to closed, if it is."""
        ...

    def bind(self) -> object:
        """Raise `WrongLoop` for a call from another thread or event loop."""
        ...


class Tasks(Protocol):
    """Starts tasks that end with a generation."""

    def create_task(self, coro: Coroutine[Any, Any, None], *, name: str) -> object:
        """Start one."""
        ...


class OpenGeneration(Protocol):
    """A generation that is open."""

    @property
    def wire(self) -> Wire | None:
        """Its connection."""
        ...

    @property
    def scope(self) -> Tasks:
        """Its tasks."""
        ...


class Sender(Protocol):
    """What an engine sends by; `send` is bound anew when the connection opens or ends."""

    send: Callable[[Data], Coroutine[Any, Any, Delivery]]

    @property
    def not_on_wire(self) -> int:
        """Messages held here and not in the connection's write buffer."""
        ...

    def offer(
        self,
        message: Data,
        ttl: float | None,
        key: Hashable,
        id: str | int | bytes | None,  # noqa: A002 - the name it has for who calls send
        *,
        this_generation: bool,
    ) -> Coroutine[Any, Any, Delivery]:
        """Send a message with what matters if it has to wait; see `ReconnectingWebSocket.send`."""
        ...

    async def drain(self) -> None:
        """Wait until nothing is held."""
        ...

    def prepare(self) -> None:
        """Get ready to leave closed; raises `OutboxUnusable` if that cannot be."""
        ...

    @property
    def durable(self) -> bool:
        """Whether `released` has a file to wait for."""
        ...

    async def released(self) -> None:
        """Free what this holds in closed, and return when it is free."""
        ...

    def leave(self) -> None:
        """Stop sending: the generation is being left."""
        ...

    def changed(self, change: StateChange, generation: OpenGeneration | None) -> None:
        """Take a change of state; `generation` is the one that opened or ended with it."""
        ...
