"""What the search leaves out for a law is what that law finds no fault in."""

from itertools import chain, islice

import pytest

from recloser import Close, Context
from recloser.testing import LAWS, OPTIONAL_LAWS, Law
from recloser.testing.evidence import cases
from recloser.testing.evidence.draws import Dice, Draws
from recloser.testing.evidence.interview import Interview, Unanswered
from recloser.testing.evidence.literals import literals_of
from recloser.testing.gallery import GALLERY, Exhibit

CONCERNED = [law for law in (*LAWS, *OPTIONAL_LAWS) if law.concerns is not None]


def test_the_laws_that_say_what_concerns_them_are_many() -> None:
    assert len(CONCERNED) >= 8
    assert all(law.decision is not None for law in CONCERNED)


@pytest.mark.spec("K1.2")
@pytest.mark.parametrize("exhibit", GALLERY, ids=lambda each: each.make.__name__)
def test_a_law_finds_no_fault_in_what_does_not_concern_it(exhibit: Exhibit) -> None:
    known = literals_of(exhibit.make())
    groups = [cases.codes(), cases.statuses(), cases.causes(), cases.fields(), cases.attempts()]
    groups.append(cases.literally(known, 0))
    finite = chain.from_iterable(islice(each, 0, None, 11) for each in groups)
    dice, draws = Dice("concerns"), Draws(known)
    drawn = (draws.question(dice) for _ in range(500))
    ask = Interview(exhibit.make, patience=1)
    for close, context in chain(finite, ((each.close, each.context) for each in drawn)):
        found = ask.answer(close, context)
        answer = None if isinstance(found, Unanswered) else found
        for law in CONCERNED:
            assert law.concerns is not None
            if not law.concerns(ask, close, context, answer):
                assert not faulty(law, ask, close, context), law.name


def faulty(law: Law, ask: Interview, close: Close, context: Context) -> bool:
    assert law.decision is not None
    try:
        return law.decision(ask, close, context) is not None
    except Unanswered:
        return False
