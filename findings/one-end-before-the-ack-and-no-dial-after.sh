#!/usr/bin/env bash
# gql, the GraphQL client of Python, with a session that reconnects: a first dial that fails in three ways.
#
# Guess:    connect_async(reconnecting=True) tries again, with pauses, whether the upgrade is refused with 503, or the
#           server closes with 1012 before its connection_ack, as one does that is about to restart. A close after
#           the ack is followed by a dial.
# Software: gql 4.4.0, over websockets 15.0.1 and over aiohttp 3.14.5; the server is websockets, and speaks
#           graphql-transport-ws. It fails once, and is well from then on.
# Seen:     after a 503, and after a close behind the ack, it dials anew. After a close before the ack it takes itself
#           for connected, so each of its further tries ends before it dials: in twelve seconds no second dial, and
#           connect_async() has neither returned nor raised. Without reconnecting=True it raises at once.
# Output:   see the end of this file.
# Matters:  a rolling restart is just the time in which a server takes a connection and says goodbye before it has
#           answered. Bound the first connect_async() by a time-out and begin with a new client; a server should
#           refuse the upgrade rather than close after it.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check gql==4.4.0 websockets==15.0.1 aiohttp==3.14.5
cat > "$dir/run.py" <<'PY'
import asyncio, json, logging
from http import HTTPStatus

from gql import Client, gql
from gql.transport.aiohttp_websockets import AIOHTTPWebsocketsTransport
from gql.transport.websockets import WebsocketsTransport
from websockets.asyncio.server import serve

logging.disable(logging.CRITICAL)


class Server:
    """Fails the first dial in one way, and is well from then on."""

    def __init__(self, failure):
        self.failure, self.dials = failure, 0

    def refuse(self, connection, request):
        self.dials += 1
        if self.dials == 1 and self.failure == "503":
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "")

    async def serve(self, websocket):
        await websocket.recv()
        if self.dials == 1 and self.failure == "1012 before the ack":
            return await websocket.close(1012)
        await websocket.send('{"type": "connection_ack"}')
        async for text in websocket:
            said = json.loads(text)
            if said["type"] == "subscribe":
                await websocket.send(json.dumps({"type": "next", "id": said["id"], "payload": {"data": {"n": 1}}}))
                if self.dials == 1:
                    await websocket.close(1012)


async def play(transport, failure, again=True):
    server = Server(failure)
    async with serve(server.serve, "127.0.0.1", 0, process_request=server.refuse, subprotocols=["graphql-transport-ws"]) as listening:
        client = Client(transport=transport(url=f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"))
        connecting = asyncio.create_task(client.connect_async(reconnecting=again))
        done, _ = await asyncio.wait([connecting], timeout=12)
        if not done:
            connecting.cancel()
            said = "has not returned"
        elif connecting.exception():
            said = f"raises {type(connecting.exception()).__name__}"
        else:
            said = "returns"
            if failure.endswith("after the ack"):
                try:
                    async for _ in connecting.result().subscribe(gql("subscription { n }")):
                        pass
                except Exception as error:
                    said += f", the subscription raises {type(error).__name__}"
                await asyncio.sleep(4)
        print(f"{failure}, {'reconnecting' if again else 'not reconnecting'}: connect_async() {said}; dials: {server.dials}", flush=True)


async def main():
    for transport in WebsocketsTransport, AIOHTTPWebsocketsTransport:
        print(transport.__name__)
        await play(transport, "503")
        await play(transport, "1012 after the ack")
        await play(transport, "1012 before the ack")
        await play(transport, "1012 before the ack", again=False)

asyncio.run(main())
PY
timeout 100 "$dir/py/bin/python" "$dir/run.py" 2> "$dir/errors" | tee "$dir/seen" || { cat "$dir/errors"; exit 1; }
diff - "$dir/seen" <<'OUTPUT'
WebsocketsTransport
503, reconnecting: connect_async() returns; dials: 2
1012 after the ack, reconnecting: connect_async() returns, the subscription raises TransportConnectionFailed; dials: 2
1012 before the ack, reconnecting: connect_async() has not returned; dials: 1
1012 before the ack, not reconnecting: connect_async() raises TransportConnectionFailed; dials: 1
AIOHTTPWebsocketsTransport
503, reconnecting: connect_async() returns; dials: 2
1012 after the ack, reconnecting: connect_async() returns, the subscription raises TransportConnectionFailed; dials: 2
1012 before the ack, reconnecting: connect_async() has not returned; dials: 1
1012 before the ack, not reconnecting: connect_async() raises TransportConnectionFailed; dials: 1
OUTPUT
