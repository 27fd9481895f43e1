"""The arithmetic of a budget: no window ever holds too many dials, and no dial waits too long."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.fsm import Cause, Close, Context, Hold, Phase, Retry, State, Stop
from recloser.fsm.allowance import Allowance, wait_for_budget
from recloser.fsm.budget import BUDGET_SPENT, unlimited, within_budget
from recloser.fsm.core import Core
from recloser.fsm.events import Ask, Lost
from recloser.fsm.judge import judge
from recloser.fsm.states import Wish
from recloser.fsm.timeouts import Timeouts

ALLOWANCES = st.lists(
    st.builds(Allowance, st.integers(1, 5), st.integers(1, 40).map(float)), min_size=1, max_size=3
)
PAUSES = st.lists(st.integers(0, 15).map(float), max_size=40)


def fits(allowances: list[Allowance], dials: list[float]) -> bool:
    """Whether no half-open window that begins at a dial holds more than its allowance."""
    return all(
        sum(first <= each < first + allowance.seconds for each in dials) <= allowance.dials
        for allowance in allowances
        for first in dials
    )


@pytest.mark.spec("D9.1")
@given(ALLOWANCES, PAUSES)
def test_who_waits_never_exceeds_it_and_who_comes_earlier_does(
    allowances: list[Allowance], pauses: list[float]
) -> None:
    now, dials = 0.0, list[float]()
    for pause in pauses:
        now += pause
        wait = wait_for_budget(allowances, dials, now)
        if wait:
            assert not fits(allowances, [*dials, now + wait - 0.5])
        now += wait
        dials.append(now)
        assert fits(allowances, dials)


@pytest.mark.spec("D9.1")
def test_a_moment_to_come_counts_as_now() -> None:
    """A clock was set back by an hour."""
    day = [Allowance(2, 86_400.0)]
    assert wait_for_budget(day, [100.0, 3700.0], 100.0) == 86_400.0
    assert wait_for_budget(day, [3600.0, 3700.0], 100.0) == 86_400.0
    assert wait_for_budget(day, [3700.0], 100.0) == 0.0
    assert wait_for_budget([Allowance(1, 60.0)], [3600.0, 3700.0], 100.0) == 60.0
    assert unlimited(100.0) == 0.0


@pytest.mark.spec("D9.2")
@pytest.mark.parametrize("roll", [0.0, 0.5, 0.999])
def test_a_retry_that_comes_too_early_is_put_off_and_says_why(roll: float) -> None:
    context = Context(phase=Phase.DIAL, attempt=1, budget_in=1000.0, roll=roll)
    early = within_budget(Retry(3.0, refresh=True, rule="soon"), context)
    assert early == Retry(1000.0 + 50.0 * roll, refresh=True, rule=BUDGET_SPENT)
    for decision in (Retry(1000.0, rule="late"), Hold("rest"), Stop("end")):
        assert within_budget(decision, context) is decision
    near = Context(phase=Phase.DIAL, attempt=1, budget_in=2.0, roll=roll)
    assert within_budget(Retry(0.0), near) == Retry(2.0 + roll, rule=BUDGET_SPENT)


class Says:
    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[Context] = []

    def decide(self, close: Close, context: Context) -> Any:
        self.asked.append(context)
        return self.answer


@pytest.mark.spec("D9.2")
def test_whoever_asks_a_policy_gets_the_answer_that_the_budget_allows() -> None:
    context = Context(phase=Phase.DIAL, attempt=1, budget_in=60.0, roll=0.0)
    assert judge(Says(Retry(5.0, rule="r")), Close.cut(), context) == (
        Retry(60.0, rule=BUDGET_SPENT),
        None,
    )


@pytest.mark.spec("D9.2", "D9.3")
def test_the_core_asks_its_budget_at_each_end_and_counts_no_failure() -> None:
    policy = Says(Retry(1.0, rule="again"))
    core = Core(policy, timeouts=Timeouts(), roll=lambda: 0.0, budget=lambda now: 500.0 - now)
    core.handle(Ask(Wish.CONNECT), 0.0)
    core.handle(Lost(1, Close.by_engine(Cause.BUDGET)), 100.0)
    assert (core.state, core.deadline) == (State.BACKOFF, 500.0)
    assert (core.run.attempt, policy.asked[0].attempt, policy.asked[0].budget_in) == (0, 1, 400.0)


@pytest.mark.parametrize(
    ("dials", "seconds", "error"),
    [
        (0, 1.0, ValueError),
        (1.5, 1.0, TypeError),
        (True, 1.0, TypeError),
        (1, 0.0, ValueError),
        (1, float("inf"), ValueError),
        (1, "1", TypeError),
    ],
)
def test_an_allowance_that_cannot_work_is_refused(
    dials: Any, seconds: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        Allowance(dials, seconds)
