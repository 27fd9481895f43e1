"""A witness sees a policy that answers one question in two ways, and no other."""

import itertools

import pytest

from recloser.fsm import Close, Context, Decision, Phase, Retry, Stop
from recloser.policies import standard
from recloser.simulate.scenario import Scenario
from recloser.simulate.storm import simulate
from recloser.simulate.witness import Witness

CONTEXT = Context(phase=Phase.DIAL, attempt=1)
CLOSE = Close.frame(1012)


class Alternates:
    """Answers otherwise every second time."""

    def __init__(self) -> None:
        self._turns = itertools.count()

    def decide(self, close: Close, context: Context) -> Decision:
        return Stop("even") if next(self._turns) % 2 else Retry(1.5)


def test_it_decides_as_the_policy_does() -> None:
    scenario = Scenario(engines=50, outage=3.0, capacity=20.0)
    witness = Witness(standard())
    assert simulate(witness, scenario).figures() == simulate(standard(), scenario).figures()
    assert witness.contradiction() is None


def test_two_answers_to_one_question_are_told() -> None:
    witness = Witness(Alternates())
    assert witness.decide(CLOSE, CONTEXT) == Retry(1.5)
    answers = witness.contradiction()
    assert answers is not None
    assert answers.startswith("Retry(1.5) at first, and Stop(rule='even'")


def test_a_policy_that_fails_then_is_not_excused() -> None:
    class Once:
        asked = False

        def decide(self, close: Close, context: Context) -> Decision:
            if self.asked:
                raise ZeroDivisionError
            self.asked = True
            return Retry(1.0)

    witness = Witness(Once())
    witness.decide(CLOSE, CONTEXT)
    with pytest.raises(ZeroDivisionError):
        witness.contradiction()
