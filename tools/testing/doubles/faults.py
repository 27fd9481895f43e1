"""Fault scripts: the misbehaviour of a server, connection by connection; as data or as TOML."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from recloser.fsm.numbers import check_seconds
from recloser.fsm.record import NO_HEADERS

DEEDS: Final[Mapping[str, str]] = {
    "serve": "ordinary service until the client leaves",
    "close": "a close frame with `code` and `reason`",
    "refuse": "the upgrade is answered with `status` and `headers`",
    "cut": "the connection is ended without a close frame (FIN)",
    "reset": "the connection is broken (RST)",
    "silence": "nothing is read and nothing is said, until the client leaves",
    "flood": "`count` messages of `size` bytes, as fast as they go, then ordinary service",
    "hang": "the upgrade is never answered",
}
"""The deeds of a fault, with their descriptions."""


class ScriptError(ValueError):
    """A fault script makes no sense; the message is one line that says what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The fate of one connection. Times are in seconds.

    A deed comes after `after` seconds of ordinary service: echoes, and `send` at the start.
    Raises `ScriptError` for values that make no sense.
    """

    do: str = "serve"
    """One of `DEEDS`."""
    code: int = 1000
    reason: str = ""
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)
    after: float = 0.0
    """Ordinary service before the deed."""
    delay: float = 0.0
    """Before the upgrade is answered."""
    send: tuple[str, ...] = ()
    """Messages sent as soon as the connection is up."""
    duplicate: bool = False
    """Every message of the server is sent twice."""
    pongs: bool = True
    """False: pings are not answered."""
    count: int = 1000
    size: int = 1024
    times: int = 1
    """For so many connections in a row; 0: for all that follow."""
    client: str | None = None
    """Only for connections that say `?client=NAME` in their URL; None: for all."""

    def __post_init__(self) -> None:
        if not isinstance(self.do, str) or self.do not in DEEDS:
            raise ScriptError(f"do must be one of {', '.join(DEEDS)}, not {self.do!r}")
        for name, kind in _KINDS.items():
            value = getattr(self, name)
            if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
                raise ScriptError(f"{name} must be {_SAID[name]}, not {value!r}")
        for name in ("after", "delay"):
            try:
                check_seconds(name, getattr(self, name))
            except ValueError as error:
                raise ScriptError(str(error)) from None
        for name in ("count", "size", "times"):
            if getattr(self, name) < 0:
                raise ScriptError(f"{name} must be at least 0, not {getattr(self, name)}")
        self._check_effects()
        if self.do == "refuse" and not 100 < self.status < 1000:  # noqa: PLR2004 - three digits
            raise ScriptError(f"status must be 101 to 999, not {self.status}")
        if self.do == "close" and not 0 <= self.code < 2**16:
            raise ScriptError(f"code must fit into 16 bits, not {self.code}")

    def _check_effects(self) -> None:
        """Raise `ScriptError` for a value that the deed does not use."""
        for each in fields(self):
            deeds = _DEEDS_OF.get(each.name, DEEDS)
            if self.do not in deeds and getattr(self, each.name) != _UNUSED[each.name]:
                known = " or ".join(f"do={deed!r}" for deed in deeds)
                raise ScriptError(
                    f"{each.name} has no effect where do={self.do!r}: leave it out, or give {known}"
                )

    @property
    def title(self) -> str:
        """Its deed in a few words."""
        words = {
            "close": f"close {self.code} {self.reason!r}" if self.reason else f"close {self.code}",
            "refuse": f"refuse with {self.status}",
            "flood": f"flood of {self.count} messages",
        }
        said = words.get(self.do, self.do)
        return said if self.pongs else f"{said}, no pongs"


_SERVING: Final = ("serve", "close", "cut", "reset", "silence", "flood")
_DEEDS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("code", "reason"), ("close",)),
    **dict.fromkeys(("status", "headers"), ("refuse",)),
    **dict.fromkeys(("count", "size"), ("flood",)),
    "after": _SERVING[1:],
    **dict.fromkeys(("send", "duplicate", "pongs"), _SERVING),
}
"""The deeds that use a value; the others are used by all."""

_UNUSED: Final = {
    "code": 1000,
    "reason": "",
    "status": 503,
    "headers": NO_HEADERS,
    "after": 0.0,
    "send": (),
    "duplicate": False,
    "pongs": True,
    "count": 1000,
    "size": 1024,
}
"""The values that say nothing."""

_KINDS: Final[Mapping[str, Any]] = {
    "code": int,
    "reason": str,
    "status": int,
    "headers": Mapping,
    "after": (int, float),
    "delay": (int, float),
    "duplicate": bool,
    "pongs": bool,
    "count": int,
    "size": int,
    "times": int,
    "client": (str, type(None)),
}
_SAID: Final[Mapping[str, str]] = {
    **dict.fromkeys(("code", "status", "count", "size", "times"), "a whole number"),
    **dict.fromkeys(("after", "delay"), "a number of seconds"),
    **dict.fromkeys(("duplicate", "pongs"), "true or false"),
    **dict.fromkeys(("reason", "client"), "a text"),
    "headers": "a table of texts",
}

DEFAULT_SCRIPT: Final = (
    Fault(do="close", code=1000, reason="shift is over", after=2.0, send=("hello",)),
    Fault(do="close", code=1012, reason="restarting", after=2.0),
    Fault(do="close", code=1000, reason="Token expired", after=2.0),
    Fault(do="refuse", status=503, headers={"Retry-After": "1"}, times=2),
    Fault(do="cut", after=2.0),
    Fault(do="reset", after=2.0),
    Fault(do="close", code=1001, delay=1.0, duplicate=True, after=2.0),
    Fault(do="flood", count=1000, after=1.0),
    Fault(do="close", code=4000, reason="maintenance", after=2.0),
)
"""The script of `recloser serve` if none is given."""


def parse_script(text: str) -> tuple[Fault, ...]:
    r"""Read a script of `[[fault]]` tables; raises `ScriptError`.

    >>> parse_script('[[fault]]\ndo = "close"\ncode = 1012')[0].title
    'close 1012'
    """
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits is no TOMLDecodeError
        raise ScriptError(f"no TOML: {error}") from error
    unknown = sorted(set(data) - {"fault"})
    if unknown:
        raise ScriptError(f"unknown table {unknown[0]!r}: a script consists of [[fault]] tables")
    tables = data.get("fault", [])
    if not isinstance(tables, list) or not tables:
        raise ScriptError("a script needs at least one [[fault]] table")
    return tuple(_fault(number, table) for number, table in enumerate(tables, start=1))


def load_script(path: Path) -> tuple[Fault, ...]:
    """Read a script from a file; raises `ScriptError` and `OSError`."""
    try:
        return parse_script(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ScriptError("a script is UTF-8 text") from error


def _fault(number: int, table: object) -> Fault:
    known = {each.name for each in fields(Fault)}
    if not isinstance(table, dict):
        raise ScriptError(f"fault {number} is no table: write [[fault]]")
    unknown = sorted(set(table) - known)
    if unknown:
        raise ScriptError(
            f"fault {number}: unknown key {unknown[0]!r}; one of {', '.join(sorted(known))}"
        )
    send = table.get("send", [])
    texts = send if isinstance(send, list) else [None]
    if not all(isinstance(each, str) for each in texts):
        raise ScriptError(f"fault {number}: send must be a list of texts")
    try:
        return Fault(**{**table, "send": tuple(texts)})
    except ScriptError as error:
        raise ScriptError(f"fault {number}: {error}") from error
