"""Hypothesis strategies for records, contexts and faults; public, for your own tests.

from hypothesis import given
from recloser.testing import strategies

@given(strategies.closes(), strategies.contexts())
def test_it_decides(close, context): ...
"""

from typing import TypeVar

from hypothesis import strategies as st

from recloser.fsm.closecodes import MAX_REASON_BYTES
from recloser.fsm.decisions import Context, Decision, Hold, Phase, Retry, Stop, Unsent
from recloser.fsm.record import Cause, Close, Origin
from recloser.fsm.states import Wish
from recloser.fsm.timeouts import STABLE
from recloser.testing.doubles.faults import Fault
from recloser.testing.evidence.contexts import LAST_ROLL, REASONS, ROLLS, SECONDS
from recloser.testing.evidence.ends import BREAKS, DIALS, asked, refused
from recloser.testing.evidence.literals import Literals
from recloser.testing.evidence.stories import Act, Call, Invoke, Lose, Open, Story, Tell, Wait

T = TypeVar("T")

_NONE = Literals()
_CODES = (*range(1000, 1016), 3000, 3003, 3008, 4000, 4001, 4401, 4999, 0, 999, 5000, 65535)
_FLAGS = st.integers(0, 2**7 - 1)
_FEW = st.integers(1, 12)
_MANY = st.integers(1, 10**9)
_STREAKS = st.one_of(st.just(0), st.just(-1), st.integers(0, 10**9))
"""Modulo the attempts: the first in a row, as many as there were, or any number."""
_SHARES = st.one_of(st.just(1.0), st.floats(0.0, 1.0))
_HUNDRED = st.integers(0, 100)
_ENGINES = st.one_of(st.just(1), st.integers(1, 10**5))
_STABLE = st.sampled_from((STABLE, 0.5, 120.0))
_ADVICE = ("stop", "hold", "retry", "refresh")


def _or_literal(strategy: st.SearchStrategy[T], values: tuple[T, ...]) -> st.SearchStrategy[T]:
    return st.one_of(strategy, st.sampled_from(values)) if values else strategy


def _whole(known: Literals, low: int, high: int) -> tuple[int, ...]:
    numbers = [int(each) for each in known.numbers if isinstance(each, int)]
    near = {each + by for each in numbers for by in (-1, 0, 1)}
    return tuple(sorted(each for each in near if low <= each <= high))


def rolls(known: Literals = _NONE) -> st.SearchStrategy[float]:
    """Make numbers in [0, 1), the smallest and the largest among them."""
    drawn = st.floats(0.0, LAST_ROLL)
    shares = tuple(float(each) for each in known.numbers if 0 <= each < 1)
    return _or_literal(st.one_of(drawn, st.sampled_from(ROLLS)), shares)


def seconds(known: Literals = _NONE, *, most: float = 1e9) -> st.SearchStrategy[float]:
    """Make times, round ones among them."""
    usual = tuple(each for each in SECONDS if each <= most)
    own = tuple(float(each) for each in known.numbers if 0 <= each <= most)
    return _or_literal(st.one_of(st.floats(0.0, most), st.sampled_from(usual)), own)


def reasons(known: Literals = _NONE) -> st.SearchStrategy[str]:
    """Make texts that a close frame can carry."""
    short = tuple(
        each for each in known.texts if len(each.encode(errors="replace")) <= MAX_REASON_BYTES
    )
    texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
    return _or_literal(st.one_of(st.just(""), texts, st.sampled_from(REASONS)), short)


def codes(known: Literals = _NONE) -> st.SearchStrategy[int]:
    """Make close codes: registered ones, private ones, and numbers that no registry knows."""
    anything = st.integers(-1, 70000)
    private = st.integers(3000, 4999)
    return _or_literal(
        st.one_of(st.sampled_from(_CODES), private, anything), _whole(known, -1, 70000)
    )


def ends(known: Literals = _NONE) -> st.SearchStrategy[Close]:
    """Make records of ends that are not intentional, as the transport would."""
    framed = st.builds(Close.frame, codes(known), reasons(known))
    statuses = _or_literal(st.integers(100, 599), _whole(known, 100, 599))
    after = st.one_of(st.none(), seconds(known, most=1e6))
    return st.one_of(
        framed, framed, st.builds(refused, statuses, after), st.sampled_from((*DIALS, *BREAKS))
    )


def closes(known: Literals = _NONE) -> st.SearchStrategy[Close]:
    """Make records of any kind, also those that no known transport makes."""
    intentional = st.builds(
        asked, st.sampled_from(Wish), codes(known), st.sampled_from(tuple(Cause))
    )
    odd = st.builds(
        Close,
        code=codes(known),
        origin=st.sampled_from(Origin),
        cause=st.sampled_from(Cause),
        reason=reasons(known),
        clean=st.booleans(),
        sent_code=st.one_of(st.none(), codes(known)),
        status=st.one_of(st.none(), st.integers(100, 599)),
        retry_after=st.one_of(st.none(), seconds(known)),
        spread=st.one_of(st.none(), seconds(known)),
        advice=st.one_of(st.none(), st.sampled_from((*_ADVICE, *known.texts))),
        unsent=st.integers(0, 1000),
    )
    return st.one_of(ends(known), intentional, odd)


def contexts(known: Literals = _NONE, phase: Phase | None = None) -> st.SearchStrategy[Context]:
    """Make contexts whose facts do not contradict each other."""
    attempts = _or_literal(st.one_of(_FEW, _MANY), _whole(known, 1, 10**9))
    return _contexts(
        st.sampled_from(Phase) if phase is None else st.just(phase),
        attempts,
        seconds(known, most=1e6),
        seconds(known, most=1e5),
        rolls(known),
    )


@st.composite
def _contexts(
    draw: st.DrawFn,
    phases: st.SearchStrategy[Phase],
    attempts: st.SearchStrategy[int],
    spans: st.SearchStrategy[float],
    delays: st.SearchStrategy[float],
    drawn: st.SearchStrategy[float],
) -> Context:
    """Draw from strategies that are there already: to make one takes longer than to draw."""
    where, attempt, since, flags = draw(phases), draw(attempts), draw(spans), draw(_FLAGS)
    yes = [bool(flags >> place & 1) for place in range(7)]
    retried = attempt > 1 and yes[0]
    counts = min(attempt, 100) + 1
    return Context(
        phase=where,
        attempt=attempt,
        streak=1 + draw(_STREAKS) % attempt,
        uptime=None if where is Phase.DIAL else since * draw(_SHARES),
        since_dial=since,
        elapsed=since + draw(spans),
        last_delay=draw(delays) if retried else None,
        last_roll=draw(drawn) if retried else None,
        previous_immediate=retried and yes[1],
        busy=draw(_HUNDRED) % counts,
        spread=draw(delays) if yes[2] else None,
        refusals=draw(_HUNDRED) % counts,
        been_open=yes[5],
        denied_for=draw(spans) if yes[5] else 0.0,
        engines=draw(_ENGINES),
        outage=draw(spans) if yes[6] else None,
        crowded=yes[6] and yes[0],
        refreshed=retried and yes[3],
        can_refresh=yes[4],
        roll=draw(drawn),
        stable_after=draw(_STABLE),
    )


def decisions() -> st.SearchStrategy[Decision]:
    """Make decisions of each kind."""
    unsent = st.sampled_from(Unsent)
    return st.one_of(
        st.builds(Retry, seconds(), st.booleans(), st.just("rule"), unsent),
        st.builds(Hold, st.just("rule"), unsent),
        st.builds(Stop, st.just("rule"), unsent),
    )


def schedules(most: int = 12) -> st.SearchStrategy[list[float]]:
    """Make lists of pauses in seconds: short, long, and none at all."""
    pause = st.one_of(st.just(0.0), st.floats(0.0, 2.0), st.floats(0.0, 1e5))
    return st.lists(pause, max_size=most)


def acts(known: Literals = _NONE) -> st.SearchStrategy[Act]:
    """Make the acts that stories consist of."""
    up = st.one_of(st.none(), st.just(0.05), st.just(60.0), seconds(known, most=1e5))
    lose = st.builds(Lose, ends(known), up, st.sampled_from((1, 1, 1, 2, 3, 8)))
    told = st.builds(Tell, st.sampled_from((*_ADVICE, *known.texts)))
    wait = st.builds(Wait, st.one_of(st.just(0.0), st.floats(0.0, 60.0), st.floats(0.0, 900.0)))
    return st.one_of(
        lose, lose, lose, st.just(Open()), st.builds(Invoke, st.sampled_from(Call)), told, wait
    )


def stories(known: Literals = _NONE, most: int = 12) -> st.SearchStrategy[Story]:
    """Make whole stories for `recloser.testing.play`."""
    several = st.lists(acts(known), min_size=1, max_size=most).map(tuple)
    return st.builds(Story, several, st.booleans(), st.one_of(st.none(), rolls(known)))


def fault_scripts(most: int = 6) -> st.SearchStrategy[tuple[Fault, ...]]:
    """Make fault scripts for a `ScriptedServer`, none of which takes longer than a moment."""
    closing = st.builds(
        Fault,
        do=st.just("close"),
        code=st.sampled_from((1000, 1001, 1011, 1012, 3000, 4000, 4999)),
        reason=st.sampled_from(("", "restart", "naïve ☂")),
        send=st.lists(st.text(max_size=5), max_size=2).map(tuple),
    )
    refusing = st.builds(
        Fault, do=st.just("refuse"), status=st.sampled_from((401, 403, 404, 429, 500, 503))
    )
    breaking = st.builds(Fault, do=st.sampled_from(("cut", "reset")))
    return st.lists(st.one_of(closing, refusing, breaking), max_size=most).map(tuple)
