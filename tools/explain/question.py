"""Asks a policy about one end, with the counters that a real run of failures would have."""

from functools import partial
from typing import Any, Final

from recloser.fsm.closecodes import ABNORMAL, TLS_HANDSHAKE
from recloser.fsm.decisions import (
    Context,
    Decision,
    Hold,
    Host,
    Phase,
    Policy,
    Retry,
    Session,
    Unsent,
)
from recloser.fsm.judge import judge
from recloser.fsm.named_tuple import NamedTuple
from recloser.fsm.record import Cause, Close, Origin
from recloser.fsm.run import Run
from recloser.policies.rules import Rule, rules_of

_SESSIONS: Final = {Session.RESUME: ", resume the session", Session.NEW: ", begin a new session"}
_FATES: Final = {
    Unsent.KEEP: "",
    Unsent.DROP: ", drop unsent",
    Unsent.DROP_REFUSED: ", drop refused",
}

WELL: Final = 60.0
"""Seconds of uptime before the first end if the question names none: a stable period."""
FLASH: Final = 1.0
"""Seconds of uptime before the later ends if the question names none: no stable period."""

_PROXY_AUTHENTICATION: Final = 407
_ROLLS: Final = (0.0, 0.25, 0.5, 0.75, 1.0 - 2.0**-53)
_ENGINE: Final = frozenset(
    {
        Cause.CONNECT_TIMEOUT,
        Cause.CLOSE_TIMEOUT,
        Cause.VALIDITY,
        Cause.DIAL,
        Cause.HEARTBEAT,
        Cause.DEAF,
        Cause.STALE,
        Cause.PROTOCOL,
        Cause.TOO_BIG,
        Cause.CANCELLED,
        Cause.HOOK,
        Cause.BUDGET,
        Cause.CREDENTIALS,
        Cause.UNAUTHORIZED,
        Cause.REJECTED,
        Cause.SESSION_CLOSED,
        Cause.CONFIGURATION,
    }
)
_OPEN: Final = frozenset(
    {
        Cause.CLOSE_FRAME,
        Cause.EOF,
        Cause.RESET,
        Cause.HEARTBEAT,
        Cause.DEAF,
        Cause.STALE,
        Cause.DECLARED,
        Cause.PROTOCOL,
        Cause.TOO_BIG,
        Cause.CLOSE_TIMEOUT,
    }
)


class PolicyQuestion(NamedTuple):
    """An end, and the run of failures that it belongs to."""

    close: Close
    phase: Phase
    attempt: int = 1
    """The number of times in a row that the end happens; the last answer is returned."""
    uptime: float | None = None
    """Seconds that each generation is open; None: `WELL` for the first, `FLASH` for the others."""
    can_refresh: bool = True
    been_open: bool = False
    """Whether the address of the dial has been open before."""
    engines: int = 1
    """The number of engines of the process at the host."""
    budget_in: float = 0.0
    """Seconds from the end before which the budget has no dial left."""


class Reply(NamedTuple):
    """The answer of a policy; its `str` describes it in a few words.

    The delays are the shortest and the longest over all rolls, in seconds; None without a retry.
    """

    decision: Decision
    delay_min: float | None
    delay_max: float | None
    rule: Rule | None
    """The rule, if the policy lets its rules be read."""

    @property
    def word(self) -> str:
        """The decision in a word: "retry", "hold" or "stop"."""
        if isinstance(self.decision, Retry):
            return "retry"
        return "hold" if isinstance(self.decision, Hold) else "stop"

    def __str__(self) -> str:
        words = self.word
        if self.delay_min is not None and self.delay_max is not None:
            words = f"retry {_range(self.delay_min, self.delay_max)}"
        if isinstance(self.decision, Retry) and self.decision.refresh:
            words = f"new credential, {words}"
        if isinstance(self.decision, Retry) and self.decision.session is not None:
            words += _SESSIONS[self.decision.session]
        return words + _FATES[self.decision.unsent]


def _range(low: float, high: float) -> str:
    first, last = f"{round(low, 2):g}", f"{round(high, 2):g}"
    if first != last:
        return f"in {first}-{last} s"
    return "at once" if first == "0" else f"in {first} s"


class PolicyFailedError(Exception):
    """The policy raised, or its answer was not valid; the message is one line."""


def make_close(
    code: int | None,
    status: int | None,
    *,
    origin: Origin | None = None,
    cause: Cause | None = None,
    **facts: Any,
) -> Close:
    """Make a close record as the transport would; a fact that is not given has its likely value.

    `facts` are other fields of `Close`.
    """
    if cause is None:
        cause = _cause(code, status)
    if origin is None:
        origin = _origin(cause)
    if code is None:
        code = TLS_HANDSHAKE if cause is Cause.VALIDITY else ABNORMAL
    return Close(
        code=code,
        origin=origin,
        cause=cause,
        clean=cause is Cause.CLOSE_FRAME,
        status=status,
        **facts,
    )


def _cause(code: int | None, status: int | None) -> Cause:
    if status is not None:
        return Cause.PROXY if status == _PROXY_AUTHENTICATION else Cause.REFUSED
    if code == TLS_HANDSHAKE:
        return Cause.TLS
    return Cause.EOF if code == ABNORMAL else Cause.CLOSE_FRAME


def _origin(cause: Cause) -> Origin:
    if cause in (Cause.CLOSE_FRAME, Cause.REFUSED):
        return Origin.PEER
    if cause is Cause.DECLARED:
        return Origin.APPLICATION
    return Origin.ENGINE if cause in _ENGINE else Origin.NETWORK


def phase_of(close: Close) -> Phase:
    """Return the phase in which such an end comes most often."""
    return Phase.OPEN if close.cause in _OPEN and close.status is None else Phase.DIAL


def ask(policy: Policy, question: PolicyQuestion) -> Reply:
    """Ask the policy at several rolls of this and the earlier ends. Raises `PolicyFailedError`."""
    answers: list[Decision] = []
    for before in _ROLLS if question.attempt > 1 else _ROLLS[:1]:
        run, now = _lived(policy, question, before)
        answers += [
            _end(policy, question, run.copy(), question.attempt, now, roll)[1] for roll in _ROLLS
        ]
    middle = answers[len(answers) // 2]
    delays = [each.delay for each in answers if isinstance(each, Retry)]
    retried = isinstance(middle, Retry)
    return Reply(
        middle,
        min(delays) if retried else None,
        max(delays) if retried else None,
        next((rule for rule in rules_of(policy) if rule.name == middle.rule), None),
    )


def _lived(policy: Policy, question: PolicyQuestion, roll: float) -> tuple[Run, float]:
    """Live until the last dial; return the run of failures, and the moment of that dial."""
    run, now = Run(), 0.0
    for attempt in range(1, question.attempt):
        now, decision = _end(policy, question, run, attempt, now, roll)
        now += decision.delay if isinstance(decision, Retry) else 0.0
    return run, now


def _end(
    policy: Policy, question: PolicyQuestion, run: Run, attempt: int, now: float, roll: float
) -> tuple[float, Decision]:
    """Dial at `now`, stay open as asked; return the moment of the end, and the answer."""
    run.dialling(now)
    if question.phase is Phase.OPEN:
        run.opened_at = now
        usual = WELL if attempt == 1 else FLASH
        now += usual if question.uptime is None else question.uptime
    _, decision = run.lost(
        question.close,
        now,
        partial(_judged, policy),
        roll=roll,
        can_refresh=question.can_refresh,
        been_open=question.been_open,
        host=Host(question.engines),
        budget_in=question.budget_in,
    )
    return now, decision


def _judged(policy: Policy, close: Close, context: Context) -> Decision:
    decision, problem = judge(policy, close, context)
    if problem is not None:
        cause = problem.__cause__
        said = f": {cause}" if cause is not None else ""
        raise PolicyFailedError(f"the policy {problem.problem} for code {close.code}{said}")
    return decision
