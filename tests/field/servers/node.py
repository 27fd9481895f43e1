"""Servers of Node.js: each is a few lines in `apps/serve.mjs`."""

from collections.abc import Mapping
from typing import Any

from tests.field.events import closes, dies, kill, message, refused, reload, says, unanswered
from tests.field.software import APPS, Event, Place, Software
from tests.field.sources import Npm

GRAPHQL: Mapping[str, Any] = {
    "subprotocols": ("graphql-transport-ws",),
    "greeting": ('{"type":"connection_init"}',),
    "echoes": False,
    "policy": "graphql-transport-ws",
}
"""What a client of GraphQL over WebSocket says first."""


def _software(name: str, packages: tuple[str, ...], *events: Event, **more: Any) -> Software:
    """The server of that name in `serve.mjs`."""

    def command(place: Place) -> tuple[str, ...]:
        return ("node", str(APPS / "serve.mjs"), name)

    return Software(name=name, source=Npm(packages), command=command, events=events, **more)


SOFTWARE = (
    _software(
        "ws",
        ("ws@8.23.0",),
        closes("spread", "close(1001) of each client"),
        closes("soon", "terminate() of each client", "terminate"),
        closes("spread", "close() of each client", "bare"),
        dies(),
        message("soon"),
        kill(),
    ),
    _software(
        "Socket.IO",
        ("socket.io@4.8.4",),
        closes("spread", "io.close()"),
        reload(
            "spread",
            "io.disconnectSockets(true)",
            act=says("disconnect"),
            note='the text "41" comes first',
        ),
        unanswered("spread", "no pong, pingInterval 1 s, pingTimeout 1 s"),
        kill(should="spread"),
        path="/socket.io/?EIO=4&transport=websocket",
        greeting=("40",),
        echoes=False,
        policy="socket.io",
    ),
    _software(
        "Engine.IO",
        ("engine.io@6.6.11",),
        closes("spread", "close()"),
        unanswered("spread", "no pong, pingInterval 1 s, pingTimeout 1 s"),
        refused("/engine.io/?EIO=4&transport=websocket&sid=gone", how="a session that is gone"),
        kill(),
        path="/engine.io/?EIO=4&transport=websocket",
        echoes=False,
        policy="engine.io",
    ),
    _software(
        "graphql-ws",
        ("graphql-ws@6.4.2", "graphql@16.15.0", "ws@8.23.0"),
        closes("spread", "dispose()"),
        kill(should="spread"),
        **GRAPHQL,
    ),
    _software(
        "mercurius",
        ("mercurius@16.10.1", "fastify@5.12.8", "graphql@16.15.0"),
        closes("spread", "app.close()"),
        kill(should="spread"),
        path="/graphql",
        **GRAPHQL,
    ),
    _software(
        "@fastify/websocket",
        ("@fastify/websocket@11.3.6", "fastify@5.12.8"),
        closes("spread", "app.close()"),
        dies(),
        kill(),
        refused("/nowhere"),
    ),
    _software(
        "express-ws",
        ("express-ws@5.0.2", "express@5.1.0"),
        dies(),
        kill(),
    ),
    _software(
        "y-websocket",
        ("y-websocket@1.5.4", "ws@8.23.0"),
        dies("spread"),
        kill(should="spread"),
        path="/document",
        echoes=False,
        policy="y-websocket",
    ),
    _software(
        "hocuspocus",
        ("@hocuspocus/server@4.7.0",),
        closes("soon", "destroy()", note="documents are closed in-band; then the process ends"),
        unanswered("spread", "nothing is sent, timeout 1 s", environment={"TIMEOUT": "1000"}),
        kill(),
        echoes=False,
        policy="hocuspocus",
    ),
    _software(
        "sockjs",
        ("sockjs@0.3.24",),
        closes("soon", "close() of each connection"),
        dies(),
        kill(),
        path="/websocket",
    ),
    _software(
        "faye-websocket",
        ("faye-websocket@0.11.4",),
        closes("soon", "close() of each connection"),
        kill(),
    ),
    _software(
        "websocket (npm)",
        ("websocket@1.0.35",),
        closes("spread", "shutDown()"),
        kill(),
        refused("/nowhere"),
    ),
    _software(
        "Primus",
        ("primus@8.0.9", "ws@8.23.0"),
        closes("spread", "destroy({reconnect: true})"),
        kill(),
        path="/primus",
        echoes=False,
    ),
    _software(
        "@hapi/nes",
        ("@hapi/nes@14.0.1", "@hapi/hapi@21.4.0"),
        closes("spread", "server.stop()"),
        unanswered("spread", "no hello, heartbeat 1 s"),
        kill(),
        echoes=False,
    ),
    _software(
        "SocketCluster",
        ("socketcluster-server@20.0.1",),
        closes("soon", "close()"),
        unanswered("spread", "no handshake, handshakeTimeout 1 s", environment={"TIMEOUT": "1000"}),
        kill(),
        path="/socketcluster/",
        echoes=False,
    ),
    _software(
        "rpc-websockets",
        ("rpc-websockets@10.0.1",),
        closes("spread", "close()"),
        kill(),
        echoes=False,
    ),
    _software(
        "Hono",
        ("hono@4.13.19", "@hono/node-server@1.19.14", "@hono/node-ws@1.3.1"),
        dies(),
        kill(),
        refused("/nowhere"),
    ),
    _software(
        "Vite",
        ("vite@8.3.8",),
        closes("soon", "server.close()"),
        kill(),
        subprotocols=("vite-hmr",),
        echoes=False,
    ),
    _software(
        "workerd",
        ("miniflare@4.20260730.0",),
        closes("soon", "dispose() of miniflare"),
        reload("soon", "setOptions() of miniflare", act=says("reload")),
        refused("/nowhere"),
    ),
)
