"""What looks suspicious, and what does not."""

from dataclasses import replace

import pytest

from recloser.fsm import Close, Retry
from recloser.fsm.timeouts import STABLE
from recloser.journal.suspicions import (
    FLAPS,
    LOOP_DIALS,
    LOOP_SECONDS,
    NORMALS,
    REPEATS,
    Suspicion,
    Suspicions,
)
from tests.engine.journal.entries import BUSY, CUT, GONE, LEFT, Telling

OTHERS = [replace(CUT, code=4000 + number) for number in range(50)]
"""Ends of which no two are alike."""


def seen(*tellings: Telling) -> dict[str, Suspicion]:
    watch = Suspicions()
    for entry in sorted((e for t in tellings for e in t.entries), key=lambda entry: entry.time):
        watch.add(entry)
    return {each.pattern: each for each in watch.found()}


def dials(count: int, gap: float, engine: str = "ada") -> Telling:
    telling = Telling(engine)
    for number in range(count):
        telling.connect(gap).lost(OTHERS[number], Retry(gap))
    return telling


def lives(closes: list[Close], uptime: float) -> Telling:
    telling = Telling()
    for close in closes:
        telling.connect(60).open(1).lost(close, Retry(60), uptime)
    return telling


@pytest.mark.parametrize(("stable", "found"), [(0.5, set()), (1.0, set()), (3.0, {"flapping"})])
def test_the_stable_period_is_that_of_the_engine(stable: float, found: set[str]) -> None:
    telling = lives(OTHERS[: 3 * FLAPS], 1.0)
    for place, entry in enumerate(telling.entries):
        if entry.change.context is not None:
            context = entry.change.context._replace(stable_after=stable)
            telling.entries[place] = replace(entry, change=entry.change._replace(context=context))
    assert set(seen(telling)) == found


def test_many_dials_in_a_short_time_are_a_loop():
    gap = LOOP_SECONDS / (LOOP_DIALS - 1)
    assert set(seen(dials(LOOP_DIALS, gap - 0.01))) == {"dial loop"}
    assert not seen(dials(LOOP_DIALS - 1, 0.0))
    assert not seen(dials(3 * LOOP_DIALS, gap + 0.01))


def test_dials_of_different_engines_are_no_loop():
    assert not seen(*(dials(LOOP_DIALS - 1, 0.01, f"engine {number}") for number in range(5)))


def test_a_loop_is_counted_once_and_told_at_its_worst():
    ada = dials(LOOP_DIALS, 0.5)
    found = seen(ada)["dial loop"]
    assert (found.times, found.first, found.engine) == (1, ada.entries[-2].time, "ada")
    for number in range(2 * LOOP_DIALS):
        ada.connect(0.1).lost(OTHERS[number], Retry(1))
    assert "within 0.9 s" in seen(ada)["dial loop"].text
    ada.connect(3600)
    for number in range(LOOP_DIALS):
        ada.connect(0.2).lost(OTHERS[number], Retry(1))
    found = seen(ada)["dial loop"]
    assert found.times == 2
    assert "within 0.9 s" in found.text


def test_short_lives_in_a_row_are_flapping():
    assert set(seen(lives(OTHERS[:FLAPS], STABLE - 0.1))) == {"flapping"}
    assert not seen(lives(OTHERS[: FLAPS - 1], 0.1))
    assert not seen(lives(OTHERS[: 3 * FLAPS], STABLE))


def test_a_stable_life_or_an_own_close_ends_the_flapping():
    for end, uptime in ((OTHERS[0], STABLE), (LEFT, 1.0)):
        ada = lives(OTHERS[: FLAPS - 1], 1.0)
        ada.connect(60).open(1).lost(end, Retry(1), uptime)
        for close in OTHERS[: FLAPS - 1]:
            ada.connect(60).open(1).lost(close, Retry(1), 1.0)
        assert not seen(ada)


@pytest.mark.parametrize("close", [CUT, BUSY])
def test_the_same_end_again_and_again(close):
    def times(count: int) -> Telling:
        ada = Telling()
        for _ in range(count):
            ada.connect(60).lost(close, Retry(60), 1)
        return ada

    assert not seen(times(REPEATS - 1))
    found = seen(times(REPEATS + 2))["same end repeated"]
    assert found.times == 1
    assert f"{REPEATS + 2} times in a row: code 1006" in found.text
    assert ("status 503" in found.text) == (close is BUSY)


def test_ends_after_stable_lives_are_not_repeats():
    assert not seen(lives([CUT] * 3 * REPEATS, STABLE))


@pytest.mark.parametrize(
    ("normals", "others", "expected"),
    [(NORMALS, 4 * NORMALS, False), (NORMALS, 4 * NORMALS - 1, True), (NORMALS - 1, 0, False)],
)
def test_an_unusual_share_of_1000s(normals, others, expected):
    found = seen(lives([GONE] * normals + [CUT] * others, STABLE))
    assert ("many 1000s" in found) is expected
    if expected:
        text = found["many 1000s"].text
        assert text.startswith(f"{normals} of {normals + others} ends of open connections")


def test_own_1000s_and_failed_dials_are_not_among_them():
    ada = lives([LEFT] * 50, STABLE)
    for close in OTHERS:
        ada.connect(60).lost(close, Retry(60), 1)
    assert not seen(ada)


def test_a_policy_error_is_seen():
    ada = Telling().connect().open(1).lost(CUT, Retry(1), 60, error=ValueError("it raised"))
    assert seen(ada)["policy error"].text == "the policy failed: it raised"
