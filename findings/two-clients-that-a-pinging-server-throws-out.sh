#!/usr/bin/env bash
# An idle client made with curl_cffi or aiosonic is thrown out by a server that sends pings.
#
# Guess:    both answer a ping by themselves while the program waits in recv(), as RFC 6455 (5.5.2)
#           asks and as every library that has a keepalive on the other side relies on.
# Software: curl_cffi 0.17.0 (libcurl), aiosonic 1.3.3, beside aiohttp 3.14.5; the server is
#           websockets 17.4 with a keepalive of 0.5 s instead of 20 s.
# Seen:     curl_cffi, waiting in recv(), answers a ping only when the next message arrives: on a
#           silent line the pong is never sent. aiosonic never answers. The server gives up at the
#           second interval, 1011 "keepalive ping timeout"; with its defaults that is 40 s.
#           curl_cffi hands out the payload of that close frame as if it were a message (flag 8);
#           aiosonic does not show the code at all.
# Output:   see the end of this file.
# Matters:  such a client comes back every 40 s for ever, and each connection was "stable". A
#           connection that always dies at the same age, while idle, has unanswered pings: log the
#           uptime beside the code.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check curl_cffi==0.17.0 aiosonic==1.3.3 \
    aiohttp==3.14.5 websockets==17.4
cat > "$dir/run.py" <<'PY'
import asyncio, time
import aiohttp, aiosonic, curl_cffi, websockets

gone = []

async def idle(ws):
    started = time.monotonic()
    await ws.wait_closed()
    gone.append((time.monotonic() - started < 2.5, ws.protocol.close_sent))

async def talk(ws):
    """Sends one message each 0.2 s, so that the line is never silent."""
    for _ in range(12):
        await ws.send("tick")
        await asyncio.sleep(0.2)
    gone.append((False, None))
    await ws.close()

async def by_curl_cffi(url, until):
    async with curl_cffi.AsyncSession() as session:
        ws = await session.ws_connect(url)
        while True:
            data, flags = await asyncio.wait_for(ws.recv(), until)
            if flags == 8:
                return f"recv() gave {data!r}"

async def by_aiosonic(url, until):
    async with aiosonic.WebSocketClient() as client:
        ws = await client.connect(url)
        try:
            while True:
                await asyncio.wait_for(ws.receive_text(), until)
        except aiosonic.exceptions.ConnectionDisconnected as error:
            return f"{error}, code {ws.close_code}"

async def by_aiohttp(url, until):
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as ws:
        message = await asyncio.wait_for(ws.receive(), until)
        return str(message.type)

async def visit(client, handler):
    async with websockets.serve(handler, "127.0.0.1", 0, ping_interval=0.5, ping_timeout=0.5,
                                close_timeout=0.5) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        try:
            told = await client(url, 3.5)
        except TimeoutError:
            told = "still waiting, still connected"
        await asyncio.sleep(0.8)
    return told, gone.pop()

async def main():
    for client in (by_curl_cffi, by_aiosonic, by_aiohttp):
        told, (early, sent) = await visit(client, idle)
        verdict = f"thrown out, {sent.code} {sent.reason!r}" if early else "kept"
        print(f"{client.__name__[3:]}, idle: {verdict}; {told}", flush=True)
    for client in (by_curl_cffi,):
        told, (early, sent) = await visit(client, talk)
        print(f"{client.__name__[3:]}, with messages: {'thrown out' if early else 'kept'}", flush=True)

asyncio.run(main())
PY
timeout 90 "$dir/py/bin/python" "$dir/run.py" 2> "$dir/errors" | tee "$dir/seen" || { cat "$dir/errors"; exit 1; }
diff - "$dir/seen" <<'OUTPUT'
curl_cffi, idle: thrown out, 1011 'keepalive ping timeout'; recv() gave b'\x03\xf3keepalive ping timeout'
aiosonic, idle: thrown out, 1011 'keepalive ping timeout'; Connection is closed, code None
aiohttp, idle: kept; still waiting, still connected
curl_cffi, with messages: kept
OUTPUT
