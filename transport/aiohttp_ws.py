"""Dials with aiohttp: on a session of its own, or on one that the application lends."""

from collections.abc import Callable
from datetime import UTC, datetime
from ssl import SSLContext
from typing import cast

from aiohttp import ClientError, ClientSession, Fingerprint, WSServerHandshakeError
from multidict import CIMultiDict
from yarl import URL

from recloser.fsm.errors import SessionClosed
from recloser.fsm.record import Close
from recloser.transport import classify, sessions
from recloser.transport.base import DialFailed, Request
from recloser.transport.handshake import dial_failed
from recloser.transport.liveness import Heartbeat
from recloser.transport.redirects import Trail
from recloser.transport.upgrade import Upgrade
from recloser.transport.wire import AiohttpWire

_SECURE = ("wss:", "https:")

DEFAULT_HEARTBEAT = Heartbeat()


class AiohttpTransport:
    """The default transport: `ssl`, `proxy` and the sizes are those of `ClientSession.ws_connect`.

    Its own session is made with the first dial and closed by `aclose`. It keeps no cookies, so
    that each dial depends on its `Request` alone; a `Cookie` header does what is wanted.

    Of a lent session a dial takes the connector (pool, limits, resolver, TLS), the cookie jar,
    the default headers of that moment, `skip_auto_headers`, `trust_env` and the trace
    configurations. aiohttp lets nobody read a session's base URL, proxy and middlewares, so
    these are not taken; time-outs are the engine's own. The owner closes it.

    Messages of `max_message_size` bytes or more are refused with 1009; 0 is no limit. Nothing
    is compressed. `heartbeat=None` sends no pings, and silence is not noticed then.
    `backlogged` is called with the number of unread messages each time that reading pauses,
    because nobody takes what was read: about 1 MiB, half of it in aiohttp's queue (F7).
    `follow_redirects` is how many redirects a dial follows; see docs/credentials.md (E5).
    `ask_kernel=False` judges silence by counting frames also where the kernel could tell.

    Raises `TypeError` or `ValueError` for numbers that cannot be, and for a lent session with
    `auth`: it is bound to an origin that aiohttp does not tell, so it is asked for as a header.
    """

    __slots__ = (
        "_follow_redirects",
        "_lent",
        "_max_message_size",
        "_proxy",
        "_session",
        "_ssl",
        "_trust_env",
        "ask_kernel",
        "backlogged",
        "heartbeat",
    )

    def __init__(
        self,
        *,
        session: ClientSession | None = None,
        ssl: SSLContext | Fingerprint | bool = True,
        proxy: str | URL | None = None,
        max_message_size: int = 4 * 2**20,
        heartbeat: Heartbeat | None = DEFAULT_HEARTBEAT,
        follow_redirects: int = 0,
        trust_env: bool = False,
        backlogged: Callable[[int], None] | None = None,
        ask_kernel: bool = True,
    ) -> None:
        if session is not None and session.auth is not None:
            raise ValueError(
                "the lent session has auth: give its Authorization header to the engine instead"
            )
        if max_message_size < 0:
            raise ValueError(
                f"max_message_size must be 0 (no limit) or more, not {max_message_size}"
            )
        if isinstance(follow_redirects, bool) or not isinstance(follow_redirects, int):
            raise TypeError(f"follow_redirects must be how many, not {follow_redirects!r}")
        if follow_redirects < 0:
            raise ValueError(f"follow_redirects must be 0 (none) or more, not {follow_redirects}")
        self._follow_redirects = follow_redirects
        self._lent = session
        self._session: ClientSession | None = None
        self._ssl = ssl
        self._proxy = proxy
        self._max_message_size = max_message_size
        self.heartbeat = heartbeat
        self._trust_env = trust_env
        self.backlogged = backlogged
        self.ask_kernel = ask_kernel

    async def dial(self, request: Request, ended: Callable[[Close], None]) -> AiohttpWire:
        """Open a socket: see `Transport.dial`. One redirect too many is a refusal."""
        trail = Trail(request, self._follow_redirects)
        try:
            upgrade = await self._upgrade(trail)
        except SessionClosed:
            failed = classify.session_closed()
        except (ClientError, OSError, ValueError, TypeError, RuntimeError, AssertionError) as error:
            if self.orphaned():
                failed = classify.session_closed()
            else:
                secure = trail.request.url.lower().startswith(_SECURE)
                failed = dial_failed(error, secure=secure, now=datetime.now(UTC))
        else:
            return AiohttpWire(upgrade, ended, self)
        raise DialFailed(failed)

    async def aclose(self) -> None:
        """Close the session that was made, or give the lent one back: see `Transport.aclose`."""
        session, self._session = self._session, None
        if session is None:
            return
        if self._lent is None:
            await session.close()
        else:
            sessions.give_back(self._lent)

    async def _upgrade(self, trail: Trail) -> Upgrade:
        while True:
            try:
                return await self._once(trail.request, foreign=trail.foreign)
            except WSServerHandshakeError as refusal:
                if not trail.follow(refusal):
                    raise

    async def _once(self, request: Request, *, foreign: bool) -> Upgrade:
        lent = self._lent
        if self.orphaned():
            raise SessionClosed
        if self._session is None:
            if lent is None:
                self._session = sessions.make(trust_env=self._trust_env)
            else:
                self._session = sessions.borrow(lent)
        headers = CIMultiDict[str]() if lent is None or foreign else lent.headers.copy()
        headers.update(request.headers)
        with sessions.abroad(foreign=foreign):
            upgrade = await self._session.ws_connect(
                request.url,
                protocols=request.subprotocols,
                headers=headers,
                ssl=self._ssl,
                proxy=self._proxy,
                max_msg_size=self._max_message_size,
            )
        return cast("Upgrade", upgrade)  # the session's ws_response_class

    def orphaned(self) -> bool:
        """Whether the session that was lent has been closed."""
        return self._lent is not None and self._lent.closed
