"""The values that pass between the engine and a transport."""

import re
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from enum import Enum
from functools import lru_cache
from typing import Any, Final, Protocol, Self

from aiohttp import WSMsgType
from aiohttp.http import WebSocketError
from multidict import CIMultiDict
from yarl import URL

from recloser.fsm.record import NO_HEADERS, Close
from recloser.fsm.states import State
from recloser.fsm.value import Value, assign
from recloser.transport.errors import NotOpen


class Delivery(Enum):
    """The answer of `send`."""

    SENT = "sent"
    """It was handed to the open connection. Only the peer knows whether it arrived."""
    QUEUED = "queued"
    """It is in the outbox, and goes out when the connection is open."""
    DROPPED = "dropped"
    """The outbox is full and drops the newest message: this one. The drop was reported."""


OnUndeliverable = Callable[[Any], Coroutine[Any, Any, Delivery]]
"""Takes a message that an ended wire could not send, or the item that stands for it."""

Interceptor = Callable[[str | bytes], Any]
"""Sees a message before any consumer, and returns what the consumer gets; None: nothing.

It must have the length of a message, since it may wait in the receive buffer.
"""


class Undelivered:
    """Answers a message that comes after `close` or the end of a wire."""

    __slots__ = ("callback", "resend")

    def __init__(self, callback: OnUndeliverable | None = None, *, resend: bool = False) -> None:
        self.callback: OnUndeliverable | None = callback
        self.resend: bool = resend
        """The result of `unsent_messages` at the end will be sent again on another wire."""

    async def __call__(self, message: Any, item: object) -> Delivery:
        """Return the outcome of a message that came too late; raises `NotOpen`."""
        if self.callback is None:
            raise NotOpen(State.CLOSING)
        return await self.callback(message if item is None else item)


NOBODY: Final = Undelivered()
"""Answers for all wires of which nobody has said who takes such a message."""

_VISIBLE: Final = re.compile("[!-~]*")

Opcode = WSMsgType
"""Frame types; those of messages are compared by identity on the receive path."""

FrameRefused = WebSocketError
"""`FrameRefused(code, text)`: a frame of the peer's cannot be taken; the peer is told the code."""


class Request(Value):
    """The inputs of one dial, after every provider was asked."""

    __slots__ = __match_args__ = (
        "url",
        "headers",
        "subprotocols",
        "private_subprotocols",
        "credential",
    )

    url: str
    """As it goes to the wire: nothing in it is encoded anew."""
    headers: Mapping[str, str]
    subprotocols: tuple[str, ...]
    private_subprotocols: frozenset[str]
    """The subprotocols that carry a credential: they go to no other origin (E5)."""
    credential: str | Mapping[str, str] | None
    """The token or the headers that `credentials=` gave for this dial; None without one."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str] = NO_HEADERS,
        subprotocols: tuple[str, ...] = (),
        private_subprotocols: frozenset[str] = frozenset(),
        credential: str | Mapping[str, str] | None = None,
    ) -> None:
        assign(self, "url", url)
        assign(self, "headers", headers)
        assign(self, "subprotocols", subprotocols)
        assign(self, "private_subprotocols", private_subprotocols)
        assign(self, "credential", credential)

    def with_headers(self, headers: Mapping[str, str]) -> Self:
        """Return the request with these headers; they replace those of the same names."""
        joined = CIMultiDict(self.headers)
        joined.update(headers)
        return replace(self, headers=joined)

    def __repr__(self) -> str:
        """Show the address alone: user, query, headers and subprotocols may be secret."""
        try:
            url = read_url(self.url)
            shown = f"{url.origin()}{url.raw_path}"
        except ValueError:
            shown = "?"
        return f"<{type(self).__name__} {shown}>"


def read_url(text: str) -> URL:
    """Read a URL; raises `ValueError` for what cannot be read as one."""
    try:
        return URL(text)
    except IndexError as error:  # yarl 1.25.1, for brackets before an @ and no host
        raise ValueError("it names no host") from error


@lru_cache(maxsize=128)
def exact_url(text: str) -> URL:
    """Read a URL that must not be encoded anew, since it may be signed.

    One with a character that no request line can carry (a space, a line break, what is not
    ASCII) is encoded all the same. Raises `ValueError` for what is no URL.
    """
    checked = read_url(text)  # one that is taken as it is would be checked by its first use
    return URL(text, encoded=True) if _VISIBLE.fullmatch(text) else checked


class DialFailed(Exception):
    """A dial failed; `close` says why."""

    def __init__(self, close: Close) -> None:
        super().__init__(close)
        self.close = close
        self.trace = ""
        """The traceback of a bug in the application's code, as text; empty for other failures."""


class Frame(Protocol):
    """The result of `Wire.read`: a message, or a control frame."""

    @property
    def type(self) -> Opcode:
        """TEXT, BINARY, or a type for `Wire.control`."""
        ...

    @property
    def data(self) -> Any:
        """The message, `str` for TEXT and `bytes` for BINARY."""
        ...

    @property
    def extra(self) -> Any:
        """The reason, for CLOSE."""
        ...


Read = Callable[[], Coroutine[Any, Any, Frame]]
"""Awaits the next frame: see `Wire.read`."""
