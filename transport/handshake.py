"""Makes a close record of a failed dial: of aiohttp's error and the answer's headers. Pure."""

import re
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any, Final

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
    hdrs,
)
from multidict import CIMultiDict, CIMultiDictProxy, MultiMapping

from recloser.fsm.closecodes import ABNORMAL, TLS_HANDSHAKE
from recloser.fsm.errors import bare
from recloser.fsm.record import NO_HEADERS, Cause, Close, Origin
from recloser.transport import socks
from recloser.transport.compression import unfit_answer
from recloser.transport.descriptors import descriptors_spent
from recloser.transport.errors import ProxyUnusable, UnsupportedAiohttp

_UPGRADED: Final = 101
_UPGRADE: Final = ["websocket"]
_CONNECTIONS: Final = (["Upgrade"], ["upgrade"])
"""The values of `Upgrade` and of `Connection` in nearly every answer."""
_PROXY_AUTHENTICATION: Final = 407

_DATES: Final = frozenset({9, 10, 11, 12})
"""Of OpenSSL's verification errors (x509_vfy.h) those of time: a certificate that is not yet valid
or has expired, and a revocation list that is not yet valid or has expired."""
_SECONDS: Final = r"[0-9]{1,15}(\.[0-9]{1,15})?"
"""Some services send fractions, which the RFC does not know (Discord: "0.65")."""

_ANSWERED: Final = (WSServerHandshakeError, ClientHttpProxyError)


class DialDropped(ClientError):
    """The dial was given up by aiohttp, which raised what is no error of a connection."""


class UpgradeRefused(WSServerHandshakeError):
    """The upgrade was answered with another status; `body` is the beginning of the body."""

    def __init__(self, *args: Any, body: bytes, **facts: Any) -> None:
        super().__init__(*args, **facts)
        self.body = body


def one_line(body: bytes) -> str:
    """Return the beginning of a body as one line of text; what is no text becomes a space.

    >>> one_line(b"<h1>Not Found</h1>  Cannot GET" + bytes([10, 0, 195]))
    '<h1>Not Found</h1> Cannot GET'
    """
    text = body.decode(errors="replace").rstrip("\N{REPLACEMENT CHARACTER}")
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def lowered(headers: MultiMapping[str] | Mapping[str, str] | None) -> Mapping[str, str]:
    """Return headers with names in lower case; repeated ones are joined (RFC 9110 5.3)."""
    if headers is None:
        return NO_HEADERS
    found: dict[str, str] = {}
    for name, value in headers.items():
        key = name.lower()
        found[key] = f"{found[key]}, {value}" if key in found else value
    return MappingProxyType(found)


def invalid_upgrade(answer: MultiMapping[str], asked: MultiMapping[str]) -> str | None:
    """Say what RFC 6455 section 4.1 forbids in the headers of a 101; None if nothing.

    `asked` are the headers of the request, with the subprotocols and the extension that it
    offered. The accept key is checked by aiohttp.

    >>> good = CIMultiDict(Upgrade="websocket", Connection="keep-alive, Upgrade")
    >>> invalid_upgrade(good, CIMultiDict())
    >>> invalid_upgrade(CIMultiDict(good, Connection="close"), CIMultiDict())
    "the answer does not say Connection: Upgrade, but 'close'"
    """
    upgrade = joined(answer, hdrs.UPGRADE)
    if upgrade.strip().lower() != "websocket":
        return f"the answer does not say Upgrade: websocket, but {upgrade!r}"
    connection = joined(answer, hdrs.CONNECTION)
    if not upgrades(connection):
        return f"the answer does not say Connection: Upgrade, but {connection!r}"
    if "," in joined(answer, hdrs.SEC_WEBSOCKET_ACCEPT):
        return "the answer has two accept keys"
    if hdrs.SEC_WEBSOCKET_EXTENSIONS in answer:
        named = joined(answer, hdrs.SEC_WEBSOCKET_EXTENSIONS)
        unfit = unfit_answer(named, asked.get(hdrs.SEC_WEBSOCKET_EXTENSIONS, ""))
        if unfit is not None:
            return unfit
    if hdrs.SEC_WEBSOCKET_PROTOCOL in answer:
        offered = joined(asked, hdrs.SEC_WEBSOCKET_PROTOCOL).split(",")
        chosen = joined(answer, hdrs.SEC_WEBSOCKET_PROTOCOL).strip()
        if not chosen or chosen not in map(str.strip, offered):
            return "the answer names a subprotocol that was not offered"
    return None


def plain(answer: MultiMapping[str]) -> bool:
    """Whether the headers of a 101 are as most servers write them: `invalid_upgrade` says None.

    Each that must be there is there once, and none names a subprotocol or an extension.

    >>> plain(CIMultiDict(Upgrade="websocket", Connection="Upgrade"))
    True
    >>> plain(CIMultiDict(Upgrade="websocket", Connection="keep-alive, Upgrade"))
    False
    """
    return (
        hdrs.SEC_WEBSOCKET_PROTOCOL not in answer
        and hdrs.SEC_WEBSOCKET_EXTENSIONS not in answer
        and answer.getall(hdrs.CONNECTION, ()) in _CONNECTIONS
        and answer.getall(hdrs.UPGRADE, ()) == _UPGRADE
        and "," not in joined(answer, hdrs.SEC_WEBSOCKET_ACCEPT)
    )


def joined(headers: MultiMapping[str], name: str) -> str:
    """Return the value of a header; those of a repeated one are joined (RFC 9110 section 5.3)."""
    return ", ".join(headers.getall(name, ()))


def upgrades(connection: str) -> bool:
    """Whether a Connection header has the token Upgrade (RFC 9110 section 7.6.1)."""
    return "upgrade" in map(str.strip, connection.lower().split(","))


def dial_failed(error: Exception, *, secure: bool, now: datetime) -> Close:
    """Record a failed dial; `secure` says that it was to a wss or https URL."""
    if isinstance(error, _ANSWERED) and error.status != _UPGRADED:
        return _refused(error, now)
    if isinstance(error, ClientResponseError):
        error = _without_secrets(error)
    spent = descriptors_spent(error)
    if spent is not None:
        return Close(code=ABNORMAL, origin=Origin.ENGINE, cause=Cause.DIAL, error=spent)
    code, origin, cause = _kind(error, secure=secure)
    # A 101 that must not be taken: whoever asks again gets the same answer.
    status = _UPGRADED if isinstance(error, WSServerHandshakeError) else None
    return Close(code=code, origin=origin, cause=cause, status=status, error=bare(error))


def _refused(error: ClientResponseError, now: datetime) -> Close:
    headers = lowered(error.headers)
    # Of a request that is no tunnel, 407 alone shows that a proxy answered (RFC 9110 15.5.8).
    proxy = isinstance(error, ClientHttpProxyError) or error.status == _PROXY_AUTHENTICATION
    make = Close.refused_by_proxy if proxy else Close.refused
    return make(
        error.status,
        headers=headers,
        body=one_line(error.body) if isinstance(error, UpgradeRefused) else "",
        retry_after=retry_after(headers, now),
        error=bare(_without_secrets(error)),
    )


def _without_secrets(error: ClientResponseError) -> ClientResponseError:
    """Remove the secrets that `repr` shows: headers of both sides, user and query of the URL."""
    asked = error.request_info
    url = asked.url.with_user(None).with_query(None)
    error.request_info = RequestInfo(url, asked.method, CIMultiDictProxy(CIMultiDict()), url)
    error.headers, error.history = None, ()
    error.args = (error.request_info, ())
    return error


def _kind(error: Exception, *, secure: bool) -> tuple[int, Origin, Cause]:
    if type(error) is ClientConnectorError:
        return _unconnected(error, secure=secure)  # nearly all are; the rows take ten times as long
    match error:
        case (
            ClientConnectorCertificateError(
                certificate_error=ssl.SSLCertVerificationError(verify_code=code)
            )
            | ssl.SSLCertVerificationError(verify_code=code)
        ) if code in _DATES:
            return TLS_HANDSHAKE, Origin.ENGINE, Cause.VALIDITY
        case (
            ClientConnectorCertificateError()
            | ServerFingerprintMismatch()
            | ssl.SSLCertVerificationError()
        ):
            return TLS_HANDSHAKE, Origin.ENGINE, Cause.TLS
        case ClientSSLError() | ssl.SSLError():
            return ABNORMAL, Origin.NETWORK, Cause.TLS
        case _ if socks.refused(error):
            return ABNORMAL, Origin.NETWORK, Cause.PROXY
        case _ if socks.unreachable(error):
            return ABNORMAL, Origin.NETWORK, Cause.TCP
        case ClientConnectorDNSError():
            return ABNORMAL, Origin.NETWORK, Cause.DNS
        case ClientConnectorError():
            return _unconnected(error, secure=secure)
        case ClientResponseError() | ClientPayloadError():
            return ABNORMAL, Origin.ENGINE, Cause.PROTOCOL
        case InvalidURL() | NonHttpUrlClientError() | ProxyUnusable() | UnsupportedAiohttp():
            return ABNORMAL, Origin.ENGINE, Cause.CONFIGURATION
        case ServerDisconnectedError():
            return ABNORMAL, Origin.NETWORK, Cause.EOF
        case OSError(__cause__=ssl.SSLError() as beneath):
            return _kind(beneath, secure=secure)
        case ClientError() | OSError() | AssertionError():  # aiohttp asserts a live transport
            return ABNORMAL, Origin.NETWORK, Cause.RESET
        case _:
            # An error of a lent connector or resolver, or a lack of threads: it may pass.
            return ABNORMAL, Origin.ENGINE, Cause.DIAL


def _unconnected(error: ClientConnectorError, *, secure: bool) -> tuple[int, Origin, Cause]:
    reset = isinstance(error.os_error, ConnectionResetError | ConnectionAbortedError)
    return ABNORMAL, Origin.NETWORK, Cause.TLS if secure and reset else Cause.TCP


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds that the answer asks us to wait, at least 0; None if it does not.

    A date is compared with the answer's own Date, so that a wrong clock here does no harm;
    `now` is used if it has no Date. Names of headers are in lower case. A value that is neither
    seconds nor a date is ignored.

    >>> retry_after({"retry-after": "120"}, datetime.now(UTC))
    120.0
    """
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(_SECONDS, text):
        return float(text)
    until = _date(text)
    if until is None:
        return None
    since = _date(headers.get("date", "")) or now
    return max(0.0, (until - since).total_seconds())


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
