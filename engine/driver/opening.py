"""`Opening`: what `on_open` sends and receives with, before the state is open."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from recloser.driver.generation import Generation
from recloser.driver.inbound import Inbound, receiver
from recloser.driver.scope import Scope
from recloser.fsm.closecodes import INTERNAL_ERROR, POLICY_VIOLATION, check_close
from recloser.fsm.errors import RecloserError
from recloser.providers import Unauthorized
from recloser.transport.wire import Wire


class Opening:
    """The connection in `on_open`: to identify, to subscribe, to wait for a greeting.

    The state becomes open when the hook returns. Its messages go out before all others of this
    generation. A message that the hook does not receive is kept for the application; one that
    it receives and does not want is given back by `pass_on`.
    """

    __slots__ = ("_done", "_generation", "_inbound", "_passed", "_wire")

    def __init__(self, generation: Generation, wire: Wire) -> None:
        self._generation = generation
        self._wire = wire
        self._inbound = Inbound(wire, _ended)
        self._passed: list[str | bytes] = []
        self._done = False

    @property
    def generation(self) -> int:
        """The number of this dial, counted from 1."""
        return self._generation.number

    @property
    def scope(self) -> Scope:
        """Tasks and callbacks that end with this generation."""
        return self._generation.scope

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that the peer chose."""
        return self._wire.subprotocol

    async def send(self, message: str | bytes) -> None:
        """Send one message, for this generation alone.

        Raises `NotOpen` or `ConnectionError` when the socket has ended.
        """
        await self._wire.send(message, self)

    async def send_json(self, value: object) -> None:
        """Send a value as JSON text."""
        await self._wire.send(json.dumps(value), self)

    receive = receiver(iterating=False)

    async def receive_json(self) -> Any:
        """Receive one message and read it as JSON."""
        return json.loads(await self.receive())

    def pass_on(self, message: str | bytes) -> None:
        """Give a received message to the application, once the hook has returned.

        The application gets these messages in this order, before all that the hook did not
        receive, and an acknowledgement among them is heard. They are dropped with the
        connection if the hook fails. Raises `TypeError` for what is no message, and
        `RecloserError` after the hook has returned.
        """
        if not isinstance(message, str | bytes):
            raise TypeError(f"a message is str or bytes, not {type(message).__name__}")
        if self._done:
            raise RecloserError("on_open has returned: pass messages on before it does")
        self._passed.append(message)

    def finish(self) -> None:
        """Hand what was passed on to the application; the hook has returned."""
        self._done = True
        self._wire.put_first(self._passed)


class OpeningFailed(RecloserError):
    """Raised in `on_open` to leave this connection with a close code of the hook's choice.

    The dial has failed then, and the policy decides. Raises `TypeError` or `ValueError` for a
    code or a reason that a close frame must not carry (RFC 6455 section 7.4).
    """

    def __init__(self, code: int, reason: str = "") -> None:
        check_close(code, reason)
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return f"on_open left with {self.code}{self.reason and f': {self.reason}'}"


def farewell_of(error: BaseException | None) -> tuple[int, str]:
    """Return the code and reason of the close frame after `on_open` raised this error."""
    if isinstance(error, OpeningFailed):
        return error.code, error.reason
    return (POLICY_VIOLATION if isinstance(error, Unauthorized) else INTERNAL_ERROR), ""


def _ended() -> Exception:
    return RecloserError("the connection ended while on_open was running: let the error out")


OnOpen = Callable[[Opening], Awaitable[object] | object]
