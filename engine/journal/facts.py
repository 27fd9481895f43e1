"""Typed access to a JSON object that may be damaged or not ours."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from math import inf, isfinite
from typing import Any, TypeVar

E = TypeVar("E", bound=Enum)


class BadLineError(ValueError):
    """The object lacks a fact or has another type in its place."""


class Facts:
    """Reads named facts; raises `BadLineError` for what is missing or of another type."""

    def __init__(self, line: Mapping[str, Any]) -> None:
        self._line = line

    def has(self, name: str) -> bool:
        """Whether there is such a fact, and not null."""
        return self._line.get(name) is not None

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text, the default where it is missing or null."""
        value = self._line.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise BadLineError(f"{name} is no text")
        return value

    def integer(self, name: str, default: int | None = None) -> int:
        """Return an integer, the default where it is missing or null."""
        value = self._line.get(name)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            raise BadLineError(f"{name} is no integer")
        return value

    def maybe_integer(self, name: str) -> int | None:
        """Return an integer, None where it is missing or null."""
        return self.integer(name) if self.has(name) else None

    def number(self, name: str, default: float | None = None) -> float:
        """Return a finite number, the default where it is missing or null."""
        value = self._line.get(name)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadLineError(f"{name} is no number")
        try:
            found = float(value)
        except OverflowError:
            found = inf
        if not isfinite(found):
            raise BadLineError(f"{name} is no finite number")
        return found

    def maybe_number(self, name: str) -> float | None:
        """Return a number, None where it is missing or null."""
        return self.number(name) if self.has(name) else None

    def flag(self, name: str, *, default: bool | None = None) -> bool:
        """Return a truth value, the default where it is missing or null."""
        value = self._line.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, bool):
            raise BadLineError(f"{name} is neither true nor false")
        return value

    def choice(self, name: str, kind: type[E]) -> E:
        """Return the member of an enumeration."""
        try:
            return kind(self._line.get(name))
        except ValueError:
            raise BadLineError(f"{name} is no {kind.__name__}") from None

    def inner(self, name: str) -> "Facts | None":
        """Return the facts of an object within this one, None where it is missing or null."""
        return Facts(self.mapping(name)) if self.has(name) else None

    def mapping(self, name: str) -> dict[str, Any]:
        """Return an object as it is; an empty one where it is missing or null."""
        value = self._line.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise BadLineError(f"{name} is no object")
        return value

    def moment(self, name: str) -> float:
        """Return a time stamp as seconds since the epoch: ISO 8601, UTC if it names no zone."""
        value = self._line.get(name)
        try:
            if isinstance(value, str):
                found = datetime.fromisoformat(value)
                time = (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
            else:
                time = self.number(name)
            # There and back: some times can be read that no date in UTC stands for.
            return datetime.fromtimestamp(time, UTC).timestamp()
        except (ValueError, OverflowError, OSError):
            raise BadLineError(f"{name} is no time stamp") from None
