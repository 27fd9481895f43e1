#!/usr/bin/env bash
# Four clients of MQTT, a keepalive of two seconds, and a network that stops without a word.
#
# Guess:    each of them tells the program within some ten seconds that its broker is gone: that is what the
#           keepalive is for, and each sends its pings.
# Software: paho-mqtt 2.2.0, gmqtt 0.8.0, amqtt 0.12.1 (Python), mqtt 5.16.0 (npm); the broker is
#           amqtt 0.12.1, behind a relay that passes nothing more, and leaves the sockets open.
# Seen:     three do. The client of amqtt sends its pings and waits for no answer: who awaits deliver_message() is
#           still waiting after 25 seconds, whether it reconnects by itself or not, and the relay sees no new dial.
# Output:   see the end of this file.
# Matters:  a subscriber that only listens learns nothing here until TCP gives up, which may be never. Publish
#           something with QoS 1 now and then, and take its TimeoutError as the end of the connection; or bound the
#           silence of the feed from outside.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
npm install --silent --no-fund --no-audit --prefix "$dir" mqtt@5.16.0 &
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check paho-mqtt==2.2.0 gmqtt==0.8.0 amqtt==0.12.1
wait
cat > "$dir/client.js" <<'JS'
const client = require("mqtt").connect(`mqtt://127.0.0.1:${process.argv[2]}`, { keepalive: 2 });
client.on("connect", () => client.subscribe("news", () => console.log("ready")));
client.on("close", () => console.log("told"));
client.on("error", () => {});
JS
cat > "$dir/run.py" <<'PY'
import asyncio, logging, socket, sys

import gmqtt
import paho.mqtt.client as paho
from amqtt.broker import Broker
from amqtt.client import MQTTClient

logging.disable(logging.CRITICAL)


class Relay:
    """Passes all bytes both ways until it is told to stop; then it reads them and passes none."""

    def __init__(self, target):
        self.target, self.stopped, self.dials = target, False, 0

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        return self.server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        self.dials += 1
        onward = await asyncio.open_connection("127.0.0.1", self.target)
        await asyncio.gather(self.pump(reader, onward[1]), self.pump(onward[0], writer))

    async def pump(self, reader, writer):
        while data := await reader.read(65536):
            if not self.stopped:
                writer.write(data)


class Told:
    """Whether a client has said that its connection is gone, and when it is ready."""

    def __init__(self):
        self.ready, self.gone = asyncio.Event(), asyncio.Event()
        self.loop = asyncio.get_running_loop()

    def soon(self, event):
        return lambda *_: self.loop.call_soon_threadsafe(event.set) and None


async def with_paho(port, told):
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.on_connect = lambda *_: client.subscribe("news")
    client.on_subscribe, client.on_disconnect = told.soon(told.ready), told.soon(told.gone)
    client.connect("127.0.0.1", port, keepalive=2)
    client.loop_start()
    return client


async def with_gmqtt(port, told):
    client = gmqtt.Client("gmqtt")
    client.on_connect = lambda *_: client.subscribe("news")
    client.on_subscribe, client.on_disconnect = told.soon(told.ready), told.soon(told.gone)
    await client.connect("127.0.0.1", port, keepalive=2, version=4)
    return client


def with_amqtt(again):
    async def start(port, told):
        client = MQTTClient(config={"keep_alive": 2, "auto_reconnect": again})
        await client.connect(f"mqtt://127.0.0.1:{port}/")
        await client.subscribe([("news", 1)])
        told.ready.set()

        async def read():
            try:
                await client.deliver_message()
            finally:
                told.gone.set()
        return client, asyncio.create_task(read())
    return start


async def with_node(port, told):
    process = await asyncio.create_subprocess_exec("node", f"{sys.argv[1]}/client.js", str(port), stdout=asyncio.subprocess.PIPE)
    processes.append(process)

    async def read():
        async for line in process.stdout:
            (told.ready if line == b"ready\n" else told.gone).set()
    return asyncio.create_task(read())

processes = []


async def main():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    broker = Broker({"listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
                     "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}})
    await broker.start()
    relays, clients, news = [], [], {}
    for name, start in {"paho-mqtt": with_paho, "gmqtt": with_gmqtt, "mqtt (npm)": with_node,
                        "amqtt, auto_reconnect": with_amqtt(True), "amqtt": with_amqtt(False)}.items():
        relays.append(Relay(port))
        news[name] = Told()
        clients.append(await start(await relays[-1].start(), news[name]))
        await asyncio.wait_for(news[name].ready.wait(), 10)
    await asyncio.sleep(5)
    early = [name for name, told in news.items() if told.gone.is_set()]
    print("told before the silence:", *early or ["none"])
    for relay in relays:
        relay.stopped = True
    await asyncio.sleep(25)
    for (name, told), relay in zip(news.items(), relays):
        print(f"{name}:", "told" if told.gone.is_set() else f"nothing in 25 s, {relay.dials - 1} further dials", flush=True)
    for process in processes:
        process.kill()
        await process.wait()

asyncio.run(asyncio.wait_for(main(), 60))
PY
timeout 70 "$dir/py/bin/python" -u "$dir/run.py" "$dir" 2> "$dir/errors" | tee "$dir/seen" || { cat "$dir/errors"; exit 1; }
diff - "$dir/seen" <<'OUTPUT'
told before the silence: none
paho-mqtt: told
gmqtt: told
mqtt (npm): told
amqtt, auto_reconnect: nothing in 25 s, 0 further dials
amqtt: nothing in 25 s, 0 further dials
OUTPUT
