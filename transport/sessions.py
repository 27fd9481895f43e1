"""The aiohttp sessions that dials go through: our own, or one over a lent one."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from aiohttp import (
    ClientConnectorError,
    ClientHandlerType,
    ClientOSError,
    ClientRequest,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    ServerDisconnectedError,
    TCPConnector,
    WSServerHandshakeError,
)

from recloser.fsm.errors import SessionClosed
from recloser.transport.handshake import DialDropped
from recloser.transport.upgrade import Answer, Upgrade

_UNBOUNDED = ClientTimeout(total=None)
"""The engine keeps the deadline; aiohttp's total would keep a timer for the socket's life."""

_ABROAD: Final = ContextVar("recloser_abroad", default=False)


@contextmanager
def abroad(*, foreign: bool) -> Iterator[None]:
    """Send no cookie meanwhile if `foreign`: a jar knows hosts, but no origins (RFC 6265 8.5)."""
    if foreign is _ABROAD.get():
        yield  # all but always: a context in which it was set costs each connection 120 bytes
        return
    before = _ABROAD.set(foreign)
    try:
        yield
    finally:
        _ABROAD.reset(before)


async def no_redirect(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Refuse a redirect: aiohttp would follow it and send custom headers along (E5)."""
    if _ABROAD.get():
        request.headers.popall("Cookie", None)
    response = await handler(request)
    if response.status // 100 == 3:  # noqa: PLR2004 - the class of redirects, RFC 9110 15.4
        response.close()
        raise WSServerHandshakeError(
            response.request_info,
            response.history,
            message="Redirects are not followed",
            status=response.status,
            headers=response.headers,
        )
    return response


async def one_connection(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Make one dial one TCP connection: aiohttp tries again on some errors, by their type."""
    try:
        return await handler(request)
    except ClientConnectorError:
        raise
    except (ServerDisconnectedError, ClientOSError) as error:
        raise DialDropped(str(error)) from error


def make(*, trust_env: bool) -> ClientSession:
    """Make a session of our own: no limit, no pool, no cookies, no second try."""
    return ClientSession(
        connector=TCPConnector(limit=0, force_close=True),
        cookie_jar=DummyCookieJar(),
        timeout=_UNBOUNDED,
        trust_env=trust_env,
        response_class=Answer,
        ws_response_class=Upgrade,
        middlewares=(no_redirect, one_connection),
    )


def over(lent: ClientSession) -> ClientSession:
    """Make a session that goes through the connector and the cookie jar of the lent one.

    aiohttp's second try stays: the lent pool may hold an idle connection that the server has
    dropped. Raises `SessionClosed`.
    """
    if lent.closed or lent.connector is None:
        raise SessionClosed
    return ClientSession(
        connector=lent.connector,
        connector_owner=False,
        cookie_jar=lent.cookie_jar,
        skip_auto_headers=lent.skip_auto_headers,
        trust_env=lent.trust_env,
        trace_configs=lent.trace_configs,
        timeout=_UNBOUNDED,
        response_class=Answer,
        ws_response_class=Upgrade,
        middlewares=(no_redirect,),
    )
