"""The aiohttp sessions of dials, each shared by the transports that have a share of it."""

import asyncio
import warnings
from contextlib import suppress
from copy import copy
from math import inf
from typing import Any, cast
from weakref import WeakValueDictionary, finalize

from aiohttp import (
    ClientHandlerType,
    ClientRequest,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ClientWebSocketResponse,
    DummyCookieJar,
    TCPConnector,
)
from aiohttp.client import DEFAULT_TIMEOUT
from aiohttp.connector import Connection
from multidict import CIMultiDict, MultiMapping
from yarl import URL

from recloser.transport.base import exact_url
from recloser.transport.compatibility import check_aiohttp
from recloser.transport.errors import SessionClosed
from recloser.transport.handshake import UpgradeRefused, invalid_upgrade
from recloser.transport.proxies import SocksProxy
from recloser.transport.resumption import keep_ticket
from recloser.transport.socks import socks_connector
from recloser.transport.upgrade import Answer, Upgrade, first_bytes

_UNBOUNDED = ClientTimeout(total=None)
"""The engine keeps the deadline; aiohttp's total would keep a timer for the socket's life."""

Route = ClientSession | SocksProxy | None
"""What a session dials through: a lent session, a SOCKS proxy, or a connector of our own."""

_Key = tuple[asyncio.AbstractEventLoop, Route, type[Upgrade]]


async def check_answer(response: ClientResponse, asked: MultiMapping[str]) -> None:
    """Refuse a redirect, and a 101 that RFC 6455 forbids; `asked` are the headers of the request.

    aiohttp would follow the one and send custom headers along (E5), and take most of the other.
    """
    if response.status == 101:  # noqa: PLR2004 - Switching Protocols
        received = response.received if isinstance(response, Answer) else response.headers
        problem = invalid_upgrade(received, asked)
        if problem is None:
            return
        body = b""
    else:
        # The class of redirects: RFC 9110 section 15.4.
        redirects = response.status // 100 == 3  # noqa: PLR2004 - as said above
        problem = "Redirects are not followed" if redirects else "Invalid response status"
        body = await first_bytes(response)
    keep_ticket(response.transport if isinstance(response, Answer) else None)
    response.close()
    raise UpgradeRefused(
        response.request_info,
        response.history,
        message=problem,
        status=response.status,
        headers=response.headers,
        body=body,
    )


class CheckedAnswer(Answer):
    """An answer that nobody sees before it is judged: a middleware costs a dial seven objects."""

    async def start(self, connection: Connection) -> ClientResponse:
        """See `Answer.start`; raises `UpgradeRefused`."""
        found = await super().start(connection)
        if not self.plain:
            await check_answer(self, self.request_info.headers)
        return found


async def check_last(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Judge an answer that the application's middlewares have seen, as a middleware itself."""
    response = await handler(request)
    await check_answer(response, request.headers)
    return response


def own_session(
    proxy: SocksProxy | None = None, *, upgrade: type[Upgrade] = Upgrade
) -> ClientSession:
    """Make a session of our own: no limit, no pool, no cookies, no second try.

    aiohttp would dial once more, unseen by the engine, where a connection ends during the upgrade.

    Raises `ProxyUnusable` for a SOCKS proxy where its library is missing.
    """
    made = ClientSession(
        connector=TCPConnector(limit=0, force_close=True)
        if proxy is None
        else socks_connector(proxy),
        cookie_jar=DummyCookieJar(),
        timeout=_UNBOUNDED,
        response_class=CheckedAnswer,
        ws_response_class=cast("Any", upgrade),  # it stands for aiohttp's
    )
    made._retry_connection = False  # noqa: SLF001 - no public way; test_contract.py pins it
    return made


def session_over(lent: ClientSession, *, upgrade: type[Upgrade] = Upgrade) -> ClientSession:
    """Make a session that dials as the lent one does: a copy with answers and an end of our own.

    The application's middlewares see each answer before it is judged. aiohttp's second try stays:
    the lent pool may hold an idle connection that the server has dropped. Raises `SessionClosed`.
    """
    if lent.closed or lent.connector is None:
        raise SessionClosed
    made = copy(lent)
    parts = vars(made)  # test_contract.py pins the names
    middlewares = parts["_middlewares"]
    parts.update(
        _connector_owner=False,
        _default_headers=CIMultiDict(),  # those of the moment go with each dial
        _timeout=_stepwise(lent.timeout),
        _raise_for_status=False,  # a refused upgrade is raised anyway
        _response_class=Answer if middlewares else CheckedAnswer,
        _ws_response_class=upgrade,
        _middlewares=(check_last, *middlewares) if middlewares else (),
    )
    return made


def session_elsewhere(session: ClientSession) -> ClientSession:
    """Make a session for a dial to another origin (E5): a copy without cookies and middlewares.

    A jar knows hosts, and no origins (RFC 6265 section 8.5), and a middleware may sign. The copy
    must be detached when the dial is over.
    """
    made = copy(session)
    vars(made).update(_cookie_jar=DummyCookieJar(), _middlewares=(), _response_class=CheckedAnswer)
    return made


def check_lent(lent: ClientSession) -> None:
    """Raise `ValueError` for a session with parts that a dial of ours cannot use.

    Raises `UnsupportedAiohttp` where the parts cannot be read, `TypeError` for what is no
    session, and `SessionClosed`.
    """
    check_aiohttp()
    if not isinstance(lent, ClientSession):
        raise TypeError(f"session must be an aiohttp.ClientSession, not {lent!r}")
    if lent.closed:
        raise SessionClosed
    parts = vars(lent)
    if lent.auth is not None:
        raise ValueError(
            "the lent session has auth: give its Authorization header to the engine instead"
        )
    if lent.raise_for_status not in (True, False):
        raise ValueError(
            "the lent session has a function for raise_for_status: a refused upgrade is told in "
            "the record of the close, so judge it in a policy, and lend a session without it"
        )
    if (parts["_response_class"], parts["_ws_response_class"]) != (
        ClientResponse,
        ClientWebSocketResponse,
    ):
        raise ValueError(
            "the lent session has a response_class or ws_response_class of its own: the engine "
            "needs its own, so lend a session without them"
        )


def total_timeout(lent: ClientSession | None) -> float | None:
    """Return the seconds that a dial may take by the word of a lent session; None for no word."""
    if lent is None or lent.timeout == DEFAULT_TIMEOUT:
        return None
    return lent.timeout.total


def _stepwise(given: ClientTimeout) -> ClientTimeout:
    """Leave the total out: aiohttp would keep a timer for it for the life of the socket."""
    if given == DEFAULT_TIMEOUT:
        return _UNBOUNDED
    return ClientTimeout(
        total=None,
        connect=given.connect,
        sock_connect=given.sock_connect,
        sock_read=given.sock_read,
        ceil_threshold=given.ceil_threshold,
    )


def expire_look_ups(session: ClientSession, *addresses: str | URL | None) -> None:
    """Have the hosts of these addresses looked up anew by the next dial (E1.7).

    The answer is marked as too old. `clear_dns_cache` would remove it under dials that have
    waited for the same look-up and are about to read it: they would fail with `KeyError`. A lent
    connector with `ttl_dns_cache=None` keeps its answers for good, as it was told to. Where a
    release of aiohttp has no such table, the answer serves for its ten seconds.
    """
    cached: Any = getattr(session.connector, "_cached_hosts", None)  # a TCPConnector has it
    times: Any = getattr(cached, "_timestamps", {})
    if not times:
        return
    for address in addresses:
        with suppress(ValueError):  # it is no URL, which is what the dial failed of
            url = exact_url(str(address or ""))
            if (url.raw_host, url.port) in times:
                times[url.raw_host, url.port] = -inf


def own_proxy(session: ClientSession) -> str | URL | None:
    """Return the proxy that a session was made with."""
    return cast("str | URL | None", vars(session)["_default_proxy"])


class _SharedSession:
    """One session and the number of its shares; it lives no longer than they do."""

    __slots__ = ("__weakref__", "key", "session", "shares")

    def __init__(self, key: _Key, session: ClientSession) -> None:
        self.key: _Key = key
        self.session: ClientSession = session
        self.shares: int = 0
        # aiohttp warns of each forgotten session; we warn of the engine that forgot it (J2).
        finalize(self, session.detach)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self.key[0]

    @property
    def own(self) -> bool:
        """Whether it is ours, not lent by the application."""
        return not isinstance(self.key[1], ClientSession)

    def end_share(self) -> bool:
        """Count one share less; return whether it was the last, after which none can be added."""
        self.shares -= 1
        if self.shares:
            return False
        if _shared.get(self.key) is self:
            del _shared[self.key]
        return True

    def release_without_awaiting(self) -> None:
        """End a share; the last one detaches the session, since no task can await its close."""
        if self.end_share():
            self.session.detach()


_shared: WeakValueDictionary[_Key, _SharedSession] = WeakValueDictionary()


class SessionShare:
    """The right of one transport to dial on a session, from `acquire` until `release`."""

    __slots__ = ("_active", "_shared")

    def __init__(self, shared: _SharedSession) -> None:
        shared.shares += 1
        self._shared = shared
        self._active = True

    @property
    def session(self) -> ClientSession:
        """The session."""
        return self._shared.session

    @property
    def route(self) -> Route:
        """What the session dials through."""
        return self._shared.key[1]

    def usable(self, route: Route) -> bool:
        """Whether it can dial by this route: it is not closed, and that of the running loop."""
        shared = self._shared
        loop, mine, _ = shared.key
        if mine is not route and mine != route:
            return False
        return loop is asyncio.get_running_loop() and not shared.session.closed

    async def release(self) -> None:
        """End the share, once; the last one closes the session, but no lent connector."""
        self._active = False
        if self._shared.loop is not asyncio.get_running_loop():
            _release_from_finalizer(self._shared)
        elif self._shared.end_share():
            await self._shared.session.close()

    def __del__(self) -> None:
        if self._active and _release_from_finalizer(self._shared) and self._shared.own:
            warnings.warn(
                "a transport was forgotten with its share of a session: await aclose()",
                ResourceWarning,
                source=self,
                stacklevel=2,
            )


def acquire(route: Route, *, upgrade: type[Upgrade] = Upgrade) -> SessionShare:
    """Take a share of the session over a lent one, or our own; both are made when first asked for.

    Raises `SessionClosed` if the lent one is closed, `ProxyUnusable` and `UnsupportedAiohttp`.
    """
    check_aiohttp()
    key = asyncio.get_running_loop(), route, upgrade
    found = _shared.get(key)
    if found is None or found.session.closed:
        if isinstance(route, ClientSession):
            made = session_over(route, upgrade=upgrade)
        else:
            made = own_session(route, upgrade=upgrade)
        found = _shared[key] = _SharedSession(key, made)
    return SessionShare(found)


def _release_from_finalizer(shared: _SharedSession) -> bool:
    """End a share in the session's own loop; callable anywhere. False if that loop is closed."""
    try:
        shared.loop.call_soon_threadsafe(shared.release_without_awaiting)
    except RuntimeError:
        return False
    return True
