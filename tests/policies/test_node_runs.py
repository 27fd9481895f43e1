"""y-websocket, subscriptions-transport-ws and aedes from npm: what they really say."""

import json

import pytest

from recloser import policies
from tests.policies.running import needs_node, node, says

pytestmark = [pytest.mark.slow, pytest.mark.spec("B14.5"), needs_node]

LEGACY = ("graphql-ws",)
MQTT = ("mqtt",)


def init(**payload: str) -> str:
    return json.dumps({"type": "connection_init", "payload": payload})


async def test_y_websocket_closes_without_a_code() -> None:
    async with node("y-websocket") as server:
        gone, _ = await server.end(path="/document", then=lambda: server.do("close"))
    assert (gone.code, says("y-websocket", gone)) == (1005, "retry")


async def test_subscriptions_transport_ws_refuses_in_band_and_by_1011() -> None:
    async with node("subscriptions-transport-ws") as server:
        refused, heard = await server.end(init(token="bad"), path="/graphql", subprotocols=LEGACY)
        none, _ = await server.end(path="/graphql")
        modern, _ = await server.end(path="/graphql", subprotocols=("graphql-transport-ws",))
        ended, _ = await server.end(
            init(), '{"type": "connection_terminate"}', path="/graphql", subprotocols=LEGACY
        )
        nowhere, _ = await server.end(path="/nowhere", subprotocols=LEGACY)
        gone, _ = await server.end(
            init(),
            path="/graphql",
            subprotocols=LEGACY,
            then=lambda: server.do("close"),
            until=lambda message: "connection_ack" in str(message),
        )
    service = "subscriptions-transport-ws"
    (said,) = policies.service(service).advice
    assert json.loads(heard[-1])["type"] == said.message
    assert (refused.code, says(service, refused)) == (1011, "retry")
    assert (none.code, says(service, none)) == (1002, f"{service}-1002")
    assert (modern.code, says(service, modern)) == (1002, f"{service}-1002")
    assert (ended.code, says(service, ended)) == (1005, "retry")
    assert (nowhere.status, says(service, nowhere)) == (400, "refused")
    assert (gone.code, says(service, gone)) == (1006, "retry")


def connect(password: str, *, level: int = 4) -> bytes:
    """An MQTT CONNECT of the user me, as client `a` (MQTT 3.1.1 section 3.1)."""
    parts = (b"a", b"me", password.encode())
    payload = b"".join(len(each).to_bytes(2) + each for each in parts)
    body = b"\x00\x04MQTT" + bytes([level, 0xC2]) + b"\x00\x0a" + payload
    return bytes([0x10, len(body)]) + body


async def test_aedes_says_no_code_and_spreads_a_packet_over_messages() -> None:
    """MQTT 3.1.1 section 6 [MQTT-6.0.0-2]: a receiver must not take a message for a packet."""
    async with node("aedes") as server:
        refused, heard = await server.end(connect("bad"), subprotocols=MQTT)
        late, _ = await server.end(subprotocols=MQTT)
        version, _ = await server.end(connect("good", level=9), subprotocols=MQTT)
        gone, said = await server.end(
            connect("good"),
            subprotocols=MQTT,
            then=lambda: server.do("close"),
            until=lambda message: message == b"\x02",
        )
    assert heard == [b"\x20", b"\x02", b"\x00", b"\x05"]
    assert said[:4] == [b"\x20", b"\x02", b"\x00", b"\x00"]
    for close in (refused, late, version, gone):
        assert (close.code, close.cause.value, says("mqtt", close)) == (1006, "eof", "retry")
