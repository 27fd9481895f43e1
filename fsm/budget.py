"""The budget of dials, as a decision meets it: no dial comes before the budget has one left.

`recloser.fsm.allowance` says how long that takes.
"""

from recloser.fsm.decisions import Context, Decision, Retry

BUDGET_SPENT = "budget-spent"
"""The rule of a `Retry` that waits for the budget."""

_SPREAD = 0.05
"""Those who wait for the same budget are spread over this share of the wait, after it."""


def unlimited(now: float) -> float:
    """Return 0.0, as the budget of an engine that has none."""
    del now
    return 0.0


def within_budget(decision: Decision, context: Context) -> Decision:
    """Return the decision, or a `Retry` that waits for the budget where it came too early."""
    wait = context.budget_in
    if not isinstance(decision, Retry) or decision.delay >= wait:
        return decision
    delay = wait + context.roll * max(1.0, wait * _SPREAD)
    return Retry(delay, decision.refresh, BUDGET_SPENT, decision.unsent, decision.session)
