#!/usr/bin/env bash
# Clients of remote calls over WebSocket: what becomes of a call when its connection ends before the answer.
#
# Guess:    the server closes with 1012, so the answer cannot come any more, and each client says so to its
#           caller at once.
# Software: ocpp 2.1.0 on websockets 17.4, jsonrpc-websocket 4.1.0 (Python); ocpp-rpc 2.2.1, rpc-websockets 10.0.1
#           (npm). The server is websockets; it closes a second after the call. Each call may take six seconds.
# Seen:     jsonrpc-websocket and ocpp-rpc do. Python's ocpp waits the whole six seconds, although its start() has
#           ended with the close, and then speaks of a time-out. rpc-websockets waits them as well, while it has long
#           been back; a call without a time-out, which is its default, is then still neither answered nor refused.
# Output:   see the end of this file.
# Matters:  a time-out says that the peer was slow, and here it was gone: tie each call to its connection. Where
#           start() returns, cancel the calls; where "close" is told, reject them, and give each call a time-out.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
npm install --silent --no-fund --no-audit --prefix "$dir" ocpp-rpc@2.2.1 rpc-websockets@10.0.1 &
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check ocpp==2.1.0 jsonrpc-websocket==4.1.0 aiohttp==3.14.5 websockets==17.4
wait
cat > "$dir/client.js" <<'JS'
const [name, url] = process.argv.slice(2);
const watch = (call, what) => {
  const began = Date.now();
  const say = (text) => console.log(`${what}: ${text} after ${Math.round((Date.now() - began) / 1000)} s`);
  const late = setTimeout(() => say("nothing"), 9000);
  call.then(() => say("answered"), (error) => say(error.message)).then(() => clearTimeout(late));
};
if (name === "ocpp-rpc") {
  const { RPCClient } = require("ocpp-rpc");
  const client = new RPCClient({ endpoint: url, identity: "one", protocols: ["ocpp1.6"], callTimeoutMs: 6000 });
  client.on("error", () => {});
  client.connect().then(() => watch(client.call("Heartbeat", {}), name));
} else {
  const { Client } = require("rpc-websockets");
  const client = new Client(url, { reconnect_interval: 300 });
  let opened = 0;
  client.on("error", () => {});
  client.on("open", () => {
    if (++opened !== 1) return;
    watch(client.call("slow", [], 6000), name);
    watch(client.call("slow", []), `${name}, no time-out`);
  });
  setTimeout(() => console.log(`${name}: opened ${opened} times`), 9500);
}
setTimeout(() => process.exit(), 10000);
JS
cat > "$dir/run.py" <<'PY'
import asyncio, logging, sys, time

import aiohttp
from jsonrpc_websocket import Server
from ocpp.v16 import ChargePoint, call
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

logging.disable(logging.CRITICAL)
began = set()


async def serve_one(websocket):
    """Closes the first connection of each client a second after its call, and answers nothing."""
    async for _ in websocket:
        if websocket.request.path not in began:
            began.add(websocket.request.path)
            await asyncio.sleep(1)
            await websocket.close(1012)


async def timed(name, pending):
    start = time.monotonic()
    try:
        await pending
        said = "answered"
    except Exception as error:
        said = str(error).partition(" for response")[0] or type(error).__name__
    return f"{name}: {said} after {time.monotonic() - start:.0f} s"


async def with_ocpp(url):
    async with connect(f"{url}/ocpp", subprotocols=["ocpp1.6"]) as websocket:
        point = ChargePoint("one", websocket, response_timeout=6)
        reading = asyncio.create_task(point.start())
        calling = asyncio.create_task(timed("ocpp", point.call(call.Heartbeat())))
        await asyncio.wait([reading])
        early = "the call is pending" if not calling.done() else "the call is over"
        return [await calling, f"ocpp: when start() ended, {early}"]


async def with_jsonrpc(url):
    async with aiohttp.ClientSession() as session:
        client = Server(f"{url}/jsonrpc", session, timeout=6)
        await client.ws_connect()
        return [await timed("jsonrpc-websocket", client.slow())]


async def with_node(url, name):
    process = await asyncio.create_subprocess_exec("node", f"{sys.argv[1]}/client.js", name, f"{url}/{name}", stdout=asyncio.subprocess.PIPE)
    return (await process.communicate())[0].decode().splitlines()


async def main():
    def choose(connection, offered):
        return offered[0] if offered else None
    async with serve(serve_one, "127.0.0.1", 0, select_subprotocol=choose) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for lines in await asyncio.gather(with_jsonrpc(url), with_node(url, "ocpp-rpc"), with_ocpp(url), with_node(url, "rpc-websockets")):
            print(*lines, sep="\n", flush=True)

asyncio.run(main())
PY
timeout 60 "$dir/py/bin/python" "$dir/run.py" "$dir" 2> "$dir/errors" | tee "$dir/seen" || { cat "$dir/errors"; exit 1; }
diff - "$dir/seen" <<'OUTPUT'
jsonrpc-websocket: Connection closed before a response was received after 1 s
ocpp-rpc: Client disconnected after 1 s
ocpp: Waited 6s after 6 s
ocpp: when start() ended, the call is pending
rpc-websockets: reply timeout after 6 s
rpc-websockets, no time-out: nothing after 9 s
rpc-websockets: opened 2 times
OUTPUT
