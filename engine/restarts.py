"""`Restarts`: asks a policy whether and when a handler that raised runs again."""

import random

from recloser import log
from recloser.fsm.decisions import Context, Decision, Policy
from recloser.fsm.judge import judge
from recloser.fsm.record import Cause, Close
from recloser.fsm.run import Run
from recloser.fsm.timeouts import STABLE


class Restarts:
    """The failures of one handler, counted as those of a connection are.

    The policy is asked about an end with cause HOOK and the error of the handler; its context
    counts the failures since the handler last ran for a stable period, and has that time as
    uptime.
    """

    __slots__ = ("_policy", "_run")

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._run = Run()

    def started(self, now: float) -> None:
        """Keep the moment at which the handler starts, in seconds."""
        self._run.dialling(now)
        self._run.opened_at = now

    def failed(self, error: Exception, now: float) -> Decision:
        """Count a failure and return what the policy decides; a policy that fails is logged."""
        uptime = self._run.uptime(now)
        if uptime is not None and uptime >= STABLE:
            self._run = self._run.stable()

        def decide(close: Close, context: Context) -> Decision:
            decision, problem = judge(self._policy, close, context)
            if problem is not None:
                log.failure(log.LISTENER_FAILED, {}, self._policy, problem)
            return decision

        _, decision = self._run.lost(
            Close.by_engine(Cause.HOOK, error=error),
            now,
            decide,
            roll=random.random(),  # noqa: S311 - jitter, no secret
            can_refresh=False,
        )
        return decision
