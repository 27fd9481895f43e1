"""Makes a close record of the end of a live wire, as aiohttp shows it. Pure."""

import re
from typing import Final

from aiohttp import WSCloseCode
from aiohttp.http import WebSocketError

from recloser.fsm.closecodes import (
    GOING_AWAY,
    MESSAGE_TOO_BIG,
    NO_STATUS,
    PROTOCOL_ERROR,
    SERVICE_RESTART,
    TRY_LATER,
)
from recloser.fsm.errors import bare
from recloser.fsm.record import Cause, Close
from recloser.transport.errors import SessionClosed

_SPREAD: Final = r"(?<![\w.])spread=(\d{1,5}(?:\.\d{1,3})?)(?![\w.])"
_MOVED: Final = (GOING_AWAY, SERVICE_RESTART, TRY_LATER)
"""Codes that all clients of a server get at once (RFC 6455 section 7.4.1, IANA's registry)."""


def close_frame(code: int, reason: str, sent_code: int | None) -> Close:
    """Record the peer's close frame; aiohttp shows one without a code as 0.

    Where the code says that a fleet moves, `spread=SECONDS` in the reason is the spread.
    """
    found = re.search(_SPREAD, reason) if code in _MOVED else None
    spread = None if found is None else float(found[1]) or None
    return Close.frame(code or NO_STATUS, reason, sent_code=sent_code, spread=spread)


def lost(error: BaseException | None, sent_code: int | None) -> Close:
    """Record a stream that ended without a close frame, by this error or by its plain end."""
    origin = error.__cause__ if error is not None else None
    return Close.cut(
        Cause.EOF if error is None else Cause.RESET,
        sent_code=sent_code,
        error=None if error is None else bare(origin or error),
    )


def refusal_code(error: Exception) -> int:
    """Return the code that tells the peer what was wrong with its frame."""
    return int(error.code) if isinstance(error, WebSocketError) else PROTOCOL_ERROR


def refused_frame(error: Exception, sent_code: int | None) -> Close:
    """Record a frame that we refused."""
    too_big = refusal_code(error) == MESSAGE_TOO_BIG
    if too_big:
        text = f"{error}: raise max_message_size, or ask the peer for less"
        error = WebSocketError(WSCloseCode.MESSAGE_TOO_BIG, text)
    return Close.by_engine(
        Cause.TOO_BIG if too_big else Cause.PROTOCOL,
        sent_code=sent_code,
        error=bare(error),
    )


def deaf(sent_code: int | None) -> Close:
    """Record a peer that goes on sending and answers pings no more."""
    return Close.by_engine(Cause.DEAF, sent_code=sent_code)


def condemned(error: Exception | None, sent_code: int | None) -> Close:
    """Record a peer that gave no sign of life, or a ping of the application's that failed."""
    return Close.by_engine(
        Cause.HEARTBEAT if error is None else Cause.HOOK,
        sent_code=sent_code,
        error=None if error is None else bare(error),
    )


def session_closed(sent_code: int | None = None) -> Close:
    """Record that the lent session was closed, under a live wire or before a dial (J4)."""
    return Close.by_engine(
        Cause.SESSION_CLOSED,
        sent_code=sent_code,
        error=SessionClosed(),
    )
