"""Conditions against what they say: one interval and several, facts that may be missing, words."""

from dataclasses import replace
from typing import Any

import pytest

from recloser.fsm import Close, Context
from recloser.policies.conditions import when
from recloser.policies.intervals import at_least, below
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


FLAGS = (
    *("refused", "intentional", "can_refresh", "refreshed"),
    *("immediate", "stable", "been_open"),
)


@pytest.mark.parametrize("flag", FLAGS)
def test_a_fact_that_is_true_or_false_is_said_in_words(flag: str) -> None:
    for value in (True, False):
        words = str(when(**{flag: value})).split()
        assert not {"True", "False"} & set(words)
        assert bool({"no", "not", "nobody"} & set(words)) is not value


def test_a_time_is_said_with_its_bounds_and_a_count_with_its_numbers() -> None:
    some = at_least(2).common(below(5))
    assert str(when(uptime=some)) == "uptime at least 2 and below 5 s"
    assert str(when(denied_for=below(300))) == "denied for below 300 s"
    assert str(when(elapsed=at_least(60))) == "elapsed at least 60 s"
    assert str(when(attempt=some)) == "attempt 2-4"


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("value", [1, "yes", (True, False)], ids=str)
def test_a_fact_that_is_true_or_false_is_given_as_one_of_them(flag: str, value: Any) -> None:
    with pytest.raises(TypeError, match=f"{flag} must be True or False, not "):
        when(**{flag: value})


@pytest.mark.parametrize(("fact", "kind"), [("cause", "Cause"), ("reason", "str")])
def test_what_is_no_word_of_a_fact_is_refused(fact: str, kind: str) -> None:
    values: list[Any] = [5, [5], []]
    for value in values:
        with pytest.raises(TypeError, match=f"expected one or more of {kind}, not "):
            when(**{fact: value})


def test_fewer_patterns_fit_wherever_more_of_them_do() -> None:
    one, both = when(reason="going"), when(reason=("going", "away"))
    assert one.covers(both)
    assert both.covers(when(reason=("away", "going")))
    assert not both.covers(one)
    assert not one.covers(when(reason="away"))
