#!/usr/bin/env bash
# An empty message, a popular heartbeat, vanishes in three implementations.
#
# Guess:    "" and b"" are messages like others: RFC 6455 has no lower bound for a payload.
# Software: daphne 4.2.3 as sender; microdot 2.7.0 as receiver (its asyncio server on CPython);
#           the W3C client of websocket 1.0.35 (npm) as receiver. Beside them: uvicorn 0.54.0 and
#           ws 8.23.0.
# Seen:     daphne takes websocket.send with "" or b"" from the application and sends nothing.
#           microdot reads both and shows the application neither; websocket (npm) shows the empty
#           binary message and not the empty text. None of them raises or logs.
# Output:   see the end of this file.
# Matters:  a heartbeat of empty messages (of either side) proves nothing with these, although the
#           bytes are on the wire with two of them: a client that waits for "any message" in answer
#           condemns a living peer and reconnects for ever. Put a byte into a heartbeat, or use
#           ping frames.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check daphne==4.2.3 uvicorn==0.54.0 microdot==2.7.0 websockets==17.4
npm install --silent --no-fund --no-audit --prefix "$dir/js" websocket@1.0.35 ws@8.23.0
cat > "$dir/app.py" <<'PY'
async def sender(scope, receive, send):
    """An ASGI application that answers anything with "", b"" and "end"."""
    if scope["type"] == "lifespan":
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": ""})
        await send({"type": "websocket.send", "bytes": b""})
        await send({"type": "websocket.send", "text": "end"})
PY
cat > "$dir/device.py" <<'PY'
import sys
from microdot import Microdot
from microdot.websocket import with_websocket

app = Microdot()

@app.route("/")
@with_websocket
async def receiver(request, ws):
    got = []
    while "end" not in got:
        got.append(await ws.receive())
    await ws.send(repr(got))

app.run("127.0.0.1", int(sys.argv[1]))
PY
cat > "$dir/js/client.js" <<'JS'
const [, , name, url] = process.argv;
const kinds = { "websocket (npm)": () => new (require("websocket").w3cwebsocket)(url), "ws": () => new (require("ws"))(url) };
const socket = kinds[name]();
const got = [];
socket.onmessage = (event) => {
  got.push(typeof event.data === "string" ? event.data : "binary");
  if (event.data === "end") { console.log(`${name} receives:`, JSON.stringify(got)); process.exit(); }
};
socket.onopen = () => socket.send("go");
JS
cat > "$dir/run.py" <<'PY'
import asyncio, socket, sys
import websockets

def free():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]

async def started(port):
    for _ in range(150):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return f"ws://127.0.0.1:{port}/"
    raise SystemExit("a server did not start")

async def child(*command, **more):
    return await asyncio.create_subprocess_exec(*command, cwd=sys.argv[1], stderr=asyncio.subprocess.DEVNULL, **more)

async def ended(url, messages):
    got = []
    async with websockets.connect(url) as ws:
        for message in messages:
            await ws.send(message)
        while True:
            got.append(await asyncio.wait_for(ws.recv(), 5))
            if isinstance(got[-1], str) and got[-1]:
                return got

async def main():
    python = sys.executable
    servers = []
    try:
        for name, options in (("daphne", ["-b", "127.0.0.1", "-p"]), ("uvicorn", ["--host", "127.0.0.1", "--port"])):
            port = free()
            servers.append(await child(python, "-m", name, *options, str(port), "app:sender",
                                       stdout=asyncio.subprocess.DEVNULL))
            url = await started(port)
            print(f"{name} sends:", await ended(url, ["go"]), flush=True)
        for name in ("websocket (npm)", "ws"):
            await asyncio.wait_for((await child("node", "js/client.js", name, url)).wait(), 20)
        port = free()
        servers.append(await child(python, "device.py", str(port), stdout=asyncio.subprocess.DEVNULL))
        print("microdot receives:", *await ended(await started(port), ["", b"", "end"]), flush=True)
    finally:
        for server in servers:
            server.terminate()
            await server.wait()

asyncio.run(main())
PY
timeout 90 "$dir/py/bin/python" "$dir/run.py" "$dir" 2> "$dir/errors" | tee "$dir/seen" || { cat "$dir/errors"; exit 1; }
diff - "$dir/seen" <<'OUTPUT'
daphne sends: ['end']
uvicorn sends: ['', b'', 'end']
websocket (npm) receives: ["binary","end"]
ws receives: ["","binary","end"]
microdot receives: ['end']
OUTPUT
