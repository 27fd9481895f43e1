"""Redirects of a dial: whether one may be followed, and with which headers (E5). Pure."""

from dataclasses import replace
from typing import Final
from urllib.parse import urljoin

from aiohttp import WSServerHandshakeError
from yarl import URL

from recloser.transport.base import Request, exact_url

_STATUSES: Final = (301, 302, 303, 307, 308)
"""RFC 9110 section 15.4; an upgrade is a GET, so they all mean the same."""

_WEB: Final = {"ws": "http", "wss": "https", "http": "http", "https": "https"}
_SOCKET: Final = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


class Trail:
    """The requests of one dial: the first, and those that redirects led to."""

    __slots__ = ("_left", "_seen", "cross_origin", "request")

    def __init__(self, request: Request, limit: int) -> None:
        self.request: Request = request
        self.cross_origin: bool = False
        """The dial has left its first origin: the headers for that origin may not be sent."""
        self._left = limit
        self._seen: tuple[tuple[object, ...], ...] = ()

    def follow(self, refusal: WSServerHandshakeError) -> bool:
        """Follow the redirect of a refused upgrade; False if it may not be followed."""
        if not self._left or refusal.status not in _STATUSES:
            return False
        self._left -= 1
        try:
            here = exact_url(self.request.url)
            there = _target(here, refusal)
        except ValueError:
            return False
        self._seen += (_place(here),)
        if there is None or _place(there) in self._seen:
            return False
        request = replace(self.request, url=str(there))
        if _place(there)[:3] != _place(here)[:3]:
            self.cross_origin = True
            kept = (
                each for each in request.subprotocols if each not in request.private_subprotocols
            )
            request = Request(request.url, subprotocols=tuple(kept))
        self.request = request
        return True


def _target(here: URL, refusal: WSServerHandshakeError) -> URL | None:
    """Read `Location`; None for none or several, another protocol, user data, or wss to ws."""
    given = refusal.headers.getall("Location", []) if refusal.headers is not None else []
    if len(given) != 1:
        return None
    location = exact_url(given[0])
    if location.raw_user is not None or location.raw_password is not None:
        return None
    there = location
    if not location.scheme:  # yarl would join it too, but encode the folder of `here` anew
        there = exact_url(urljoin(str(here.with_scheme(_WEB[here.scheme])), given[0]))
    scheme = _SOCKET.get(there.scheme)
    if scheme is None or not there.raw_host or (scheme == "ws" and _SOCKET[here.scheme] == "wss"):
        return None
    return there.with_scheme(scheme).with_fragment(None)


def _place(url: URL) -> tuple[object, ...]:
    """Return scheme, host and port, which are the origin (RFC 6454 section 4), and the rest."""
    return _SOCKET[url.scheme], url.raw_host, url.port, url.raw_path_qs
