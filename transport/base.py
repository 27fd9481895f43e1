"""The contract between the engine and whatever carries its messages."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Protocol, Self

from aiohttp import WSMsgType
from multidict import CIMultiDict
from yarl import URL

from recloser.fsm.record import NO_HEADERS, Close


class Delivery(Enum):
    """What `send` answers."""

    SENT = "sent"
    """It was handed to the open connection. Whether the peer took it, only the peer can say."""
    QUEUED = "queued"
    """It is in the outbox, and goes out when the connection is open."""
    DROPPED = "dropped"
    """The outbox is full and drops what is newest: this message. The drop was reported."""


OnUndeliverable = Callable[[Any], Coroutine[Any, Any, Delivery]]
"""Takes a message, or the item that stands for it, which an ended wire could not take."""

Interceptor = Callable[[str | bytes], bool]
"""Sees a message before any consumer; True: the message is given to none."""


Opcode = WSMsgType
"""Frame types; those of messages are compared by identity on the receive path."""


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """What one dial asks for, after every provider has been asked."""

    url: str
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)
    subprotocols: tuple[str, ...] = ()
    private_subprotocols: frozenset[str] = frozenset()
    """Those of them that carry a credential: they go to no other origin (E5)."""

    def with_headers(self, headers: Mapping[str, str]) -> Self:
        """Give the request with these headers, in the place of those of the same names."""
        joined = CIMultiDict(self.headers)
        joined.update(headers)
        return replace(self, headers=joined)

    def __repr__(self) -> str:
        """Show the address alone: user, query, headers and subprotocols may be secret."""
        try:
            url = URL(self.url)
            shown = f"{url.origin()}{url.raw_path}"
        except ValueError:
            shown = "?"
        return f"<{type(self).__name__} {shown}>"


class DialFailed(Exception):
    """A dial came to nothing; `close` says why."""

    def __init__(self, close: Close) -> None:
        super().__init__(close)
        self.close = close


class Frame(Protocol):
    """What `Wire.read` gives."""

    @property
    def type(self) -> Opcode:
        """TEXT, BINARY, or something for `Wire.control`."""
        ...

    @property
    def data(self) -> Any:
        """The message, `str` for TEXT and `bytes` for BINARY."""
        ...

    @property
    def extra(self) -> Any:
        """The reason, for CLOSE."""
        ...


class Wire(Protocol):
    """One live socket: the transport's half of a generation.

    Receiving is split so that the consumer's own task awaits the socket through one
    coroutine layer. While `busy` is False a consumer sets it, awaits `read()`, and clears it
    in a `finally`; after that it hands what is no message to `control` and what `read` raised
    to `broken`. While `busy` is True it asks `take()` first. When nobody consumes, the wire
    reads by itself into a bounded stash, so that pings are answered and a close is noticed
    (F7).

    When the socket has ended, whoever noticed it, the wire calls `ended(close)` of its dial
    exactly once, and `busy` turns True; `take()` gives what is left. A consumer that was
    parked then may still be given what had come before the end, and clears `busy` as ever:
    its next `read()` raises, and `broken` sets `busy` for good.
    """

    busy: bool

    @property
    def read(self) -> Callable[[], Awaitable[Frame]]:
        """Await the next frame; once the socket has ended and all is read, it raises for good."""
        ...

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that the peer chose."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers of the upgrade's answer, names in lower case."""
        ...

    @property
    def sent_code(self) -> int | None:
        """The code of the close frame that was handed to the socket, if one was."""
        ...

    def take(self) -> str | bytes | None:
        """Give a stashed message; None: there is none, read again or see whether it ended.

        Raises `ConcurrentReceive` if another consumer is parked in `read()`.
        """
        ...

    def intercept(self, interceptor: Interceptor) -> None:
        """Show each message to this function as it arrives, whoever reads, also those that wait.

        A message for which it returns True is given to no consumer.
        """
        ...

    def control(self, frame: Frame) -> None:
        """Take care of a frame that is no message."""
        ...

    def read_failed(self, error: Exception) -> None:
        """Take care of an exception out of `read()`."""
        ...

    def send(self, message: str | bytes, item: object = None) -> Coroutine[Any, Any, Delivery]:
        """Hand one message to the socket, before the first wait; waits while its buffer is full.

        `item`, if given, stands for the message in `on_undeliverable` and `unsent_messages`. Raises
        `NotOpen` once the wire has ended or is closing, `ConnectionError` when it ends while
        waiting, `TypeError` for what is neither `str` nor `bytes`; see `on_undeliverable`, too.
        """
        ...

    def on_undeliverable(self, callback: OnUndeliverable, *, resend: bool) -> None:
        """Call this for a message that the ended wire cannot send; its outcome is that of `send`.

        `resend` says that `unsent_messages` will be sent again on another wire: a `send` that
        waits at the end gives QUEUED, and nothing leaves after the end.
        """
        ...

    def close(self, code: int, reason: str) -> None:
        """Start the closing handshake; the end is told to `ended`. A second call does nothing."""
        ...

    def abort(self) -> None:
        """Drop the socket now and release every blocked sender; nothing is told to `ended`."""
        ...

    def probe(self) -> None:
        """Ask the peer for a sign of life now, if there is a heartbeat to judge the answer.

        One that came a moment ago (20 ms on Linux) counts as the answer.
        """
        ...

    def discard(self) -> int:
        """Drop the messages that nobody took; how many they were."""
        ...

    @property
    def unread(self) -> int:
        """How many received messages nobody has taken yet, as far as is known."""
        ...

    @property
    def unsent(self) -> int:
        """How many sent messages are not known to have left the process: an upper bound."""
        ...

    def unsent_messages(self) -> list[Any]:
        """Those messages in order, or the items that stand for them; also after the end."""
        ...

    async def wait_closed(self) -> None:
        """Wait until the descriptor is free: soon after `ended` or `abort`, whatever the peer."""
        ...


class Transport(Protocol):
    """Dials. One per engine; its wires do not know of each other."""

    async def dial(self, request: Request, ended: Callable[[Close], None]) -> Wire:
        """Open a socket; raises `DialFailed`. Cancelling frees whatever was open.

        The engine keeps the deadline. `ended` may be called before this returns.
        """
        ...

    async def aclose(self) -> None:
        """Release what the transport itself made, such as its own session; it may dial again."""
        ...
