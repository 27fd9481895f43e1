"""A run of failures: its counts, the gaps between its dials (D4), and its context for a policy."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.fsm.core import Core
from recloser.fsm.decisions import MIN_GAP, Context, Hold, Phase, Retry, Stop
from recloser.fsm.events import Ask, Expired, Healthy, Lost, Opened
from recloser.fsm.record import Cause, Close, Origin
from recloser.fsm.run import Run
from recloser.fsm.states import Wish
from recloser.fsm.timeouts import Timeouts
from tests.fsm.rig import CUT, KICKED, LEFT

NOW = 1000.0


def after_end(run: Run, now: float, delay: float = 1.0) -> Run:
    run.failed(CUT, now)
    run.ended(Retry(delay), now, 0.5)
    return run


def test_a_new_run_knows_nothing() -> None:
    context = Run().context(NOW, can_refresh=True, roll=0.25)
    assert (context.phase, context.attempt, context.uptime) == (Phase.DIAL, 0, None)
    assert (context.elapsed, context.last_delay, context.last_roll) == (0.0, None, None)
    assert (context.streak, context.refreshed, context.busy, context.spread) == (1, False, 0, None)
    assert (context.can_refresh, context.roll, context.previous_immediate) == (True, 0.25, False)
    assert (context.been_open, context.budget_in) == (False, 0.0)


@pytest.mark.parametrize(
    "call",
    [
        lambda run: run.context(NOW, True, roll=0.25),
        lambda run: run.lost(CUT, NOW, lambda *_: Stop(), 0.25, can_refresh=True),
        lambda run: run._left(True),
    ],
)
def test_what_could_be_confused_is_given_by_name(call: Callable[[Run], object]) -> None:
    with pytest.raises(TypeError, match="positional argument"):
        call(Run())


def memory(run: Run) -> dict[str, object]:
    return {name: getattr(run, name) for name in Run.__slots__}


def test_a_copy_has_the_same_memory_and_counts_by_itself() -> None:
    run = after_end(after_end(Run(since=1.0, spread=30.0, opened_at=2.0), NOW), NOW + 1)
    before = memory(run)
    copy = run.copy()
    assert memory(copy) == before
    copy.failed(KICKED, NOW + 2)
    assert memory(run) == before != memory(copy)


def test_a_copy_has_each_fact_in_its_place() -> None:
    names = Run.__slots__
    facts: dict[str, Any] = {name: object() for name in names}
    assert memory(Run(**facts).copy()) == facts


@pytest.mark.spec("D1.1")
def test_every_end_counts_and_a_streak_is_of_one_kind() -> None:
    run = Run()
    seen = []
    for close in (CUT, CUT, KICKED, KICKED, KICKED, CUT):
        run.failed(close, NOW)
        seen.append((run.attempt, run.streak))
    assert seen == [(1, 1), (2, 2), (3, 1), (4, 2), (5, 3), (6, 1)]


@pytest.mark.parametrize(
    "other",
    [
        Close(code=1001, origin=Origin.PEER, cause=Cause.REFUSED, status=401),
        Close(code=1006, origin=Origin.ENGINE, cause=Cause.REFUSED, status=401),
        Close(code=1006, origin=Origin.PEER, cause=Cause.EOF, status=401),
        Close.refused(403),
    ],
    ids=["code", "origin", "cause", "status"],
)
def test_a_streak_ends_with_any_of_four_facts(other: Close) -> None:
    run = Run()
    run.failed(Close.refused(401), NOW)
    run.ended(Retry(0, refresh=True), NOW, 0.5)
    assert run.refreshed
    run.failed(other, NOW)
    assert (run.streak, run.refreshed) == (1, False)


def test_the_reason_does_not_end_a_streak() -> None:
    run = Run()
    for reason in ("at 12:01", "at 12:02"):
        run.failed(
            Close(code=1011, origin=Origin.PEER, cause=Cause.CLOSE_FRAME, reason=reason), NOW
        )
    assert run.streak == 2


def test_a_refresh_is_asked_for_once() -> None:
    run = Run()
    run.failed(KICKED, NOW)
    run.ended(Retry(0, refresh=True), NOW, 0.5)
    assert [run.dialling(NOW), run.dialling(NOW + 5)] == [True, False]
    run.failed(KICKED, NOW)
    assert run.context(NOW, can_refresh=True, roll=0).refreshed
    run.ended(Retry(3), NOW, 0.5)
    assert run.context(NOW, can_refresh=True, roll=0).refreshed
    assert run.dialling(NOW) is False


def test_the_last_retry_is_remembered_and_no_other_decision() -> None:
    run = Run()
    run.ended(Retry(7), NOW, 0.75)
    run.ended(Hold(), NOW, 0.1)
    run.ended(Stop(), NOW, 0.2)
    context = run.context(NOW, can_refresh=False, roll=0)
    assert (context.last_delay, context.last_roll) == (7.0, 0.75)


def test_busy_answers_and_the_spread_hint_are_kept() -> None:
    run = Run()
    run.failed(Close(code=1013, origin=Origin.PEER, cause=Cause.CLOSE_FRAME, spread=30.0), NOW)
    run.failed(LEFT, NOW)
    run.failed(Close.refused(503), NOW)
    context = run.context(NOW, can_refresh=False, roll=0)
    assert (context.busy, context.spread) == (2, 30.0)


def test_times_are_measured_from_what_they_say() -> None:
    run = Run(since=NOW)
    run.dialling(NOW + 1)
    run.opened_at = NOW + 3
    context = run.context(NOW + 10, can_refresh=False, roll=0)
    assert (context.elapsed, context.since_dial, context.uptime) == (10.0, 9.0, 7.0)
    assert context.phase is Phase.OPEN
    run.ended(Retry(1), NOW + 10, 0.5)
    assert run.uptime(NOW + 20) is None


def test_a_run_that_no_connect_began_begins_with_its_first_failure() -> None:
    run = Run()
    run.failed(CUT, NOW)
    run.failed(CUT, NOW + 4)
    assert run.context(NOW + 4, can_refresh=False, roll=0).elapsed == 4.0


@pytest.mark.spec("D4.3")
@pytest.mark.parametrize(
    ("gap", "immediate"), [(0.0, True), (0.999, True), (1.0, False), (60.0, False)]
)
def test_a_dial_within_a_second_of_an_end_is_immediate(gap: float, immediate: bool) -> None:
    run = after_end(Run(), NOW)
    run.dialling(NOW + gap)
    assert run.immediate is immediate


@pytest.mark.spec("D4.3")
@given(st.floats(0, 1e9))
def test_rounding_makes_no_dial_immediate(now: float) -> None:
    """A dial a second after an end is none, although the difference may round below 1."""
    run = after_end(Run(), now)
    run.dialling(now + MIN_GAP)
    assert run.immediate is False


@pytest.mark.spec("D4.3")
@pytest.mark.parametrize(
    ("gap", "immediate"), [(0.0, True), (0.875, True), (1.0, False), (60.0, False)]
)
def test_a_dial_that_waited_begins_with_its_permit(gap: float, immediate: bool) -> None:
    run = after_end(Run(), NOW)
    run.dialling(NOW + 0.5)
    run.waited = 7.0
    run.wait(NOW + 0.5 + gap)
    run.wait(NOW + gap)
    assert run.immediate is immediate
    assert (run.dialled_at, run.waited) == (NOW + gap, 7.0 + gap - 0.5)
    run.dialling(NOW + 90.0)
    assert run.waited == 0.0


@pytest.mark.spec("D4.3")
@given(st.floats(0, 1e9))
def test_rounding_makes_no_dial_that_waited_immediate(now: float) -> None:
    run = after_end(Run(), now)
    run.dialling(now)
    run.wait(now + MIN_GAP)
    assert run.immediate is False


@pytest.mark.spec("D4.3")
def test_the_first_dial_that_waits_follows_nothing() -> None:
    run = Run()
    run.dialling(NOW)
    run.wait(NOW + 0.5)
    assert run.immediate is False


@pytest.mark.spec("D9.3")
@pytest.mark.parametrize(("failures", "told"), [(0, 1), (1, 1), (2, 2), (5, 5)])
@pytest.mark.parametrize("cause", [Cause.BUDGET, Cause.LEASE])
def test_a_dial_that_was_not_allowed_counts_as_none_and_is_told_as_the_first(
    cause: Cause, failures: int, told: int
) -> None:
    run = Run(attempt=failures)
    close = Close(code=1006, origin=Origin.ENGINE, cause=cause)
    context, _ = run.lost(close, NOW, lambda *_: Stop(), roll=0.5, can_refresh=False)
    assert (context.attempt, run.attempt) == (told, failures)


def test_only_a_row_of_denied_dials_has_lasted() -> None:
    run = Run()
    for close, now, lasted in [
        (CUT, 1000.0, 0.0),
        (Close.refused(404), 1001.0, 0.0),
        (Close.refused(404), 1010.0, 9.0),
        (Close.refused(404), 4001.0, 3000.0),
        (CUT, 4002.0, 0.0),
        (Close.refused(404), 4020.0, 0.0),
    ]:
        run.failed(close, now)
        assert run.context(now, can_refresh=False, roll=0.5).denied_for == lasted


@pytest.mark.spec("B16.1")
def test_what_was_left_ends_a_row_of_refusals() -> None:
    run = Run(opened_at=NOW, refusal=("frame",), refusals=3)
    close = replace(LEFT, intentional=True, wish=Wish.CONNECT)
    context, _ = run.lost(close, NOW, lambda *_: Stop(), roll=0.5, can_refresh=False, left=True)
    assert (context.refusals, run.refusal) == (0, None)


@pytest.mark.spec("D4.3")
def test_the_first_dial_follows_nothing() -> None:
    run = Run()
    run.dialling(NOW)
    assert run.immediate is False


@pytest.mark.spec("D4.3", "D4.4")
@given(
    st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3), st.floats(0, 3)), min_size=1, max_size=20)
)
def test_hints_cannot_make_a_hot_loop(steps: list[tuple[float, float, float]]) -> None:
    """Whatever the timing of failures and hints: a second between starts of dials, and never
    two dials in a row that follow an end at once."""
    run, now = Run(), NOW
    run.dialling(now)
    starts, immediate = [now], [False]
    for until_end, until_hint, waited in steps:
        now = max(now, starts[-1]) + until_end
        after_end(run, now)
        now += until_hint
        start = run.earliest(now)
        assert start >= now
        run.dialling(start)
        starts.append(start)
        immediate.append(run.immediate)
        now += waited
    assert all(b >= a + MIN_GAP for a, b in itertools.pairwise(starts))
    assert not any(a and b for a, b in itertools.pairwise(immediate))


BUSY = Close.refused(503)
DOWN = Close.cut(Cause.TCP)


class Keeping:
    def __init__(self) -> None:
        self.seen: list[Context] = []

    def decide(self, close: Close, context: Context, /) -> Retry:
        self.seen.append(context)
        return Retry(1.0)


def run(*closes: Close, healthy_before: int = -1) -> list[Context]:
    policy, rolls = Keeping(), iter(range(1, 99))
    core = Core(policy, timeouts=Timeouts(), roll=lambda: next(rolls) / 100)
    core.handle(Ask(Wish.CONNECT), 0.0)
    for at, close in enumerate(closes):
        if at == healthy_before:
            core.handle(Opened(core.generation), 100.0 * at)
            core.handle(Healthy(), 100.0 * at)
        core.handle(Lost(core.generation, close), 100.0 * at)
        core.handle(Expired(core.deadline or 0.0), 100.0 * at + 1.0)
    return policy.seen


def test_busy_answers_of_a_run_are_counted() -> None:
    assert [context.busy for context in run(DOWN, BUSY, DOWN, BUSY)] == [0, 1, 1, 2]


def test_the_roll_before_is_told() -> None:
    seen = run(DOWN, BUSY, DOWN)
    assert [context.last_roll for context in seen] == [None, 0.01, 0.02]
    assert [context.roll for context in seen] == [0.01, 0.02, 0.03]


@pytest.mark.spec("D4.1")
def test_the_latest_spread_of_a_run_is_told_until_a_stable_period() -> None:
    hint = Close(code=1012, origin=Origin.PEER, cause=Cause.CLOSE_FRAME, spread=60.0)
    assert [context.spread for context in run(DOWN, hint, DOWN)] == [None, 60.0, 60.0]
    seen = run(hint, DOWN, BUSY, DOWN, healthy_before=3)
    assert [(each.spread, each.busy, each.last_roll) for each in seen] == [
        (60.0, 0, None),
        (60.0, 0, 0.01),
        (60.0, 1, 0.02),
        (None, 0, None),
    ]


@pytest.mark.parametrize(
    ("close", "busy"),
    [
        (BUSY, True),
        (Close.refused(429), True),
        (Close(code=1013, origin=Origin.PEER, cause=Cause.CLOSE_FRAME), True),
        (Close.refused(500), False),
        (DOWN, False),
    ],
    ids=str,
)
def test_what_busy_is(close: Close, busy: bool) -> None:
    assert close.busy is busy
