#!/usr/bin/env bash
# marimo: a second dial with the session of an open connection, and the stop of the server.
#
# Guess:    the second dial is refused, or ends the first connection with a code that says so; a stop is 1001.
# Software: marimo 0.25.2, its server ("marimo run") on loopback; the client is websockets 17.4.
# Seen:     the second gets the session, and the first is ended at once with 1000 "MARIMO_SHUTDOWN", while the server
#           goes on. A stop by SIGTERM is 1012 without a reason.
# Output:   see the end of this file.
# Matters:  a client that is back before its server has missed it reads "shutdown" on the old connection, where
#           it was itself that took over. Two that share a session and come back after 1000 push each other out for
#           ever: give each client a session id of its own, and stay away after this reason unless nobody else has it.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check marimo==0.25.2 websockets==17.4
cat > "$dir/app.py" <<'PY'
import marimo

app = marimo.App()


@app.cell
def _():
    x = 1
    return (x,)
PY
cat > "$dir/run.py" <<'PY'
import asyncio, json, socket, sys
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

with socket.socket() as found:
    found.bind(("127.0.0.1", 0))
    PORT = found.getsockname()[1]


def dial(session):
    return connect(f"ws://127.0.0.1:{PORT}/ws?session_id={session}")


async def until(websocket, word):
    """Read until that message has come."""
    async with asyncio.timeout(20):
        while json.loads(await websocket.recv())["op"] != word:
            pass


async def end(websocket, seconds=10):
    try:
        async with asyncio.timeout(seconds):
            while True:
                await websocket.recv()
    except ConnectionClosed as closed:
        return closed.rcvd or "a cut"
    except TimeoutError:
        return f"open, {seconds} s later"


async def main():
    server = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("marimo"), "run", "app.py", "--headless", "--no-token", "--host", "127.0.0.1",
        "--port", str(PORT), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL)
    try:
        for _ in range(300):
            try:
                (await asyncio.open_connection("127.0.0.1", PORT))[1].close()
                break
            except OSError:
                await asyncio.sleep(0.1)
        first = await dial("s_aaaaaa")
        await until(first, "completed-run")
        second = await dial("s_aaaaaa")
        await until(second, "reconnected")
        print("taken over, the first:", await end(first), flush=True)
        third = await dial("s_bbbbbb")
        await until(third, "completed-run")
        print("beside another session, the second:", await end(second, 2), flush=True)
        server.terminate()
        print("stopped, the second:", await end(second), flush=True)
        print("stopped, the third:", await end(third), flush=True)
    finally:
        if server.returncode is None:
            server.kill()
        await server.wait()

asyncio.run(main())
PY
(cd "$dir" && timeout 60 py/bin/python run.py) | tee "$dir/seen"
diff - "$dir/seen" <<'OUTPUT'
taken over, the first: 1000 (OK) MARIMO_SHUTDOWN
beside another session, the second: open, 2 s later
stopped, the second: 1012 (service restart)
stopped, the third: 1012 (service restart)
OUTPUT
