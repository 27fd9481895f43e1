"""The word with which a condition is written."""

import re
from collections.abc import Iterable
from typing import Any

from recloser.fsm.decisions import Phase
from recloser.fsm.record import Cause, Origin
from recloser.policies.conditions import Among, Like, Wanted, When
from recloser.policies.spans import Numbers, Spans, numbers


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
    streak: int | Spans | None = None,
    attempt: int | Spans | None = None,
    uptime: Spans | None = None,
    elapsed: Spans | None = None,
    can_refresh: bool | None = None,
    refreshed: bool | None = None,
    immediate: bool | None = None,
) -> When:
    """Make the condition that all of these hold; without any it always holds.

    The words are the fields of `Close` and `Context`; `refused` says whether there is a
    `status`, `immediate` is `previous_immediate`. `reason` is a regular expression, searched
    whatever the case, or several that must all be found; `advice` is compared whatever the
    case. Counts are given as `3`, `at_least(3)` or `below(3)`, times in seconds as
    `at_least(10)` or `below(10)`. A time that is not known fits nothing. Raises `TypeError` or
    `ValueError` for what cannot be meant.

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
    }
    tests.extend((name, _several(flag, bool)) for name, flag in flags.items() if flag is not None)
    named = (("origin", origin, Origin), ("cause", cause, Cause), ("phase", phase, Phase))
    tests.extend((name, _several(each, kind)) for name, each, kind in named if each is not None)
    if reason is not None:
        tests.append(("reason", Like(_expressions(reason))))
    if advice is not None:
        words = _several(advice, str)
        tests.append(("advice", Among(tuple(word.lower() for word in words.values))))
    for name, span in (
        ("streak", streak),
        ("attempt", attempt),
        ("uptime", uptime),
        ("elapsed", elapsed),
    ):
        if span is not None:
            tests.append((name, span if isinstance(span, Spans) else numbers(span)))
    return When(tuple(tests))


def _several(value: Any, kind: type) -> Among:
    values = (value,) if isinstance(value, kind) else tuple(value)
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
