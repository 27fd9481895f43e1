"""The clients that are run, with the packages that they come from."""

from dataclasses import dataclass

from tests.field.sources import Npm, Pip


@dataclass(frozen=True)
class Client:
    """One reconnecting client, in the settings that it has by default."""

    name: str
    source: Npm | Pip | None
    """None: what is in this environment."""
    program: str
    """The file in `apps`, which takes the name and the URL."""
    words: str = ""
    """The protocol that it speaks first; see `peer.WORDS`."""
    note: str = ""


def _node(name: str, *packages: str, words: str = "", note: str = "") -> Client:
    return Client(name, Npm(packages), "clients.mjs", words, note)


CLIENTS = (
    Client("recloser", None, "recloser_client.py", note="the standard policy"),
    Client("websockets", Pip(("websockets==17.4",)), "websockets_client.py"),
    _node("partysocket", "partysocket@1.3.0", "ws@8.23.0", note="over ws"),
    _node("reconnecting-websocket", "reconnecting-websocket@4.4.0", "ws@8.23.0", note="over ws"),
    _node("sockette", "sockette@2.0.6", "ws@8.23.0", note="over ws"),
    _node("websocket-ts", "websocket-ts@2.3.0", "ws@8.23.0", note="over ws; ConstantBackoff(1000)"),
    _node(
        "graphql-ws",
        *("graphql-ws@6.4.2", "graphql@16.15.0", "ws@8.23.0"),
        words="graphql",
        note="over ws; one subscription",
    ),
    _node("phoenix", "phoenix@1.8.16", "ws@8.23.0", note="over ws"),
    _node("centrifuge", "centrifuge@5.7.4", "ws@8.23.0", words="centrifuge", note="over ws"),
    _node("socket.io-client", "socket.io-client@4.8.4", words="socket.io"),
    _node(
        "@microsoft/signalr",
        "@microsoft/signalr@10.0.11",
        words="signalr",
        note="withAutomaticReconnect()",
    ),
    _node("pusher-js", "pusher-js@8.6.0", words="pusher"),
    _node("ably", "ably@2.28.0", words="ably"),
    _node("@stomp/stompjs", "@stomp/stompjs@7.5.0", "ws@8.23.0", words="stomp", note="over ws"),
    _node("rpc-websockets", "rpc-websockets@10.0.1"),
)
