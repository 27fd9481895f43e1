#!/usr/bin/env bash
# Two client libraries turn 1012, Service Restart, into another code.
#
# Guess:    1012 arrives as 1012, and a close frame without a code as 1005: 1012 is registered, and
#           it is what uvicorn sends at each stop.
# Software: faye-websocket 0.11.4 (npm), ws4py 0.6.0 (Python); the server is websockets 17.4. Beside
#           them ws 8.23.0.
# Seen:     faye-websocket reports 1012, 1013 and 1014 as 1002 (Protocol Error), with the reason
#           unchanged, and answers the server with 1002; a close frame without a code is 1000.
#           ws4py reports 1005 with a reason of its own, "Invalid Closing Frame Code", puts 1005 on
#           the wire, which must never be there, and so the server records a broken protocol.
# Output:   see the end of this file (client: code, reason | server: code received).
# Matters:  the code that asks for a short wait becomes the code that means "your fault, do not come
#           back". A policy for such a client has to read the reason; a server's log full of 1002 at
#           each deployment may be about its own 1012.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check ws4py==0.6.0 websockets==17.4
npm install --silent --no-fund --no-audit --prefix "$dir/js" faye-websocket@0.11.4 ws@8.23.0
cat > "$dir/js/client.js" <<'JS'
const [, , name, url] = process.argv;
const kinds = { "faye-websocket": () => new (require("faye-websocket").Client)(url), "ws": () => new (require("ws"))(url) };
const socket = kinds[name]();
socket.onclose = (event) => { console.log(event.code, JSON.stringify(event.reason)); setTimeout(() => process.exit(), 100); };
socket.onerror = () => {};
JS
cat > "$dir/ws4py_client.py" <<'PY'
import sys
from ws4py.client.threadedclient import WebSocketClient

class Client(WebSocketClient):
    def closed(self, code, reason=None):
        print(code, repr(reason), flush=True)

client = Client(sys.argv[1])
client.connect()
client.run_forever()
PY
cat > "$dir/run.py" <<'PY'
import asyncio, logging, sys
import websockets

logging.disable(logging.CRITICAL)
CLOSES = [(1000, "bye"), (1012, "restart"), (1013, "busy"), (1014, ""), (None, "")]

async def main():
    python, folder = sys.executable, sys.argv[1]
    clients = {
        "ws": ("node", f"{folder}/js/client.js", "ws"),
        "faye-websocket": ("node", f"{folder}/js/client.js", "faye-websocket"),
        "ws4py": (python, f"{folder}/ws4py_client.py"),
    }
    for name, command in clients.items():
        for code, reason in CLOSES:
            received = asyncio.get_running_loop().create_future()
            async def serve(ws):
                await asyncio.sleep(0.1)
                if code is None:
                    ws.protocol.send_close()
                    ws.transport.write(b"".join(ws.protocol.data_to_send()))
                    await ws.wait_closed()
                else:
                    await ws.close(code, reason)
                frame = ws.protocol.close_rcvd
                received.set_result(frame.code if frame else "nothing legal")
            async with websockets.serve(serve, "127.0.0.1", 0, close_timeout=2) as server:
                url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
                child = await asyncio.create_subprocess_exec(*command, url, stdout=asyncio.subprocess.PIPE,
                                                             stderr=asyncio.subprocess.DEVNULL)
                output, _ = await asyncio.wait_for(child.communicate(), 20)
                answer = await asyncio.wait_for(received, 5)
            print(f"{name} {code}: {output.decode().strip()} | {answer}", flush=True)

asyncio.run(main())
PY
timeout 120 "$dir/py/bin/python" "$dir/run.py" "$dir" 2> "$dir/errors" | tee "$dir/seen" || { cat "$dir/errors"; exit 1; }
diff - "$dir/seen" <<'OUTPUT'
ws 1000: 1000 "bye" | 1000
ws 1012: 1012 "restart" | 1012
ws 1013: 1013 "busy" | 1013
ws 1014: 1014 "" | 1014
ws None: 1005 "" | 1005
faye-websocket 1000: 1000 "bye" | 1000
faye-websocket 1012: 1002 "restart" | 1002
faye-websocket 1013: 1002 "busy" | 1002
faye-websocket 1014: 1002 "" | 1002
faye-websocket None: 1000 "" | 1000
ws4py 1000: 1000 b'bye' | 1000
ws4py 1012: 1005 b'Invalid Closing Frame Code: 1012' | nothing legal
ws4py 1013: 1005 b'Invalid Closing Frame Code: 1013' | nothing legal
ws4py 1014: 1005 b'Invalid Closing Frame Code: 1014' | nothing legal
ws4py None: 1005 b'' | nothing legal
OUTPUT
