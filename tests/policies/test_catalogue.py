"""The catalogue: complete, sourced, and right where a service is known to differ."""

import re
import subprocess
import sys
from functools import cache
from itertools import chain

import pytest

from recloser import policies
from recloser.fsm import Cause, Close, Hold, Phase, Policy, Retry, Session, Stop, Unsent
from recloser.policies.catalogue import ServiceRow, UnknownServiceError
from recloser.policies.codes import PeerNormal
from tests.policies.rig import after, broken, received, refused, shipped

SURVEYED = """
ably actioncable anycable assemblyai-realtime-v2 assemblyai-streaming aws-api-gateway
azure-web-pubsub binance bybit centrifugo cloudflare coinbase deepgram-stt deepgram-tts
discord-gateway discord-rpc discord-voice elevenlabs engine.io gemini-live gladia-live
graphql-transport-ws hocuspocus home-assistant kraken kubernetes livekit mattermost mqtt nats ocpp
openai-realtime pandascore phoenix pusher signalr slack-socket-mode socket.io soketi stomp
subscriptions-transport-ws supabase-realtime thingsboard twitch-eventsub y-websocket zulip
"""


def decide(service: str, close: Close, attempt: int = 1, **facts: bool) -> tuple[str, str]:
    decision = shipped()[service].decide(close, after(attempt, **facts))
    return type(decision).__name__, decision.rule


@pytest.mark.spec("B14.1")
def test_every_service_of_the_survey_has_a_policy() -> None:
    assert policies.services() == tuple(SURVEYED.split())
    for name in policies.services():
        assert isinstance(policies.for_service(name), Policy)
        assert policies.service(name).rows


@pytest.mark.spec("B14.2")
def test_every_row_gives_its_source_and_date() -> None:
    for name in policies.services():
        service = policies.service(name)
        assert service.title
        for row in service.rows:
            assert row.source, row
            assert re.fullmatch(r"20\d\d-[01]\d(-[0-3]\d)?", row.date), row
            assert row.name, row
            assert row.why.endswith("."), row


@pytest.mark.spec("B14.2")
def test_every_rule_of_a_row_says_its_date_once() -> None:
    said = 0
    for name in policies.services():
        rows = policies.service(name).rows
        for rule in shipped()[name].rules:
            for row in rows if rule.name.startswith(f"{name}-") else ():
                if rule.source.startswith(row.source):
                    said += 1
                    assert any(each.date in rule.source for each in rows), rule
                    assert f"{row.date} ({row.date})" not in rule.source, rule
    assert said > 200


def numbers(row: ServiceRow) -> list[int]:
    spans = (range(int(low), int(high)) for low, high in row.number_set.intervals)
    return [*chain.from_iterable(spans)]


def example(name: str, row: ServiceRow) -> Close | None:
    """An end for which this row decides; none if a guard or another row hides it."""
    reason = "" if row.reason is None else row.reason.split("|", maxsplit=1)[0]
    own = "-".join((name, *row.numbers.split(",")))
    for number in numbers(row):
        close = received(number, reason) if row.fact == "code" else refused(number)
        if shipped()[name].decide(close, after(2, can_refresh=True)).rule.startswith(own):
            return close
    return None


@cache
def examples() -> list[tuple[str, ServiceRow, Close | None]]:
    rows = ((name, row) for name in policies.services() for row in policies.service(name).rows)
    return [(name, row, example(name, row)) for name, row in rows if row.do != "standard"]


@pytest.mark.spec("B14.1")
def test_every_row_decides_for_some_number_of_its_own() -> None:
    """No row is hidden by a guard or by the others of its service."""
    assert not [(name, row) for name, row, close in examples() if close is None]


@pytest.mark.spec("B14.1", "E3.1", "B22.1")
def test_a_row_does_what_its_word_says_and_no_more() -> None:
    sessions = {"resume": Session.RESUME, "new": Session.NEW}
    for name, row, close in examples():
        assert close is not None
        word, _, rest = row.do.partition(" ")
        phase = Phase.OPEN if row.fact == "code" else Phase.DIAL
        context = after(1, phase=phase, since_dial=60.0, can_refresh=True, roll=0.0)
        decision = shipped()[name].decide(close, context)
        then = shipped()[name].decide(close, context._replace(refreshed=True))
        assert isinstance(then, Stop) is (word in ("stop", "refresh")), row
        assert isinstance(decision, Stop) is (word == "stop"), row
        if isinstance(decision, Retry):
            assert decision.refresh is (word == "refresh"), row
            assert decision.session is sessions.get(word), row
            assert decision.delay == (float(rest) if rest.isdigit() else 0.0), row


@pytest.mark.spec("B14.1")
def test_the_rows_of_fewer_numbers_come_first_and_then_those_with_a_reason() -> None:
    for name in policies.services():
        rows = policies.service(name).rows
        order = [(len(numbers(row)), row.reason is None) for row in rows]
        assert order == sorted(order), name


@pytest.mark.spec("B14.1")
@pytest.mark.parametrize(
    ("service", "code", "decision", "rule"),
    [
        ("pusher", 4001, "Stop", "pusher-4001"),
        ("pusher", 4050, "Stop", "pusher-4000-4099"),
        ("pusher", 4100, "Retry", "pusher-4100"),
        ("pusher", 4150, "Retry", "pusher-4100-4199"),
        ("pusher", 4201, "Retry", "pusher-4201-now"),
        ("pusher", 1002, "Retry", "pusher-1002-1004"),
        ("soketi", 4100, "Retry", "soketi-4100"),
        ("discord-gateway", 4004, "Stop", "discord-gateway-4004"),
        ("discord-gateway", 4009, "Retry", "discord-gateway-4009"),
        ("discord-gateway", 4014, "Stop", "discord-gateway-4014"),
        ("discord-voice", 4014, "Stop", "discord-voice-4014"),
        ("graphql-transport-ws", 4401, "Stop", "graphql-transport-ws-4401"),
        ("graphql-transport-ws", 4403, "Retry", "graphql-transport-ws-4403"),
        ("graphql-transport-ws", 4500, "Stop", "graphql-transport-ws-4500"),
        ("centrifugo", 3500, "Stop", "centrifugo-3500"),
        ("centrifugo", 3008, "Retry", "centrifugo-3008"),
        ("centrifugo", 4499, "Retry", "centrifugo-4000-4499"),
        ("centrifugo", 4500, "Stop", "centrifugo-4500-4999"),
        ("phoenix", 1000, "Retry", "phoenix-1000"),
        ("graphql-transport-ws", 1000, "Retry", "graphql-transport-ws-1000"),
        ("hocuspocus", 4401, "Stop", "hocuspocus-4401"),
        ("mqtt", 1002, "Retry", "mqtt-1000-4999"),
        ("supabase-realtime", 1000, "Retry", "supabase-realtime-1000-4999"),
        ("twitch-eventsub", 4007, "Retry", "twitch-eventsub-4007"),
        ("thingsboard", 4500, "Retry", "thingsboard-4500"),
        ("anycable", 1000, "Retry", "peer-normal"),
        ("ocpp", 1005, "Stop", "ocpp-1005"),
        ("slack-socket-mode", 1008, "Retry", "slack-socket-mode-1000-4999"),
    ],
)
def test_what_services_mean(service: str, code: int, decision: str, rule: str) -> None:
    """Codes whose meaning differs from that of another service, or from the standard policy."""
    assert decide(service, received(code)) == (decision, rule)


@pytest.mark.spec("B8.1", "B14.1")
def test_a_service_whose_reason_decides_falls_to_the_code_without_it() -> None:
    assert decide("deepgram-tts", received(1008, "DATA-0001 slow down"))[0] == "Retry"
    assert decide("deepgram-tts", received(1008, "data-0000"))[0] == "Stop"
    assert decide("deepgram-tts", received(1008)) == ("Stop", "deepgram-tts-1008")
    assert decide("nats", received(1008, "Slow Consumer (Pending Bytes)"))[0] == "Retry"
    assert decide("nats", received(1008)) == ("Stop", "policy-violation")
    assert decide("openai-realtime", received(1001)) == ("Retry", "openai-realtime-1001")


@pytest.mark.spec("B14.4", "B11")
def test_what_a_service_says_in_band_can_be_passed_on() -> None:
    found = {name: policies.service(name).advice for name in policies.services()}
    words = {name: {each.word for each in advice} for name, advice in found.items() if advice}
    assert set().union(*words.values()) == {"stop", "retry", "refresh"}
    for name in ("hocuspocus", "graphql-transport-ws", "home-assistant", "socket.io", "mqtt"):
        assert "stop" in words[name]
    for name, advice in found.items():
        for each in advice:
            assert each.message
            assert each.why.endswith(".")
            assert each.source
            assert re.fullmatch(r"20\d\d-[01]\d(-[0-3]\d)?", each.date)
            told = received(4242, advice=each.word)
            rule = shipped()[name].decide(told, after(1, can_refresh=True)).rule
            assert rule == f"advised-{each.word}"


@pytest.mark.spec("B14.1", "E3.1")
def test_a_broker_that_refuses_a_credential_is_asked_with_another_one() -> None:
    """RabbitMQ's web-mqtt closes with 1002, and what is unsent is not at fault."""
    policy = policies.for_service("mqtt")
    close = received(1002, "unauthenticated")
    first = policy.decide(close, after(1, can_refresh=True))
    assert first.rule == "mqtt-1002-unauthenticated-refresh"
    again = policy.decide(close, after(2, can_refresh=True, refreshed=True))
    assert again == Stop("mqtt-1002-unauthenticated")


@pytest.mark.spec("E3.1", "E3.2", "B14.1")
def test_a_code_of_a_service_may_want_another_credential_once() -> None:
    policy = policies.for_service("centrifugo")
    fresh = policy.decide(received(3005), after(1, can_refresh=True))
    assert fresh == Retry(0.0, True, "centrifugo-3005-refresh")
    again = policy.decide(received(3005), after(2, can_refresh=True, refreshed=True))
    assert again == Stop("centrifugo-3005")


@pytest.mark.spec("B14.1")
def test_a_pause_that_a_service_wants_is_kept() -> None:
    for service, close, least in (
        ("bybit", refused(403), 600.0),
        ("kraken", refused(429), 600.0),
        ("binance", refused(418), 120.0),
        ("stomp", received(1011), 5.0),
        ("pusher", received(4100), 1.0),
    ):
        for attempt in (1, 2, 9):
            decision = shipped()[service].decide(close, after(attempt, roll=0.0))
            assert isinstance(decision, Retry)
            assert decision.delay >= least


@pytest.mark.spec("D4.2", "B14.1")
def test_at_once_is_within_the_first_second_the_first_time_and_never_for_a_failed_dial() -> None:
    bybit = shipped()["bybit"]
    delays = [bybit.decide(received(1000), after(1, roll=roll)) for roll in (0.0, 0.99)]
    assert delays == [Retry(0.0, rule=delays[0].rule), Retry(0.99, rule=delays[0].rule)]
    assert bybit.decide(received(1000), after(2)).rule == "bybit-1000-4999"
    assert bybit.decide(broken(Cause.TCP), after(1, phase=Phase.DIAL)).rule == "bybit-1000-4999"


@pytest.mark.spec("B14.1", "B14.2")
def test_limits_are_given_where_a_service_publishes_them() -> None:
    (limit,) = policies.service("kraken").limits
    assert (limit.dials, limit.seconds) == (150, 600)
    assert "IP" in limit.per
    found = {name for name in policies.services() if policies.service(name).limits}
    assert found >= {"binance", "bybit", "coinbase", "discord-gateway", "aws-api-gateway"}
    sources = [limit.source for name in found for limit in policies.service(name).limits]
    assert all(source and not re.fullmatch(r"[\d-]+", source) for source in sources)


@pytest.mark.spec("B22.1")
def test_a_policy_says_resume_or_new_where_its_row_does() -> None:
    found = {"resume": Session.RESUME, "new": Session.NEW}
    seen = set()
    for name in policies.services():
        policy = policies.for_service(name)
        for row in policies.service(name).rows:
            word = row.do.split()[0]
            if row.fact != "code" or row.reason is not None:
                continue
            for low, _ in row.number_set.intervals:
                decision = policy.decide(received(int(low)), after(2))
                if f"{name}-" in decision.rule and isinstance(decision, Retry):
                    assert decision.session is found.get(word), (name, row)
                    seen.add(decision.session)
    assert seen == {None, *Session}


@pytest.mark.spec("B14.2", "D10.6")
def test_lifetimes_are_given_where_a_service_publishes_them() -> None:
    found = {name: policies.service(name).lifetime for name in policies.services()}
    known = {name: life for name, life in found.items() if life is not None}
    assert {name: life.seconds for name, life in known.items()} == {
        "assemblyai-streaming": 10_800,
        "aws-api-gateway": 7_200,
        "binance": 86_400,
        "gemini-live": 600,
        "gladia-live": 10_800,
        "openai-realtime": 3_600,
    }
    for life in known.values():
        low, high = life.max_age
        assert 0.8 * life.seconds < low < high < life.seconds
        assert life.what.endswith(".")
        assert life.source
        assert life.date


def test_arguments_of_the_standard_policy_reach_the_rules_below_a_service() -> None:
    policy = policies.for_service("anycable", peer_normal="hold")
    assert policy.decide(received(1000), after(1)) == Hold("peer-normal")


@pytest.mark.parametrize("name", ["Pusher", "DISCORD_gateway", "socketio", "discord", "Socket.IO"])
def test_names_are_found_however_they_are_written(name: str) -> None:
    assert policies.for_service(name).name in policies.services()


@pytest.mark.spec("L6")
def test_an_unknown_name_is_answered_with_what_comes_near() -> None:
    with pytest.raises(UnknownServiceError, match="unknown service 'pushr': did you mean 'pusher'"):
        policies.for_service("pushr")
    with pytest.raises(ValueError, match=r"policies.services\(\) lists all"):
        policies.service("zzzzzz")


def test_importing_policies_reads_no_file_until_a_service_is_asked_for() -> None:
    code = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(args[0]) if event == "open" else None)
from recloser import policies
policies.standard(), policies.basic()
assert not any("services.json" in str(each) for each in opened)
assert not {"json", "recloser.policies.catalogue", "aiohttp", "transitions"} & set(sys.modules)
policies.for_service("pusher")
assert any("services.json" in str(each) for each in opened)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_module_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'servces'"):
        policies.servces  # noqa: B018 - the look-up is the test


@pytest.mark.spec("G5.5", "B14.1")
def test_a_service_that_refuses_a_message_keeps_the_others() -> None:
    """By the codes of RFC 6455, and where it stops: a refused credential is no message's fault."""
    found = {
        (name, code): policies.for_service(name).decide(received(code), after(1)).unsent
        for name in ("centrifugo", "nats", "hocuspocus", "graphql-transport-ws", "deepgram-tts")
        for code in (1007, 1008, 1009, 1011)
    }
    refused = {name for (name, code), fate in found.items() if fate is Unsent.DROP_REFUSED}
    assert refused == {name for name, _ in found}
    assert {code for (_, code), fate in found.items() if fate is not Unsent.KEEP} == {1007, 1009}
    mqtt = policies.for_service("mqtt").decide(
        received(1002, reason="unauthenticated"), after(2, refreshed=True)
    )
    assert mqtt == Stop("mqtt-1002-unauthenticated")


@pytest.mark.spec("L9")
def test_three_services_of_near_names_are_told_at_most() -> None:
    with pytest.raises(UnknownServiceError, match="did you mean") as caught:
        policies.service("discor")
    assert str(caught.value).count(" or ") == 2


@pytest.mark.parametrize("answer", ["hold", "stop"])
def test_an_answer_to_1000_is_refused_where_the_service_has_its_own(answer: PeerNormal) -> None:
    with pytest.raises(ValueError, match="peer_normal would have no effect"):
        policies.for_service("nats", peer_normal=answer)
    assert policies.for_service("nats", peer_normal="retry").rules == shipped()["nats"].rules
