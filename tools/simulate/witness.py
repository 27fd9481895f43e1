"""A witness of a policy: it notes the first questions, and puts them again after the run.

The engines of a simulation share one policy object. A policy that remembers (a counter, a clock,
random numbers of its own) mixes up their lives, and its figures say nothing.
"""

from typing import Final

from recloser.fsm.decisions import Context, Decision, Policy, Retry
from recloser.fsm.record import Close

_QUESTIONS: Final = 100


class Witness:
    """Decides as the policy does."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._first: list[tuple[Close, Context, Decision]] = []

    def decide(self, close: Close, context: Context, /) -> Decision:
        """See `Policy`."""
        decision = self._policy.decide(close, context)
        if len(self._first) < _QUESTIONS:
            self._first.append((close, context, decision))
        return decision

    def contradiction(self) -> str | None:
        """Return two answers to one question, the first and that of now; None if all are alike.

        Raises what the policy raises.
        """
        for close, context, before in self._first:
            now = self._policy.decide(close, context)
            if now != before:
                return f"{_brief(before)} at first, and {_brief(now)} after the run"
        return None


def _brief(decision: Decision) -> str:
    return f"Retry({decision.delay:.3g})" if isinstance(decision, Retry) else repr(decision)
