"""Sets of numbers: what they say of each other is what sets of whole numbers say."""

from itertools import combinations, product
from math import inf, nan

import pytest

from recloser.policies.intervals import IntervalSet, at_least, below, join, numbers

SMALL = range(-1, 6)
WRITTEN = [
    each for size in range(1, 5) for each in combinations(range(5), size)
]  # some touch, some do not


def members(each: IntervalSet) -> set[int]:
    return {value for value in SMALL if value in each}


@pytest.mark.parametrize("values", WRITTEN)
def test_a_set_holds_what_was_written_and_nothing_else(values: tuple[int, ...]) -> None:
    found = numbers(values)
    assert members(found) == set(values)
    assert all(a[1] < b[0] for a, b in zip(found.intervals, found.intervals[1:], strict=False))
    assert numbers(reversed(values)) == found


def test_what_two_sets_say_of_each_other() -> None:
    for first, second in product(WRITTEN, WRITTEN):
        mine, theirs = numbers(first), numbers(second)
        assert mine.covers(theirs) == (set(second) <= set(first)), (first, second)
        assert mine.meets(theirs) == bool(set(first) & set(second)), (first, second)
        assert members(mine.common(theirs)) == set(first) & set(second), (first, second)
        assert all(low < high for low, high in mine.common(theirs).intervals)


def test_bounds_without_an_end_meet_and_cover_what_is_within() -> None:
    assert [value for value in SMALL if value in at_least(3)] == [3, 4, 5]
    assert [value for value in SMALL if value in below(3)] == [-1, 0, 1, 2]
    assert not at_least(3).meets(below(3))
    assert at_least(3).meets(below(3.5))
    assert at_least(3).covers(at_least(3))
    assert not at_least(3).covers(at_least(2.9))
    assert below(3).covers(below(2))
    assert not below(3).covers(at_least(1))
    assert at_least(1).common(below(3)) == numbers(range(1, 3))


def test_ranges_that_touch_or_overlap_are_one() -> None:
    assert numbers([range(3), range(3, 5)]).intervals == ((0, 5),)
    assert numbers([range(5), range(1, 2)]).intervals == ((0, 5),)
    assert numbers([range(1, 4), range(2, 6), 7]).intervals == ((1, 6), (7, 8))
    assert numbers([1, range(3, 9), range(4, 5)]).intervals == ((1, 2), (3, 9))
    assert join([(2.0, 3.0), (0.0, 2.5)]).intervals == ((0.0, 3.0),)
    assert join([]).intervals == ()


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (numbers(1000), "1000"),
        (numbers(range(1000, 1002)), "1000-1001"),
        (numbers([1000, range(4000, 5000)]), "1000, 4000-4999"),
        (at_least(3), "at least 3"),
        (below(2.5), "below 2.5"),
        (at_least(2).common(below(5)), "2-4"),
        (at_least(2).common(below(2.5)), "at least 2 and below 2.5"),
        (at_least(1.5).common(below(3)), "at least 1.5 and below 3"),
    ],
)
def test_a_set_reads_as_it_is_written(written: IntervalSet, text: str) -> None:
    assert str(written) == text


def test_the_bounds_of_a_set_are_said_in_words() -> None:
    assert at_least(2).common(below(5)).bounds() == "at least 2 and below 5"
    assert join([(-inf, 1), (2, 3.5), (9, inf)]).bounds() == (
        "below 1, at least 2 and below 3.5, at least 9"
    )


@pytest.mark.parametrize("value", [True, "1000", 1.5, [1000, None], [[1]], [True]])
def test_what_is_no_whole_number_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        numbers(value)  # type: ignore[arg-type] # the point of the test


@pytest.mark.parametrize("value", [[], range(0), range(0, 9, 2), range(5, 0, -1), [1, range(5, 5)]])
def test_a_set_of_nothing_or_with_gaps_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"at least one number|must hold something"):
        numbers(value)  # type: ignore[arg-type] # a list of nothing has no type


@pytest.mark.parametrize("make", [at_least, below])
def test_a_bound_is_a_number(make: object) -> None:
    assert callable(make)
    for given in (True, "3", None):
        with pytest.raises(TypeError, match="a bound must be a number"):
            make(given)
    with pytest.raises(ValueError, match="NaN is none"):
        make(nan)
    for given in (3, 3.5, inf, -inf):
        assert isinstance(make(given), IntervalSet)
