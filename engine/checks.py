"""The checks of what an application gives: URL, headers, subprotocols, functions, advice."""

import inspect
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache, partial
from sys import intern
from typing import Final

from yarl import URL

from recloser import redact
from recloser.fsm.events import Advise
from recloser.fsm.numbers import check_count, check_seconds
from recloser.transport.base import read_url

WORD: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""A token as RFC 9110 section 5.6.2 has it: a header's name, a subprotocol."""

_PARTS: Final = re.compile(r"(?s)([^:/?#]+)://([^/?#]*)(.*)")
"""Scheme, authority, and the rest (RFC 3986 appendix B)."""
_SENDABLE: Final = re.compile(r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*")
"""What a URI may have (RFC 3986 section 2); all else is encoded before it is sent."""
_VISIBLE: Final = re.compile("[!-~]*")
"""What a request line can carry."""
_CONTROL: Final = re.compile("[\\x00-\\x1f\\x7f]")
_NOT_IN_FIELD: Final = re.compile("[\\x00-\\x08\\x0a-\\x1f\\x7f]")
"""What a field value must not have (RFC 9110 section 5.5): control characters but the tab."""
_OF_HANDSHAKE: Final = {
    "connection": "leave it out",
    "upgrade": "leave it out",
    "sec-websocket-extensions": "leave it out, since no extension is supported",
    "sec-websocket-key": "leave it out",
    "sec-websocket-protocol": "give subprotocols",
    "sec-websocket-version": "leave it out",
}
"""Headers that the handshake writes itself (RFC 6455 section 4.1), with what to do instead."""


def check_url(url: object, *, encoded: bool = False) -> str:
    """Return the URL as it goes to the wire; it must be absolute, ws or wss, without a fragment.

    Path and query of a `yarl.URL` are taken as they are, and so are those of a text that needs
    no encoding: they may be signed. A text with other characters is encoded by yarl, unless
    `encoded` says that it has been: then such a character is refused. Control characters, and
    white space at either end, are refused in every text.
    """
    if not isinstance(url, str | URL):
        raise TypeError(f"url must be a str, a yarl.URL or a function, not {type(url).__name__}")
    text = str(url)
    if text.strip() != text or _CONTROL.search(text):
        raise ValueError(
            "url must have no control character, and no white space at its ends: strip it"
        )
    try:
        parsed = read_url(str(url))
    except ValueError as error:
        raise ValueError(f"url cannot be read as one: {redact.text(str(error))}") from None
    if parsed.scheme not in ("ws", "wss"):
        raise ValueError(f"url must start with ws:// or wss://, not {redact.url(text)!r}")
    if not parsed.host:
        raise ValueError(f"url must name a host: {redact.url(text)!r}")
    try:
        (parsed.raw_host or "").encode("idna")  # as the resolver of the standard library does
    except UnicodeError:
        raise ValueError(
            "url must name a host that can be looked up (RFC 1035 section 2.3.4): "
            f"{redact.url(text)!r}"
        ) from None
    if parsed.fragment or "#" in text:
        raise ValueError(f"url must have no fragment (RFC 6455 section 3): {redact.url(text)!r}")
    return _as_sent(url, parsed, encoded=encoded or isinstance(url, URL))


def _as_sent(url: str | URL, parsed: URL, *, encoded: bool) -> str:
    parts = _PARTS.fullmatch(str(url))
    if parts is None:
        return str(parsed)
    if encoded and not _VISIBLE.fullmatch(parts[3]):
        raise ValueError(
            "url is given as encoded, so percent-encode each space and each character that is "
            f"not ASCII in path and query: {redact.url(str(url))!r}"
        )
    if not encoded and not _SENDABLE.fullmatch(parts[3]):
        return str(parsed)
    named = (parsed.raw_host or "") in parts[2]
    return f"{parsed.scheme}://{parts[2] if named else parsed.raw_authority}{parts[3]}"


@lru_cache(maxsize=128)  # of texts that `exact_url` keeps as well, once they are dialled
def address_of(url: str) -> tuple[str, str]:
    """Return what makes up the address of a checked URL, and its "host:port".

    The address is scheme, host, port and path: user, query and fragment may change with
    every dial, as the signature of a signed URL does.
    """
    parsed = read_url(url)
    address, host = f"{parsed.origin()}{parsed.raw_path}", f"{parsed.raw_host}:{parsed.port}"
    return intern(address), intern(host)  # engines share the texts


def check_headers(headers: object) -> Mapping[str, str]:
    """Return the headers: names are tokens, values have no control character but the tab.

    The headers of the handshake are refused, since the handshake writes them itself.
    """
    if not isinstance(headers, Mapping):
        raise TypeError(f"headers must be a mapping or a function, not {type(headers).__name__}")
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"header {name!r} must be text, name and value")
        if not WORD.fullmatch(name):
            raise ValueError(f"the name of a header has letters, digits and marks, not {name!r}")
        if _NOT_IN_FIELD.search(value):
            raise ValueError(f"header {name!r} must not contain a line break or NUL: strip it")
        if name.lower() in _OF_HANDSHAKE:
            do = _OF_HANDSHAKE[name.lower()]
            raise ValueError(f"header {name!r} belongs to the WebSocket handshake: {do}")
    return headers


def check_credentials(url: str, headers: Mapping[str, str]) -> None:
    """Check that there is one credential: aiohttp sends none where there are two."""
    if read_url(url).raw_user is not None and any(
        name.lower() == "authorization" for name in headers
    ):
        raise ValueError("url names a user, and headers have Authorization: give one of them")


def check_subprotocols(subprotocols: object) -> tuple[str, ...]:
    """Return the subprotocols as a tuple; each must be an HTTP token (RFC 6455 section 4.1)."""
    if isinstance(subprotocols, str) or not isinstance(subprotocols, Iterable):
        kind = type(subprotocols).__name__
        raise TypeError(f"subprotocols must be a list of str or a function, not {kind}")
    found = tuple(subprotocols)
    for each in found:
        if not isinstance(each, str) or not each:
            raise TypeError("each subprotocol must be a str that is not empty")
        if not WORD.fullmatch(each):
            raise ValueError("a subprotocol has letters, digits and marks, no space and no / or =")
    if len(set(found)) < len(found):
        raise ValueError("subprotocols must differ (RFC 6455 section 4.1): leave the second out")
    return found


def check_advice(
    advice: str | None,
    retry_after: float | None,
    spread: float | None,
    generation: int | None = None,
    *,
    optional: bool = False,
) -> Advise:
    """Return the event of an advice; the two numbers are seconds of at least 0.

    `optional`: there may be no text.
    """
    if not isinstance(advice, str) and not (optional and advice is None):
        raise TypeError(f"advice must be a str, not {type(advice).__name__}")
    for name, seconds in (("retry_after", retry_after), ("spread", spread)):
        if seconds is not None:
            check_seconds(name, seconds)
    check_generation(generation)
    return Advise(advice, retry_after, spread, generation)


def check_generation(number: int | None) -> None:
    """Raise `TypeError` or `ValueError` unless it is the number of a dial, or None."""
    if number is not None:
        check_count("generation", number)


def check_plain_function(name: str, takes: str, given: object) -> None:
    """Raise `TypeError` for what cannot be called, and for a coroutine function.

    `takes` says, for the message, what the function is called with.
    """
    if not callable(given):
        raise TypeError(f"{name} must be a function of {takes}, not {given!r}")
    if any(map(inspect.iscoroutinefunction, (given, type(given).__call__, _unwrapped(given)))):
        raise TypeError(
            f"{name} must be a plain function, since nobody awaits it: start a task in it where "
            f"there is something to await; got {given!r}"
        )


def refuse_coroutine(result: object) -> None:
    """Raise `TypeError` where a function that must be plain has returned a coroutine."""
    if inspect.iscoroutine(result):
        result.close()
        raise TypeError("it returned a coroutine, which nobody awaits: give a plain function")


def _unwrapped(given: object) -> object:
    while isinstance(given, partial):
        given = given.func
    return given
