"""The core of a lease, with a hand clock."""

import pytest

from recloser.fleet.core import (
    Acquire,
    Answered,
    Campaign,
    Effect,
    Ended,
    Event,
    Instant,
    LeaseCore,
    LeaseState,
    Lose,
    News,
    Passed,
    Quit,
    Renew,
    Unheard,
    Won,
    times_of,
)
from recloser.fleet.store import Grant, Refusal

TTL = 9.0


class Rig:
    """A core and the time."""

    def __init__(self, margin: float | None = None) -> None:
        self.core = LeaseCore(times_of(TTL, margin))
        self.now = Instant(100.0, 1000.0)

    def do(self, event: Event, after: float = 0.0) -> list[Effect]:
        self.now = Instant(self.now.monotonic + after, self.now.wall + after)
        return self.core.handle(event, self.now)

    def hold(self) -> "Rig":
        [asked] = self.do(Campaign())
        assert isinstance(asked, Acquire)
        assert self.do(Answered(asked.number, Grant(7))) == [Won(7)]
        return self


@pytest.mark.spec("O2.1")
@pytest.mark.parametrize("clock", ["monotonic", "wall"])
def test_a_lease_counts_from_before_the_request(clock: str) -> None:
    rig = Rig(margin=1.0)
    [asked] = rig.do(Campaign())
    assert isinstance(asked, Acquire)
    sent = rig.now
    assert rig.do(Answered(asked.number, Grant(7)), 2.0) == [Won(7)]
    core = rig.core
    assert core.deadline == sent.monotonic + TTL / 3
    for after, valid, writable in ((7.9, True, True), (8.0, False, True), (8.5, False, False)):
        then = sent._replace(**{clock: getattr(sent, clock) + after})
        assert (core.valid(then), core.writable(then)) == (valid, writable)


@pytest.mark.spec("O2.1")
def test_an_answer_that_comes_too_late_is_no_lease() -> None:
    rig = Rig()
    [asked] = rig.do(Campaign())
    assert isinstance(asked, Acquire)
    assert rig.do(Answered(asked.number, Grant(7)), TTL) == []
    assert (rig.core.state, rig.core.token) == (LeaseState.CANDIDATE, None)
    assert rig.do(Passed()) == [Acquire(asked.number + 1, 7)]


@pytest.mark.spec("O2.2")
def test_a_holder_loses_at_its_deadline_and_whatever_comes_first_after_it() -> None:
    for event in (Passed(), News(), Answered(99, answer=True), Quit()):
        rig = Rig().hold()
        [renewal] = rig.do(Passed(), TTL / 3)
        assert renewal == Renew(2, 7)
        assert rig.core.deadline == 100.0 + TTL * 0.9
        assert rig.do(event, TTL)[0] == Lose(7, foreign=False)
    rig = Rig().hold()
    rig.do(Passed(), TTL / 3)
    assert rig.do(Answered(2, answer=False)) == [Lose(7, foreign=True)]
    assert rig.core.state is LeaseState.LOST
    assert rig.do(Ended()) == [Acquire(3, 7)]


@pytest.mark.spec("O2.1")
def test_a_renewal_prolongs_from_when_it_was_sent() -> None:
    rig = Rig().hold()
    [renewal] = rig.do(Passed(), TTL / 3)
    assert isinstance(renewal, Renew)
    sent = rig.now.monotonic
    rig.do(Answered(renewal.number, answer=True), 2.0)
    assert rig.core.deadline == sent + TTL / 3
    assert rig.core.token == 7


@pytest.mark.spec("O4.1")
def test_a_renewal_that_fails_is_tried_again_until_the_lease_is_over() -> None:
    rig = Rig().hold()
    rig.do(Passed(), TTL / 3)
    number = 2
    while rig.core.state is LeaseState.HOLDER:
        unheard = number % 2 == 0
        rig.do(Unheard(number) if unheard else Answered(number, None), 0.1)
        assert rig.core.deadline is not None
        found = rig.do(Passed(), rig.core.deadline - rig.now.monotonic)
        number += 1
    assert number > 6
    assert found == [Lose(7, foreign=False)]
    assert rig.now.monotonic == pytest.approx(100.0 + TTL * 0.9)


@pytest.mark.spec("O4.2")
def test_a_candidate_that_hears_nothing_lets_the_others_go_first() -> None:
    rig = Rig()
    rig.do(Campaign())
    rig.do(Unheard(1), 2.0)
    assert rig.core.deadline is not None
    assert rig.core.deadline - rig.now.monotonic > TTL
    rig = Rig().hold()
    rig.do(Passed(), TTL / 3)
    rig.do(Unheard(2), 2.0)
    rig.do(Passed(), TTL)
    assert rig.do(Ended()) == []
    assert rig.core.deadline is not None
    assert rig.core.deadline - rig.now.monotonic > TTL


@pytest.mark.spec("O1.2")
def test_a_refusal_counts_from_the_request() -> None:
    """The answer may wait for the replicas of the store."""
    rig = Rig()
    [asked] = rig.do(Campaign())
    assert isinstance(asked, Acquire)
    sent = rig.now.monotonic
    rig.do(Answered(asked.number, Refusal(4.0)), 1.0)
    assert rig.core.deadline == pytest.approx(sent + 4.0, abs=0.1)


@pytest.mark.spec("O1.2")
def test_a_candidate_asks_when_the_lease_of_the_other_is_over_or_at_once_if_told() -> None:
    rig = Rig()
    rig.do(Campaign())
    rig.do(Answered(1, Refusal(4.0)))
    assert rig.core.deadline == pytest.approx(104.02)
    assert rig.do(News()) == [Acquire(2, 0)]
    assert rig.do(News()) == []  # it may have been refused before that
    rig.do(Answered(2, Refusal(4.0)))
    assert rig.do(Passed()) == [Acquire(3, 0)]
    rig.do(Answered(3, Refusal(1e9)))
    assert rig.core.deadline is not None
    assert rig.core.deadline <= rig.now.monotonic + TTL + 0.1


@pytest.mark.spec("O4.3")
def test_who_wants_it_no_more_asks_for_nothing_and_owes_the_release() -> None:
    rig = Rig().hold()
    assert rig.core.owed
    rig.do(Quit())
    assert (rig.core.deadline, rig.core.token, rig.core.owed) == (None, None, True)
    rig = Rig()
    rig.do(Campaign())
    rig.do(Quit())
    assert rig.core.owed  # the request may be carried out
    assert rig.do(Answered(1, Grant(7))) == []
    assert rig.core.state is LeaseState.RELEASED


@pytest.mark.parametrize(
    ("ttl", "margin", "error"),
    [(0.0, None, "ttl"), (-1.0, None, "ttl"), (9.0, 0.0, "margin"), (9.0, 3.1, "margin")],
)
def test_times_that_cannot_work_are_refused(ttl: float, margin: float | None, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        times_of(ttl, margin)
    with pytest.raises(TypeError):
        times_of("9", margin)  # type: ignore[arg-type] # on purpose
