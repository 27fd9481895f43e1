"""The plain policy: own close, peer's 1000, 1001 to 1015, anything else."""

from recloser.policies.actions import NOW, SOON, retry
from recloser.policies.backoff import EqualJitter
from recloser.policies.conditions import when
from recloser.policies.guards import HOPELESS, INTENTIONAL
from recloser.policies.rules import Rule, RulePolicy

_ARTICLE = "the article that recloser began with (docs/policies.md)"


def basic(*, base: float = 1.0, cap: float = 60.0) -> RulePolicy:
    """Make the plain policy (B12): a rule of thumb, for a service that you know well.

    It never gives up and never asks for a new credential. The backoff is exponential from
    `base` to `cap` seconds, drawn from the upper half, so that the gaps grow every time.
    """
    backoff = EqualJitter(base, cap)
    return RulePolicy(
        "basic",
        (
            INTENTIONAL,
            *HOPELESS,
            Rule(
                "peer-normal-first",
                when(code=1000, attempt=1),
                retry(SOON),
                "A server that says goodbye in good order is most often about to be back.",
                _ARTICLE,
            ),
            Rule(
                "peer-normal-again",
                when(code=1000),
                retry(backoff),
                "It was not back for good, so each time is given longer.",
                _ARTICLE,
            ),
            Rule(
                "unexpected",
                when(code=range(1001, 1016)),
                retry(backoff),
                "Nobody wanted this end: try again, ever more slowly.",
                _ARTICLE,
            ),
            Rule(
                "other-first",
                when(attempt=1),
                retry(NOW),
                "A code of the application's own says nothing against dialling at once.",
                _ARTICLE,
            ),
            Rule(
                "other-again",
                when(),
                retry(backoff),
                "At once did not help, so it must not spin.",
                _ARTICLE,
            ),
        ),
    )
