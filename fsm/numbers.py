"""Checks of numbers that an application gives: seconds, counts, the order of two bounds."""

from math import inf, isfinite


def check_seconds(name: str, value: object, *, positive: bool = False) -> float:
    """Return the seconds as a float: finite, and at least 0, or above 0 if `positive`.

    `name` is the name of the number in the error. Raises `TypeError` unless `value` is an int or a
    float (a bool is neither), `ValueError` for a number out of range.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number of seconds, not {value!r}")
    try:
        seconds = float(value)
    except OverflowError:
        seconds = inf  # an int beyond what a float can hold
    if not isfinite(seconds) or seconds < 0 or (positive and seconds == 0):
        bound = "above 0" if positive else "at least 0"
        raise ValueError(f"{name} must be finite and {bound}, not {seconds!r}")
    return seconds


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
