"""RabbitMQ, MQTT and STOMP over WebSocket: what it says (apt-get install rabbitmq-server)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from recloser import policies
from tests.policies.running import Server, free_port, program, running, says

RABBITMQ, EPMD = program("rabbitmq-server"), program("epmd")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.spec("B14.5"),
    pytest.mark.skipif(
        RABBITMQ is None or EPMD is None,
        reason="needs rabbitmq-server: apt-get install rabbitmq-server",
    ),
]

MQTT, STOMP = ("mqtt",), ("v12.stomp",)
CONNACK = b"\x20\x02\x00\x00"


class Rabbit(NamedTuple):
    mqtt: Server
    stomp: Server


@asynccontextmanager
async def rabbit(folder: Path) -> AsyncIterator[Rabbit]:
    """A node of its own, with both plugins, and with an epmd of its own."""
    mqtt, stomp, names = free_port(), free_port(), free_port()
    (folder / "rabbitmq.conf").write_text(
        "listeners.tcp = none\nmqtt.listeners.tcp = none\nstomp.listeners.tcp = none\n"
        f"mqtt.allow_anonymous = false\nweb_mqtt.tcp.ip = 127.0.0.1\nweb_mqtt.tcp.port = {mqtt}\n"
        f"web_stomp.tcp.ip = 127.0.0.1\nweb_stomp.tcp.port = {stomp}\n"
    )
    (folder / "plugins").write_text("[rabbitmq_web_mqtt,rabbitmq_web_stomp].\n")
    environment = {
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(names),
        "RABBITMQ_NODENAME": "recloser@localhost",
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_FEATURE_FLAGS_FILE": str(folder / "flags"),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
    }
    assert RABBITMQ is not None
    assert EPMD is not None
    epmd = (EPMD, "-port", str(names), "-address", "127.0.0.1")
    async with (
        running(*epmd, port=names, ready=None),
        running(RABBITMQ, port=mqtt, ready=None, environment=environment) as server,
    ):
        yield Rabbit(server, Server(server.process, stomp))


def connect(password: str, *, keep_alive: int = 60, level: int = 4) -> bytes:
    """An MQTT CONNECT of the user guest, as client `a` (MQTT 3.1.1 section 3.1)."""
    parts = (b"a", b"guest", password.encode())
    payload = b"".join(len(each).to_bytes(2) + each for each in parts)
    body = b"\x00\x04MQTT" + bytes([level, 0xC2]) + keep_alive.to_bytes(2) + payload
    return bytes([0x10, len(body)]) + body


def stomp(command: str, **headers: str) -> str:
    """A frame of STOMP 1.2 without a body."""
    return "\n".join((command, *(f"{k}:{v}" for k, v in headers.items()), "", "\0"))


async def test_what_it_says_when_it_refuses_loses_a_client_and_stops(tmp_path: Path) -> None:
    """One node for all, since it takes ten seconds to start."""
    login = stomp(
        "CONNECT", **{"accept-version": "1.2", "host": "/", "login": "guest", "passcode": "no"}
    )
    async with rabbit(tmp_path) as (mqtt, web_stomp):
        wrong, heard = await mqtt.end(connect("no"), path="/ws", subprotocols=MQTT)
        level, _ = await mqtt.end(connect("guest", level=9), path="/ws", subprotocols=MQTT)
        quiet, acknowledged = await mqtt.end(
            connect("guest", keep_alive=1), path="/ws", subprotocols=MQTT
        )
        nowhere, _ = await mqtt.end(path="/nowhere", subprotocols=MQTT)
        refused, said = await web_stomp.end(login, path="/ws", subprotocols=STOMP)
        gone, _ = await mqtt.end(
            connect("guest"),
            path="/ws",
            subprotocols=MQTT,
            then=mqtt.stop,
            until=lambda message: message == CONNACK,
        )
    assert (wrong.code, wrong.reason, heard) == (1002, "unauthenticated", [])
    assert says("mqtt", wrong) == "mqtt-1002-unauthenticated"
    assert says("mqtt", wrong, can_refresh=True) == "retry"
    assert (level.code, level.reason) == (1007, "protocol_header_corrupt")
    assert says("mqtt", level) == "mqtt-1007-protocol_header_corrupt"
    assert acknowledged == [CONNACK]
    assert (quiet.code, quiet.reason, says("mqtt", quiet)) == (1000, "MQTT died", "retry")
    assert (nowhere.status, says("mqtt", nowhere)) == (404, "refused")
    assert str(said[0]).startswith("ERROR\nmessage:Bad CONNECT\n")
    assert policies.service("stomp").advice[0].message == "ERROR, Bad CONNECT"
    # A minute after the ERROR: only its idle time-out ends the connection.
    assert (refused.code, refused.reason, says("stomp", refused)) == (1000, "", "retry")
    assert says("mqtt", gone) == "retry"
