#!/usr/bin/env bash
# Slack's Socket Mode: what its client for Python and its client for Node do at a restart and at a planned move.
#
# Guess:    both hand out a message in three fragments as one. Both come back within a second when the
#           server closes with 1012, and so when TCP ends. At "refresh_requested", the planned move, both
#           open the new connection before they leave the old one. At "link_disabled" both stay away: the
#           application has been switched off.
# Software: slack_sdk 3.48.0 with its built-in SocketModeClient (Python), @slack/socket-mode 3.1.0 (npm);
#           the server is websockets 17.4.
# Seen:     the client for Node answers all four with five seconds without a connection, the planned move
#           too. That for Python moves as guessed; it drops a message in fragments without a word, and
#           notices the end of TCP, a FIN, only when its pings have had no answer for some 25 seconds.
#           Both come back after "link_disabled".
# Output:   see the end of this file.
# Matters:  the length of the gap is not the protocol's but the client's: one that announces its moves
#           still leaves a gap, and one that answers pings by the letter still sleeps through the end of
#           its line. Whoever sends events has to keep those of half a minute.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
npm install --silent --no-fund --no-audit --prefix "$dir/js" @slack/socket-mode@3.1.0 &
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check slack_sdk==3.48.0 websockets==17.4
wait
cat > "$dir/client.py" <<'PY'
import logging, sys, time

from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.web import WebClient

logging.disable()
client = SocketModeClient(app_token="xapp-1", web_client=WebClient(token="xoxb-1", base_url=sys.argv[1]))
client.socket_mode_request_listeners.append(lambda client, request: print(request.envelope_id, flush=True))
client.connect()
time.sleep(60)
PY
cat > "$dir/js/client.js" <<'JS'
const { SocketModeClient } = require("@slack/socket-mode");
const client = new SocketModeClient({ appToken: "xapp-1", logger: { ...console, debug() {}, info() {}, warn() {}, error() {},
  setLevel() {}, getLevel: () => "error", setName() {} }, clientOptions: { slackApiUrl: process.argv[2] } });
client.on("slack_event", ({ envelope_id }) => console.log(envelope_id));
client.on("error", () => {});
client.start();
JS
cat > "$dir/run.py" <<'PY'
import asyncio, json, sys, time

from websockets.asyncio.server import serve

HELLO = json.dumps({"type": "hello", "num_connections": 1, "debug_info": {"host": "a"}, "connection_info": {"app_id": "A1"}})
EVENT = json.dumps({"type": "events_api", "envelope_id": "whole", "payload": {"event": {"type": "message", "text": "hello"}},
                    "accepts_response_payload": False})
WATCHED = 20


async def fragments(websocket):
    await websocket.send([EVENT[:30], EVENT[30:60], EVENT[60:]])

async def restart(websocket):
    await websocket.close(1012)

async def cut(websocket):
    websocket.transport.close()

def told(reason):
    async def tell(websocket):
        await websocket.send(json.dumps({"type": "disconnect", "reason": reason, "debug_info": {"host": "a"}}))
    return tell

EVENTS = {"three fragments": fragments, "1012": restart, "cut": cut,
          "refresh_requested": told("refresh_requested"), "link_disabled": told("link_disabled")}


async def watch(event, *command):
    """What the client does in the next seconds."""
    dials, happened, ended = [], None, None

    async def socket(websocket):
        nonlocal happened, ended
        dials.append(time.monotonic())
        await websocket.send(HELLO)
        if len(dials) == 1:
            await asyncio.sleep(2)
            happened = time.monotonic()
            await EVENTS[event](websocket)
            await websocket.wait_closed()
            ended = time.monotonic()
        else:
            await websocket.wait_closed()

    async def api(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        body = json.dumps({"ok": True, "url": f"ws://127.0.0.1:{port}/link"})
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
                     f"Connection: close\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()

    async with serve(socket, "127.0.0.1", 0, ping_interval=None) as server, await asyncio.start_server(api, "127.0.0.1", 0) as web:
        port = server.sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{web.sockets[0].getsockname()[1]}/api/"
        client = await asyncio.create_subprocess_exec(*command, url, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL)
        while happened is None:
            await asyncio.sleep(0.05)
        await asyncio.sleep(WATCHED)
        client.kill()
        said = (await client.stdout.read()).decode().split()
    if event == "three fragments":
        return "one message" if said == ["whole"] else "nothing"
    if len(dials) == 1:
        return "not back in twenty seconds"
    if ended is None or dials[1] < ended:
        return "a new connection before the old one is left"
    return "back within ten seconds" if dials[1] - happened < 10 else "back later"


async def main():
    folder = sys.argv[1]
    clients = {"slack_sdk": (sys.executable, f"{folder}/client.py"), "@slack/socket-mode": ("node", f"{folder}/js/client.js")}
    cases = [(name, event) for name in clients for event in EVENTS]
    for (name, event), seen in zip(cases, await asyncio.gather(*(watch(event, *clients[name]) for name, event in cases)), strict=True):
        print(f"{name}, {event}: {seen}")

asyncio.run(main())
PY
timeout 100 "$dir/py/bin/python" "$dir/run.py" "$dir" | tee "$dir/seen"
diff - "$dir/seen" <<'OUTPUT'
slack_sdk, three fragments: nothing
slack_sdk, 1012: back within ten seconds
slack_sdk, cut: not back in twenty seconds
slack_sdk, refresh_requested: a new connection before the old one is left
slack_sdk, link_disabled: a new connection before the old one is left
@slack/socket-mode, three fragments: one message
@slack/socket-mode, 1012: back within ten seconds
@slack/socket-mode, cut: back within ten seconds
@slack/socket-mode, refresh_requested: back within ten seconds
@slack/socket-mode, link_disabled: back within ten seconds
OUTPUT
