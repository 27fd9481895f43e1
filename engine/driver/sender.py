"""The sending half of an engine: to the open wire, or to nobody while there is none."""

from collections.abc import Callable, Coroutine, Hashable
from typing import TYPE_CHECKING, Any, TypedDict

from recloser.fsm.change import StateChange
from recloser.fsm.errors import NotOpen, RecloserError, closed_error
from recloser.fsm.states import State
from recloser.transport.base import Delivery
from recloser.transport.wire import Wire

if TYPE_CHECKING:
    from recloser.driver.driver import Driver
    from recloser.driver.generation import Generation
    from recloser.outbox.held import Held
    from recloser.outbox.message import Id

Data = str | bytes


class Options(TypedDict, total=False):
    """What may be said about a message besides its data; see `ReconnectingWebSocket.send`."""

    ttl: float | None
    key: Hashable
    id: "Id | None"
    this_generation: bool


def no_acknowledgements(id: object) -> None:  # noqa: A002 - as in `send`
    """Raise `RecloserError` for a message that asks to be held until it is acknowledged."""
    if id is not None:
        raise RecloserError(
            "an id is for what is acknowledged: give "
            "Outbox(acknowledgements=recloser.Acknowledgements(...))"
        )


class Outlet:
    """Sends while open and refuses otherwise; `send` is bound anew when that changes."""

    __slots__ = ("_driver", "send")

    def __init__(self, driver: "Driver") -> None:
        self._driver = driver
        self.send: Callable[[Data], Coroutine[Any, Any, Delivery]] = self._refuse

    @property
    def held(self) -> int:
        """Messages that were accepted and not handed to a connection."""
        return 0

    @property
    def apart(self) -> int:
        """How many of those a wire does not count as unsent, if it ends now."""
        return self.held

    def prepare(self) -> None:
        """Get ready to leave closed; raises `OutboxUnusable` if that cannot be."""

    async def released(self) -> None:
        """Free what this holds in closed, and return when it is free."""

    def offer(
        self,
        message: Data,
        ttl: float | None,
        key: Hashable,
        id: "Id | None",  # noqa: A002 - the name it has for who calls send
        *,
        this_generation: bool,
    ) -> Coroutine[Any, Any, Delivery]:
        """Send a message with what matters only if it has to wait; nothing waits here."""
        del ttl, key, this_generation
        no_acknowledgements(id)
        return self.send(message)

    async def drain(self) -> None:
        """Return: nothing waits here."""

    def shown(self) -> "Held":
        """Give what `ws.outbox` is; raises `RecloserError` where there is none."""
        raise RecloserError("there is no outbox: give connect(outbox=recloser.Outbox())")

    def left(self) -> None:
        """Stop sending: the generation is being left."""
        self.send = self._refuse

    def changed(self, change: StateChange, generation: "Generation | None") -> None:
        """Take a change of state; `generation` is the one that opened or ended with it."""
        if change.current is State.OPEN and generation is not None and generation.wire is not None:
            self.opened(generation, generation.wire)

    def opened(self, generation: "Generation", wire: Wire) -> None:
        """Send to this wire from now on."""
        del generation
        self.send = wire.send

    async def _refuse(self, message: Data) -> Delivery:
        driver = self._driver
        driver.bind()
        if not isinstance(message, str | bytes | bytearray | memoryview):
            raise TypeError(f"a message is str or bytes, not {type(message).__name__}")
        if driver.core.state is State.CLOSED:
            raise closed_error(driver.last_change)
        raise NotOpen(driver.core.state)
