#!/usr/bin/env bash
# websockify, the bridge from WebSocket to TCP: which offers of subprotocols it takes, and how it ends.
#
# Guess:    an offer that names "binary" is taken, whatever stands beside it and in whatever order; "chat"
#           alone is taken without a subprotocol, or refused with 400; no offer is taken. A text is passed on as
#           its bytes. When the server behind half-closes, after its last byte, what the client still sends
#           reaches it.
# Software: websockify 0.13.0 (pip); the server behind is one of TCP on loopback.
# Seen:     only the first of an offer counts: "binary, chat" is taken, "chat, binary" and "base64, binary" are
#           refused with 400. A text ends the connection with 1003. A half-close of the server behind ends
#           both ways at once with 1000, "Target closed": what the client sends after it never arrives.
# Output:   see the end of this file.
# Matters:  an offer is a list by preference, from which a server takes what it speaks; here it is one
#           word, so a client that puts a newer protocol in front is refused for good by a bridge that speaks the
#           older one. Dial again with the next of the list after a 400, or offer one at a time.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check websockify==0.13.0 websockets==17.4
cat > "$dir/run.py" <<'PY'
import asyncio, socket, sys
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

OFFERS = ["binary"], ["binary", "chat"], ["chat", "binary"], ["base64", "binary"], ["base64"], ["chat"], None


async def behind(reader, writer):
    """Echoes; "last" makes it half-close, and note what comes after."""
    while data := await reader.read(4096):
        if data == b"last":
            writer.write(b"the last")
            writer.write_eof()
            noted.append(await reader.read(4096))
            return
        writer.write(data)
    writer.close()

noted = []


async def dial(url, offer):
    try:
        async with connect(url, subprotocols=offer) as websocket:
            return f"101, {websocket.subprotocol or 'none named'}"
    except InvalidStatus as refused:
        return f"{refused.response.status_code} {refused.response.reason_phrase}"


async def main():
    async with await asyncio.start_server(behind, "127.0.0.1", 0) as server:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        target = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        bridge = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("websockify"), f"127.0.0.1:{port}", target,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL)
        url = f"ws://127.0.0.1:{port}/"
        try:
            for _ in range(100):
                try:
                    (await asyncio.open_connection("127.0.0.1", port))[1].close()
                    break
                except OSError:
                    await asyncio.sleep(0.1)
            for offer in OFFERS:
                print(f"{', '.join(offer) if offer else 'no offer'}: {await dial(url, offer)}")
            async with connect(url, subprotocols=["binary"]) as websocket:
                await websocket.send("text")
                try:
                    print("a text:", await asyncio.wait_for(websocket.recv(), 5))
                except ConnectionClosed as end:
                    print("a text:", end.rcvd)
            async with connect(url, subprotocols=["binary"]) as websocket:
                await websocket.send(b"last")
                print("half-closed:", await websocket.recv())
                try:
                    await asyncio.sleep(0.5)
                    await websocket.send(b"after")
                    await asyncio.wait_for(websocket.recv(), 5)
                except (ConnectionClosed, TimeoutError) as end:
                    print("half-closed:", getattr(end, "rcvd", "open"), "- behind it arrives", noted[0] or "the end")
        finally:
            bridge.terminate()
            await bridge.wait()

asyncio.run(main())
PY
timeout 60 "$dir/py/bin/python" "$dir/run.py" | tee "$dir/seen"
diff - "$dir/seen" <<'OUTPUT'
binary: 101, binary
binary, chat: 101, binary
chat, binary: 400 Invalid protocol selected
base64, binary: 400 Invalid protocol selected
base64: 400 Invalid protocol selected
chat: 400 Invalid protocol selected
no offer: 101, none named
a text: 1003 (unsupported data) Unsupported: Text frames are not supported
half-closed: b'the last'
half-closed: 1000 (OK) Target closed - behind it arrives the end
OUTPUT
