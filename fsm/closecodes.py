"""Close codes as data: RFC 6455 section 7.4 and the IANA registry it founded."""

from types import MappingProxyType
from typing import Final

NORMAL: Final = 1000
GOING_AWAY: Final = 1001
PROTOCOL_ERROR: Final = 1002
UNSUPPORTED_DATA: Final = 1003
NO_STATUS: Final = 1005
ABNORMAL: Final = 1006
INVALID_PAYLOAD: Final = 1007
POLICY_VIOLATION: Final = 1008
MESSAGE_TOO_BIG: Final = 1009
INTERNAL_ERROR: Final = 1011
SERVICE_RESTART: Final = 1012
TRY_LATER: Final = 1013
TLS_HANDSHAKE: Final = 1015
TIMEOUT: Final = 3008

NAMES: Final = MappingProxyType(
    {
        1000: "Normal Closure",
        1001: "Going Away",
        1002: "Protocol Error",
        1003: "Unsupported Data",
        1004: "Reserved",
        1005: "No Status Received",
        1006: "Abnormal Closure",
        1007: "Invalid Payload Data",
        1008: "Policy Violation",
        1009: "Message Too Big",
        1010: "Mandatory Extension",
        1011: "Internal Error",
        1012: "Service Restart",
        1013: "Try Again Later",
        1014: "Bad Gateway",
        1015: "TLS Handshake",
        3000: "Unauthorized",
        3003: "Forbidden",
        3008: "Timeout",
    }
)
"""Names of registered codes: RFC 6455 section 11.7; 1012 and later from the IANA registry."""

RANGES: Final = (
    (range(1000), "Unused"),
    (range(1000, 3000), "Reserved for the Protocol"),
    (range(3000, 4000), "Registered Use"),
    (range(4000, 5000), "Private Use"),
)
"""The ranges of RFC 6455 section 7.4.2, for codes without a name of their own."""

MESSAGE_REFUSED: Final = frozenset(
    {PROTOCOL_ERROR, UNSUPPORTED_DATA, INVALID_PAYLOAD, MESSAGE_TOO_BIG}
)
"""The codes by which a peer refuses one message of ours: the same bytes would fail again."""

_SENDABLE: Final = (range(1000, 1004), range(1007, 1015), range(3000, 5000))

_RECEIVABLE: Final = frozenset({*range(1000, 1004), *range(1006, 1015)})

MAX_REASON_BYTES: Final = 123
"""A control frame holds 125 bytes, two of them the code (RFC 6455 section 5.5)."""


def name(code: int) -> str:
    """Return the registered name of a code, else that of its range, else "Out of Range".

    >>> name(1012), name(4401), name(70000)
    ('Service Restart', 'Private Use', 'Out of Range')
    """
    known = NAMES.get(code)
    if known is not None:
        return known
    return next((text for codes, text in RANGES if code in codes), "Out of Range")


def sendable(code: int) -> bool:
    """Whether an endpoint may put the code into a close frame (RFC 6455 section 7.4).

    >>> sendable(1000), sendable(1006), sendable(4999)
    (True, False, True)
    """
    return any(code in each for each in _SENDABLE)


def receivable(code: int) -> bool:
    """Whether a close frame with the code arrives as such (B9.3).

    aiohttp refuses a frame whose code RFC 6455 section 7.4.2 forbids, with 1002.

    >>> receivable(1012), receivable(1015), receivable(2999), receivable(5000)
    (True, False, False, True)
    """
    return code >= 3000 or code in _RECEIVABLE  # noqa: PLR2004 - registered and private use


def check_close(code: int, reason: str) -> None:
    """Raise `TypeError` or `ValueError` unless a close frame may carry both."""
    if isinstance(code, bool) or not isinstance(code, int):
        raise TypeError(f"close code must be an int, not {code!r}")
    if not sendable(code):
        raise ValueError(
            f"close code {code} must not be sent: use 1000 to leave for good, "
            "or 1000-1003, 1007-1014, 3000-4999 (RFC 6455 section 7.4)"
        )
    if not isinstance(reason, str):
        raise TypeError(f"close reason must be a str, not {reason!r}")
    try:
        size = len(reason.encode())
    except UnicodeEncodeError as error:
        raise ValueError("close reason must be text that UTF-8 can encode") from error
    if size > MAX_REASON_BYTES:
        raise ValueError(
            f"close reason takes {size} bytes of UTF-8: shorten it to {MAX_REASON_BYTES} "
            "(RFC 6455 section 5.5)"
        )
