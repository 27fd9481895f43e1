"""Checks numbers that a policy is made with, so that a bad one is refused where it stands."""

from math import isfinite


def check_seconds(name: str, value: float, *, positive: bool = False) -> None:
    """Raise `TypeError` or `ValueError` unless finite and at least 0, or above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number of seconds, not {value!r}")
    if not isfinite(value) or value < 0 or (positive and value == 0):
        bound = "above 0" if positive else "at least 0"
        raise ValueError(f"{name} must be finite and {bound}, not {value!r}")


def check_order(low_name: str, low: float, high_name: str, high: float) -> None:
    """Raise `ValueError` if `low` is above `high`."""
    if low > high:
        raise ValueError(f"{low_name} must not exceed {high_name}, but {low:g} > {high:g}")


def check_count(name: str, value: int, *, least: int = 1) -> None:
    """Raise `TypeError` or `ValueError` unless an int of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, not {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, not {value!r}")
