"""`Opening`: what `on_open` sends and receives with, before the state is open."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

from recloser.checks import check_advice, check_plain_function, refuse_coroutine
from recloser.driver.generation import Generation
from recloser.driver.inbound import Inbound, ReceiveBody, receiver
from recloser.driver.scope import Scope
from recloser.fsm.closecodes import INTERNAL_ERROR, POLICY_VIOLATION, check_close
from recloser.fsm.decisions import Session
from recloser.fsm.errors import RecloserError
from recloser.fsm.events import Advise
from recloser.fsm.numbers import check_seconds
from recloser.providers import Unauthorized
from recloser.transport.heartbeat import Heartbeat, heartbeat_of
from recloser.transport.wire import Wire


class Opening:
    """The connection in `on_open`: to identify, to subscribe, to wait for a greeting.

    The state becomes open when the hook returns. Its messages go out before all others of this
    generation. A message that the hook does not receive is kept for the application; one that
    it receives and does not want is given back by `pass_on`. `ask` does so by itself.
    """

    __slots__ = (
        "_advise",
        "_done",
        "_generation",
        "_inbound",
        "_passed",
        "_wire",
        "credential",
        "session",
    )

    def __init__(
        self,
        generation: Generation,
        wire: Wire,
        *,
        credential: str | Mapping[str, str] | None,
        advise: Callable[[Advise], None],
        session: Session | None,
    ) -> None:
        self.credential: str | Mapping[str, str] | None = credential
        """The token or the headers of this dial, from `credentials=`; None without one."""
        self.session: Session | None = session
        """What the policy said of the session when the connection before ended: `Session.RESUME`,
        `Session.NEW`, or None where it does not say. A dial that fails in between does not count.
        """
        self._advise = advise
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

    def set_heartbeat(self, heartbeat: Heartbeat | float | None) -> None:
        """Ping this connection by another schedule, from now on: see `ws.set_heartbeat`."""
        self._wire.set_heartbeat(heartbeat_of(heartbeat))

    async def send(self, message: str | bytes) -> None:
        """Send one message, for this generation alone.

        Raises `NotOpen` or `ConnectionError` when the socket has ended.
        """
        await self._wire.send(message, self)

    async def send_json(self, value: object) -> None:
        """Send a value as JSON text."""
        await self._wire.send(json.dumps(value), self)

    receive: ClassVar[ReceiveBody] = receiver(iterating=False)

    async def receive_json(self, *, loads: Callable[[str | bytes], Any] = json.loads) -> Any:
        """Receive one message and read it as JSON."""
        return loads(await self.receive())

    async def ask(
        self,
        message: str | bytes,
        answers: Callable[[str | bytes], object],
        *,
        within: float = 10.0,
    ) -> str | bytes:
        """Send `message`, and return the first message for which `answers(message)` is true.

        The messages before the answer pass on to the application, as by `pass_on`. `answers` is
        a plain function. It may raise: `Unauthorized` for an answer that rejects the
        credential, say; that message passes on too. `within` is in seconds, sending included.

        Raises `TimeoutError` without an answer, what `answers` raises, `RecloserError` after the
        hook has returned, `TypeError` or `ValueError` for arguments that cannot work, and what
        `send` and `receive` raise.
        """
        check_plain_function("answers", "one message", answers)
        check_seconds("within", within, positive=True)
        self._check_running("ask")
        bound = asyncio.timeout(within)
        try:
            async with bound:
                await self.send(message)
                while not self._wants(received := await self.receive(), answers):
                    self._passed.append(received)
                return received
        except TimeoutError:
            if bound.expired():
                raise TimeoutError(f"no answer came in {within} s") from None
            raise

    def _wants(self, message: str | bytes, answers: Callable[[str | bytes], object]) -> bool:
        try:
            found = answers(message)
            refuse_coroutine(found)
        except BaseException:
            self._passed.append(message)
            raise
        return bool(found)

    def advise(
        self, advice: str, *, retry_after: float | None = None, spread: float | None = None
    ) -> None:
        """Pass on what the peer said in-band, as `ws.advise` does, for this generation alone.

        The policy sees it at the end of this generation; after that end the call does nothing.
        Raises as `ws.advise`.
        """
        self._advise(check_advice(advice, retry_after, spread, self.generation))

    def _check_running(self, what: str) -> None:
        if self._done:
            raise RecloserError(f"on_open has returned: {what} before it does")

    def pass_on(self, message: str | bytes) -> None:
        """Give a received message to the application, once the hook has returned.

        The application gets these messages in this order, before all that the hook did not
        receive, and an acknowledgement among them is heard. They are dropped with the
        connection if the hook fails. Raises `TypeError` for what is no message, and
        `RecloserError` after the hook has returned.
        """
        if not isinstance(message, str | bytes):
            raise TypeError(f"a message is str or bytes, not {type(message).__name__}")
        self._check_running("pass messages on")
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
