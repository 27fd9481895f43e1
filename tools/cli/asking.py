"""Asks a policy what it would do, with the counters that a real run of failures would have."""

from typing import Any, Final, NamedTuple

from recloser.fsm.closecodes import ABNORMAL, TLS_HANDSHAKE
from recloser.fsm.decisions import Context, Decision, Phase, Policy, Retry
from recloser.fsm.judge import judge
from recloser.fsm.record import Cause, Close, Origin
from recloser.fsm.run import Run
from recloser.policies.rules import Rule, rules_of

WELL: Final = 60.0
"""Seconds of uptime before the first end, if nothing else is asked: it had been well."""
FLASH: Final = 1.0
"""Seconds of uptime before the later ends: never a stable period."""

_ROLLS: Final = (0.0, 0.25, 0.5, 0.75, 1.0 - 2.0**-53)
_ENGINE: Final = frozenset(
    {
        Cause.CONNECT_TIMEOUT,
        Cause.CLOSE_TIMEOUT,
        Cause.VALIDITY,
        Cause.DIAL,
        Cause.HEARTBEAT,
        Cause.DEAF,
        Cause.PROTOCOL,
        Cause.TOO_BIG,
        Cause.CANCELLED,
        Cause.HOOK,
        Cause.CREDENTIALS,
        Cause.UNAUTHORIZED,
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
        Cause.PROTOCOL,
        Cause.TOO_BIG,
        Cause.CLOSE_TIMEOUT,
    }
)


class Question(NamedTuple):
    """An end, and the run of failures it stands in."""

    close: Close
    phase: Phase
    attempt: int = 1
    """How many times in a row it happens, the last of which is asked about."""
    uptime: float | None = None
    """Seconds that each generation is open; None: `WELL` the first, `FLASH` the others."""
    can_refresh: bool = True


class Reply(NamedTuple):
    """What a policy answers, over all rolls."""

    decision: Decision
    delay_min: float | None
    delay_max: float | None
    rule: Rule | None
    """The rule, if the policy lets its rules be read."""


class PolicyFailedError(Exception):
    """The policy raised, or answered what is no decision; the message is one line."""


def lost(
    code: int | None,
    status: int | None,
    *,
    origin: Origin | None = None,
    cause: Cause | None = None,
    **facts: Any,
) -> Close:
    """Make a record as the transport would, with the most likely of what is not given.

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
        return Cause.REFUSED
    if code == TLS_HANDSHAKE:
        return Cause.TLS
    return Cause.EOF if code == ABNORMAL else Cause.CLOSE_FRAME


def _origin(cause: Cause) -> Origin:
    if cause in (Cause.CLOSE_FRAME, Cause.REFUSED):
        return Origin.PEER
    return Origin.ENGINE if cause in _ENGINE else Origin.NETWORK


def phase_of(close: Close) -> Phase:
    """Return the phase in which such an end most likely comes."""
    return Phase.OPEN if close.cause in _OPEN and close.status is None else Phase.DIAL


def ask(policy: Policy, question: Question) -> Reply:
    """Ask at several rolls, before and now. Raises `PolicyFailedError`."""
    answers = [
        _decided(policy, question, before, roll)
        for before in (_ROLLS if question.attempt > 1 else _ROLLS[:1])
        for roll in _ROLLS
    ]
    middle = answers[len(answers) // 2]
    delays = [each.delay for each in answers if isinstance(each, Retry)]
    told = isinstance(middle, Retry)
    return Reply(
        middle,
        min(delays) if told else None,
        max(delays) if told else None,
        next((rule for rule in rules_of(policy) if rule.name == middle.rule), None),
    )


def _decided(policy: Policy, question: Question, before: float, roll: float) -> Decision:
    close = question.close
    run, now = Run(), 0.0
    for attempt in range(1, question.attempt):
        now = _end(run, close, question, attempt, now)
        context = run.context(now, can_refresh=question.can_refresh, roll=before)
        decision = _judged(policy, close, context)
        run.ended(decision, now, before)
        now += decision.delay if isinstance(decision, Retry) else 0.0
    now = _end(run, close, question, question.attempt, now)
    context = run.context(now, can_refresh=question.can_refresh, roll=roll)
    return _judged(policy, close, context)


def _end(run: Run, close: Close, question: Question, attempt: int, now: float) -> float:
    """Dial at `now`, let it last as asked, and count its end; the moment of the end."""
    run.dialling(now)
    if question.phase is Phase.OPEN:
        run.opened_at = now
        usual = WELL if attempt == 1 else FLASH
        now += usual if question.uptime is None else question.uptime
    if not close.intentional:
        run.failed(close, now)
    return now


def _judged(policy: Policy, close: Close, context: Context) -> Decision:
    decision, problem = judge(policy, close, context)
    if problem is not None:
        cause = problem.__cause__
        said = f": {cause}" if cause is not None else ""
        raise PolicyFailedError(f"the policy {problem.problem} for code {close.code}{said}")
    return decision
