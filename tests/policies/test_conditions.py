"""Conditions against what they say: one interval and several, facts that may be missing, words."""

from dataclasses import replace
from typing import Any

import pytest

from recloser.fsm import Close, Context
from recloser.policies.conditions import when
from tests.policies.rig import after, received, refused

NUMBERS: list[Any] = [1002, range(1001, 1004), [1001, 1003], [range(1000, 1002), range(1004, 1006)]]


def holds(close: Close, context: Context, **wanted: Any) -> bool:
    test = when(**wanted).compile()
    assert test is not None
    return test(close, context)


def within(numbers: Any) -> set[int]:
    several = [numbers] if isinstance(numbers, int | range) else numbers
    return {one for each in several for one in (each if isinstance(each, range) else (each,))}


@pytest.mark.parametrize("numbers", NUMBERS, ids=str)
def test_a_number_is_within_its_intervals(numbers: Any) -> None:
    codes = range(999, 1008)
    found = {code for code in codes if holds(received(code), after(1), code=numbers)}
    assert found == within(numbers)
    attempts = {each for each in codes if holds(received(1006), after(each), attempt=numbers)}
    assert attempts == within(numbers)


@pytest.mark.parametrize("numbers", [401, range(400, 404), [401, 403]], ids=str)
def test_a_status_is_within_its_intervals_and_is_there(numbers: Any) -> None:
    found = {each for each in range(398, 407) if holds(refused(each), after(1), status=numbers)}
    assert found == within(numbers)
    assert not holds(received(1006), after(1), status=numbers)


def test_a_dial_was_refused_or_not() -> None:
    for close, answer in ((refused(503), True), (received(1006), False)):
        assert holds(close, after(1), refused=True) is answer
        assert holds(close, after(1), refused=False) is not answer


def test_each_pattern_is_found_in_the_reason() -> None:
    patterns = ("going", "away", "now")
    for reason, found in (
        ("Going away now", True),
        ("now away, going", True),
        ("going away", False),
        ("going now", False),
        ("away now", False),
        ("", False),
    ):
        close = replace(received(1001), reason=reason)
        assert holds(close, after(1), reason=patterns) is found
        assert holds(close, after(1), reason=patterns[:1]) is ("going" in reason.lower())


@pytest.mark.spec("B11")
@pytest.mark.parametrize("advice", [None, "retry", "RETRY", "hold"])
def test_advice_is_one_of_the_words_in_any_case(advice: str | None) -> None:
    close = replace(received(1000), advice=advice)
    assert holds(close, after(1), advice="retry") is (advice in ("retry", "RETRY"))
