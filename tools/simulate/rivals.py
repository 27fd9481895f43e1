"""The usual ways to reconnect, by name, to hold a policy against."""

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
class Plain:
    """Nothing but a backoff: retries whatever ended, and asks nothing of the close."""

    backoff: Backoff

    def decide(self, close: Close, context: Context, /) -> Decision:
        """Answer `Retry`, or `Stop` when the application itself ended it."""
        if close.intentional:
            return Stop(rule="intentional")
        return Retry(self.backoff.delay(close, context), rule="backoff")


RIVALS: Final[Mapping[str, Callable[[], Plain]]] = MappingProxyType(
    {
        "full-jitter": lambda: Plain(FullJitter(base=1.0, cap=60.0)),
        "equal-jitter": lambda: Plain(EqualJitter(base=1.0, cap=60.0)),
        "decorrelated": lambda: Plain(Decorrelated(base=1.0, cap=60.0)),
        "rfc6455": lambda: Plain(rfc6455()),
        "no-jitter": lambda: Plain(Exponential(base=1.0, cap=60.0)),
        "fixed": lambda: Plain(Uniform(1.0, 1.0)),
    }
)
"""Each name with what makes its policy; `fixed` is 1 s, the others double up to 60 s."""
