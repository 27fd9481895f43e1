"""Draws at random are kept: what is found is the same as without, and nothing is drawn twice."""

from collections.abc import Callable

import pytest
from hypothesis import strategies as st

from recloser.testing.evidence.literals import Literals
from recloser.testing.evidence.stories import Question
from recloser.testing.search.random_search import questions, smallest_example

Kind = Callable[[Literals], st.SearchStrategy[Question]]

KNOWN = Literals((137,))
EXAMPLES = 60
"""Enough for the seed below to draw a question of a tenth failure."""


def deep(question: Question) -> bool:
    return question.context.attempt >= 10


def drawn_by(kind: Kind, known: Literals, *, examples: int, first: int) -> list[Question]:
    """The examples of a draw in which nothing is broken."""
    seen: list[Question] = []

    def broken(question: Question) -> bool:
        seen.append(question)
        return False

    assert smallest_example(kind, known, broken, examples=examples, first=first) is None
    return seen


@pytest.mark.spec("K1.4")
def test_an_example_is_made_as_small_from_a_draw_that_was_kept() -> None:
    drawn: list[st.SearchStrategy[Question]] = []

    def kind(known: Literals) -> st.SearchStrategy[Question]:
        drawn.append(questions(known))
        return drawn[-1]

    at_first = smallest_example(kind, KNOWN, deep, examples=EXAMPLES, first=3)
    assert at_first is not None
    seen = drawn_by(kind, KNOWN, examples=EXAMPLES, first=3)
    assert len(drawn) == 2
    assert drawn_by(kind, KNOWN, examples=EXAMPLES, first=3) == seen
    assert len(drawn) == 2, "the draw was kept"
    assert smallest_example(kind, KNOWN, deep, examples=EXAMPLES, first=3) == at_first
    assert len(drawn) == 3, "it was drawn anew, to be made smaller"


def test_a_draw_is_kept_for_its_seed_its_number_and_its_literals() -> None:
    first = drawn_by(questions, KNOWN, examples=EXAMPLES, first=4)
    for known, seed, examples in (
        (Literals((137.0,)), 4, EXAMPLES),
        (KNOWN, 5, EXAMPLES),
        (KNOWN, 4, EXAMPLES + 1),
    ):
        assert drawn_by(questions, known, examples=examples, first=seed) != first
