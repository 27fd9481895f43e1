"""The thresholds of Python's collector that docs/embedding.md recommends for many engines."""

import gc

RARE = "--rare"
"""The option of a benchmark that has them."""
THRESHOLDS = (100_000, 20, 100)


def collect_rarely() -> None:
    """Set them in this process."""
    gc.set_threshold(*THRESHOLDS)
