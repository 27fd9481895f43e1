"""Policies: a close record goes in, a decision comes out.

`basic()` and `standard()` make policies; `for_service("pusher")` makes one of the catalogue,
`services()` names them. A policy of your own is any object with `decide(close, context)`, or a
`RulePolicy` of `Rule`s, which are written with `when`, `retry`, `hold`, `stop` and others.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from recloser.policies import backoff
from recloser.policies.actions import hold, refresh_then_retry, retry, retry_after, stop
from recloser.policies.basic import basic
from recloser.policies.conditions import when
from recloser.policies.intervals import at_least, below
from recloser.policies.rules import Rule, RulePolicy
from recloser.policies.standard import standard
from recloser.policies.windows import Windows

if TYPE_CHECKING:
    from recloser.policies.catalogue import for_service, service, services
    from recloser.policies.combine import first_match, limit, override, per_phase

__all__ = [
    "Rule",
    "RulePolicy",
    "Windows",
    "at_least",
    "backoff",
    "basic",
    "below",
    "first_match",
    "for_service",
    "hold",
    "limit",
    "override",
    "per_phase",
    "refresh_then_retry",
    "retry",
    "retry_after",
    "service",
    "services",
    "standard",
    "stop",
    "when",
]

SHIPPED: Final[Mapping[str, Callable[[], RulePolicy]]] = MappingProxyType(
    {"standard": standard, "basic": basic}
)
"""The policies that are made without arguments, by the name that a command takes."""

_HOMES = {
    "first_match": "combine",
    "for_service": "catalogue",
    "limit": "combine",
    "override": "combine",
    "per_phase": "combine",
    "service": "catalogue",
    "services": "catalogue",
}


def __getattr__(name: str) -> Any:
    """Load a name that the standard policy does not need when it is first used (PEP 562)."""
    if name not in _HOMES:
        from recloser.fsm.spelling import UnknownName  # noqa: PLC0415 - a mistake needs it

        raise UnknownName(__name__, name, __all__)
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
