"""Whatever a policy does, the machine has a row for what comes of it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.fsm.decisions import Context, Decision, Hold, Phase, Policy, Retry, Stop, Unsent
from recloser.fsm.errors import PolicyError
from recloser.fsm.judge import POLICY_ERROR, judge
from recloser.fsm.record import Close, Origin
from recloser.fsm.states import Wish
from tests.fsm.rig import CUT, KICKED, Scripted

CONTEXT = Context(phase=Phase.OPEN, attempt=3)


def asked(wish: Wish) -> Close:
    return replace(KICKED, origin=Origin.APPLICATION, intentional=True, wish=wish)


class Unchecked(Retry):
    """Leaves out what the constructor of Retry checks."""

    def __init__(self, delay: float) -> None:
        super().__init__(0.0)
        object.__setattr__(self, "delay", delay)


class Coroutine:
    """A policy whose `decide` is async by mistake."""

    async def decide(self, close: Close, context: Context, /) -> Decision:
        return Stop()


def refused(policy: Policy, close: Close = CUT) -> PolicyError:
    decision, problem = judge(policy, close, CONTEXT)
    assert decision == Stop(rule=POLICY_ERROR, unsent=Unsent.KEEP)
    assert isinstance(problem, PolicyError)
    assert (problem.close, problem.context) == (close, CONTEXT)
    return problem


@pytest.mark.spec("B3")
@pytest.mark.parametrize("answer", [Retry(1.5), Hold(), Stop(), ValueError(), None])
def test_the_policy_is_asked_once(answer: object) -> None:
    policy = Scripted(answer)
    judge(policy, CUT, CONTEXT)
    assert policy.asked == [(CUT, CONTEXT)]


@pytest.mark.spec("B10")
@pytest.mark.parametrize("answer", [Retry(1.5, refresh=True), Hold(unsent=Unsent.DROP), Stop()])
def test_every_decision_names_a_rule(answer: Decision) -> None:
    assert judge(Scripted(answer), CUT, CONTEXT) == (replace(answer, rule="Scripted"), None)
    named = replace(answer, rule="mine")
    assert judge(Scripted(named), CUT, CONTEXT) == (named, None)


@pytest.mark.spec("B4.1")
@pytest.mark.parametrize(
    "answer", [None, 1.0, True, "retry", Retry, (), {}, object(), [Stop()], Unchecked(-1.0)]
)
def test_anything_else_is_a_policy_error(answer: object) -> None:
    problem = refused(Scripted(answer))
    assert problem.answer is answer
    assert f"answered {type(answer).__name__} instead of" in str(problem)
    assert problem.__cause__ is None


@pytest.mark.spec("B4.1")
def test_whatever_a_policy_raises_is_its_cause() -> None:
    boom = KeyError("x")
    problem = refused(Scripted(boom))
    assert problem.__cause__ is boom
    assert problem.answer is None
    assert "raised KeyError" in str(problem)


@pytest.mark.spec("B4.2")
@given(delay=st.one_of(st.floats(max_value=-1e-300), st.just(float("nan")), st.just(float("inf"))))
def test_a_delay_that_is_none_is_a_policy_error(delay: float) -> None:
    problem = refused(Scripted(lambda close, context: Retry(delay)))
    assert isinstance(problem.__cause__, ValueError)


@pytest.mark.spec("B4.1")
def test_a_coroutine_is_closed_and_refused() -> None:
    """Closed, because "never awaited" would be a warning in somebody else's test."""
    policy: object = Coroutine()
    assert isinstance(policy, Policy)
    assert "answered coroutine" in str(refused(policy))


@pytest.mark.spec("B5")
@pytest.mark.parametrize("wish", Wish)
@pytest.mark.parametrize("answer", [Retry(0), Hold(), Stop()])
def test_answers_to_an_end_that_was_asked_for(wish: Wish, answer: Decision) -> None:
    close = asked(wish)
    wrong = isinstance(answer, Retry) or (isinstance(answer, Hold) and wish is Wish.CLOSE)
    if wrong:
        problem = refused(Scripted(answer), close)
        assert problem.answer is answer
        assert "although the application" in str(problem)
    else:
        assert judge(Scripted(answer), close, CONTEXT) == (replace(answer, rule="Scripted"), None)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_interruption_passes(stop: type[BaseException]) -> None:
    with pytest.raises(stop):
        judge(Scripted(stop()), CUT, CONTEXT)
