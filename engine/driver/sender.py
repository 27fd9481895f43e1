"""The sending half of an engine without an outbox."""

from collections.abc import Callable, Coroutine, Hashable
from typing import TYPE_CHECKING, Any

from recloser.closed import closed_error
from recloser.fsm import states
from recloser.fsm.change import StateChange
from recloser.fsm.errors import RecloserError
from recloser.transport.base import Delivery
from recloser.transport.errors import NotOpen

if TYPE_CHECKING:
    from recloser.contract import Data, Engine, OpenGeneration


class DirectSender:
    """Sends to the open connection, and refuses while there is none."""

    __slots__ = ("_engine", "send")

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self.send: Callable[[Data], Coroutine[Any, Any, Delivery]] = self._refuse

    @property
    def not_on_wire(self) -> int:
        """Nothing is held."""
        return 0

    def offer(
        self,
        message: "Data",
        ttl: float | None,
        key: Hashable,
        id: str | int | bytes | None,  # noqa: A002 - the name it has for who calls send
        *,
        this_generation: bool,
    ) -> Coroutine[Any, Any, Delivery]:
        """Send a message: nothing waits here, so that each is for this generation alone."""
        del this_generation
        if id is not None:
            raise RecloserError(
                "an id is for what is acknowledged: give connect(outbox=recloser.Outbox("
                "acknowledgements=recloser.Acknowledgements()))"
            )
        if ttl is not None or key is not None:
            name = "a ttl" if ttl is not None else "a key"
            raise RecloserError(
                f"{name} is for a message that waits: give connect(outbox=recloser.Outbox())"
            )
        return self.send(message)

    @property
    def holds(self) -> bool:
        """Nothing waits here."""
        return False

    async def drain(self) -> None:
        """Return: nothing is held."""

    def prepare(self) -> None:
        """Nothing is needed."""

    async def released(self) -> None:
        """Nothing is held in closed."""

    def abandon(self) -> None:
        """There is no file."""

    def leave(self) -> None:
        """Refuse from now on."""
        self.send = self._refuse

    def changed(self, change: StateChange, generation: "OpenGeneration | None") -> None:
        """Send to the connection that has opened."""
        if change.current is states.OPEN and generation is not None and generation.wire is not None:
            self.send = generation.wire.send

    async def _refuse(self, message: "Data") -> Delivery:
        engine = self._engine
        engine.bind()
        if not isinstance(message, str | bytes | bytearray | memoryview):
            raise TypeError(f"a message is str or bytes, not {type(message).__name__}")
        if engine.core.state is states.CLOSED:
            raise closed_error(engine.last_change)
        raise NotOpen(engine.core.state)
