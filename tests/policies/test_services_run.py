"""The catalogue against real servers: what they really say, and what their policies make of it.

`make services` installs those of npm beside this file and runs these tests; nats-server and
mosquitto are those of the system (apt-get install nats-server mosquitto).
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from recloser import Stop, policies
from recloser.fsm import Cause
from tests.policies.rig import after
from tests.policies.running import Server, free_port, needs_node, node, program, running, says

NATS = program("nats-server")
MOSQUITTO = program("mosquitto")

pytestmark = [pytest.mark.slow, pytest.mark.spec("B14.5")]


GRAPHQL = ("graphql-transport-ws",)
INIT = json.dumps({"type": "connection_init"})
BAD_INIT = json.dumps({"type": "connection_init", "payload": {"token": "bad"}})
SUBSCRIBE = json.dumps(
    {"id": "1", "type": "subscribe", "payload": {"query": "subscription { never }"}}
)


@needs_node
@pytest.mark.parametrize(
    ("messages", "code", "answer"),
    [
        ([SUBSCRIBE], 4401, "graphql-transport-ws-4401"),
        ([BAD_INIT], 4403, "retry"),
        (["no json"], 4400, "graphql-transport-ws-4400"),
        ([INIT, INIT], 4429, "graphql-transport-ws-4429"),
    ],
)
async def test_graphql_ws_refuses(messages: list[str], code: int, answer: str) -> None:
    async with node("graphql-ws") as server:
        close, _ = await server.end(*messages, subprotocols=GRAPHQL)
    assert close.code == code
    assert says("graphql-transport-ws", close) == answer


@needs_node
async def test_graphql_ws_waits_for_an_init_knows_its_subprotocol_and_stops() -> None:
    async with node("graphql-ws") as server:
        late, _ = await server.end(subprotocols=GRAPHQL)
        other, _ = await server.end()
        twice, _ = await server.end(INIT, reply=(SUBSCRIBE, SUBSCRIBE), subprotocols=GRAPHQL)
        gone, _ = await server.end(subprotocols=GRAPHQL, then=lambda: server.do("close"))
    answer = says("graphql-transport-ws", twice)
    assert (twice.code, answer) == (4409, "graphql-transport-ws-4409")
    assert (late.code, says("graphql-transport-ws", late)) == (4408, "retry")
    assert (other.code, says("graphql-transport-ws", other)) == (4406, "graphql-transport-ws-4406")
    assert (gone.code, says("graphql-transport-ws", gone)) == (1001, "retry")


@needs_node
async def test_mercurius_refuses_in_band_and_closes_without_a_code() -> None:
    async with node("mercurius") as server:
        close, heard = await server.end(BAD_INIT, path="/graphql", subprotocols=GRAPHQL)
    (said,) = policies.service("graphql-transport-ws").advice
    assert json.loads(heard[-1])["type"] == said.message
    assert (close.code, says("graphql-transport-ws", close)) == (1005, "retry")


@needs_node
async def test_hocuspocus_names_what_it_cannot_read_unauthorized() -> None:
    async with node("hocuspocus") as server:
        close, _ = await server.end("no frame of its protocol")
        quiet, _ = await server.end()
    assert (close.code, says("hocuspocus", close)) == (4401, "hocuspocus-4401")
    assert (quiet.code, says("hocuspocus", quiet)) == (4408, "retry")


@needs_node
async def test_hocuspocus_refuses_a_token_in_band() -> None:
    """Its frames: the name of the document, 2 for authentication, 0 for a token; 1 denies."""
    name, token = b"\x03doc", b"\x03bad"
    async with node("hocuspocus-token") as server:
        close, heard = await server.end(name + b"\x02\x00" + token)
    (said,) = policies.service("hocuspocus").advice
    assert any(said.message.encode() in message for message in heard if isinstance(message, bytes))
    assert close.code == 4408


@needs_node
@pytest.mark.parametrize("command", ["disconnect", "close"])
async def test_socket_io_closes_without_a_code(command: str) -> None:
    async with node("socket.io") as server:
        close, heard = await server.end(
            "40",
            path="/socket.io/?EIO=4&transport=websocket",
            then=lambda: server.do(command),
            until=lambda message: str(message).startswith("40"),
        )
    assert (close.code, says("socket.io", close)) == (1005, "retry")
    assert ("41" in heard) is (command == "disconnect")


@needs_node
async def test_socket_io_refuses_in_band() -> None:
    async with node("socket.io") as server:
        close, heard = await server.end(
            '40{"token":"bad"}',
            path="/socket.io/?EIO=4&transport=websocket",
            then=lambda: server.do("close"),
            until=lambda message: str(message).startswith("44"),
        )
    assert "not you" in str(heard[-1])
    assert close.code == 1005


@needs_node
async def test_engine_io_refuses_a_session_with_400_and_a_version_within_the_websocket() -> None:
    """It writes "HTTP/1.1 400 Bad Request" behind its 101, which is no frame."""
    async with node("socket.io") as server:
        close, _ = await server.end(path="/socket.io/?EIO=4&transport=websocket&sid=gone")
        version, _ = await server.end(path="/socket.io/?EIO=2&transport=websocket")
    assert (close.status, says("engine.io", close)) == (400, "engine.io-400")
    assert "Session ID unknown" in close.body
    assert (version.status, version.refusal) == (None, (Cause.PROTOCOL, 1002))
    assert says("engine.io", version) == "retry"
    again = policies.for_service("engine.io").decide(version, after(3, refusals=3))
    assert again == Stop("unreadable-again")


@needs_node
async def test_fastify_closes_without_a_code_and_upgrades_a_plain_route() -> None:
    async with node("fastify") as server:
        unknown, _ = await server.end(path="/nowhere")
        gone, _ = await server.end(path="/ws", then=lambda: server.do("close"))
    assert unknown.status == 404
    assert "/nowhere" in unknown.body
    assert (gone.code, policies.standard().decide(gone, after(1)).rule) == (1005, "no-status")


@asynccontextmanager
async def nats(tmp_path: Path) -> AsyncIterator[Server]:
    port = free_port()
    config = tmp_path / "nats.conf"
    config.write_text(
        f"listen: 127.0.0.1:{free_port()}\nmax_payload: 1024\n"
        f"websocket {{ listen: '127.0.0.1:{port}', no_tls: true }}\n"
        "authorization { user: me, password: secret, timeout: 0.5 }\n"
    )
    assert NATS is not None
    async with running(NATS, "-c", str(config), port=port, ready=None) as server:
        yield server


@pytest.mark.skipif(NATS is None, reason="needs nats-server: apt-get install nats-server")
async def test_nats_says_why_in_the_reason(tmp_path: Path) -> None:
    login = b'CONNECT {"user":"me","pass":"secret","verbose":false}\r\nPING\r\n'
    async with nats(tmp_path) as server:
        late, _ = await server.end()
        wrong, _ = await server.end(b'CONNECT {"user":"me","pass":"no"}\r\n')
        large, _ = await server.end(login + b"PUB a 2000\r\n" + bytes(2000) + b"\r\n")
        gone, _ = await server.end(
            login, then=server.process.terminate, until=lambda message: b"PONG" in bytes(message)
        )
    refresh = {"can_refresh": True}
    assert (late.code, late.reason, says("nats", late, **refresh)) == (
        1008,
        "Authentication Timeout",
        "retry",
    )
    assert (wrong.code, says("nats", wrong, **refresh)) == (1008, "retry")
    assert says("nats", wrong) == "nats-1008-authenti"
    assert (large.code, says("nats", large)) == (1009, "nats-1009")
    assert (gone.code, gone.reason, says("nats", gone)) == (1001, "Server Shutdown", "retry")


@pytest.mark.skipif(MOSQUITTO is None, reason="needs mosquitto: apt-get install mosquitto")
async def test_mosquitto_refuses_in_band_and_says_no_code(tmp_path: Path) -> None:
    """CONNACK 5, not authorized, then the end of the stream; nothing at all when it stops."""
    port = free_port()
    config = tmp_path / "mosquitto.conf"
    # The first listener is there because mosquitto 2.0.11 refuses to start with the second alone.
    config.write_text(
        f"listener {free_port()} 127.0.0.1\nlistener {port} 127.0.0.1\nprotocol websockets\n"
        "allow_anonymous false\n"
    )
    connect = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x0a\x00\x01a"
    assert MOSQUITTO is not None
    async with running(MOSQUITTO, "-c", str(config), port=port, ready=None) as server:
        close, heard = await server.end(connect, path="/mqtt", subprotocols=("mqtt",))
    assert heard[0] == b"\x20\x02\x00\x05"
    assert "CONNACK 4 or 5" in policies.service("mqtt").advice[0].message
    assert (close.code, says("mqtt", close)) == (1006, "retry")


@pytest.mark.parametrize(
    ("server", "why"),
    [
        ("soketi 1.6.1", "it needs uWebSockets.js, which is on GitHub and in no registry"),
        (
            "Home Assistant",
            "2024.3.3 alone asks pip for more than 70 packages, some to be compiled",
        ),
    ],
)
def test_what_is_not_run(server: str, why: str) -> None:
    """Their entries stand on their sources alone: `pusher` (soketi) and `home-assistant`."""
    pytest.skip(f"{server} is not run: {why}")
