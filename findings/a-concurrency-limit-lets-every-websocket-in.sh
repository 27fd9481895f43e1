#!/usr/bin/env bash
# uvicorn's limit of concurrency lets any number of WebSockets in, and turns HTTP away for them.
#
# Guess:    with --limit-concurrency 3 the fourth WebSocket is refused with 503.
# Software: uvicorn 0.54.0 with websockets 17.4 and with wsproto 1.3.2, on CPython, loopback.
# Seen:     ten WebSockets of ten are answered with 101. They do count, though: a page over HTTP is
#           answered with 503 as long as they are open.
# Output:   see the end of this file.
# Matters:  the limit is no protection against a fleet of clients that comes back at once, and a
#           client never sees its 503; the health check does, so that an orchestrator restarts a
#           server that is well. Who wants a limit has to count in the application, before accept.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check uvicorn==0.54.0 websockets==17.4 wsproto==1.3.2
cat > "$dir/app.py" <<'PY'
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"page"})
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
PY
cat > "$dir/run.py" <<'PY'
import asyncio, os, socket, subprocess, sys

UPGRADE = (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
PAGE = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"

async def asked(port, request):
    for _ in range(300):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            break
        except OSError:
            await asyncio.sleep(0.1)
    writer.write(request)
    status = (await asyncio.wait_for(reader.readline(), 20)).split()[1].decode()
    return status, writer

async def main(kind):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    options = ["--port", str(port), "--ws", kind, "--limit-concurrency", "3", "--log-level", "critical"]
    server = subprocess.Popen([sys.executable, "-m", "uvicorn", "app:app", *options], cwd=os.path.dirname(__file__))
    try:
        before, writer = await asked(port, PAGE)
        writer.close()
        held = [await asked(port, UPGRADE) for _ in range(10)]
        page, writer = await asked(port, PAGE)
        print(f"{kind}: page {before}, ten WebSockets {[status for status, _ in held]}, then a page {page}")
    finally:
        server.kill()
        server.wait()

asyncio.run(main("websockets"))
asyncio.run(main("wsproto"))
PY
timeout 100 "$dir/py/bin/python" "$dir/run.py" | tee "$dir/seen"
diff - "$dir/seen" <<'OUTPUT'
websockets: page 200, ten WebSockets ['101', '101', '101', '101', '101', '101', '101', '101', '101', '101'], then a page 503
wsproto: page 200, ten WebSockets ['101', '101', '101', '101', '101', '101', '101', '101', '101', '101'], then a page 503
OUTPUT
