"""The standard policy: what each code, and each end without a close frame, comes to."""

from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser import policies
from recloser.fsm import Cause, Close, Hold, Phase, Retry, Stop, Unsent
from recloser.policies.codes import PeerNormal
from tests.policies.rig import ROLLS, STANDARD, Line, after, broken, received, spread

STOP: dict[int, str] = {
    1002: "our-fault",
    1003: "our-fault",
    1007: "our-fault",
    1009: "too-big",
    1010: "extension",
    1015: "certificate",
    3003: "forbidden",
}
REFRESH = {
    1008: ("policy-refresh", "policy-violation"),
    3000: ("code-refresh", "code-unauthorized"),
}
FOREVER = {
    1001: ("going-away", 0.0, 5.0),
    1005: ("no-status", 0.0, 5.0),
    1011: ("server-failed", 0.0, 5.0),
    1012: ("restart", 1.0, 5.0),
    1013: ("try-later", 30.0, 35.0),
    1014: ("server-failed", 0.0, 5.0),
    3008: ("timeout", 0.0, 5.0),
}


def expect(code: int) -> None:
    close = received(code)
    if code in STOP:
        fate = Unsent.DROP_REFUSED if STOP[code] in ("our-fault", "too-big") else Unsent.KEEP
        assert STANDARD.decide(close, after(1)) == Stop(STOP[code], fate)
    elif code in REFRESH:
        first, then = REFRESH[code]
        assert STANDARD.decide(close, after(1, can_refresh=True)) == Retry(0, True, first)
        assert STANDARD.decide(close, after(1)) == Stop(then)
        asked = after(2, can_refresh=True, refreshed=True)
        assert STANDARD.decide(close, asked) == Stop(then)
    elif code in FOREVER:
        assert spread(close, after(1)) == FOREVER[code]
        assert isinstance(STANDARD.decide(close, after(10**6)), Retry)
    elif code == 1000:
        assert spread(close, after(1)) == ("peer-normal", 0.5, 1.5)
    elif code == 1006:
        assert spread(close, after(1)) == ("abnormal", 0.0, 5.0)
        assert isinstance(STANDARD.decide(close, after(10**6)), Retry)
    else:
        rule = "private" if 4000 <= code < 5000 else "unknown"
        assert spread(close, after(1)) == (rule, 0.0, 5.0)
        assert spread(close, after(2, streak=2))[0] == rule
        assert STANDARD.decide(close, after(3)) == Stop("unknown-repeated")


@pytest.mark.spec("B13.3", "B13.5", "B13.6", "B9.2", "B6.3")
def test_each_code_that_was_received_has_its_answer() -> None:
    for code in (*range(-1, 5001), 65_535, 70_000):
        expect(code)


@pytest.mark.spec("B6.3", "B6.6")
def test_1000_again_and_again_is_answered_ever_more_slowly_and_never_ends_an_engine() -> None:
    """sanic says it at each restart, mitmproxy at each crash of the server behind."""
    line = Line(STANDARD, lambda _: received(1000), uptime=0.01).run(60)
    assert len(line.dials) == 60
    assert line.rules == ["peer-normal"] * 2 + ["peer-normal-again"] * 58
    gaps = list(line.gaps())
    assert max(gaps[:2]) < 2.5
    assert mean(gaps[2:5]) < mean(gaps[5:9]) < mean(gaps[9:])
    assert 60.0 < mean(gaps[20:]) < max(gaps) <= 600.0
    for attempt in (3, 1000, 10**9):
        assert isinstance(STANDARD.decide(received(1000), after(attempt)), Retry)


LOSSES = [
    "ping timed out",  # tornado
    "STOMP died",  # RabbitMQ, as the next
    "MQTT died",
    "keepalive ping timeout",
    "Idle Timeout",
    "no PONG received",
    "heartbeat missed",
    "connection lost",
    "Client is inactive",
]
NO_LOSSES = ["", "Server closed by client", "Normal closure", "Target closed", "hiding", "shipping"]


@pytest.mark.spec("B6.7", "B8.1")
@pytest.mark.parametrize("answer", ["retry", "hold", "stop"])
def test_a_1000_whose_reason_speaks_of_a_loss_is_one(answer: PeerNormal) -> None:
    policy = policies.standard(peer_normal=answer)
    for reason in LOSSES:
        well = [policy.decide(received(1000, reason), after(1, roll=roll)) for roll in ROLLS]
        assert [each.delay for each in well if isinstance(each, Retry)] == list(ROLLS)
        assert {each.rule for each in well} == {"peer-lost"}
        young = policy.decide(received(1000, reason), after(1, uptime=3.0))
        assert isinstance(young, Retry)
        assert young.rule == "peer-lost-again"
        assert policy.decide(received(1000, reason), after(10**6)).rule == "peer-lost-again"
    for reason in NO_LOSSES:
        assert policy.decide(received(1000, reason), after(1)).rule == "peer-normal", reason


@pytest.mark.spec("B13.7", "B8.1")
@pytest.mark.parametrize(
    "reason", ["Ping/Pong timeout", "timed out", "Keepalive failed", "idle for too long"]
)
def test_a_1008_whose_reason_speaks_of_a_loss_is_one(reason: str) -> None:
    policy = policies.standard()
    well = [policy.decide(received(1008, reason), after(1, roll=roll)) for roll in ROLLS]
    assert [each.delay for each in well if isinstance(each, Retry)] == list(ROLLS)
    assert {each.rule for each in well} == {"policy-lost"}
    assert policy.decide(received(1008, reason), after(2)).rule == "policy-lost-again"


@pytest.mark.spec("B13.7")
@pytest.mark.parametrize("reason", ["", "Authentication Timeout", "login timed out", "shipping"])
def test_a_1008_that_speaks_of_a_credential_is_none(reason: str) -> None:
    close = received(1008, reason)
    assert policies.standard().decide(close, after(1)).rule == "policy-violation"
    again = policies.standard().decide(close, after(1, can_refresh=True))
    assert again.rule == "policy-refresh"


@pytest.mark.spec("B6.2", "B6.5")
@pytest.mark.parametrize(("answer", "decision"), [("hold", Hold), ("stop", Stop)])
def test_the_other_answers_to_1000_are_one_argument(
    answer: PeerNormal, decision: type[Hold | Stop]
) -> None:
    policy = policies.standard(peer_normal=answer)
    assert policy.decide(received(1000), after(1)) == decision("peer-normal")


@pytest.mark.spec("B6.3", "D1.1")
def test_a_1000_between_other_failures_backs_off() -> None:
    assert STANDARD.decide(received(1000), after(5, streak=1)).rule == "peer-normal-again"


@pytest.mark.spec("D4.9")
def test_a_lone_client_is_back_soon_after_a_restart_and_a_fleet_spread() -> None:
    for engines, low, high in ((1, 1.0, 5.0), (500, 5.0, 30.0), (10**6, 5.0, 30.0)):
        assert spread(received(1012), after(1, engines=engines)) == ("restart", low, high)
    windows = [spread(received(1012), after(1, engines=n))[1:] for n in range(1, 502)]
    assert windows == sorted(windows)
    assert all(high - low >= 4.0 for low, high in windows)
    assert spread(received(1012), after(2, engines=1000))[0] == "restart-again"


@pytest.mark.spec("D4.10")
def test_what_the_last_restart_showed_is_remembered() -> None:
    def window(**facts: object) -> tuple[float, float]:
        return spread(received(1012), after(1, **facts))[1:]

    assert window(outage=0.0) == window(outage=0.5) == (1.0, 5.0)
    assert window(outage=3.0) == (3.0, 7.0)
    assert window(outage=600.0) == (30.0, 34.0)
    assert window(outage=0.0, crowded=True) == (5.0, 30.0)
    assert window(outage=12.0, crowded=True) == (12.0, 37.0)
    assert window(outage=12.0, engines=500) == (12.0, 37.0)


@pytest.mark.spec("D4.9", "D4.1")
def test_the_window_of_a_restart_is_an_argument_and_a_hint_outweighs_it() -> None:
    registry = policies.standard(restart=(5, 30))
    found = [registry.decide(received(1012), after(1, roll=roll)) for roll in ROLLS]
    assert [each.delay for each in found if isinstance(each, Retry)] == [
        5.0 + 25.0 * roll for roll in ROLLS
    ]
    service = policies.for_service("nats", restart=(2, 3))
    assert isinstance(service.decide(received(1012), after(1, roll=0.5)), Retry)
    for policy in (STANDARD, registry):
        hinted = policy.decide(received(1012, spread=60.0), after(1, roll=0.5, engines=9))
        assert isinstance(hinted, Retry)
        assert hinted.delay == 30.0
    with pytest.raises(ValueError, match="low must"):
        policies.standard(restart=(30, 5))


@pytest.mark.spec("D4.1")
def test_a_server_that_hears_nothing_is_left_spread_out() -> None:
    """It is most often about to go, and takes everybody's connection along."""
    deaf = Close.by_engine(Cause.DEAF)
    assert spread(deaf, after(1)) == ("deaf", 0.0, 5.0)
    assert isinstance(STANDARD.decide(deaf, after(10**6)), Retry)


@pytest.mark.spec("B13.6", "G8.5")
def test_code_of_the_application_that_fails_is_told_as_such() -> None:
    dial = after(1, phase=Phase.DIAL)
    for cause, rule in ((Cause.HOOK, "hook-failed"), (Cause.CREDENTIALS, "provider-failed")):
        decision = STANDARD.decide(Close.by_engine(cause), dial)
        assert isinstance(decision, Retry)
        assert decision.rule == rule
    assert STANDARD.decide(Close.by_engine(Cause.HOOK), after(1)).rule == "hook-failed"


@pytest.mark.spec("D4.2")
def test_only_a_connection_that_had_been_well_is_dialled_at_once() -> None:
    assert spread(broken(), after(1, uptime=10.0)) == ("alone", 0.0, 1.0)
    assert spread(broken(Cause.RESET), after(1)) == ("alone", 0.0, 1.0)
    assert spread(broken(Cause.HEARTBEAT), after(1, uptime=3.0)) == ("silent", 0.0, 1.0)
    assert STANDARD.decide(broken(), after(1, uptime=9.9)).rule == "abnormal"
    assert STANDARD.decide(broken(), after(2, uptime=99.0)).rule == "abnormal"
    assert STANDARD.decide(broken(Cause.PROTOCOL), after(1)).rule == "abnormal"
    assert STANDARD.decide(broken(Cause.TCP), after(1, phase=Phase.DIAL)).rule == "no-connection"


@pytest.mark.spec("D4.2")
@given(st.floats(0.0, 1e6), st.floats(0.0, 1e6))
def test_the_stable_period_is_that_of_the_engine(uptime: float, stable: float) -> None:
    context = after(1, uptime=uptime, stable_after=stable)
    rule = "alone" if uptime >= stable else "abnormal"
    assert STANDARD.decide(broken(), context).rule == rule


@pytest.mark.parametrize("answer", ["again", "maybe", "wait"])
def test_bad_arguments_are_refused(answer: str) -> None:
    with pytest.raises(ValueError, match="peer_normal must be 'retry', 'hold' or 'stop'"):
        policies.standard(peer_normal=answer)  # type: ignore[arg-type] # bad input is the point


def rule_of_code(code: int) -> str:
    own = {
        **dict.fromkeys((1002, 1003, 1007), "our-fault"),
        **dict.fromkeys((1011, 1014), "server-failed"),
        **dict.fromkeys(range(4000, 5000), "private"),
        1000: "peer-normal",
        1001: "going-away",
        1005: "no-status",
        1008: "policy-violation",
        1009: "too-big",
        1010: "extension",
        1012: "restart",
        1013: "try-later",
        1015: "certificate",
        3000: "code-unauthorized",
        3003: "forbidden",
        3008: "timeout",
    }
    return own.get(code, "unknown")


@pytest.mark.spec("B9.2")
def test_every_code_of_a_close_frame_has_its_rule() -> None:
    for code in (*range(1006), *range(1007, 5100)):
        assert STANDARD.decide(received(code), after(1)).rule == rule_of_code(code), code


@pytest.mark.spec("B9.2", "B13.6")
def test_every_cause_without_a_close_frame_has_its_rule() -> None:
    own = {
        Cause.PROXY: "proxy-refused",
        Cause.VALIDITY: "certificate-dates",
        Cause.DEAF: "deaf",
        Cause.STALE: "stale",
        Cause.DECLARED: "declared",
        Cause.HOOK: "hook-failed",
        Cause.CREDENTIALS: "provider-failed",
        Cause.UNAUTHORIZED: "no-credential",
        Cause.REJECTED: "rejected",
        Cause.SESSION_CLOSED: "session-closed",
        Cause.CONFIGURATION: "configuration",
    }
    for phase, other in ((Phase.DIAL, "no-connection"), (Phase.OPEN, "abnormal")):
        for cause in Cause:
            decision = STANDARD.decide(Close.by_engine(cause), after(2, phase=phase))
            assert decision.rule == own.get(cause, other), cause


@pytest.mark.spec("B6.3")
def test_the_gaps_after_1000_again_and_again_double_up_to_five_minutes() -> None:
    longest = (20.0, 40.0, 80.0, 160.0, 300.0, 300.0)
    for attempt, seconds in enumerate(longest, start=3):
        context = after(attempt, since_dial=60.0)
        assert spread(received(1000), context) == ("peer-normal-again", 0.0, seconds)
