"""The contracts of an engine with its sender and its governor: what each needs of the other."""

from collections.abc import Callable, Coroutine, Hashable, Mapping
from typing import Any, Protocol

from recloser.clock import Clock
from recloser.fsm.change import StateChange
from recloser.fsm.events import Event
from recloser.fsm.states import State, Wish
from recloser.transport.base import Delivery
from recloser.transport.wire import Wire

Data = str | bytes


class Hinted(Protocol):
    """The driver, as it is told that its host is back; a governor refers to it weakly."""

    def feed(self, event: Event) -> None:
        """Handle the hint."""
        ...


class Position(Protocol):
    """The machine of an engine, to read."""

    @property
    def state(self) -> State:
        """The present state."""
        ...

    @property
    def wish(self) -> Wish:
        """What the application asked for last."""
        ...

    @property
    def generation(self) -> int:
        """The number of the latest dial."""
        ...


class Counts(Protocol):
    """The counters of an engine that its sender advances."""

    dropped: int
    resent: int
    acknowledged: int


class Engine(Protocol):
    """An engine, as far as its sender needs it."""

    @property
    def core(self) -> Position:
        """The machine."""
        ...

    @property
    def clock(self) -> Clock:
        """The clock of the engine."""
        ...

    @property
    def fields(self) -> Mapping[str, object]:
        """The application's fields for log lines."""
        ...

    @property
    def counters(self) -> Counts:
        """The counters."""
        ...

    @property
    def last_change(self) -> StateChange | None:
        """The change that led to `closed`; None in every other state."""
        ...

    def bind(self) -> object:
        """Raise `WrongLoop` for a call from another thread or event loop."""
        ...


class Tasks(Protocol):
    """The scope of a generation, as far as a sender needs it."""

    def create_task(self, coro: Coroutine[Any, Any, None], *, name: str) -> object:
        """Start a task that ends with the generation."""
        ...


class OpenGeneration(Protocol):
    """A generation that is open."""

    @property
    def wire(self) -> Wire | None:
        """The connection."""
        ...

    @property
    def scope(self) -> Tasks:
        """The tasks that end with the generation."""
        ...


class Sender(Protocol):
    """The sending half of an engine; `send` is another function while the connection is open."""

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
        id: str | int | bytes | None,  # noqa: A002 - as in `send`
        *,
        this_generation: bool,
    ) -> Coroutine[Any, Any, Delivery]:
        """Send a message with options; see `ReconnectingWebSocket.send`."""
        ...

    @property
    def holds(self) -> bool:
        """Whether a message can wait here, so that `ttl` and `key` have a meaning."""
        ...

    async def drain(self) -> None:
        """Wait until nothing is held."""
        ...

    def prepare(self) -> None:
        """Prepare to leave `closed`; raises `OutboxUnusable` where the file cannot be used."""
        ...

    async def released(self) -> None:
        """Release the file in `closed`; return when it is released."""
        ...

    def abandon(self) -> None:
        """Release the file in `closed` without a task: the event loop may be about to end."""
        ...

    def leave(self) -> None:
        """Stop sending: the generation is ending."""
        ...

    def changed(self, change: StateChange, generation: OpenGeneration | None) -> None:
        """Follow a change by which `generation` opens or ends, or by which the application leaves.

        A change by which nothing ends and that only begins a dial is not told.
        """
        ...
