#!/usr/bin/env bash
# Bokeh's server: an upgrade without a good token, and a return with a good one.
#
# Guess:    an upgrade without a token, or with one that has expired, is refused with 401 or 403. A client that
#           comes back with its token finds its session, or is told that the session is gone.
# Software: bokeh 3.9.2 on tornado, its server on loopback; the client is websockets 17.4.
# Seen:     each of them gets 101, one without any subprotocol even where it offered some, and then a close
#           without a code. Only a foreign Origin is 403. Who comes back after its unused session was thrown
#           away gets the same greeting as before, over a new document: its changes are gone, and no word says so.
# Output:   see the end of this file.
# Matters:  the dial succeeds, so a client that forgets its failures when the connection opens dials without
#           a pause for ever, with a token that cannot become good: count a connection that never said anything as a
#           failure, and fetch the page again for a token. After each return compare the document with one's own.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check bokeh==3.9.2 websockets==17.4
cat > "$dir/app.py" <<'PY'
from bokeh.models import Div
from bokeh.plotting import curdoc

curdoc().add_root(Div(text="new"))
PY
cat > "$dir/run.py" <<'PY'
import asyncio, json, re, socket, sys, urllib.request
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

with socket.socket() as found:
    found.bind(("127.0.0.1", 0))
    PORT = found.getsockname()[1]


def token():
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/app") as page:
        return re.search(r'"token":"([^"]+)"', page.read().decode())[1]


def dial(offer, **more):
    return connect(f"ws://127.0.0.1:{PORT}/app/ws", subprotocols=offer, **more)


async def first(name, offer, **more):
    try:
        async with dial(offer, **more) as websocket:
            said = f"{name}: 101, subprotocol {websocket.subprotocol}"
            try:
                said += f", {json.loads(await asyncio.wait_for(websocket.recv(), 5))['msgtype']}"
            except ConnectionClosed as end:
                said += f", then {end.rcvd or 'a cut'}"
    except InvalidStatus as refused:
        said = f"{name}: {refused.response.status_code}"
    print(said, flush=True)


async def visit(name, offer, change=None):
    """What the server greets with, and the text in the document of the session."""
    async with dial(offer) as websocket:
        async def read(parts=3):
            return [json.loads(await asyncio.wait_for(websocket.recv(), 5)) for _ in range(parts)]

        async def say(kind, body):
            for part in {"msgid": kind, "msgtype": kind}, {}, body:
                await websocket.send(json.dumps(part))
            return (await read())[2]

        greeting = (await read())[0]["msgtype"]
        div = (await say("PULL-DOC-REQ", {}))["doc"]["roots"][0]
        print(f"{name}: {greeting}, the document says", div["attributes"]["text"], flush=True)
        if change:
            await say("PATCH-DOC", {"events": [
                {"kind": "ModelChanged", "model": {"id": div["id"]}, "attr": "text", "new": change}]})


async def main():
    server = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("bokeh"), "serve", "app.py", "--port", str(PORT), "--address", "127.0.0.1",
        "--session-token-expiration", "9", "--unused-session-lifetime", "1000", "--check-unused-sessions", "500",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL)
    try:
        for _ in range(300):
            try:
                (await asyncio.open_connection("127.0.0.1", PORT))[1].close()
                break
            except OSError:
                await asyncio.sleep(0.1)
        await first("no offer", None)
        await first("bokeh without a token", ["bokeh"])
        await first("another subprotocol", ["chat"])
        mine = await asyncio.to_thread(token)
        await first("a foreign origin", ["bokeh", mine], origin="http://other.example")
        await visit("the first time", ["bokeh", mine], change="changed")
        await visit("back at once", ["bokeh", mine])
        await asyncio.sleep(4)
        await visit("back after four seconds", ["bokeh", mine])
        await asyncio.sleep(7)
        await first("after the token's nine", ["bokeh", mine])
    finally:
        server.terminate()
        await server.wait()

asyncio.run(main())
PY
(cd "$dir" && timeout 60 py/bin/python run.py) | tee "$dir/seen"
diff - "$dir/seen" <<'OUTPUT'
no offer: 101, subprotocol None, then 1005 (no status received [internal])
bokeh without a token: 101, subprotocol None, then 1005 (no status received [internal])
another subprotocol: 101, subprotocol None, then 1005 (no status received [internal])
a foreign origin: 403
the first time: ACK, the document says new
back at once: ACK, the document says changed
back after four seconds: ACK, the document says new
after the token's nine: 101, subprotocol bokeh, then 1005 (no status received [internal])
OUTPUT
