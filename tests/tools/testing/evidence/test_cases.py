"""The cases of the finite part: a process that asks for them once does not keep them."""

from collections.abc import Iterator

from recloser.testing.evidence import cases


def test_cases_are_kept_from_the_second_time_on() -> None:
    calls: list[str] = []

    def group() -> Iterator[cases.Case]:
        calls.append("made")
        yield from cases.causes()

    first = cases.made(group)
    assert not isinstance(first, tuple), "they are made as they are asked"
    expected = tuple(first)
    assert len(expected) > 10_000
    for _ in range(3):
        assert cases.made(group) == expected
    assert len(calls) == 2
    assert cases.made(group) is cases.made(group)
