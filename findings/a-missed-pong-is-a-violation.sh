#!/usr/bin/env bash
# simple-websocket calls a missed pong a policy violation.
#
# Guess:    a server whose ping is not answered says 1011, as websockets does, or cuts TCP.
# Software: simple-websocket 1.1.0 (`Server` with ping_interval=1), beneath
#           flask-sock and others; on CPython, loopback. A client that reads and answers no ping.
# Seen:     1008 "Ping/Pong timeout" at the second ping.
# Output:   see the end of this file.
# Matters:  1008 is what servers say of a bad credential, and clients that know close codes do not come
#           back after it. Here it means that the line broke for a moment: without a look at the
#           reason the client is lost for good after the first hiccup.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check simple-websocket==1.1.0 wsproto==1.3.2
cat > "$dir/run.py" <<'PY'
import asyncio, socket, struct, threading
import simple_websocket

REQUEST = (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")

def blocking(listener):
    sock, _ = listener.accept()
    sock.recv(65536)
    headers = {"HTTP_UPGRADE": "websocket", "HTTP_CONNECTION": "Upgrade", "HTTP_SEC_WEBSOCKET_VERSION": "13",
               "HTTP_SEC_WEBSOCKET_KEY": "dGhlIHNhbXBsZSBub25jZQ==", "HTTP_HOST": "127.0.0.1"}
    environ = {"REQUEST_METHOD": "GET", "werkzeug.socket": sock, **headers}
    server = simple_websocket.Server(environ, ping_interval=1)
    try:
        server.receive()
    except simple_websocket.ConnectionClosed:
        pass

async def mute(port):
    """Read, answer no ping, and give the server's close frame."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST)
    await reader.readuntil(b"\r\n\r\n")
    while True:
        kind, size = await asyncio.wait_for(reader.readexactly(2), 20)
        body = await reader.readexactly(size)
        if kind == 0x88:
            writer.close()
            return f"{struct.unpack('!H', body[:2])[0]} {body[2:].decode()!r}"

async def main():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=blocking, args=(listener,), daemon=True)
        thread.start()
        print("Server:", await mute(listener.getsockname()[1]), flush=True)

asyncio.run(main())
PY
timeout 60 "$dir/py/bin/python" "$dir/run.py" 2> "$dir/errors" | tee "$dir/seen" || { cat "$dir/errors"; exit 1; }
diff - "$dir/seen" <<'OUTPUT'
Server: 1008 'Ping/Pong timeout'
OUTPUT
