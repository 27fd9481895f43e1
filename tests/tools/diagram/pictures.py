"""Pictures with notes, for the tests of every format."""

import random

from hypothesis import strategies as st

from recloser.diagram.picture import Picture, parse_highlight
from recloser.fsm.states import Trigger
from recloser.fsm.table import TABLE

LOST = [row for row in TABLE if row.trigger is Trigger.LOST]
MOVES = [row for row in TABLE if row.target is not None]
NAMES = ["refused", "try-later", "a<b", "x&y", "restart", "session-closed"]

MARKED, PATH = parse_highlight("open,backoff,connecting", TABLE)
BARE = Picture(rows=TABLE)
NOTED = Picture(
    rows=TABLE,
    rules={row: NAMES[: index % 5] for index, row in enumerate(LOST)},
    counts={row: index**3 for index, row in enumerate(MOVES)},
    marked=MARKED,
    path=PATH,
    caption="rules of mine & others",
)

_letters = random.Random(4).choices("abcdefghijklmnopqrstuvwxyz", k=6000)
_sizes = random.Random(5)


def _rule_name() -> str:
    """Two to four words of two to nine letters."""
    sizes = [_sizes.randint(2, 9) for _ in range(_sizes.randint(2, 4))]
    return "-".join("".join(_letters.pop() for _ in range(size)) for size in sizes)


RULES = [_rule_name() for _ in range(240)]
"""Names as rules have them; letter by letter Hypothesis would draw them a hundred times slower."""
rule_lists = st.builds(
    lambda first, count: RULES[first : first + count], st.integers(0, 200), st.integers(0, 30)
)

pictures = st.builds(
    Picture,
    rows=st.lists(st.sampled_from(TABLE), unique=True, max_size=len(TABLE)).map(
        lambda rows: sorted(rows, key=TABLE.index)
    ),
    counts=st.dictionaries(st.sampled_from(MOVES), st.integers(0, 10**6)),
    rules=st.dictionaries(
        st.sampled_from(LOST),
        rule_lists,
    ),
)
