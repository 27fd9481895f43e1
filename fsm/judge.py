"""Asks a policy once, and makes a decision of its answer for which the machine has a row."""

from inspect import iscoroutine

from recloser.fsm.budget import within_budget
from recloser.fsm.decisions import Context, Decision, Hold, Policy, Retry, Stop
from recloser.fsm.errors import PolicyError
from recloser.fsm.record import Close
from recloser.fsm.states import Wish

POLICY_ERROR = "policy-error"
"""The rule of the Stop that the engine makes when a policy fails."""


def judge(policy: Policy, close: Close, context: Context) -> tuple[Decision, PolicyError | None]:
    """Return the decision, and the error if the policy raised or its answer is not valid.

    A `BaseException` that is no `Exception` (a keyboard interrupt) passes through.
    """
    try:
        answer: object = policy.decide(close, context)
    except Exception as error:  # noqa: BLE001 - whatever a policy raises has one outcome (B4)
        failure = PolicyError(close, context, None, f"raised {type(error).__name__}")
        failure.__cause__ = error
        return Stop(rule=POLICY_ERROR), failure
    # These exact types: a subclass could leave out the checks of their constructors.
    if not (type(answer) is Retry or type(answer) is Hold or type(answer) is Stop):
        if iscoroutine(answer):
            answer.close()
        problem = f"answered {type(answer).__name__} instead of Retry, Hold or Stop"
    elif close.intentional and isinstance(answer, Retry):
        problem = "answered Retry although the application ended the connection"
    elif close.intentional and isinstance(answer, Hold) and close.wish is Wish.CLOSE:
        problem = "answered Hold although the application asked to close"
    else:
        decision = answer if answer.rule else _with_rule(answer, type(policy).__name__)
        return within_budget(decision, context), None
    return Stop(rule=POLICY_ERROR), PolicyError(close, context, answer, problem)


def _with_rule(answer: Decision, rule: str) -> Decision:
    """Return the decision by this rule; `dataclasses.replace` takes three times as long."""
    if isinstance(answer, Retry):
        return Retry(answer.delay, answer.refresh, rule, answer.unsent, answer.session)
    return type(answer)(rule, answer.unsent)
