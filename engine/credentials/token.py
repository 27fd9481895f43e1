"""A credential as the application gives it, and as it is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from recloser.checks import check_headers
from recloser.clock import Clock
from recloser.fsm.numbers import check_seconds

_TIMES: Final = ("expires_in", "expires_at")


@dataclass(frozen=True, slots=True)
class Token:
    """A credential whose end is known.

    `value` is a token, or the headers that make up the credential. Raises `TypeError` or
    `ValueError` for anything else, for an empty one, and for times that are not finite.
    """

    value: str | Mapping[str, str] = field(repr=False)
    expires_in: float | None = field(default=None, kw_only=True)
    """Seconds that it is valid, counted from the moment the provider was asked."""
    expires_at: float | None = field(default=None, kw_only=True)
    """Seconds since the epoch at which it ends; the earlier one counts if both are given."""

    def __post_init__(self) -> None:
        value: object = self.value
        if isinstance(value, str):
            if any(mark in value for mark in "\r\n\0"):
                raise ValueError("a token must not contain a line break or NUL: strip it")
        elif isinstance(value, Mapping):
            check_headers(value)
        else:
            kind = type(value).__name__
            raise TypeError(f"a credential is a str, headers or a Token, not {kind}")
        if not value:
            raise ValueError("a credential must not be empty: raise Unauthorized instead")
        for name in _TIMES:
            seconds = getattr(self, name)
            if seconds is not None:
                check_seconds(name, seconds)


@dataclass(frozen=True, slots=True)
class IssuedCredential:
    """A credential that a provider gave, and how long it serves."""

    value: str | Mapping[str, str] = field(repr=False)
    version: int
    """Counted from 1: it tells a refused credential from its successor."""
    ends: tuple[float, float] | None
    """Its end, on the monotonic and on the wall clock; None if that is not known."""

    def serves(self, clock: Clock, ahead: float) -> bool:
        """Whether it is valid for `ahead` seconds more, by both clocks.

        The monotonic clock stands still while the machine sleeps; the wall clock can be set.
        """
        if self.ends is None:
            return True
        monotonic, wall = self.ends
        return clock.monotonic() + ahead < monotonic and clock.wall() + ahead < wall


def issue(given: object, version: int, *, asked: tuple[float, float]) -> IssuedCredential:
    """Check the answer of a provider; `asked` is the moment of the call, on both clocks."""
    token = given if isinstance(given, Token) else Token(given)  # type: ignore[arg-type] # checked there
    monotonic, wall = asked
    lives = [] if token.expires_in is None else [token.expires_in]
    if token.expires_at is not None:
        lives.append(token.expires_at - wall)
    ends = (monotonic + min(lives), wall + min(lives)) if lives else None
    return IssuedCredential(token.value, version, ends)
