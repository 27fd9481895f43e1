"""Lives of ends that a run cannot tell apart share their contexts, and are the same as without."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser import Close, Context, Hold, Retry, policies
from recloser.fsm import Cause, Decision
from recloser.testing import strategies
from recloser.testing.evidence.ends import COMMON, End
from recloser.testing.evidence.lives import Turn, counted, live

LONG = 8
ENDS = st.one_of(
    st.sampled_from(COMMON),
    st.builds(
        End, strategies.closes(), st.one_of(st.none(), st.sampled_from((0.05, 3.0, 60.0, 3600.0)))
    ),
)


class ByCode:
    """Says something else to nearly every code, so that lives which begin alike part."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.code % 7 == 0 and context.attempt > close.code % 5:
            return Hold()
        return Retry(float(close.code % 4) + context.roll, refresh=close.code % 3 == 0)


@pytest.mark.spec("K1.3")
@given(st.lists(ENDS, min_size=2, max_size=12), st.booleans(), st.sampled_from((None, 0.5)))
def test_a_life_that_begins_like_others_is_the_same_as_by_itself(
    ends: list[End], refresh: bool, roll: float | None
) -> None:
    for decide in (ByCode().decide, policies.standard().decide):
        firsts: dict[object, Turn] = {}
        for end in (*ends, *ends):
            if end.close.intentional:
                continue  # nothing follows what the application asked for
            first = firsts.setdefault(counted(end), Turn(end.close))
            shared = live(decide, [end] * LONG, can_refresh=refresh, roll=roll, first=first)
            assert shared == live(decide, [end] * LONG, can_refresh=refresh, roll=roll)


def test_the_codes_that_nobody_registered_are_asked_about_with_the_same_contexts() -> None:
    first = Turn(Close.frame(4000))
    lives = [
        live(policies.standard().decide, [End(Close.frame(code), 0.05)] * LONG, first=first)
        for code in range(4000, 4100)
    ]
    assert len({id(each.context) for asked in lives for each in asked}) == len(lives[0])
    assert {each.close.cause for asked in lives for each in asked} == {Cause.CLOSE_FRAME}
