"""What a dial needs and the application gives: values, functions or coroutines, asked each time."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeAlias, TypeVar, cast

from yarl import URL

from recloser import redact
from recloser.failures import blamed
from recloser.fsm.record import Cause
from recloser.transport.base import Request

T = TypeVar("T")

Input: TypeAlias = T | Callable[[], T | Awaitable[T]]
"""A plain value, a function that gives one, or a coroutine function that does."""

Url: TypeAlias = Input[str | URL]
Headers: TypeAlias = Input[Mapping[str, str]]
Subprotocols: TypeAlias = Input[Iterable[str]]


class Inputs:
    """The URL, headers and subprotocols of every dial; plain values are checked at once.

    Raises `TypeError` or `ValueError` for plain values that cannot be dialled.
    """

    __slots__ = ("_headers", "_subprotocols", "_url")

    def __init__(self, url: Url, headers: Headers, subprotocols: Subprotocols) -> None:
        self._url: Url = url if callable(url) else check_url(url)
        self._headers: Headers = headers if callable(headers) else check_headers(headers)
        self._subprotocols: Subprotocols = (
            subprotocols if callable(subprotocols) else check_subprotocols(subprotocols)
        )

    async def request(self) -> Request:
        """Ask for everything, in this order; raises `DialFailed` with the cause."""
        with blamed(Cause.CREDENTIALS):
            url = await _resolve(self._url)
            headers = await _resolve(self._headers)
            subprotocols = await _resolve(self._subprotocols)
        with blamed(Cause.CONFIGURATION):
            return Request(check_url(url), check_headers(headers), check_subprotocols(subprotocols))


async def _resolve(given: Input[T]) -> T:
    if not callable(given):
        return given
    value = given()
    return cast("T", await value if inspect.isawaitable(value) else value)


def check_url(url: object) -> str:
    """Return the URL as text; it must be absolute, ws or wss, and without a fragment."""
    if not isinstance(url, str | URL):
        raise TypeError(f"url must be a str, a yarl.URL or a function, not {type(url).__name__}")
    try:
        parsed = URL(url)
    except ValueError as error:
        raise ValueError(f"url cannot be read as one: {redact.text(str(error))}") from None
    shown = redact.url(str(url))
    if parsed.scheme not in ("ws", "wss"):
        raise ValueError(f"url must start with ws:// or wss://, not {shown!r}")
    if not parsed.host:
        raise ValueError(f"url must name a host: {shown!r}")
    if parsed.fragment:
        raise ValueError(f"url must have no fragment (RFC 6455 section 3): {shown!r}")
    return str(url)


def check_headers(headers: object) -> Mapping[str, str]:
    """Return the headers; names and values must be text without line breaks."""
    if not isinstance(headers, Mapping):
        raise TypeError(f"headers must be a mapping or a function, not {type(headers).__name__}")
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"header {name!r} must be text, name and value")
        if any(mark in name + value for mark in "\r\n\0"):
            raise ValueError(f"header {name!r} must not contain a line break or NUL")
    return headers


def check_subprotocols(subprotocols: object) -> tuple[str, ...]:
    """Return the subprotocols as a tuple; each must be text."""
    if isinstance(subprotocols, str) or not isinstance(subprotocols, Iterable):
        kind = type(subprotocols).__name__
        raise TypeError(f"subprotocols must be a list of str or a function, not {kind}")
    found = tuple(subprotocols)
    for each in found:
        if not isinstance(each, str) or not each:
            raise TypeError("each subprotocol must be a str that is not empty")
    return found
