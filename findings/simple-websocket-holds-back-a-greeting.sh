#!/usr/bin/env bash
# What a server sends together with its 101 is held back by simple-websocket.
#
# Guess:    both clients of the library deliver a message that arrives in the same segment as the
#           101, as they deliver any other.
# Software: simple-websocket 1.1.0 (blocking `Client` and `AioClient`) on CPython, loopback.
# Seen:     the message is delivered only when further bytes arrive. A close frame that arrives
#           with the 101 is not noticed either; once TCP ends, it is reported with its own code by
#           neither client, but as 1005.
# Output:   see the end of this file.
# Matters:  a protocol in which the server speaks first ("hello", a challenge, a refusal such as
#           4401) stalls when the server is quick: the client waits for the greeting, the server
#           waits for the client. A deadline over the first message is no luxury, and a server that
#           wants to be understood may have to pause after its 101.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check simple-websocket==1.1.0 wsproto==1.3.2
cat > "$dir/run.py" <<'PY'
import asyncio, base64, hashlib, struct, time
import simple_websocket

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE = 0x81, 0x88

def frame(kind, data):
    return bytes([kind, len(data)]) + data

def peer(first, then):
    """A server that writes its 101 and `first` in one go, and `then` 0.6 s later."""
    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        key = [l for l in head.split(b"\r\n") if l.lower().startswith(b"sec-websocket-key")][0]
        accept = base64.b64encode(hashlib.sha1(key.split(b":")[1].strip() + GUID).digest())
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + first)
        await asyncio.sleep(0.6)
        if then:
            writer.write(then)
            await asyncio.sleep(0.3)
        writer.close()
    return serve

def blocking(url, wanted):
    ws = simple_websocket.Client(url)
    for _ in range(wanted):
        started = time.monotonic()
        try:
            got = ws.receive(timeout=2)
        except simple_websocket.ConnectionClosed as error:
            got = f"closed {error.reason}"
        yield got, time.monotonic() - started

async def asynchronous(url, wanted):
    ws = await simple_websocket.AioClient.connect(url)
    for _ in range(wanted):
        started = time.monotonic()
        try:
            got = await ws.receive(timeout=2)
        except simple_websocket.ConnectionClosed as error:
            got = f"closed {error.reason}"
        yield got, time.monotonic() - started

def line(client, what, seen):
    print(client, what, [(got, "late" if took > 0.4 else "at once") for got, took in seen], flush=True)

async def main():
    cases = {
        "greeting, then later": (peer(frame(TEXT, b"greeting"), frame(TEXT, b"later")), 2),
        "close 4401, then FIN": (peer(frame(CLOSE, struct.pack("!H", 4401)), b""), 1),
    }
    for what, (serve, wanted) in cases.items():
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            line("Client", what, await asyncio.to_thread(lambda: list(blocking(url, wanted))))
            line("AioClient", what, [x async for x in asynchronous(url, wanted)])

asyncio.run(main())
PY
timeout 60 "$dir/py/bin/python" "$dir/run.py" | tee "$dir/seen"
diff - "$dir/seen" <<'OUTPUT'
Client greeting, then later [('greeting', 'late'), ('later', 'at once')]
AioClient greeting, then later [('greeting', 'late'), ('later', 'at once')]
Client close 4401, then FIN [('closed 1005', 'late')]
AioClient close 4401, then FIN [('closed 1005', 'late')]
OUTPUT
