"""Random interleavings of application, connection, peer, disk and crashes, on the real core.

Where the walk visits all that a few messages can meet, this goes on with many of them, in outboxes
of every kind. `world.py` holds the clauses after every step.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser import Acknowledgements, Outbox
from tests.engine.outbox.world import OPENING, Setting, World

OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"key": "k"},
    {"this_generation": True},
    {"ttl": 3.0},
)
ACKNOWLEDGEMENTS = st.builds(
    Acknowledgements,
    window=st.integers(1, 3),
    timeout=st.just(5.0),
    max_deliveries=st.sampled_from([None, None, 3]),
)
OUTBOXES = st.builds(
    Outbox,
    path=st.sampled_from([None, "outbox.db"]),
    acknowledgements=st.one_of(st.none(), ACKNOWLEDGEMENTS),
    max_messages=st.integers(1, 4),
    when_full=st.sampled_from(["wait", "wait", "raise", "drop-oldest", "drop-newest"]),
    in_passive=st.booleans(),
)
SETTINGS = st.builds(
    Setting,
    OUTBOXES,
    messages=st.integers(3, 12),
    crashes=st.integers(0, 2),
    failures=st.integers(0, 1),
    options=st.sampled_from([({},), OPTIONS]),
    poison=st.sampled_from([None, None, OPENING, "00", "01", "03"]),
    window=st.sampled_from([None, 1, 1, 2, 3]),
)
CHOICES = st.lists(st.integers(0, 10_000), min_size=10, max_size=60)


@pytest.mark.spec("G1.2", "G2.1", "G3", "G5", "G5.5", "G5.6", "G5.8", "G6", "G7.1", "G7.4", "J1")
@given(SETTINGS, CHOICES)
def test_whatever_happens_every_clause_holds(setting: Setting, choices: list[int]) -> None:
    world = World(setting)
    for choice in choices:
        steps = world.steps()
        world.take(steps[choice % len(steps)])
    world.finish()
