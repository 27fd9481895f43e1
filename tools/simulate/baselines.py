"""The usual ways to reconnect, by name, to compare a policy with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from recloser.fsm.decisions import Context, Decision, Retry, Stop
from recloser.fsm.record import Close
from recloser.policies.backoff import (
    Backoff,
    Decorrelated,
    EqualJitter,
    Exponential,
    FullJitter,
    Uniform,
    rfc6455,
)


@dataclass(frozen=True, slots=True)
class BackoffOnly:
    """A policy that is a backoff alone: it retries after every end, whatever the close says."""

    backoff: Backoff

    def decide(self, close: Close, context: Context, /) -> Decision:
        """Answer `Retry`, or `Stop` when the application itself ended it."""
        if close.intentional:
            return Stop(rule="intentional")
        return Retry(self.backoff.delay(close, context), rule="backoff")


BASELINES: Final[Mapping[str, Callable[[], BackoffOnly]]] = MappingProxyType(
    {
        "full-jitter": lambda: BackoffOnly(FullJitter(base=1.0, cap=60.0)),
        "equal-jitter": lambda: BackoffOnly(EqualJitter(base=1.0, cap=60.0)),
        "decorrelated": lambda: BackoffOnly(Decorrelated(base=1.0, cap=60.0)),
        "rfc6455": lambda: BackoffOnly(rfc6455()),
        "no-jitter": lambda: BackoffOnly(Exponential(base=1.0, cap=60.0)),
        "fixed": lambda: BackoffOnly(Uniform(1.0, 1.0)),
    }
)
"""Each name with a function that makes the policy; `fixed` waits 1 s, the others up to 60 s."""
