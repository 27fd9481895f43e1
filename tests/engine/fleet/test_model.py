"""Every order of events of two nodes and one store: no two leases are valid at a time (O2)."""

import pytest

from recloser.fleet.core import Effect, Event, Instant, LeaseCore, LeaseState, LeaseTimes
from recloser.fleet.memory import LeaseRecord
from recloser.fleet.store import Grant, Refusal
from tests.engine.fleet.model import Setting, explore, judge, start

SLOW = 5 / 6
"""A clock that loses half of the margin in the time of one lease: as slow as it may be."""


@pytest.mark.fleet
@pytest.mark.spec("O2.1", "O2.2", "O2.5", "O3.1")
@pytest.mark.parametrize(
    "setting",
    [
        Setting(),
        Setting(rates=(SLOW, 1.0)),
        Setting(rates=(1.0, 1.3)),
        Setting(on_their_way=2),
    ],
    ids=["in step", "one slow", "one fast", "late requests"],
)
def test_no_two_leases_are_valid_at_a_time(setting: Setting) -> None:
    count, wrong = explore(setting)
    assert wrong is None, wrong.story
    print(f"{count} situations")
    assert count > 50_000


class FromTheAnswer(LeaseCore):
    """Counts the lease from when the answer came."""

    def handle(self, event: Event, now: Instant) -> list[Effect]:
        if self._pending is not None:
            self._pending = now
        return super().handle(event, now)


class Trusting(LeaseCore):
    """Looks at no clock before it writes."""

    def writable(self, now: Instant) -> bool:
        return self.state is LeaseState.HOLDER


class Forgetful(LeaseRecord):
    """Keeps the number with the lease, and loses it with it."""

    def granted(
        self, owner: str, ttl: float, floor: int, now: float
    ) -> tuple[LeaseRecord, Grant | Refusal]:
        known = self if self.until > now else Forgetful()
        record, answer = LeaseRecord.granted(known, owner, ttl, floor, now)
        return Forgetful(*record), answer


@pytest.mark.spec("O2.5")
@pytest.mark.parametrize(
    ("setting", "what"),
    [
        (Setting(times=LeaseTimes(3.0, 0.0), rates=(SLOW, 1.0)), "granted while another was valid"),
        (Setting(core=FromTheAnswer), "granted while another was valid"),
        (Setting(core=Trusting), "granted while another was valid"),
        (Setting(record=Forgetful), "a fencing number went back"),
    ],
    ids=["no margin", "counted from the answer", "no clock", "number forgotten"],
)
def test_the_model_finds_what_is_wrong(setting: Setting, what: str) -> None:
    count, wrong = explore(setting)
    assert wrong is not None, count
    assert what in judge(wrong)
    assert len(wrong.story) > 5


LATE = (
    *("node 0: Campaign", "store: Acquire", "node 0: Answered", "node 0 writes 1"),
    *("a tick",) * 3,
    *("node 1: Campaign", "store: Acquire", "node 1: Answered", "node 1 writes 2"),
    *("resource: 2", "resource: 1"),
)
"""A write has left its process, and arrives after one of the next holder."""


@pytest.mark.spec("O2.5")
@pytest.mark.parametrize("fenced", [False, True])
def test_what_has_left_a_process_is_stopped_by_the_number_alone(fenced: bool) -> None:
    world = start(Setting(writes=True, fenced=fenced))
    for step in LATE:
        world = next(each for each in world.next() if each.what.startswith(step))
        assert world.what.startswith("resource") or not judge(world)
    assert ("old holder" in judge(world)) is not fenced
    assert world.accepted == 2
