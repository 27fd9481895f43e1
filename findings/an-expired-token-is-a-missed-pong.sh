#!/usr/bin/env bash
# SocketCluster's client: what it makes of close codes of 4000 and more that its server chose for itself.
#
# Guess:    codes from 4000 on belong to the application, so 4001 "token expired" is told as such; after
#           each end but 1000 the client dials again, and its pauses grow while the server closes at once.
# Software: socketcluster-client 20.0.2 (npm); the server is websockets 17.4 and speaks its handshake.
# Seen:     4000 to 4003 have names of their own in the client, and the reason of the server is lost:
#           "token expired" is "Client pong timed out". After 4000 and 4001 it dials again without a pause, as
#           often as it is told; after the others it has not come back within four seconds.
# Output:   see the end of this file.
# Matters:  who chooses a code from 4000 on should look at what the clients take it for. Here a server
#           that says 4001 to a bad token makes each client that has one dial dozens of times a second.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
npm install --silent --no-fund --no-audit --prefix "$dir" socketcluster-client@20.0.2 &
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check websockets==17.4
wait
cat > "$dir/client.js" <<'JS'
const socket = require("socketcluster-client").create({ hostname: "127.0.0.1", port: Number(process.argv[2]) });
const print = async (name, words) => { for await (const event of socket.listener(name)) console.log(words(event)); };
print("error", ({ error }) => error.message);
print("close", () => "closed");
setTimeout(() => {}, 60000);
JS
cat > "$dir/run.py" <<'PY'
import asyncio, json, sys

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed


async def watch(code):
    """What the program is told, and the dials in the four seconds after the first."""
    dials = 0
    first = asyncio.Event()

    async def serve_one(websocket):
        nonlocal dials
        dials += 1
        try:
            call = json.loads(await websocket.recv())
        except ConnectionClosed:  # the client was ended while it dialled
            return
        await websocket.send(json.dumps({"rid": call["cid"], "data": {"id": "a", "pingTimeout": 20000, "isAuthenticated": False}}))
        await asyncio.sleep(0.01)
        first.set()
        await websocket.close(code, "token expired")

    async with serve(serve_one, "127.0.0.1", 0, ping_interval=None) as server:
        client = await asyncio.create_subprocess_exec(
            "node", f"{sys.argv[1]}/client.js", str(server.sockets[0].getsockname()[1]), stdout=asyncio.subprocess.PIPE)
        await asyncio.wait_for(first.wait(), 20)
        await asyncio.sleep(4)
        client.kill()
        told = (await client.stdout.read()).decode().splitlines()
    pace = "more than ten dials a second" if dials > 40 else "one dial in four seconds" if dials == 1 else f"{dials} dials"
    return f"{code}: {', '.join(told[:2])}; {pace}"


async def main():
    for code in 1012, 4000, 4001, 4002, 4003, 4401:
        print(await watch(code))

asyncio.run(main())
PY
timeout 100 "$dir/py/bin/python" "$dir/run.py" "$dir" | tee "$dir/seen"
diff - "$dir/seen" <<'OUTPUT'
1012: closed, Socket connection closed with status code 1012 and reason: token expired; one dial in four seconds
4000: closed, Server ping timed out; more than ten dials a second
4001: closed, Client pong timed out; more than ten dials a second
4002: closed, Server failed to sign auth token; one dial in four seconds
4003: closed, Failed to complete handshake; one dial in four seconds
4401: closed, Socket connection closed with status code 4401 and reason: token expired; one dial in four seconds
OUTPUT
