#!/usr/bin/env bash
# Five client libraries refuse a 101 whose Connection header names a second token.
#
# Guess:    "Connection: keep-alive, Upgrade" is accepted by everybody: RFC 6455 (4.1) asks for a
#           header that contains the token, and browsers send just this line in their requests.
# Software: refused by aiohttp 3.14.5, tornado 6.6.1, ws4py 0.6.0 (Python), faye-websocket 0.11.4
#           and websocket 1.0.35 (npm); accepted by websockets 17.4, websocket-client 1.9.2 and
#           ws 8.23.0.
# Seen:     the five compare the whole value with "upgrade". aiohttp and ws4py say so in the error
#           (aiohttp with status 101); tornado says "Stream is closed", as for a lost line;
#           faye-websocket gives close 1002, websocket close 1006.
# Output:   see the end of this file.
# Matters:  a proxy that adds a token makes a working server unreachable for one client of several,
#           and the error does not name the cause: a client that retries "lost lines" retries this
#           for ever. Keep the headers of a refused 101 in the record of the attempt.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check tornado==6.6.1 ws4py==0.6.0 \
    aiohttp==3.14.5 websockets==17.4 websocket-client==1.9.2
npm install --silent --no-fund --no-audit --prefix "$dir/js" faye-websocket@0.11.4 websocket@1.0.35 ws@8.23.0
cat > "$dir/js/client.js" <<'JS'
const [, , name, url] = process.argv;
const kinds = {
  "faye-websocket": () => new (require("faye-websocket").Client)(url),
  "websocket": () => new (require("websocket").w3cwebsocket)(url),
  "ws": () => new (require("ws"))(url),
};
const socket = kinds[name]();
socket.onmessage = (event) => { console.log(`${name}: opened, got ${event.data}`); process.exit(); };
socket.onclose = (event) => { console.log(`${name}: refused, close ${event.code}`); process.exit(); };
socket.onerror = () => {};
JS
cat > "$dir/run.py" <<'PY'
import asyncio, base64, hashlib, logging, sys
import aiohttp, tornado.websocket, websocket, websockets
from ws4py.client.threadedclient import WebSocketClient

logging.disable(logging.CRITICAL)
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

async def serve(reader, writer):
    head = await reader.readuntil(b"\r\n\r\n")
    key = [l for l in head.split(b"\r\n") if l.lower().startswith(b"sec-websocket-key")][0]
    accept = base64.b64encode(hashlib.sha1(key.split(b":")[1].strip() + GUID).digest())
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                 b"Connection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n")
    await asyncio.sleep(0.1)
    writer.write(b"\x81\x02hi")
    await asyncio.sleep(2)
    writer.close()

async def by_tornado(url):
    return await (await tornado.websocket.websocket_connect(url)).read_message()

async def by_aiohttp(url):
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as ws:
        return await ws.receive_str()

async def by_websockets(url):
    async with websockets.connect(url) as ws:
        return await ws.recv()

async def by_websocket_client(url):
    return await asyncio.to_thread(lambda: websocket.create_connection(url, timeout=2).recv())

async def by_ws4py(url):
    loop = asyncio.get_running_loop()
    got = loop.create_future()
    class Client(WebSocketClient):
        def received_message(self, message):
            loop.call_soon_threadsafe(got.set_result, str(message))
    client = Client(url)
    client.daemon = True
    await asyncio.to_thread(client.connect)
    return await got

async def main():
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        for client in (by_tornado, by_ws4py, by_aiohttp, by_websockets, by_websocket_client):
            try:
                got = await asyncio.wait_for(client(url), 5)
                print(f"{client.__name__[3:]}: opened, got {got}", flush=True)
            except Exception as error:
                print(f"{client.__name__[3:]}: refused, {type(error).__name__}", flush=True)
        for name in ("faye-websocket", "websocket", "ws"):
            child = await asyncio.create_subprocess_exec("node", sys.argv[1], name, url)
            await asyncio.wait_for(child.wait(), 20)

asyncio.run(main())
PY
timeout 90 "$dir/py/bin/python" "$dir/run.py" "$dir/js/client.js" 2> "$dir/errors" | tee "$dir/seen"
diff - "$dir/seen" <<'OUTPUT'
tornado: refused, StreamClosedError
ws4py: refused, HandshakeError
aiohttp: refused, WSServerHandshakeError
websockets: opened, got hi
websocket_client: opened, got hi
faye-websocket: refused, close 1002
websocket: refused, close 1006
ws: opened, got hi
OUTPUT
