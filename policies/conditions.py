"""Conditions as data: the facts of an end for which a rule applies; `when` writes one."""

import re
from collections.abc import Callable, Iterable
from enum import Enum
from operator import attrgetter
from typing import Any, Final

from recloser.fsm.decisions import Context, Phase
from recloser.fsm.record import Cause, Close, Origin
from recloser.fsm.spelling import hinting
from recloser.fsm.value import Value, assign
from recloser.policies.intervals import IntervalSet, Numbers, numbers

Holds = Callable[[Close, Context], bool]

_OF_CLOSE: Final = {
    "code": "code",
    "sent_code": "sent_code",
    "status": "status",
    "intentional": "intentional",
    "origin": "origin",
    "cause": "cause",
    "reason": "reason",
    "advice": "advice",
}
_OF_CONTEXT: Final = {
    "phase": "phase",
    "streak": "streak",
    "refusals": "refusals",
    "attempt": "attempt",
    "uptime": "uptime",
    "elapsed": "elapsed",
    "been_open": "been_open",
    "denied_for": "denied_for",
    "can_refresh": "can_refresh",
    "refreshed": "refreshed",
    "immediate": "previous_immediate",
    "stable": "stable",
}
_TEXTS: Final = {
    ("intentional", True): "the application asked for it",
    ("intentional", False): "nobody asked for it",
    ("refused", True): "upgrade refused",
    ("refused", False): "no refused upgrade",
    ("can_refresh", True): "a new credential can be asked for",
    ("can_refresh", False): "no credential to ask for",
    ("refreshed", True): "asked for one in this streak",
    ("refreshed", False): "not asked for one in this streak",
    ("stable", True): "open for a stable period",
    ("stable", False): "not open for a stable period",
    ("been_open", True): "the address has been open before",
    ("been_open", False): "the address has not been open before",
    ("immediate", True): "the dial was an immediate one",
    ("immediate", False): "the dial was not an immediate one",
}
_SECONDS: Final = ("uptime", "elapsed", "denied_for")
_OPTIONAL: Final = ("status", "sent_code", "uptime")


class Among(Value):
    """A set of words, named values or truth values."""

    __slots__ = __match_args__ = ("values",)

    values: tuple[Any, ...]

    def __init__(self, values: tuple[Any, ...]) -> None:
        assign(self, "values", values)

    def covers(self, other: "Among") -> bool:
        """Whether every value of `other` is in this set."""
        return all(each in self.values for each in other.values)

    def meets(self, other: "Among") -> bool:
        """Whether the two have a value in common."""
        return any(each in self.values for each in other.values)

    def __str__(self) -> str:
        return " or ".join(str(v.value if isinstance(v, Enum) else v) for v in self.values)


class Like(Value):
    """Texts in which each of these regular expressions is found, whatever the case."""

    __slots__ = __match_args__ = ("patterns",)

    patterns: tuple[str, ...]

    def __init__(self, patterns: tuple[str, ...]) -> None:
        assign(self, "patterns", patterns)

    def covers(self, other: "Like") -> bool:
        """Whether the other has all of these expressions; their meaning is not compared."""
        return set(self.patterns) <= set(other.patterns)

    def meets(self, other: "Like") -> bool:
        """Assume so: one text may match both."""
        del other
        return True

    def __str__(self) -> str:
        return "like " + " and ".join(f"/{each}/" for each in self.patterns)


Wanted = IntervalSet | Among | Like


class When(Value):
    """All of its tests must hold; made by `when`. Without tests it always holds."""

    __slots__ = __match_args__ = ("tests",)

    tests: tuple[tuple[str, Wanted], ...]

    def __init__(self, tests: tuple[tuple[str, Wanted], ...] = ()) -> None:
        assign(self, "tests", tests)

    def get(self, name: str) -> Wanted | None:
        """Return the values wanted of one fact; None if it does not matter."""
        for fact, want in self.tests:
            if fact == name:
                return want
        return None

    def without(self, *names: str) -> "When":
        """Return the same condition without the tests of these facts."""
        return When(tuple(test for test in self.tests if test[0] not in names))

    def covers(self, other: "When") -> bool:
        """Whether this holds wherever `other` holds."""
        for name, want in self.tests:
            theirs = other.get(name)
            if theirs is None or not covers(want, theirs):
                return False
        return True

    def meets(self, other: "When") -> bool:
        """Whether both may hold of one end."""
        for name, want in self.tests:
            theirs = other.get(name)
            if theirs is not None and not meets(want, theirs):
                return False
        return True

    def compile(self) -> Holds | None:
        """Make a function that tests an end; None if there is nothing to test."""
        test: Holds | None = None
        for name, want in reversed(self.tests):
            test = _test(name, want) if test is None else _both(_test(name, want), test)
        return test

    def __str__(self) -> str:
        given = {name for name, _ in self.tests}
        words = [
            _say(*test) for test in self.tests if test[0] != "refused" or "status" not in given
        ]
        return "; ".join(words) or "always"


def _both(first: Holds, second: Holds) -> Holds:
    return lambda close, context: first(close, context) and second(close, context)


def covers(mine: Any, theirs: Any) -> bool:
    """Whether a set of one fact holds all of another set of the same fact."""
    return bool(mine.covers(theirs))


def meets(mine: Any, theirs: Any) -> bool:
    """Whether two sets of the same fact have something in common."""
    return bool(mine.meets(theirs))


def _say(name: str, want: Wanted) -> str:
    if isinstance(want, Among) and (name, want.values[0]) in _TEXTS:
        return _TEXTS[name, want.values[0]]
    words = name.replace("_", " ")
    if isinstance(want, IntervalSet) and name in _SECONDS:
        return f"{words} {want.bounds()} s"
    return f"{words} {want}"


def _test(name: str, want: Wanted) -> Holds:
    if name == "refused":
        refused = want == Among((True,))
        return lambda close, _: (close.status is not None) is refused
    if name == "advice" and isinstance(want, Among):
        words = want.values
        return lambda close, _: close.advice is not None and close.advice.lower() in words
    if isinstance(want, Like):
        found = [re.compile(each, re.IGNORECASE).search for each in want.patterns]
        first, others = found[0], found[1:]
        return lambda close, _: (
            first(close.reason) is not None
            and all(search(close.reason) is not None for search in others)
        )
    if name in _OF_CLOSE:
        read = attrgetter(_OF_CLOSE[name])
        fits = _fits(want, optional=name in _OPTIONAL)
        return lambda close, _: fits(read(close))
    read = attrgetter(_OF_CONTEXT[name])
    fits = _fits(want, optional=name in _OPTIONAL)
    return lambda _, context: fits(read(context))


def _fits(want: IntervalSet | Among, *, optional: bool) -> Callable[[Any], bool]:
    if isinstance(want, IntervalSet):
        if len(want.intervals) == 1:
            low, high = want.intervals[0]
            if optional:
                return lambda value: value is not None and low <= value < high
            return lambda value: low <= value < high
        if optional:
            return lambda value: value is not None and value in want
        return want.__contains__
    return want.values.__contains__


@hinting
def when(
    *,
    code: Numbers | None = None,
    status: Numbers | None = None,
    refused: bool | None = None,
    intentional: bool | None = None,
    origin: Origin | Iterable[Origin] | None = None,
    cause: Cause | Iterable[Cause] | None = None,
    sent_code: Numbers | None = None,
    reason: str | Iterable[str] | None = None,
    advice: str | Iterable[str] | None = None,
    phase: Phase | None = None,
    streak: int | IntervalSet | None = None,
    refusals: int | IntervalSet | None = None,
    attempt: int | IntervalSet | None = None,
    uptime: IntervalSet | None = None,
    elapsed: IntervalSet | None = None,
    been_open: bool | None = None,
    denied_for: IntervalSet | None = None,
    can_refresh: bool | None = None,
    refreshed: bool | None = None,
    immediate: bool | None = None,
    stable: bool | None = None,
) -> When:
    """Make the condition that all of these hold; without any it always holds.

    The words are the fields of `Close` and `Context`; `refused` says whether there is a
    `status`, `immediate` is `previous_immediate`, and `stable` is the property of that name.
    `reason` is a regular expression, searched whatever the case, or several that must all be
    found; `advice` is compared whatever the case. Counts are given as `3`, `at_least(3)` or
    `below(3)`, times in seconds as `at_least(10)` or `below(10)`. A time that is not known fits
    nothing. Raises `TypeError` or `ValueError` for arguments that make no sense.

    >>> str(when(code=range(4000, 5000), streak=at_least(3)))
    'code 4000-4999; streak at least 3'
    """
    if status is not None and refused is False:
        raise ValueError("refused=False means that there is no status: leave one of them out")
    tests: list[tuple[str, Wanted]] = []
    for name, whole in (("code", code), ("status", status), ("sent_code", sent_code)):
        if whole is not None:
            tests.append((name, numbers(whole)))
    flags = {
        "refused": True if status is not None else refused,
        "intentional": intentional,
        "can_refresh": can_refresh,
        "refreshed": refreshed,
        "immediate": immediate,
        "stable": stable,
        "been_open": been_open,
    }
    for name, flag in flags.items():
        if flag is not None:
            tests.append((name, _flag(name, flag)))
    named = (("origin", origin, Origin), ("cause", cause, Cause), ("phase", phase, Phase))
    tests.extend((name, _several(each, kind)) for name, each, kind in named if each is not None)
    if reason is not None:
        tests.append(("reason", Like(_expressions(reason))))
    if advice is not None:
        words = _several(advice, str)
        tests.append(("advice", Among(tuple(word.lower() for word in words.values))))
    for name, count in (
        ("streak", streak),
        ("refusals", refusals),
        ("attempt", attempt),
        ("uptime", uptime),
        ("elapsed", elapsed),
        ("denied_for", denied_for),
    ):
        if count is not None:
            tests.append((name, count if isinstance(count, IntervalSet) else numbers(count)))
    return When(tuple(tests))


def _flag(name: str, value: Any) -> Among:
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, not {value!r}")
    return Among((value,))


def _several(value: Any, kind: type) -> Among:
    one = isinstance(value, kind) or not isinstance(value, Iterable)
    values = (value,) if one else tuple(value)
    if not values or not all(isinstance(each, kind) for each in values):
        raise TypeError(f"expected one or more of {kind.__name__}, not {value!r}")
    return Among(values)


def _expressions(reason: str | Iterable[str]) -> tuple[str, ...]:
    patterns: tuple[str, ...] = _several(reason, str).values
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"reason is no regular expression: {error} in {pattern!r}") from error
    return patterns
