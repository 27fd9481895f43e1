#!/usr/bin/env bash
# MQTT over WebSocket: the Python client paho meets servers that send pings.
#
# Guess:    paho answers a ping with its payload, and a close with its code, as any client; so a server that
#           pings once a second keeps it, and so does the broker amqtt, whose WebSockets are those of the
#           library websockets and ping every 20 seconds.
# Software: paho-mqtt 2.2.0 with transport="websockets"; websockets 15.0.1 with its defaults, and amqtt
#           0.12.1 on it.
# Seen:     paho sends its pong without a mask, and its answer to a close frame, too. RFC 6455 (5.1) has
#           the server end such a connection, and websockets does: 1002 at the first ping. Behind amqtt
#           paho is thrown out 20 seconds after each connect, whatever its keepalive is. The program hears
#           "Unspecified error", as for any lost line, and a message of QoS 0 in between is lost.
# Output:   see the end of this file.
# Matters:  two programs that each pass their own tests lose their connection three times a minute, and both
#           blame the network. A broker of this kind has to turn its pings off for paho; a client has to be tried
#           against a server that pings before it is trusted to wait.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check paho-mqtt==2.2.0 websockets==15.0.1 amqtt==0.12.1
cat > "$dir/client.py" <<'PY'
import sys, time

from paho.mqtt.client import CallbackAPIVersion, Client

client = Client(CallbackAPIVersion.VERSION2, client_id="lamp", transport="websockets")
client.on_connect = lambda client, data, flags, code, properties: print(f"connect {code}", flush=True)
client.on_disconnect = lambda client, data, flags, code, properties: print(f"disconnect {code}", flush=True)
client.connect("127.0.0.1", int(sys.argv[1]), keepalive=10)
client.loop_start()
time.sleep(60)
PY
cat > "$dir/run.py" <<'PY'
import asyncio, logging, socket, sys

from amqtt.broker import Broker
from websockets.asyncio.server import serve

logging.disable()


async def heard(port, seconds):
    """What the client says in its first seconds."""
    client = await asyncio.create_subprocess_exec(sys.executable, f"{sys.argv[1]}/client.py", str(port),
                                                  stdout=asyncio.subprocess.PIPE)
    lines = [(await client.stdout.readline()).decode().strip()]
    await asyncio.sleep(seconds)
    client.kill()
    return lines + (await client.stdout.read()).decode().splitlines()


async def end(seconds, **options):
    """How the first connection ends, for a server that answers CONNECT and PINGREQ."""
    ends = []

    async def serve_one(websocket):
        try:
            async for packet in websocket:
                await websocket.send(b"\x20\x02\x00\x00" if packet[0] == 0x10 else b"\xd0\x00")
                if "close" in options:
                    await websocket.close(1012)
        except Exception:
            pass
        ends.append(str(websocket.protocol.parser_exc or websocket.close_code))

    pings = {"ping_interval": options.get("ping")}
    async with serve(serve_one, "127.0.0.1", 0, subprotocols=["mqtt"], close_timeout=2, **pings) as server:
        lines = await heard(server.sockets[0].getsockname()[1], seconds)
    return lines[:2], ends[0]


async def broker(seconds):
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    broker = Broker({"listeners": {"default": {"type": "ws", "bind": f"127.0.0.1:{port}"}},
                     "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}})
    await broker.start()
    lines = await heard(port, seconds)
    await broker.shutdown()
    return lines


async def main():
    pinged, closed, brokered = await asyncio.gather(end(5, ping=1), end(5, close=True), broker(26))
    print(f"a ping each second: {', '.join(pinged[0])}; the server: {pinged[1]}")
    print(f"a close with 1012: the server: {closed[1]}")
    print("amqtt, half a minute:", ", ".join(brokered))

asyncio.run(main())
PY
timeout 100 "$dir/py/bin/python" "$dir/run.py" "$dir" | tee "$dir/seen"
diff - "$dir/seen" <<'OUTPUT'
a ping each second: connect Success, disconnect Unspecified error; the server: incorrect masking
a close with 1012: the server: incorrect masking
amqtt, half a minute: connect Success, disconnect Unspecified error, connect Success
OUTPUT
