"""Servers of Node.js: each is a few lines in `apps/serve.mjs`."""

from collections.abc import Mapping
from typing import Any

from tests.field.events import closes, kill, message, refused, reload, says, stop
from tests.field.software import APPS, Event, Place, Software
from tests.field.sources import Npm

GRAPHQL = ("graphql-transport-ws",)
INIT = '{"type":"connection_init"}'


def _software(
    name: str, packages: tuple[str, ...], *events: Event, app: str, **more: Any
) -> Software:
    def command(place: Place) -> tuple[str, ...]:
        return ("node", str(APPS / "serve.mjs"), app)

    return Software(name=name, source=Npm(packages), command=command, events=events, **more)


SOCKET_IO: Mapping[str, Any] = {
    "path": "/socket.io/?EIO=4&transport=websocket",
    "greeting": ("40",),
    "echoes": False,
    "policy": "socket.io",
}

SOFTWARE = (
    _software(
        "ws",
        ("ws@8.23.0",),
        closes("spread", "close(1001) of each client"),
        closes("soon", "terminate() of each client", "terminate"),
        closes("spread", "close() of each client", "bare"),
        stop("soon", note="no handler of signals: the process dies"),
        message("soon"),
        kill(),
        app="ws",
    ),
    _software(
        "Socket.IO",
        ("socket.io@4.8.4",),
        closes("spread", "io.close()"),
        Event(
            name="reload",
            how="io.disconnectSockets(true)",
            act=says("disconnect"),
            should="spread",
            note='the text "41" comes first',
        ),
        Event(name="idle", how="no pong, pingInterval 1 s, pingTimeout 1 s", should="spread"),
        kill(should="spread"),
        app="socket.io",
        **SOCKET_IO,
    ),
    _software(
        "Engine.IO",
        ("engine.io@6.6.11",),
        closes("spread", "close()"),
        Event(name="idle", how="no pong, pingInterval 1 s, pingTimeout 1 s", should="spread"),
        refused("/engine.io/?EIO=4&transport=websocket&sid=gone", how="a session that is gone"),
        kill(),
        app="engine.io",
        path="/engine.io/?EIO=4&transport=websocket",
        echoes=False,
        policy="engine.io",
    ),
    _software(
        "graphql-ws",
        ("graphql-ws@6.4.2", "graphql@16.15.0", "ws@8.23.0"),
        closes("spread", "dispose()"),
        kill(should="spread"),
        app="graphql-ws",
        subprotocols=GRAPHQL,
        greeting=(INIT,),
        echoes=False,
        policy="graphql-transport-ws",
    ),
    _software(
        "mercurius",
        ("mercurius@16.10.1", "fastify@5.12.8", "graphql@16.15.0"),
        closes("spread", "app.close()"),
        kill(should="spread"),
        app="mercurius",
        path="/graphql",
        subprotocols=GRAPHQL,
        greeting=(INIT,),
        echoes=False,
        policy="graphql-transport-ws",
    ),
    _software(
        "@fastify/websocket",
        ("@fastify/websocket@11.3.6", "fastify@5.12.8"),
        closes("spread", "app.close()"),
        stop("soon", note="no handler of signals: the process dies"),
        kill(),
        refused("/nowhere"),
        app="fastify",
    ),
    _software(
        "express-ws",
        ("express-ws@5.0.2", "express@5.1.0"),
        stop("soon", note="no handler of signals: the process dies"),
        kill(),
        app="express-ws",
    ),
    _software(
        "y-websocket",
        ("y-websocket@1.5.4", "ws@8.23.0"),
        stop("spread", note="no handler of signals: the process dies"),
        kill(should="spread"),
        app="y-websocket",
        path="/document",
        echoes=False,
        policy="y-websocket",
    ),
    _software(
        "hocuspocus",
        ("@hocuspocus/server@4.7.0",),
        closes("soon", "destroy()", note="documents are closed in-band; then the process ends"),
        Event(
            name="idle",
            how="nothing is sent, timeout 1 s",
            should="spread",
            environment={"TIMEOUT": "1000"},
        ),
        kill(),
        app="hocuspocus",
        echoes=False,
        policy="hocuspocus",
    ),
    _software(
        "sockjs",
        ("sockjs@0.3.24",),
        closes("soon", "close() of each connection"),
        stop("soon", note="no handler of signals: the process dies"),
        kill(),
        app="sockjs",
        path="/websocket",
    ),
    _software(
        "faye-websocket",
        ("faye-websocket@0.11.4",),
        closes("soon", "close() of each connection"),
        kill(),
        app="faye",
    ),
    _software(
        "websocket (npm)",
        ("websocket@1.0.35",),
        closes("spread", "shutDown()"),
        kill(),
        refused("/nowhere"),
        app="websocket",
    ),
    _software(
        "Primus",
        ("primus@8.0.9", "ws@8.23.0"),
        closes("spread", "destroy({reconnect: true})"),
        kill(),
        app="primus",
        path="/primus",
        echoes=False,
    ),
    _software(
        "@hapi/nes",
        ("@hapi/nes@14.0.1", "@hapi/hapi@21.4.0"),
        closes("spread", "server.stop()"),
        Event(name="idle", how="no hello, heartbeat 1 s", should="spread"),
        kill(),
        app="nes",
        echoes=False,
    ),
    _software(
        "SocketCluster",
        ("socketcluster-server@20.0.1",),
        closes("soon", "close()"),
        Event(
            name="idle",
            how="no handshake, handshakeTimeout 1 s",
            should="spread",
            environment={"TIMEOUT": "1000"},
        ),
        kill(),
        app="socketcluster",
        path="/socketcluster/",
        echoes=False,
    ),
    _software(
        "rpc-websockets",
        ("rpc-websockets@10.0.1",),
        closes("spread", "close()"),
        kill(),
        app="rpc-websockets",
        echoes=False,
    ),
    _software(
        "Hono",
        ("hono@4.13.19", "@hono/node-server@1.19.14", "@hono/node-ws@1.3.1"),
        stop("soon", note="no handler of signals: the process dies"),
        kill(),
        refused("/nowhere"),
        app="hono",
    ),
    _software(
        "Vite",
        ("vite@8.3.8",),
        closes("soon", "server.close()"),
        kill(),
        app="vite",
        subprotocols=("vite-hmr",),
        echoes=False,
    ),
    _software(
        "workerd",
        ("miniflare@4.20260730.0",),
        closes("soon", "dispose() of miniflare"),
        reload("soon", "setOptions() of miniflare", act=says("reload")),
        refused("/nowhere"),
        app="miniflare",
    ),
)
