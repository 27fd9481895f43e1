#!/usr/bin/env bash
# gevent-websocket answers close(4001, "bye") with close code 25209.
#
# Guess:    the code is echoed (4001), as RFC 6455 (5.5.1) says is usual, or the frame is empty.
# Software: gevent-websocket 0.10.1 on gevent 26.9.0; clients websockets 17.4 and aiohttp 3.14.5.
# Seen:     a close without a reason is answered with an empty frame. A close with a reason is
#           answered with the text "bytearray(b'bye')": its first two bytes, "by", are read as the
#           code, 0x6279 = 25209. No code above 4999 is legal: websockets takes the client's own
#           clean goodbye for a broken connection (1006), aiohttp reports 25209 as it stands.
# Output:   see the end of this file.
# Matters:  a client that judges a close by the last code counts its own goodbye as a loss and may
#           come back. Who closed first decides, not what came back; and a reason in a close
#           frame is a risk with old servers.
set -euo pipefail
dir=$(mktemp -d)
trap 'kill "${server:-}" 2> "$dir/none" || true; rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check gevent==26.9.0 gevent-websocket==0.10.1 \
    websockets==17.4 aiohttp==3.14.5
cat > "$dir/server.py" <<'PY'
import sys
from gevent.pywsgi import WSGIServer
from geventwebsocket.handler import WebSocketHandler

def application(environ, start_response):
    ws = environ["wsgi.websocket"]
    while ws.receive() is not None:
        pass
    return []

server = WSGIServer(("127.0.0.1", 0), application, handler_class=WebSocketHandler, log=None)
server.start()
with open(sys.argv[1], "w") as file:
    file.write(str(server.server_port))
server.serve_forever()
PY
cat > "$dir/client.py" <<'PY'
import asyncio, base64, os, struct, sys, time
from pathlib import Path
import aiohttp, websockets

async def raw(port, payload):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + base64.b64encode(os.urandom(16)) + b"\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    writer.write(bytes([0x88, 0x80 | len(payload)]) + bytes(4) + payload)
    kind, size = await reader.readexactly(2)
    answer = await reader.readexactly(size)
    writer.close()
    return hex(kind), answer

async def main(port):
    url = f"ws://127.0.0.1:{port}/"
    print("4001 without a reason:", *await raw(port, struct.pack("!H", 4001)))
    print("4001 'bye':", *await raw(port, struct.pack("!H", 4001) + b"bye"))
    async with websockets.connect(url) as ws:
        await ws.close(4001, "bye")
        print("websockets, close_code:", ws.close_code, "its exception:", type(ws.protocol.close_exc).__name__)
    async with aiohttp.ClientSession() as session:
        ws = await session.ws_connect(url)
        await ws.close(code=4001, message=b"bye")
        print("aiohttp, close_code:", ws.close_code, "its exception:", type(ws.exception()).__name__)

file = Path(sys.argv[1])
for _ in range(100):
    if file.exists() and file.read_text():
        break
    time.sleep(0.1)
asyncio.run(main(int(file.read_text())))
PY
"$dir/py/bin/python" "$dir/server.py" "$dir/port" 2> "$dir/log" &
server=$!
timeout 60 "$dir/py/bin/python" "$dir/client.py" "$dir/port" 2> "$dir/errors" | tee "$dir/seen" || { cat "$dir/errors"; exit 1; }
diff - "$dir/seen" <<'OUTPUT'
4001 without a reason: 0x88 b''
4001 'bye': 0x88 b"bytearray(b'bye')"
websockets, close_code: 1006 its exception: ConnectionClosedError
aiohttp, close_code: 25209 its exception: NoneType
OUTPUT
