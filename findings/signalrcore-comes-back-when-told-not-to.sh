#!/usr/bin/env bash
# signalrcore redials at once when the server closes with "allowReconnect": false.
#
# Guess:    the Python client obeys the close message of the protocol as Microsoft's own client does:
#           it redials if allowReconnect is true and ends if it is false or missing.
# Software: signalrcore 1.0.2 (Python) and @microsoft/signalr 10.0.11 (npm), both with automatic
#           reconnection. The server is a script on aiohttp 3.14.5: negotiation, handshake, then a
#           close message {"type": 7}, then close 1000.
# Seen:     the JavaScript client redials in the first case only. The Python client redials in all
#           three, without any pause, although it was given an interval of 1 s: as long as each dial
#           opens, nothing grows and nothing ends.
# Output:   see the end of this file.
# Matters:  "false" is how a server sheds a client for good (no access, a newer version needed). The
#           one client that does not listen becomes its busiest. An in-band verdict has to reach the
#           decision to redial, and an open is no success until it has lasted.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check signalrcore==1.0.2 aiohttp==3.14.5
npm install --silent --no-fund --no-audit --prefix "$dir/js" @microsoft/signalr@10.0.11
cat > "$dir/js/client.js" <<'JS'
const signalr = require("@microsoft/signalr");
const hub = new signalr.HubConnectionBuilder().withUrl(process.argv[2]).withAutomaticReconnect([1000, 1000, 1000, 1000])
  .configureLogging(signalr.LogLevel.None).build();
hub.start().catch(() => {});
JS
cat > "$dir/client.py" <<'PY'
import logging, sys, time
from signalrcore.hub_connection_builder import HubConnectionBuilder

hub = HubConnectionBuilder().with_url(sys.argv[1]).with_automatic_reconnect(
    {"type": "raw", "keep_alive_interval": 10, "reconnect_interval": 1, "max_attempts": 5}).build()
hub.start()
time.sleep(30)
PY
cat > "$dir/run.py" <<'PY'
import asyncio, json, sys
from aiohttp import web

CASES = {"true": {"allowReconnect": True}, "false": {"allowReconnect": False}, "missing": {}}
CLIENTS = {"@microsoft/signalr": ["node", f"{sys.argv[1]}/js/client.js"],
           "signalrcore": [sys.executable, f"{sys.argv[1]}/client.py"]}
END = "\x1e"

class Server:
    def __init__(self, verdict):
        self.verdict, self.ended = verdict, []

    async def negotiate(self, request):
        return web.json_response({"connectionId": "a", "connectionToken": "b", "negotiateVersion": 1, "availableTransports": [
            {"transport": "WebSockets", "transferFormats": ["Text", "Binary"]}]})

    async def hub(self, request):
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await ws.receive()                   # {"protocol": "json", "version": 1}
        await ws.send_str("{}" + END)
        await asyncio.sleep(0.3)
        await ws.send_str(json.dumps({"type": 7, "error": "shed", **self.verdict}) + END)
        self.ended.append(None)
        await ws.close(code=1000)
        return ws

async def dials(command, verdict):
    server = Server(verdict)
    app = web.Application()
    app.router.add_post("/hub/negotiate", server.negotiate)
    app.router.add_get("/hub", server.hub)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    client = await asyncio.create_subprocess_exec(*command, f"http://127.0.0.1:{port}/hub", stdout=asyncio.subprocess.DEVNULL,
                                                  stderr=asyncio.subprocess.DEVNULL)
    for _ in range(200):
        if server.ended:
            break
        await asyncio.sleep(0.1)
    await asyncio.sleep(4)
    if client.returncode is None:
        client.kill()
    await client.wait()
    await runner.cleanup()
    return len(server.ended)

async def main():
    for name, command in CLIENTS.items():
        for case, verdict in CASES.items():
            count = await dials(command, verdict)
            print(f"{name}, allowReconnect {case}: {'redials' if count > 1 else 'ends' if count else 'never came'}"
                  f"{', without a pause of 1 s' if count > 6 else ''}", flush=True)

asyncio.run(main())
PY
timeout 110 "$dir/py/bin/python" "$dir/run.py" "$dir" 2> "$dir/errors" | tee "$dir/seen" || { cat "$dir/errors"; exit 1; }
diff - "$dir/seen" <<'OUTPUT'
@microsoft/signalr, allowReconnect true: redials
@microsoft/signalr, allowReconnect false: ends
@microsoft/signalr, allowReconnect missing: ends
signalrcore, allowReconnect true: redials, without a pause of 1 s
signalrcore, allowReconnect false: redials, without a pause of 1 s
signalrcore, allowReconnect missing: redials, without a pause of 1 s
OUTPUT
