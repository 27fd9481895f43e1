"""Dials with aiohttp: on the session of its event loop, or on one that the application lends."""

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime
from inspect import iscoroutinefunction
from ssl import SSLContext
from typing import ClassVar, cast

from aiohttp import ClientSession, Fingerprint, InvalidURL, WSServerHandshakeError
from multidict import CIMultiDict
from yarl import URL

from recloser.fsm.named_tuple import NamedTuple
from recloser.fsm.record import Close
from recloser.transport import classify, sessions
from recloser.transport.aiohttp_wire import AiohttpWire
from recloser.transport.base import DialFailed, Request, exact_url
from recloser.transport.compression import check_compression
from recloser.transport.errors import ProxyUnusable, SessionClosed
from recloser.transport.handshake import DialDropped, dial_failed
from recloser.transport.heartbeat import Heartbeat
from recloser.transport.proxies import (
    ENVIRONMENT,
    Proxy,
    SocksProxy,
    proxy_of_environment,
    read_proxy,
)
from recloser.transport.redirects import Trail
from recloser.transport.resumption import (
    ResumingContext,
    Resumption,
    offer_ticket,
    withdraw_ticket,
)
from recloser.transport.socks import check_socks
from recloser.transport.upgrade import Upgrade

_SECURE = ("wss:", "https:")

DEFAULT_HEARTBEAT = Heartbeat()


class _Way(NamedTuple):
    """How a request reaches its server."""

    route: sessions.Route
    tunnel: URL | None
    """The HTTP proxy."""


class AiohttpTransport:
    """The default transport: `ssl` and the sizes are those of `ClientSession.ws_connect`.

    `proxy` is the URL of an HTTP or SOCKS proxy; "env" asks the environment before every dial, as
    curl does. See docs/networks.md.

    The transports of an event loop share one session, unless they are lent one. The first dial
    makes it, and `aclose` of the last transport closes it. It has no limit, no pool and no
    cookies, so each dial depends on its `Request` alone; give a `Cookie` header for cookies.
    Look-ups of names are shared for ten seconds, or until a dial gets no answer there; one that
    hangs may outlive `aclose`.

    A dial on a lent session uses what `ws_connect` of that session uses: connector, cookie jar,
    headers of that moment, proxy, `trust_env`, middlewares, limits, time-outs other than
    aiohttp's default, and so on. Headers and middlewares stay at the first origin (E5). The
    owner closes a lent session.

    Messages of `max_message_size` bytes or more are refused with 1009; 0 is no limit. `compression`
    asks the server to compress what it sends: True, or the bits of its window, 9 to 15. What is
    sent is never compressed. `heartbeat=None` sends no pings, and silence is not noticed then.
    `backlogged` is called with the number of unread messages each time that reading pauses because
    nobody consumes them: about 1 MiB, half of it in aiohttp's queue (F7). `pings_missed` is called
    with the number of pings in a row that got no pong while data flowed, and with whether the peer
    had answered one before (F10).
    `follow_redirects` is how many redirects a dial follows; see docs/credentials.md (E5).
    `ask_kernel=False` judges silence by counting frames also where the kernel could tell.

    Raises `TypeError` or `ValueError` for what cannot work, `SessionClosed` for a lent session
    that is closed, and `ValueError` for one with what a dial cannot use: `auth` (aiohttp hides
    the origin to which it belongs: give it as a header), a function for `raise_for_status`, a
    class of its own for answers. A lent session goes with no `proxy` if it has one, or has
    `trust_env`. Raises `ProxyUnusable` for a proxy that cannot be read, for a SOCKS proxy with a
    lent session, and where aiohttp-socks is missing.
    """

    __slots__ = (
        "_compression",
        "_environment",
        "_follow_redirects",
        "_lent",
        "_shares",
        "_ssl",
        "_total",
        "_way",
        "ask_kernel",
        "backlogged",
        "heartbeat",
        "max_message_size",
        "pings_missed",
        "resumption",
    )

    wire_class: ClassVar[type[AiohttpWire]] = AiohttpWire
    """Of what kind its wires are; a transport of your own may derive another from it."""

    upgrade_class: ClassVar[type[Upgrade]] = Upgrade
    """Who makes the frames, once aiohttp has dialled: see `Upgrade.frames`."""

    def __init__(
        self,
        *,
        session: ClientSession | None = None,
        ssl: SSLContext | Fingerprint | bool = True,
        proxy: str | URL | None = None,
        max_message_size: int = 4 * 2**20,
        compression: bool | int = False,
        heartbeat: Heartbeat | None = DEFAULT_HEARTBEAT,
        follow_redirects: int = 0,
        backlogged: Callable[[int], None] | None = None,
        pings_missed: Callable[[int, bool], None] | None = None,
        ask_kernel: bool = True,
    ) -> None:
        _check(ssl, heartbeat, ask_kernel)
        for name, given in (("backlogged", backlogged), ("pings_missed", pings_missed)):
            if given is not None and (not callable(given) or iscoroutinefunction(given)):
                raise TypeError(f"{name} must be a plain function: nobody awaits it; got {given!r}")
        if session is not None:
            sessions.check_lent(session)
            if proxy is not None and sessions.own_proxy(session) is not None:
                raise ValueError("the lent session has a proxy of its own: leave proxy= out")
            if proxy is not None and session.trust_env:
                raise ValueError("the lent session has trust_env: leave proxy= out")
        self._lent = session
        self._environment = isinstance(proxy, str) and proxy == ENVIRONMENT
        self._way = self._way_by(None if proxy is None or self._environment else read_proxy(proxy))
        if isinstance(max_message_size, bool) or not isinstance(max_message_size, int):
            raise TypeError(f"max_message_size must be an int of bytes, not {max_message_size!r}")
        if max_message_size < 0:
            raise ValueError(
                f"max_message_size must be 0 (no limit) or more, not {max_message_size}"
            )
        if isinstance(follow_redirects, bool) or not isinstance(follow_redirects, int):
            raise TypeError(f"follow_redirects must be how many, not {follow_redirects!r}")
        if follow_redirects < 0:
            raise ValueError(f"follow_redirects must be 0 (none) or more, not {follow_redirects}")
        self._follow_redirects = follow_redirects
        self._total = sessions.total_timeout(session)
        self._shares: tuple[sessions.SessionShare, ...] = ()
        self._ssl = ssl
        self.resumption: Resumption | None = (
            Resumption() if isinstance(ssl, ResumingContext) else None
        )
        self.max_message_size: int = max_message_size
        self._compression = check_compression(compression, max_message_size)
        if self._compression and not self.upgrade_class.inflates:
            raise ValueError("picows inflates nothing: compression needs transport='aiohttp'")
        self.heartbeat: Heartbeat | None = heartbeat
        self.backlogged: Callable[[int], None] | None = backlogged
        self.pings_missed: Callable[[int, bool], None] | None = pings_missed
        self.ask_kernel: bool = ask_kernel

    async def dial(self, request: Request, ended: Callable[[Close], None]) -> AiohttpWire:
        """Open a socket: see `Transport.dial`. A redirect beyond the limit is a refusal."""
        trail = Trail(request, self._follow_redirects)
        try:
            if self._total is None:
                upgrade = await self._upgrade(trail)
            else:
                async with asyncio.timeout(self._total):
                    upgrade = await self._upgrade(trail)
        except SessionClosed:
            failed = classify.session_closed()
        except Exception as error:  # noqa: BLE001 - a connector or a resolver may raise anything
            if self.session_closed():
                failed = classify.session_closed()
            else:
                secure = trail.request.url.lower().startswith(_SECURE)
                failed = dial_failed(error, secure=secure, now=datetime.now(UTC))
        else:
            return self.wire_class(upgrade, ended, self)
        raise DialFailed(failed)

    async def aclose(self) -> None:
        """Release the shares of its sessions: see `Transport.aclose`. Its wires end before that."""
        shares, self._shares = self._shares, ()
        for share in shares:
            await share.release()

    async def _upgrade(self, trail: Trail) -> Upgrade:
        """Dial until an upgrade is answered with no redirect that may be followed."""
        lent = self._lent
        while True:
            if lent is not None and lent.closed:
                raise SessionClosed
            request = trail.request
            way = self._way_of_environment(request) if self._environment else self._way
            session = self._session(way.route) or await self._new_session(way.route)
            crosses = trail.cross_origin
            headers = None if lent is None or crosses else lent.headers
            if request.headers:
                headers = CIMultiDict() if headers is None else headers.copy()
                headers.update(request.headers)
            if crosses:
                session = sessions.session_elsewhere(session)
            offered = offer_ticket(self.resumption)
            try:
                upgrade = await session.ws_connect(
                    _target(request.url),
                    protocols=request.subprotocols,
                    headers=headers,
                    ssl=self._ssl,
                    proxy=way.tunnel,
                    max_msg_size=self.max_message_size,
                    compress=self._compression,
                )
            except WSServerHandshakeError as refusal:
                if not trail.follow(refusal):
                    raise
            except BaseException as error:  # a deadline of the engine's cancels the dial
                self._expire_look_ups(request, way)
                if not isinstance(error, asyncio.CancelledError):
                    raise
                task = asyncio.current_task()
                if not session.closed or task is None or task.cancelling():
                    raise
                # This task was not cancelled: aiohttp cancels the look-ups of a session that is
                # closed.
                raise DialDropped("the session was closed during a look-up") from error
            else:
                return cast("Upgrade", upgrade)  # the session's ws_response_class
            finally:
                if offered is not None:
                    withdraw_ticket(offered)
                if crosses:
                    session.detach()

    def _way_of_environment(self, request: Request) -> _Way:
        """Return the way of a request; the environment is read anew for each."""
        return self._way_by(proxy_of_environment(_target(request.url), os.environ))

    def _way_by(self, proxy: Proxy | None) -> _Way:
        """Return the way by this proxy; raises `ProxyUnusable`."""
        if not isinstance(proxy, SocksProxy):
            return _Way(self._lent, proxy)
        if self._lent is not None:
            raise ProxyUnusable(
                "a lent session cannot dial through a SOCKS proxy: leave session= out, or lend "
                "one whose connector is an aiohttp_socks.ProxyConnector, without proxy="
            )
        check_socks()
        return _Way(proxy, None)

    def _expire_look_ups(self, request: Request, way: _Way) -> None:
        for share in self._shares:
            if share.usable(share.route):
                chosen = way.tunnel or sessions.own_proxy(share.session)
                sessions.expire_look_ups(share.session, request.url, chosen)

    def _session(self, route: sessions.Route) -> ClientSession | None:
        """Return the session that has dialled by this route, if it still can."""
        for share in self._shares:
            if share.usable(route):
                return share.session
        return None

    async def _new_session(self, route: sessions.Route) -> ClientSession:
        """Return a session to dial on where there was none, ours was closed, or its loop has gone.

        A session that an earlier dial used is kept for the wires on it.
        """
        stale = [share for share in self._shares if not share.usable(share.route)]
        made = sessions.acquire(route, upgrade=self.upgrade_class)
        self._shares = (*(share for share in self._shares if share not in stale), made)
        for share in stale:
            await share.release()
        return made.session

    def session_closed(self) -> bool:
        """Whether the session that was lent has been closed."""
        return self._lent is not None and self._lent.closed


def _check(ssl: object, heartbeat: object, ask_kernel: object) -> None:
    """Refuse now what would fail at the first dial, or be taken for something else."""
    if not isinstance(ssl, SSLContext | Fingerprint | bool):
        raise TypeError(f"ssl must be an SSLContext, a Fingerprint or a bool, not {ssl!r}")
    if heartbeat is not None and not isinstance(heartbeat, Heartbeat):
        raise TypeError(f"heartbeat must be a recloser.Heartbeat or None, not {heartbeat!r}")
    if not isinstance(ask_kernel, bool):
        raise TypeError(f"ask_kernel must be True or False, not {ask_kernel!r}")


def _target(url: str) -> URL:
    try:
        return exact_url(url)
    except ValueError as error:
        raise InvalidURL(url) from error
