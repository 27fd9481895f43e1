"""Says in one line what to do where Hypothesis, which the kit needs, is not installed."""

from importlib.util import find_spec


class MissingExtraError(ImportError):
    """Hypothesis is not installed; the message says how to get it."""


def need_hypothesis() -> None:
    """Raise `MissingExtraError`, an `ImportError`, unless Hypothesis is installed."""
    if find_spec("hypothesis") is None:
        raise MissingExtraError(
            "checking a policy needs Hypothesis: pip install 'recloser[testing]'"
        )
