"""Kinds of ends are bounded, whatever a peer sends and a service dials."""

import pytest

from recloser.fsm import Close, Context, Phase
from recloser.statistics import CloseKind, EndKind
from recloser.statistics.kinds import OTHER, KindBound, end_kind, is_first_end
from tests.engine.journal.changes import LOST


@pytest.mark.spec("I5.1")
def test_a_close_is_counted_by_code_status_origin_intent_peer_and_rule() -> None:
    bound = KindBound()
    change = LOST._replace(peer="feed.example:443", rule="busy", close=Close.refused(503))
    kind = bound.kind_of(change, change.close)
    assert kind == CloseKind(1006, 503, "peer", False, "feed.example:443", "busy")
    assert kind.end == EndKind(1006, 503, "peer", False) == end_kind(change.close)


@pytest.mark.spec("I5.2")
@pytest.mark.parametrize("many", ["peers", "codes", "rules", "all"])
def test_what_is_beyond_the_bound_is_counted_as_other(many: str) -> None:
    bound, kinds = KindBound(), set()
    for number in range(6000):
        change = LOST._replace(
            peer=f"{number}.example:443" if many in {"peers", "all"} else "one:443",
            rule=f"rule {number % 90}" if many in {"rules", "all"} else "rule",
            close=Close.frame(3000 + number if many in {"codes", "all"} else 1000),
        )
        kinds.add(bound.kind_of(change, change.close))
    assert len(kinds) <= {"peers": 101, "codes": 51, "rules": 90, "all": 2100}[many]
    if many == "peers":
        assert CloseKind(1000, None, "peer", False, OTHER, "rule") in kinds
    if many == "codes":
        assert CloseKind(0, None, "peer", False, "one:443", "rule") in kinds


@pytest.mark.spec("I5.3")
def test_a_dial_that_follows_a_failed_one_says_nothing_new() -> None:
    def ended(phase: Phase, attempt: int) -> bool:
        return is_first_end(LOST._replace(context=Context(phase=phase, attempt=attempt)))

    assert ended(Phase.OPEN, 7)
    assert ended(Phase.DIAL, 1)
    assert not ended(Phase.DIAL, 2)
    assert is_first_end(LOST._replace(context=None))  # a line of a log says no more
