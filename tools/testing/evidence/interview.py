"""An interview with a policy: questions, valid answers, and refused ones."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from recloser.fsm.decisions import Context, Decision, Hold, Policy, Retry, Stop
from recloser.fsm.record import Close, varied

DEFAULT_MAX_DELAY: Final = 86400.0
"""Seconds that no delay should exceed, unless the caller of `check_policy` says otherwise."""
_GIBBERISH: Final = "qzxv jkwq"
"""Text that no rule can mean."""


class Unanswered(Exception):
    """The policy raised, or its answer is not valid: for the law `total` to judge."""


class Exchange(NamedTuple):
    """One question that a life put to the policy, and its answer."""

    at: float
    """Seconds since the life began."""
    close: Close
    context: Context
    decision: Decision


def delays(asked: Sequence[Exchange]) -> list[float]:
    """Return the delays in seconds of those answers that are retries."""
    return [each.decision.delay for each in asked if isinstance(each.decision, Retry)]


class Interview:
    """Puts questions to the policies that a maker makes; remembers the last answer."""

    def __init__(
        self,
        make_policy: Callable[[], Policy],
        *,
        max_delay: float = DEFAULT_MAX_DELAY,
        patience: int = 1,
    ) -> None:
        self.max_delay = max_delay
        self.patience = patience
        self.questions: int = 0
        """Number of times that a policy was asked, all objects together."""
        self.turn: int = 0
        """Number of different questions that were asked."""
        self._decide = make_policy().decide
        self._fresh = make_policy().decide
        self._close: Close | None = None
        self._context: Context | None = None
        self._answer: Decision | Unanswered = Stop()
        self._reworded: tuple[Close, tuple[Close, ...]] | None = None

    def __call__(self, close: Close, context: Context, /) -> Decision:
        """Ask, or answer from memory if the very same question was the last one."""
        answer = self.answer(close, context)
        if isinstance(answer, Unanswered):
            raise answer
        return answer

    def answer(self, close: Close, context: Context, /) -> Decision | Unanswered:
        """Return what a call returns, or raises."""
        if close is not self._close or context is not self._context:
            self.questions += 1
            try:
                self._answer = answer_of(self._decide, close, context)
            except Unanswered as error:
                self._answer = error
            self._close, self._context = close, context
            self.turn += 1
        return self._answer

    def again(self, close: Close, context: Context, /) -> Decision:
        """Ask the same policy again, without the memory."""
        self.questions += 1
        return answer_of(self._decide, close, context)

    def fresh(self, close: Close, context: Context, /) -> Decision:
        """Ask a second policy of the same maker."""
        self.questions += 1
        return answer_of(self._fresh, close, context)

    def reworded(self, close: Close) -> tuple[Close, ...]:
        """Return the record with other reasons of the same meaning, and without one."""
        if self._reworded is None or self._reworded[0] is not close:
            reason = close.reason
            reasons = {reason.upper(), reason.lower()} - {reason} if reason else {_GIBBERISH}
            self._reworded = close, tuple(varied(close, reason=each) for each in sorted(reasons))
        return self._reworded[1]


def answer_of(
    decide: Callable[[Close, Context], object], close: Close, context: Context
) -> Decision:
    """Return the decision of a policy; raises `Unanswered` for an answer that is not valid."""
    try:
        answer = decide(close, context)
    except Exception as error:
        said = f": {error}" if str(error) else ""
        raise Unanswered(f"it raised {type(error).__name__}{said}") from error
    # As the engine does: a subclass could leave out what the constructors check.
    if type(answer) is Retry or type(answer) is Hold or type(answer) is Stop:
        return answer
    closer = getattr(answer, "close", None)
    if callable(closer):  # a coroutine that nobody awaits would warn
        closer()
    raise Unanswered(f"it answered {type(answer).__name__} instead of Retry, Hold or Stop")


def brief(decision: Decision) -> str:
    """Write a decision briefly: `Retry(2.5)`."""
    if isinstance(decision, Retry):
        return f"Retry({decision.delay:.6g}{', refresh' if decision.refresh else ''})"
    return f"{type(decision).__name__}()"
