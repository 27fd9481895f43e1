"""The lives that every policy is led through: each end that can repeat, again and again."""

from collections.abc import Iterator
from typing import Final

from recloser.fsm.record import Cause
from recloser.testing.ends import CODES, COMMON, STATUSES, End, frame, refused, repeatable
from recloser.testing.literals import Literals
from recloser.testing.stories import Lose

SHORT: Final = 12
"""Ends in the life of each code and status."""
LONG: Final = 60
"""Ends in the life of each common end."""
LONGEST: Final = 2500

Plan = tuple[list[End], bool, float | None]


def plans(known: Literals) -> Iterator[Plan]:
    """Every end that can repeat, with and without a provider, with fair rolls and a steady one."""
    for end in COMMON:
        for refresh in (False, True):
            yield [end] * LONG, refresh, None
            yield [end] * LONG, refresh, 0.5
    for end in (COMMON[0], End(COMMON[0].close, 0.05)):
        yield [end] * LONGEST, False, None
    for end in repeatable():
        yield [end] * SHORT, False, None
    for ends in _alternating():
        yield ends, False, None
    numbers = {int(each) for each in known.numbers if isinstance(each, int)}
    for number in sorted(numbers & {*CODES, *STATUSES}):
        yield [End(frame(number), 0.05)] * LONG, True, None
        if number in STATUSES:
            yield [End(refused(number))] * LONG, True, None


def _alternating() -> Iterator[list[End]]:
    """Give connections that live for a while, and dials that fail in between."""
    cut = next(each for each in COMMON if each.close.cause is Cause.EOF and each.uptime)
    yield [COMMON[0], cut] * (LONG // 2)
    yield [End(frame(1012), 5.0), COMMON[0]] * (LONG // 2)


def acts_of(ends: list[End]) -> tuple[Lose, ...]:
    """Write ends as acts, those that repeat as one."""
    acts: list[Lose] = []
    for end in ends:
        if acts and (acts[-1].close, acts[-1].uptime) == (end.close, end.uptime):
            acts[-1] = Lose(end.close, end.uptime, acts[-1].times + 1)
        else:
            acts.append(Lose(end.close, end.uptime))
    return tuple(acts)
