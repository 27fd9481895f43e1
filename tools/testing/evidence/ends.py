"""The ends that can occur: close records as the transport makes them, and how they come about."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from recloser.fsm.closecodes import NO_STATUS, TLS_HANDSHAKE
from recloser.fsm.record import Cause, Close, Origin
from recloser.fsm.states import Wish

CODES: Final = (*range(-1, 5101), 9999, 16384, 32768, 65535, 65536, 70000, 10**6, 2**31, 2**63)
"""Every close code of RFC 6455 section 7.4.2, and numbers that no registry knows."""
STATUSES: Final = (*range(100, 600), *range(600, 1000, 7), 999)
"""Every HTTP status, and some that HTTP does not know (RFC 9110 section 15)."""
FLASH: Final = 0.05
"""Seconds of uptime of a connection that ends at once."""
HOUR: Final = 3600.0
"""Seconds of uptime of a connection that had been well."""
TAKES: Final = 0.05
"""Seconds that a dial takes until it opens or fails."""


@dataclass(frozen=True, slots=True)
class End:
    """A record, and how long the generation had been open; None: the dial failed."""

    close: Close
    uptime: float | None = None


def refused(status: int, retry_after: float | None = None) -> Close:
    """Make the record of a refused upgrade, with a Retry-After in seconds in its headers."""
    headers = {} if retry_after is None else {"retry-after": f"{retry_after:g}"}
    return Close.refused(status, headers=headers, retry_after=retry_after)


def asked(wish: Wish, code: int = 1000, cause: Cause = Cause.CLOSE_FRAME) -> Close:
    """Make the record of an end that the application asked for; `code` is the peer's answer."""
    return Close(
        code=code,
        origin=Origin.APPLICATION,
        cause=cause,
        sent_code=1000,
        intentional=True,
        wish=wish,
        clean=cause is Cause.CLOSE_FRAME,
    )


NOBODY: Final = Close.cut(Cause.TCP)
"""No process listens: the end of every dial in an outage."""

_TLS: Final = Close.by_engine(Cause.TLS, code=TLS_HANDSHAKE)
_DATES: Final = Close.by_engine(Cause.VALIDITY, code=TLS_HANDSHAKE)

DIALS: Final = (
    NOBODY,
    Close.cut(Cause.DNS),
    Close.cut(Cause.TLS),
    _TLS,
    _DATES,
    Close.by_engine(Cause.DIAL),
    Close.refused_by_proxy(404),
    Close.cut(Cause.EOF),
    Close.cut(Cause.RESET),
    Close.by_engine(Cause.PROTOCOL),
    Close.by_engine(Cause.CONNECT_TIMEOUT),
    Close.by_engine(Cause.HOOK),
    Close.by_engine(Cause.BUDGET),
    Close.by_engine(Cause.CREDENTIALS),
    Close.by_engine(Cause.UNAUTHORIZED),
    Close.by_engine(Cause.REJECTED),
    Close.by_engine(Cause.SESSION_CLOSED),
    Close.by_engine(Cause.CONFIGURATION),
)
"""The ways in which a dial fails without an answer of the server's."""

BREAKS: Final = (
    Close.cut(Cause.EOF),
    Close.cut(Cause.RESET),
    Close.by_engine(Cause.HEARTBEAT),
    Close.by_engine(Cause.DEAF),
    Close.by_engine(Cause.PROTOCOL, sent_code=1002),
    Close.by_engine(Cause.PROTOCOL, sent_code=1007),
    Close.by_engine(Cause.TOO_BIG, sent_code=1009),
    Close.by_engine(Cause.SESSION_CLOSED),
    Close.declared(sent_code=1011),
    Close.by_engine(Cause.STALE, sent_code=3008),
)
"""The ways in which a connection ends without a close frame of the peer's."""

COMMON: Final = (
    *(End(each) for each in DIALS),
    *(End(each, FLASH) for each in BREAKS),
    *(End(refused(status)) for status in (200, 302, 400, 401, 403, 404, 429, 500, 502, 503)),
    *(End(Close.frame(code), FLASH) for code in (*range(1000, 1016), 3000, 3003, 3008, 4000, 4401)),
    End(Close.frame(1000, "Token expired"), FLASH),
    End(Close.frame(4000)),
)
"""The ends that a service meets; those of open connections come at once after the opening."""


def repeatable() -> Iterator[End]:
    """Every end that a server or a network can go on producing: codes, statuses, breaks."""
    yield from COMMON
    for code in CODES:
        yield End(Close.frame(code), FLASH)
    for status in STATUSES:
        yield End(refused(status))


def describe(close: Close) -> str:
    """Describe a record in a few words, for a story."""
    reason = f" {close.reason!r}" if close.reason else ""
    advice = f" (told in-band: {close.advice!r})" if close.advice is not None else ""
    after = f", Retry-After {close.retry_after:g} s" if close.retry_after is not None else ""
    if close.cause is Cause.PROXY:
        status = "" if close.status is None else f" with {close.status}"
        return f"the proxy refuses the tunnel{status}{after}{advice}"
    if close.status is not None:
        return f"the upgrade is refused with {close.status}{after}{advice}"
    if close.cause is Cause.CLOSE_FRAME:
        frame_ = "without a code (1005)" if close.code == NO_STATUS else f"with {close.code}"
        return f"the peer closes {frame_}{reason}{advice}{after}"
    who = f"{close.origin.value}, {close.cause.value.replace('_', ' ')}"
    return f"the connection ends without a word: {close.code} ({who}){reason}{advice}{after}"
