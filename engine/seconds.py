"""A number of seconds that somebody gives: finite, and at least or above 0."""

from math import isfinite


def check_seconds(name: str, seconds: object, *, above: bool = False) -> None:
    """Raise `TypeError` or `ValueError` for what is none; `above`: 0 is none either."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"{name} must be a number of seconds, not {seconds!r}")
    if not isfinite(seconds) or seconds < 0 or (above and not seconds):
        least = "above" if above else "at least"
        raise ValueError(f"{name} must be finite and {least} 0, not {seconds!r}")
