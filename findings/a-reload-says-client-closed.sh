#!/usr/bin/env bash
# A reload of nats-server ends WebSockets with 1000 "Client Closed", although the server ended them.
#
# Guess:    SIGHUP without any change in the configuration leaves every connection alone.
# Software: nats-server 2.9.10 (Debian 12), its WebSocket listener on loopback, no authorization.
# Seen:     a client whose CONNECT names a user is ended at once with 1000 "Client Closed"; one that
#           names none lives on. The server needs no user, and had let both in.
# Output:   see the end of this file.
# Matters:  1000 with these words reads like the echo of the client's own goodbye, and a client that
#           takes 1000 as the end stays away after a reload that was not about it.
set -euo pipefail
dir=$(mktemp -d)
trap 'test ! -s "$dir/nats" || kill "$(cat "$dir/nats")" 2> "$dir/none" || true; sleep 1; rm -rf "$dir"' EXIT
(cd "$dir" && apt-get download -qq 'nats-server=2.9.10-*' 2> apt && dpkg -x nats-server_*.deb root)
# Below the range from which the kernel takes the ports of clients.
read -r port plain < <(python3 -c 'import random, socket
found = []
while len(found) < 2:
    with socket.socket() as sock:
        port = random.randrange(20000, 30000)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            continue
        found.append(port)
print(*found)')
cat > "$dir/nats.conf" <<CONFIG
listen: 127.0.0.1:$plain
websocket { listen: "127.0.0.1:$port", no_tls: true }
CONFIG
"$(find "$dir/root" -name nats-server -type f | head -n 1)" -c "$dir/nats.conf" > "$dir/out" 2>&1 &
echo $! > "$dir/nats"
cat > "$dir/run.py" <<'PY'
import asyncio, os, signal, struct, sys

port, server = map(int, sys.argv[1:])
REQUEST = (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")

def masked(data):
    return bytes((0x82, 0x80 | len(data))) + bytes(4) + data  # a mask of zeros

async def frame(reader):
    kind, size = await asyncio.wait_for(reader.readexactly(2), 3)
    if size == 126:
        size = struct.unpack("!H", await reader.readexactly(2))[0]
    return kind, await reader.readexactly(size)

async def connected(said):
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            break
        except OSError:
            await asyncio.sleep(0.1)
    writer.write(REQUEST)
    await reader.readuntil(b"\r\n\r\n")
    writer.write(masked(b"CONNECT {" + said + b"}\r\nPING\r\n"))
    while b"PONG" not in (await frame(reader))[1]:
        pass
    return reader, writer

async def end(name, said):
    reader, writer = await connected(said)
    os.kill(server, signal.SIGHUP)
    try:
        while True:
            kind, body = await frame(reader)
            if kind == 0x88:
                print(f"{name}: close {struct.unpack('!H', body[:2])[0]} {body[2:].decode()!r}", flush=True)
                break
    except TimeoutError:
        print(f"{name}: open, 3 s later", flush=True)
    writer.close()

async def main():
    await end("names no user", b'"verbose":false')
    await end("names a user", b'"verbose":false,"user":"me","pass":"mine"')

asyncio.run(main())
PY
timeout 60 python3 "$dir/run.py" "$port" "$(cat "$dir/nats")" 2> "$dir/errors" | tee "$dir/seen" || { cat "$dir/errors" "$dir/out"; exit 1; }
diff - "$dir/seen" <<'OUTPUT'
names no user: open, 3 s later
names a user: close 1000 'Client Closed'
OUTPUT
