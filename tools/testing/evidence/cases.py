"""The exhaustive part of the search: every code, status and cause, and the edges of each field."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from math import ceil
from typing import Any, Final

from recloser.fsm.decisions import Context, Phase
from recloser.fsm.record import Cause, Close, Origin, varied
from recloser.fsm.states import Wish
from recloser.testing.evidence.contexts import (
    AGAIN,
    ASKED,
    COUNTS,
    DIAL,
    FAILED,
    FIRST,
    FLAP,
    OPEN,
    REASONS,
    ROLLS,
    SECONDS,
)
from recloser.testing.evidence.ends import CODES, COMMON, STATUSES, End, asked, refused
from recloser.testing.evidence.literals import Literals

Case = tuple[Close, Context]

COUNTED: Final = ("attempt", "streak", "busy", "refusals", "engines")
TIMED: Final = (
    *("uptime", "elapsed", "since_dial", "last_delay", "spread"),
    *("denied_for", "outage"),
)
OF_CLOSE: Final = ("code", "status", "sent_code", "unsent", "retry_after")
_TEXTS: Final = ("reason", "advice")
_MOST_ALONE: Final = 15_000
"""Cases with one value of the policy's own; where it has many, each meets a share of the ends."""
_MOST_COMBINED: Final = 10_000
_REPLACED: Final = (COMMON[0], COMMON[-1], COMMON[-2])
"""A code or a status replaces the end; its context and reason stay."""
_MEANT: Final = frozenset(
    each + by
    for each in (
        0,
        *range(1000, 1016),
        2000,
        3000,
        3003,
        3008,
        4000,
        4001,
        4401,
        5000,
        *CODES[5102:],
    )
    for by in (-1, 0, 1)
)
"""Codes with a known meaning, and their neighbours."""
_THOROUGH: Final = 8
"""For one usual end of so many, every edge of every field is tried; for the others a share."""
_STEADY: Final = 3000
"""Attempts that are tried one by one, for a few ends."""


_MADE: Final[dict[Callable[[], Iterator[Case]], tuple[Case, ...] | None]] = {}
"""The groups that this process has asked for, and the cases of those that it keeps."""


def made(group: Callable[[], Iterator[Case]]) -> Iterable[Case]:
    """Return the cases of a group, the same for every policy; they are kept from the second time.

    A process that checks one policy has no use for them later, and would pay for their memory and
    for the garbage collector, which looks through all of them.
    """
    if group not in _MADE:
        _MADE[group] = None
        return group()
    cases = _MADE[group]
    if cases is None:
        cases = _MADE[group] = tuple(group())
    return cases


def codes() -> Iterator[Case]:
    """Every code, from the peer or as the answer to an own close.

    Codes with a meaning, and those at the edges of a range, in every usual context; the others in
    seven contexts each, by turns, so that neighbours share all of them.
    """
    for turn, code in enumerate(CODES):
        yield from _everywhere(code) if code in _MEANT else _by_turns(code, turn)


def _everywhere(code: int) -> Iterator[Case]:
    closed = Close.frame(code)
    for context in (*OPEN, FAILED, AGAIN):
        yield closed, context
    for reason in REASONS[:2]:
        yield varied(closed, reason=reason), FIRST
    yield varied(closed, reason="Token expired"), OPEN[3]
    for context in ASKED:
        yield asked(Wish.CLOSE, code), context
    yield asked(Wish.SUSPEND, code), ASKED[0]
    yield asked(Wish.CONNECT, code), ASKED[1]


def _by_turns(code: int, turn: int) -> Iterator[Case]:
    closed = Close.frame(code)
    first, later = OPEN[:4], OPEN[4:]
    yield closed, first[turn % len(first)]
    yield closed, later[turn % len(later)]
    yield closed, later[(turn + len(later) // 2) % len(later)]
    yield closed, (FAILED, AGAIN)[turn % 2]
    yield Close.frame(code, REASONS[turn % 3]), first[turn % len(first)]
    yield asked(Wish.CLOSE, code), ASKED[turn % len(ASKED)]
    yield asked((Wish.SUSPEND, Wish.CONNECT)[turn % 2], code), ASKED[turn % 2]


def statuses() -> Iterator[Case]:
    """Every HTTP status of a refused upgrade."""
    for status in STATUSES:
        closed = refused(status)
        for context in DIAL:
            yield closed, context
        for seconds in (0.0, 30.0, 1e9):
            yield refused(status, seconds), FAILED
            yield refused(status, seconds), AGAIN
        yield varied(closed, intentional=True, wish=Wish.CLOSE), ASKED[2]


def causes() -> Iterator[Case]:
    """Every origin with every cause, also where no transport is known to put them together."""
    numbers = (1000, 1002, 1005, 1006, 1015, 4000)
    for origin, cause, code in product(Origin, Cause, numbers):
        closed = Close(code=code, origin=origin, cause=cause, clean=cause is Cause.CLOSE_FRAME)
        status = 503 if cause in (Cause.REFUSED, Cause.PROXY) else None
        for context in (*OPEN[:5], *DIAL[:5], OPEN[-2], DIAL[-2]):
            yield varied(closed, status=status), context
        for wish in Wish:
            for context in (ASKED[0], ASKED[3]):
                yield varied(closed, intentional=True, wish=wish), context


def fields() -> Iterator[Case]:
    """Each field by itself along its edges, for every usual end.

    For one end of eight every value; for the others one value of four, by turns.
    """
    for number, end in enumerate(COMMON):
        base = _base(end)
        some = slice(None) if number % _THOROUGH == 0 else slice(number % 4, None, 4)
        for name in COUNTED:
            for count in COUNTS[some]:
                if count >= (name != "busy"):
                    yield end.close, with_field(base, name, count)
        for name in TIMED:
            if name != "uptime" or base.uptime is not None:
                for seconds in SECONDS[some]:
                    yield end.close, with_field(base, name, seconds)
        for roll in ROLLS[some]:
            yield end.close, base._replace(roll=roll)
            yield end.close, (FIRST if end.uptime else FAILED)._replace(roll=roll)
        for seconds in SECONDS[some]:
            yield varied(end.close, retry_after=seconds), base
            yield varied(end.close, spread=seconds), base
        for reason in REASONS:
            yield varied(end.close, reason=reason), base
        for advice in ("", "stop", "hold", "retry", "refresh", "STOP", "no such advice", "☂"):
            for refresh in (False, True):
                yield varied(end.close, advice=advice), base._replace(can_refresh=refresh)
        for unsent in (1, 1000, 10**9):
            yield varied(end.close, unsent=unsent), base
        yield varied(end.close, error=OSError(104, "gone"), headers={"server": "x"}), base


def attempts() -> Iterator[Case]:
    """Every attempt up to some thousands, the same end each time or always another, by turns."""
    for end in (
        COMMON[0],
        End(Close.frame(1012), 1.0),
        End(refused(503)),
        End(Close.frame(4000), 1.0),
    ):
        base = _base(end)
        for attempt in range(1, _STEADY):
            streak = attempt if (attempt % 2 == 0) is (end.uptime is None) else 1
            context = base._replace(attempt=attempt, streak=streak, elapsed=30.0 * attempt)
            yield end.close, context


def literally(literals: Literals, seed: int) -> Iterator[Case]:
    """Put the policy's own numbers and texts into every field, alone and together."""
    values: list[tuple[str, Any]] = []
    for number in literals.numbers:
        for each in {number - 1, number, number + 1}:
            whole = isinstance(each, int)
            if whole:
                values += [(name, each) for name in (*COUNTED, "code", "status", "sent_code")]
            if each >= 0:
                values += [(name, float(each)) for name in (*TIMED, "retry_after")]
                values += [("unsent", int(each))] if whole else []
        if 0 <= number < 1:
            values += [("roll", each) for each in (number, number - 2**-53, number + 2**-53)]
    for text in literals.texts:
        values += [(name, each) for name in _TEXTS for each in (text, text.upper(), f"x {text}")]
    values = list(dict.fromkeys(each for each in values if _sensible(*each)))
    step = max(1, ceil(len(values) * 2 * len(COMMON) / _MOST_ALONE))
    for turn, (name, value) in enumerate(values):
        bases = _REPLACED if name in ("code", "status") else COMMON[turn % step :: step]
        for end in bases:
            for context in (_base(end), FIRST if end.uptime else FAILED):
                yield with_value((end.close, context), name, value)
    yield from _combined(values, random.Random(seed))  # noqa: S311 - it repeats itself


def _combined(values: Sequence[tuple[str, Any]], rng: random.Random) -> Iterator[Case]:
    """Two or three values at a time, with the flags as they come."""
    for _ in range(_MOST_COMBINED if values else 0):
        end = rng.choice(COMMON)
        names = ("can_refresh", "refreshed", "previous_immediate", "been_open", "crowded")
        flags = rng.choices((False, True), k=len(names))
        changes: dict[str, Any] = dict(zip(names, flags, strict=True))
        case = (end.close, _base(end)._replace(**changes, roll=rng.choice(ROLLS)))
        for name, value in rng.choices(values, k=rng.choice((2, 3))):
            case = with_value(case, name, value)
        yield case


def _base(end: End) -> Context:
    return AGAIN if end.uptime is None else FLAP


def _sensible(name: str, value: Any) -> bool:
    if name in ("attempt", "streak", "engines"):
        return 1 <= int(value) <= 10**9
    if name in ("busy", "refusals", "unsent"):
        return 0 <= int(value) <= 10**9
    if name == "status":
        return 100 <= int(value) < 1000  # noqa: PLR2004 - three digits (RFC 9110 section 15)
    return name != "roll" or 0 <= value < 1


def with_field(context: Context, name: str, value: Any) -> Context:
    """Return the context with this field, and the others still possible beside it."""
    changes: dict[str, Any] = {name: value}
    if name == "streak" and value > context.attempt:
        changes["attempt"] = value
    elif name == "attempt" and value < context.streak:
        changes["streak"] = value
    elif name == "busy" and value > context.attempt:
        changes["attempt"] = value
    elif name == "uptime":
        changes["phase"] = Phase.OPEN
        changes["since_dial"] = value + 0.05
    return context._replace(**changes)


def with_value(case: Case, name: str, value: Any) -> Case:
    """Return the case with one field changed, of the record or of the context."""
    close, context = case
    if name == "status":
        made = refused(value)
        close = varied(made, reason=close.reason, advice=close.advice)
        return close, context._replace(phase=Phase.DIAL, uptime=None)
    if name in OF_CLOSE or name in _TEXTS:
        if name == "code" and close.cause is not Cause.CLOSE_FRAME:
            close = Close.frame(value, close.reason)
        return varied(close, **{name: value}), context
    return close, with_field(context, name, value)
