"""What should happen: a close record in, a decision out.

`basic()` and `standard()` make policies; `for_service("pusher")` makes one of the catalogue,
`services()` names them. A policy of one's own is any object with `decide(close, context)`, or
a `RulePolicy` of `Rule`s, written with `when`, `retry`, `hold`, `stop` and their like.
"""

from recloser.policies import backoff
from recloser.policies.actions import hold, refresh_then_retry, retry, retry_after, stop
from recloser.policies.basic import basic
from recloser.policies.rules import Rule, RulePolicy
from recloser.policies.spans import at_least, below
from recloser.policies.standard import standard
from recloser.policies.when import when
from recloser.policies.windows import Windows

__all__ = [
    "Rule",
    "RulePolicy",
    "Windows",
    "at_least",
    "backoff",
    "basic",
    "below",
    "hold",
    "refresh_then_retry",
    "retry",
    "retry_after",
    "standard",
    "stop",
    "when",
]
