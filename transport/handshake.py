"""What aiohttp raises when a dial fails, as a close record. Pure."""

import ssl
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientError,
    ClientHttpProxyError,
    ClientPayloadError,
    ClientResponseError,
    ClientSSLError,
    InvalidURL,
    NonHttpUrlClientError,
    RequestInfo,
    ServerDisconnectedError,
    ServerFingerprintMismatch,
    WSServerHandshakeError,
)
from multidict import CIMultiDict, CIMultiDictProxy, MultiMapping

from recloser.fsm.closecodes import ABNORMAL, TLS_HANDSHAKE
from recloser.fsm.record import NO_HEADERS, Cause, Close, Origin
from recloser.transport.classify import bare
from recloser.transport.retry_after import retry_after

_UPGRADED: Final = 101

_ANSWERED: Final = (WSServerHandshakeError, ClientHttpProxyError)


class DialDropped(ClientError):
    """The connection ended during the upgrade; the cause is what aiohttp raised.

    aiohttp would dial once more on its own error, behind the back of the engine.
    """


def lowered(headers: MultiMapping[str] | None) -> Mapping[str, str]:
    """Give headers with names in lower case; repeated ones are joined (RFC 9110 5.3)."""
    if headers is None:
        return NO_HEADERS
    found: dict[str, str] = {}
    for name, value in headers.items():
        key = name.lower()
        found[key] = f"{found[key]}, {value}" if key in found else value
    return MappingProxyType(found)


def dial_failed(error: Exception, *, secure: bool, now: datetime) -> Close:
    """Record a failed dial; `secure` says that it was to a wss or https URL."""
    if isinstance(error, _ANSWERED) and error.status != _UPGRADED:
        return _refused(error, now)
    if isinstance(error, ClientResponseError):
        error = _without_secrets(error)
    code, origin, cause = _kind(error, secure=secure)
    return Close(code=code, origin=origin, cause=cause, error=bare(error))


def _refused(error: ClientResponseError, now: datetime) -> Close:
    headers = lowered(error.headers)
    return Close(
        code=ABNORMAL,
        origin=Origin.PEER,
        cause=Cause.REFUSED,
        status=error.status,
        headers=headers,
        retry_after=retry_after(headers, now),
        error=bare(_without_secrets(error)),
    )


def _without_secrets(error: ClientResponseError) -> ClientResponseError:
    """Take out what `repr` would tell: the headers of both sides, user and query of the URL."""
    asked = error.request_info
    url = asked.url.with_user(None).with_query(None)
    error.request_info = RequestInfo(url, asked.method, CIMultiDictProxy(CIMultiDict()), url)
    error.headers, error.history = None, ()
    error.args = (error.request_info, ())
    return error


def _kind(error: Exception, *, secure: bool) -> tuple[int, Origin, Cause]:
    match error:
        case ClientConnectorCertificateError() | ServerFingerprintMismatch():
            return TLS_HANDSHAKE, Origin.ENGINE, Cause.TLS
        case ClientSSLError():
            return ABNORMAL, Origin.NETWORK, Cause.TLS
        case ClientConnectorDNSError():
            return ABNORMAL, Origin.NETWORK, Cause.DNS
        case ClientConnectorError(os_error=ConnectionResetError() | ConnectionAbortedError()):
            return ABNORMAL, Origin.NETWORK, Cause.TLS if secure else Cause.TCP
        case ClientConnectorError():
            return ABNORMAL, Origin.NETWORK, Cause.TCP
        case ClientResponseError() | ClientPayloadError():
            return ABNORMAL, Origin.ENGINE, Cause.PROTOCOL
        case InvalidURL() | NonHttpUrlClientError():
            return ABNORMAL, Origin.ENGINE, Cause.CONFIGURATION
        case ServerDisconnectedError():
            return ABNORMAL, Origin.NETWORK, Cause.EOF
        case DialDropped(__cause__=Exception() as dropped):
            return _kind(dropped, secure=secure)
        case OSError(__cause__=ssl.SSLError()):
            return ABNORMAL, Origin.NETWORK, Cause.TLS
        case ClientError() | OSError() | AssertionError():  # aiohttp asserts a live transport
            return ABNORMAL, Origin.NETWORK, Cause.RESET
        case _:
            return ABNORMAL, Origin.ENGINE, Cause.CONFIGURATION
