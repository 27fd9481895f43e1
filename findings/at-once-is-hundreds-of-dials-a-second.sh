#!/usr/bin/env bash
# Two Pusher clients redial hundreds of times a second while a server says 4200, the official one too.
#
# Guess:    "reconnect immediately" (4200 to 4299 in the Pusher protocol) means the first time: a server
#           that closes with 4200 again, and at once, finds a client that waits longer and longer, as for
#           any other failure.
# Software: pusher-js 8.6.0 (npm) on Node, Pysher 1.0.8 (pip); the server is websockets 17.4.
# Seen:     both dial again without a pause each time, for as long as the server says so: some 370 and
#           200 dials a second on two cores. 4100, "try again later", gives the pause of each.
# Output:   see the end of this file.
# Matters:  a node that has to send its clients away says it to all of them. A client should draw its
#           first return from a second or so, and count an open that did not last as a failure.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check Pysher==1.0.8 websockets==17.4
npm install --silent --no-fund --no-audit --prefix "$dir/js" pusher-js@8.6.0
cat > "$dir/js/client.js" <<'JS'
const Pusher = require("pusher-js");
new Pusher("key", { wsHost: "127.0.0.1", wsPort: Number(process.argv[2]), forceTLS: false,
                    enabledTransports: ["ws"], cluster: "none", disableStats: true });
JS
cat > "$dir/client.py" <<'PY'
import logging, sys, time
import pysher

logging.disable()
pysher.Pusher("key", secure=False, custom_host="127.0.0.1", port=int(sys.argv[1]), reconnect_interval=1).connect()
time.sleep(60)
PY
cat > "$dir/run.py" <<'PY'
import asyncio, json, sys
from websockets.asyncio.server import serve

async def count(code, *command):
    """The dials of a client within three seconds after its first one."""
    dials = 0
    first = asyncio.Event()

    async def close(websocket):
        nonlocal dials
        dials += 1
        first.set()
        await websocket.send(json.dumps({"event": "pusher:error", "data": {"code": code, "message": "move"}}))
        await websocket.close(code, "move")

    async with serve(close, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = await asyncio.create_subprocess_exec(*command, str(port), stderr=asyncio.subprocess.DEVNULL)
        try:
            await asyncio.wait_for(first.wait(), 20)
            await asyncio.sleep(3)
            return dials
        finally:
            client.kill()
            await client.wait()

async def main():
    folder = sys.argv[1]
    clients = {"pusher-js": ("node", f"{folder}/js/client.js"), "Pysher": (sys.executable, f"{folder}/client.py")}
    for name, command in clients.items():
        for code in (4100, 4200):
            dials = await count(code, *command)
            print(f"{name}, {code}: {'more than 30' if dials > 90 else 'about one' if 2 <= dials <= 5 else dials} a second")

asyncio.run(main())
PY
timeout 120 "$dir/py/bin/python" "$dir/run.py" "$dir" | tee "$dir/seen"
diff - "$dir/seen" <<'OUTPUT'
pusher-js, 4100: about one a second
pusher-js, 4200: more than 30 a second
Pysher, 4100: about one a second
Pysher, 4200: more than 30 a second
OUTPUT
