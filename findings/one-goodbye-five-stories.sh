#!/usr/bin/env bash
# Four ASGI servers tell their application five stories about how a client left.
#
# Guess:    `websocket.disconnect` carries the code of the client's close frame, 1005 for a frame
#           without one, 1006 for a client that vanished: the ASGI specification names the code, and
#           1005 as what is meant when there was none.
# Software: hypercorn 0.18.0, uvicorn 0.54.0 with its three back ends (websockets 17.4, wsproto
#           1.3.2, websockets-sansio), granian 2.8.9, daphne 4.2.3; the client is a plain socket.
# Seen:     hypercorn says 1006 for everything, a clean 1000 included. uvicorn says 1006 for a
#           vanished client with one back end and 1005 with the two others. granian says 1005 for
#           it too, and never tells the reason. daphne gives None for a frame without a code, never
#           tells the reason, and echoes 1000 to the client whatever was sent.
# Output:   see the end of this file (application: code, reason | wire: close frame to the client).
# Matters:  a client that closes with a code of its own to say "I come back" (4000) or "I am done"
#           (1000) is understood by some of these servers and by others taken for a lost line: the
#           session is kept, or dropped, by the choice of the server. Say it in-band before closing.
#           And the code that comes back from daphne says nothing about the code that was sent.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check hypercorn==0.18.0 uvicorn==0.54.0 \
    websockets==17.4 wsproto==1.3.2 granian==2.8.9 daphne==4.2.3
cat > "$dir/app.py" <<'PY'
import os

async def app(scope, receive, send):
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    event = await receive()
    with open(os.environ["TOLD"], "w") as file:
        print(event.get("code"), repr(event.get("reason")), file=file)
PY
cat > "$dir/run.py" <<'PY'
import asyncio, os, socket, struct, sys
from pathlib import Path

os.chdir(sys.argv[1])
TOLD = Path("told")
os.environ["TOLD"] = str(TOLD)
SERVERS = {
    "hypercorn": "hypercorn --bind 127.0.0.1:PORT app:app",
    "uvicorn, websockets": "uvicorn --ws websockets --lifespan off --host 127.0.0.1 --port PORT app:app",
    "uvicorn, wsproto": "uvicorn --ws wsproto --lifespan off --host 127.0.0.1 --port PORT app:app",
    "uvicorn, sansio": "uvicorn --ws websockets-sansio --lifespan off --host 127.0.0.1 --port PORT app:app",
    "granian": "granian --interface asginl --host 127.0.0.1 --port PORT app:app",
    "daphne": "daphne -b 127.0.0.1 -p PORT app:app",
}
LEAVES = {
    "1000": struct.pack("!H", 1000),
    "4000 'later'": struct.pack("!H", 4000) + b"later",
    "no code": b"",
    "vanished": None,
}
REQUEST = (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")

def free():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]

async def connect(port):
    for _ in range(150):
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
    raise SystemExit("the server did not start")

async def leave(port, payload):
    reader, writer = await connect(port)
    writer.write(REQUEST)
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(0.2)
    if payload is None:
        writer.close()
        answer = "-"
    else:
        writer.write(bytes([0x88, 0x80 | len(payload)]) + bytes(4) + payload)
        kind, size = await reader.readexactly(2)
        body = await reader.readexactly(size)
        answer = f"{struct.unpack('!H', body[:2])[0]} {body[2:].decode()!r}" if body else "empty"
        writer.close()
    for _ in range(100):
        if TOLD.exists() and TOLD.read_text():
            break
        await asyncio.sleep(0.05)
    return f"{TOLD.read_text().strip()} | {answer}"

async def main():
    for name, command in SERVERS.items():
        port = free()
        module, *options = command.replace("PORT", str(port)).split()
        server = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, *options,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL)
        try:
            _, writer = await connect(port)
            writer.close()
            for how, payload in LEAVES.items():
                TOLD.unlink(missing_ok=True)
                print(f"{name}: {how}: {await asyncio.wait_for(leave(port, payload), 10)}", flush=True)
        finally:
            server.terminate()
            await server.wait()

asyncio.run(main())
PY
timeout 120 "$dir/py/bin/python" "$dir/run.py" "$dir" 2> "$dir/errors" | tee "$dir/seen" || { cat "$dir/errors"; exit 1; }
diff - "$dir/seen" <<'OUTPUT'
hypercorn: 1000: 1006 None | 1000 ''
hypercorn: 4000 'later': 1006 None | 4000 'later'
hypercorn: no code: 1006 None | empty
hypercorn: vanished: 1006 None | -
uvicorn, websockets: 1000: 1000 '' | 1000 ''
uvicorn, websockets: 4000 'later': 4000 'later' | 4000 'later'
uvicorn, websockets: no code: 1005 '' | empty
uvicorn, websockets: vanished: 1006 '' | -
uvicorn, wsproto: 1000: 1000 '' | 1000 ''
uvicorn, wsproto: 4000 'later': 4000 'later' | 4000 'later'
uvicorn, wsproto: no code: 1005 '' | empty
uvicorn, wsproto: vanished: 1005 None | -
uvicorn, sansio: 1000: 1000 '' | 1000 ''
uvicorn, sansio: 4000 'later': 4000 'later' | 4000 'later'
uvicorn, sansio: no code: 1005 '' | empty
uvicorn, sansio: vanished: 1005 None | -
granian: 1000: 1000 None | 1000 ''
granian: 4000 'later': 4000 None | 4000 'later'
granian: no code: 1005 None | empty
granian: vanished: 1005 None | -
daphne: 1000: 1000 None | 1000 ''
daphne: 4000 'later': 4000 None | 1000 ''
daphne: no code: None None | 1000 ''
daphne: vanished: 1006 None | -
OUTPUT
