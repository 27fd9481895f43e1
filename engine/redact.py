"""Takes secrets, and control characters, out of what is written about a connection (I2)."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Final
from urllib.parse import SplitResult, urlsplit

MASK: Final = "***"

# Each pattern takes linear time: a peer may write what is searched here. To compile them all
# takes a millisecond, which is left until a text is in need of it.
_ASSIGNED: Final = (
    r"(?i)(?<![\w-])(?=[\w-]*?(?:token|secret|passw(?:or)?d|passphrase|api[_ -]?key"
    r"|auth(?:orization)?|credential|session|signature|cookie|ticket|jwt|listenkey)"
    r"|(?:[\w-]*[_-])?(?:key|sig|sid|pass|pwd|pw)(?![\w-]))"
    r"(api key|[\w-]++)([\"']?\s*+(?:[=:]|%3d)\s*+)((?:bearer|basic|token|digest)\s++)?"
    r"(\"[^\"]*+\"?|'[^']*+'?|[^\s\"'&,;]++)"
)
# Lines that are secret to their end: they hold several values, or a scheme we do not know.
_WHOLE: Final = (
    r"(?i)(?<![\w-])((?:proxy-)?authorization|(?:set-)?cookie2?)([\"']?\s*[=:]\s*)"
    r"((?:bearer|basic|token|digest)\s+)?(\"[^\"\r\n]*\"?|'[^'\r\n]*'?|[^\r\n]+)"
)
_SCHEME: Final = r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"
_BARE: Final = r"(?i)\b(token|secret|password|key)\s+(?=\S*\d)[\w.~+/=-]{6,}"
_JWT: Final = r"\beyJ[\w-]{5,}(?:\.[\w-]+){1,2}"
_LONG: Final = r"(?<![\w-])(?=[\w-]*\d)[A-Za-z0-9_-]{24,}(?![\w-])"
_HEADER: Final = (
    r"(?i)token|secret|passw|key|auth(?!enticat)|credential|session|signature|cookie|ticket|jwt"
)
_SUSPECT: Final = r"[\d=:]|%3|eyJ|(?i:bearer|basic)"
"""Without any of these, none of the patterns of `text` can match."""
_URL: Final = r"(?i)(?<![\w+.-])[a-z][\w+.-]*://[^\s\"'<>]+"


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def url(text: str) -> str:
    """Hide user, password, every query value, the fragment, and what looks like a key.

    >>> url("wss://me:pw@feed.example/v1?token=abc&v=2#x")
    'wss://***@feed.example/v1?token=***&v=***#***'
    """
    try:
        parts = urlsplit(text)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return MASK
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    user = f"{MASK}@" if "@" in parts.netloc else ""
    names = [pair.partition("=") for pair in parts.query.split("&")] if parts.query else []
    query = "&".join(f"{name}={MASK}" if equals else MASK for name, equals, _ in names)
    return SplitResult(
        parts.scheme,
        f"{user}{host}{port}",
        _compiled(_LONG).sub(MASK, parts.path),
        query,
        MASK if parts.fragment else "",
    ).geturl()


def text(value: str) -> str:
    """Hide what looks like a credential in free text, such as a close reason or an error.

    >>> text("token=abc123 expired"), text("Token expired")
    ('token=*** expired', 'Token expired')
    """
    if not _compiled(_SUSPECT).search(value):
        return value
    value = _compiled(_URL).sub(lambda match: url(match[0]), value)
    value = _compiled(_WHOLE).sub(_masked, value)
    value = _compiled(_ASSIGNED).sub(_masked, value)
    value = _compiled(_SCHEME).sub(lambda match: f"{match[1]} {MASK}", value)
    value = _compiled(_BARE).sub(lambda match: f"{match[1]} {MASK}", value)
    value = _compiled(_JWT).sub(MASK, value)
    return _compiled(_LONG).sub(MASK, value)


def line(value: str) -> str:
    r"""Make a text of a peer, or of an error, fit for one line: as `text`, and printable.

    >>> line("token=abc123\nopen -> closed")
    'token=***\\nopen -> closed'
    """
    return printable(text(value)) if value else value


def printable(value: str, keep: str = "") -> str:
    r"""Escape characters that cannot be printed, except those of `keep`.

    A peer chooses its reasons and messages: they may hold the escape sequences of a terminal, line
    ends that begin a forged line, and marks that turn the direction of the text.

    >>> printable("bye\x1b[2J")
    'bye\\x1b[2J'
    """
    if value.isprintable():
        return value
    return "".join(
        char if char in keep or char.isprintable() else char.encode("unicode_escape").decode()
        for char in value
    )


def _masked(match: re.Match[str]) -> str:
    name, sign, scheme, value = match.groups()
    quote = value[0] if value[0] in "\"'" else ""
    return f"{name}{sign}{scheme or ''}{quote}{MASK}{quote if value.endswith(quote, 1) else ''}"


def headers(given: Mapping[str, str]) -> dict[str, str]:
    """Hide the values of headers that are named like a credential, and credentials elsewhere.

    >>> headers({"set-cookie": "a=b", "www-authenticate": 'Bearer error="invalid_token"'})
    {'set-cookie': '***', 'www-authenticate': 'Bearer error="invalid_token"'}
    """
    return {
        name: MASK if _compiled(_HEADER).search(name) else text(value)
        for name, value in given.items()
    }
