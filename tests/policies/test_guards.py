"""The rules with which shipped policies begin: they decide before the rows of a service."""

import pytest

from recloser import policies
from recloser.fsm import Cause, Close, Context, Hold, Origin, Retry, Stop
from recloser.policies.guards import CERTIFICATE
from recloser.policies.rules import rules_of
from tests.policies.rig import ROLLS, Line, after, broken, received, shipped

STANDARD = policies.standard()
JUDGED = sorted(set(shipped()) - {"basic"})
"""The plain policy has the first of the guards alone (B12)."""


def spread(close: Close, context: Context) -> tuple[str, float, float]:
    """The rule, and the delays at the lowest and, as a limit, the highest roll."""
    found = [STANDARD.decide(close, context._replace(roll=roll)) for roll in ROLLS]
    delays = [each.delay for each in found if isinstance(each, Retry)]
    return found[0].rule, delays[0], round(delays[-1], 9)


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_shipped_policy_begins_with_them_in_this_order(name: str) -> None:
    names = [rule.name for rule in rules_of(shipped()[name])]
    first = ["rejected", "no-credential", "session-closed", "configuration"]
    asked = ["asked", "rejected-refresh"] if name in JUDGED else ["asked"]
    assert names[: len(asked) + 4] == [*asked, *first]
    if name in JUDGED:
        order = ["certificate-dates", "certificate", "advised-stop", "too-big-again"]
        assert sorted(order, key=names.index) == order
        own = [each for each in names if each.startswith(f"{name}-")]
        assert all(names.index(each) > names.index("unreadable-again") for each in own)


REFUSED_BY_US = {
    "big": (Cause.TOO_BIG, 1009, "too-big-again"),
    "text": (Cause.PROTOCOL, 1007, "unreadable-again"),
    "bits": (Cause.PROTOCOL, 1002, "unreadable-again"),
}


@pytest.mark.spec("B16.1")
@pytest.mark.parametrize("uptime", [0.2, 60.0, 3000.0])
@pytest.mark.parametrize("what", REFUSED_BY_US)
def test_the_third_refusal_of_ours_stops(what: str, uptime: float) -> None:
    cause, code, rule = REFUSED_BY_US[what]
    close = Close(code=1006, sent_code=code, origin=Origin.ENGINE, cause=cause)
    line = Line(STANDARD, lambda _: close, uptime=uptime).run(12)
    assert len(line.dials) == 3
    assert line.rules == ["abnormal", "abnormal", rule]


@pytest.mark.spec("B16.1")
@pytest.mark.parametrize("what", REFUSED_BY_US)
def test_it_stops_also_if_no_dial_has_opened(what: str) -> None:
    cause, code, rule = REFUSED_BY_US[what]
    close = Close(code=1006, sent_code=code, origin=Origin.ENGINE, cause=cause)
    line = Line(STANDARD, lambda _: close, uptime=None).run(12)
    assert line.rules == ["no-connection", "no-connection", rule]


@pytest.mark.spec("B16.2")
def test_a_message_too_big_each_hour_ends_nobody() -> None:
    close = Close(code=1006, sent_code=1009, origin=Origin.ENGINE, cause=Cause.TOO_BIG)
    assert len(Line(STANDARD, lambda _: close, uptime=3600.0).run(12).dials) == 12


@pytest.mark.spec("B16.1", "B14.1")
@pytest.mark.parametrize("name", JUDGED)
def test_what_we_refuse_again_and_again_stops_whatever_the_rows_of_a_service_say(name: str) -> None:
    for cause, code, rule in REFUSED_BY_US.values():
        close = Close(code=1006, sent_code=code, origin=Origin.ENGINE, cause=cause)
        assert shipped()[name].decide(close, after(3, refusals=3)) == Stop(rule)
        assert shipped()[name].decide(close, after(3, refusals=2)).rule != rule


@pytest.mark.spec("B11", "B14.1")
@pytest.mark.parametrize("name", JUDGED)
def test_advice_outweighs_the_rows_of_a_service(name: str) -> None:
    for code in (1000, 1002, 4001, 4999):
        policy = shipped()[name]
        assert policy.decide(received(code, advice="stop"), after(1)) == Stop("advised-stop")
        assert policy.decide(received(code, advice="hold"), after(1)) == Hold("advised-hold")
        assert policy.decide(received(code, advice="retry"), after(1)).rule == "advised-retry"


@pytest.mark.spec("E3.1")
def test_a_credential_that_was_rejected_in_band_is_asked_for_once() -> None:
    rejected = broken(Cause.REJECTED)
    for refreshed, rule in ((False, "rejected-refresh"), (True, "rejected")):
        context = after(1, can_refresh=True, refreshed=refreshed)
        assert STANDARD.decide(rejected, context).rule == rule


def test_a_certificate_is_looked_at_ever_more_slowly() -> None:
    text = "retry, windows 30, 60, 120 .. 300 s (busy: to 300 s), at least 10 s"
    assert str(CERTIFICATE[0].then) == text
