#!/usr/bin/env bash
# mosquitto answers nothing to an upgrade whose subprotocol it does not know, and 101 to one without any.
#
# Guess:    a subprotocol that the broker does not speak is refused with 400, or left out of the 101, as
#           RFC 6455 (4.2.2) has it; an upgrade that names none is refused, for only "mqtt" makes sense.
# Software: mosquitto 2.0.11 (Debian 12), its WebSocket listener on loopback.
# Seen:     "chat", and "MQTT" in capitals, end with the connection closed and not one byte of HTTP. No
#           subprotocol at all is accepted. "mqtt" beside others is found and named.
# Output:   see the end of this file.
# Matters:  to a client this mistake of the program looks like a broker that dies in every handshake: a
#           lost line, which is dialled again for ever. A refusal with a status would have ended it.
set -euo pipefail
dir=$(mktemp -d)
trap 'test ! -s "$dir/broker" || kill "$(cat "$dir/broker")" 2> "$dir/none" || true; sleep 1; rm -rf "$dir"' EXIT
(cd "$dir" && apt-get download -qq 'mosquitto=2.0.11-1.2*' libcjson1 libdlt2 libwrap0 libmosquitto1 libnsl2 libtirpc3 2> apt \
    && for file in *.deb; do dpkg -x "$file" root; done)
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
cat > "$dir/mosquitto.conf" <<CONFIG
listener $plain 127.0.0.1
listener $port 127.0.0.1
protocol websockets
allow_anonymous true
CONFIG
libraries=$(dirname "$(find "$dir/root" -name 'libdlt.so.2' | head -n 1)")
LD_LIBRARY_PATH="$libraries" "$dir/root/usr/sbin/mosquitto" -c "$dir/mosquitto.conf" > "$dir/out" 2>&1 &
echo $! > "$dir/broker"
cat > "$dir/run.py" <<'PY'
import asyncio, sys

port = int(sys.argv[1])

async def connected():
    for _ in range(100):
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
    raise SystemExit("the broker does not listen")

async def dial(offer):
    """The answer to an upgrade: its status, and the subprotocol that it names."""
    reader, writer = await connected()
    header = f"Sec-WebSocket-Protocol: {offer}\r\n" if offer else ""
    writer.write(
        b"GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        + header.encode() + b"\r\n")
    try:
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    except asyncio.IncompleteReadError as ended:
        return f"closed after {len(ended.partial)} bytes"
    finally:
        writer.close()
    status, *headers = answer.decode().splitlines()
    named = [line.split(":")[1].strip() for line in headers if line.lower().startswith("sec-websocket-protocol")]
    return f"{status.split()[1]}, subprotocol {named[0] if named else 'not named'}"

async def main():
    for offer in ("mqtt", "chat, mqtt", "", "chat", "MQTT"):
        print(f"{offer or 'none'}: {await dial(offer)}")

asyncio.run(main())
PY
timeout 60 python3 "$dir/run.py" "$port" | tee "$dir/seen"
diff - "$dir/seen" <<'OUTPUT'
mqtt: 101, subprotocol mqtt
chat, mqtt: 101, subprotocol mqtt
none: 101, subprotocol not named
chat: closed after 0 bytes
MQTT: closed after 0 bytes
OUTPUT
