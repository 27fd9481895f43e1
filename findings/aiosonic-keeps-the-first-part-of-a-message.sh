#!/usr/bin/env bash
# aiosonic hands out the first part of a message that came in parts, and drops the rest.
#
# Guess:    a message sent in fragments arrives whole (RFC 6455, 5.4), or the connection fails.
# Software: aiosonic 1.3.3 as client of websockets 17.4, which sends in fragments when it is given
#           an asynchronous iterator of parts.
# Seen:     receive_text() returns the first fragment as if it were the message; the fragments that
#           continue it are dropped without an error; the next whole message arrives as usual.
# Output:   see the end of this file.
# Matters:  short test messages pass, and the first large or streamed one is cut in silence: JSON
#           that does not parse, or worse, does. Whoever changes the library beneath a reconnecting
#           client tests it with a message in fragments.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check aiosonic==1.3.3 websockets==17.4
cat > "$dir/run.py" <<'PY'
import asyncio
import aiosonic, websockets

async def parts():
    for part in ("price 1", "2", "34"):
        yield part

async def serve(ws):
    await ws.send("whole")
    await ws.send(parts())
    await ws.send("next")
    await ws.wait_closed()

async def main():
    async with websockets.serve(serve, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with websockets.connect(url) as ws:
            print("websockets:", [await ws.recv() for _ in range(3)], flush=True)
        async with aiosonic.WebSocketClient() as client:
            ws = await client.connect(url)
            got = []
            for _ in range(4):
                try:
                    got.append(await asyncio.wait_for(ws.receive_text(), 1))
                except TimeoutError:
                    got.append("nothing more")
                    break
            print("aiosonic:", got, flush=True)

asyncio.run(main())
PY
timeout 60 "$dir/py/bin/python" "$dir/run.py" 2> "$dir/errors" | tee "$dir/seen" || { cat "$dir/errors"; exit 1; }
diff - "$dir/seen" <<'OUTPUT'
websockets: ['whole', 'price 1234', 'next']
aiosonic: ['whole', 'price 1', 'next', 'nothing more']
OUTPUT
