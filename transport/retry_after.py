"""The Retry-After header: seconds, or a date (RFC 9110 section 10.2.3)."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_SECONDS: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")
"""Some services send fractions, which the RFC does not know (Discord: "0.65")."""


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Give the seconds that the answer asks us to wait, at least 0; None if it does not.

    A date is compared with the answer's own Date, so that a wrong clock here does no harm;
    `now` serves if it has none. Names of headers are in lower case. What is neither seconds
    nor a date is ignored.

    >>> retry_after({"retry-after": "120"}, datetime.now(UTC))
    120.0
    """
    text = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(text):
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
