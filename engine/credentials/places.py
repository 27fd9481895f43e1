"""The places of a token in the request of a dial."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias
from urllib.parse import unquote_plus

from yarl import URL

from recloser.checks import WORD
from recloser.transport.base import Request

Place: TypeAlias = Callable[[Request, str], Request]
"""Gives the request with the token in it; a plain function."""


def header(name: str = "Authorization", *, scheme: str = "Bearer") -> Place:
    """Put it into a header, after the scheme; `scheme=""` for the bare token (RFC 6750)."""
    _check("name", name)
    _check("scheme", scheme, empty=True)

    def put(request: Request, token: str) -> Request:
        return request.with_headers({name: f"{scheme} {token}" if scheme else token})

    return put


def query(name: str = "token") -> Place:
    """Put it into the URL's query; it replaces a parameter of that name.

    The other parameters stay as they are.
    """
    _check("name", name)

    def put(request: Request, token: str) -> Request:
        address, _, given = request.url.partition("?")
        kept = [pair for pair in given.split("&") if _name(pair) != name] if given else []
        added = URL.build(query={name: token}).raw_query_string
        return replace(request, url=f"{address}?{'&'.join((*kept, added))}")

    return put


def subprotocol(prefix: str = "") -> Place:
    """Offer it as the last subprotocol, after `prefix`: a way for servers that know browsers.

    The dial fails as CONFIGURATION if it has other characters than a subprotocol may have;
    base64url fits.
    """
    _check("prefix", prefix, empty=True)

    def put(request: Request, token: str) -> Request:
        return replace(request, subprotocols=(*request.subprotocols, prefix + token))

    return put


def in_band() -> Place:
    """Put it nowhere: `on_open` sends `opening.credential` to the peer."""
    return lambda request, _: request


def _name(pair: str) -> str:
    """Return the name of a parameter, decoded."""
    return unquote_plus(pair.partition("=")[0])


def _check(what: str, given: object, *, empty: bool = False) -> None:
    if not isinstance(given, str):
        raise TypeError(f"{what} must be a str, not {type(given).__name__}")
    if not WORD.fullmatch(given) and not (empty and not given):
        raise ValueError(f"{what} must be letters, digits and marks without spaces: {given!r}")
