"""Pictures with notes, for the tests of every format."""

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

pictures = st.builds(
    Picture,
    rows=st.lists(st.sampled_from(TABLE), unique=True, max_size=len(TABLE)).map(
        lambda rows: sorted(rows, key=TABLE.index)
    ),
    counts=st.dictionaries(st.sampled_from(MOVES), st.integers(0, 10**6)),
    rules=st.dictionaries(
        st.sampled_from(LOST),
        st.lists(st.from_regex(r"[a-z]{3,9}(-[a-z]{2,9}){1,3}", fullmatch=True), max_size=30),
    ),
)
