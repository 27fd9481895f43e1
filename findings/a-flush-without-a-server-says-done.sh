#!/usr/bin/env bash
# Clients of NATS, a message that is published while the server is away, and flush() after it.
#
# Guess:    a client that reconnects by itself keeps the message for its return, or publish() raises. flush() sends a
#           ping and waits for the pong: without a server it raises, at its time-out at the latest.
# Software: nats-py 2.16.0 over WebSocket; nats 2.29.3 and @nats-io/transport-node 3.4.0 (npm), over TCP;
#           nats-server 2.9.10 (Debian 12), which is stopped, killed and started again. It counts what it gets.
# Seen:     no publish() raises. flush() of Python raises after a second while the server is stopped, but returns at
#           once when the connection is known to be gone; the message is sent on the return, and is lost without an
#           error where the client gives up. In both of npm flush() is rejected, and the message never sent: each dial
#           empties the buffer first.
# Output:   see the end of this file.
# Matters:  an outbox that deletes what it has flushed loses it here, just in an outage. Ask is_connected after flush()
#           in Python, publish anew after a rejected flush() in Node, or wait for the answer of a request.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
(cd "$dir" && apt-get download -qq 'nats-server=2.9.10-*' 2> apt && dpkg -x nats-server_*.deb root)
npm install --silent --no-fund --no-audit --prefix "$dir" nats@2.29.3 @nats-io/transport-node@3.4.0 &
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check nats-py==2.16.0 aiohttp==3.14.5
wait $!
cat > "$dir/client.mjs" <<'JS'
import { createInterface } from "node:readline";

const [name, port] = process.argv.slice(2);
const { connect } = await import(name);
const client = await connect({
  servers: `127.0.0.1:${port}`, reconnectTimeWait: 2000, reconnectJitter: 0, maxReconnectAttempts: -1,
});
createInterface({ input: process.stdin }).on("line", (text) => {
  try {
    client.publish("news", text);
  } catch (error) {
    console.log(`publish() throws ${error.name}`);
  }
  client.flush().then(() => console.log("flush() is done"),
                      (error) => console.log(`flush() is rejected, ${error.name}`));
});
console.log("connected");
for await (const status of client.status()) {
  if (["disconnect", "reconnect"].includes(status.type)) console.log(status.type);
}
JS
cat > "$dir/run.py" <<'PY'
import asyncio, json, logging, random, signal, socket, sys, time
from urllib.request import urlopen

import nats

DIR, PROGRAM = sys.argv[1:]
logging.disable(logging.CRITICAL)


def free():
    """A port below the range from which the kernel takes the ports of clients."""
    while True:
        with socket.socket() as found:
            try:
                found.bind(("127.0.0.1", random.randrange(20000, 30000)))
            except OSError:
                continue
            return found.getsockname()[1]


class Server:
    def __init__(self):
        self.tcp, self.web, self.monitor = free(), free(), free()
        with open(f"{DIR}/nats.conf", "w") as file:
            print(f'listen: 127.0.0.1:{self.tcp}\nhttp: 127.0.0.1:{self.monitor}\n'
                  f'websocket {{ listen: "127.0.0.1:{self.web}", no_tls: true }}', file=file)

    async def start(self):
        self.process = await asyncio.create_subprocess_exec(
            PROGRAM, "-c", f"{DIR}/nats.conf", stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL)
        for port in self.tcp, self.web, self.monitor:
            while True:
                try:
                    (await asyncio.open_connection("127.0.0.1", port))[1].close()
                    break
                except OSError:
                    await asyncio.sleep(0.05)

    async def end(self):
        self.process.kill()
        await self.process.wait()

    async def counted(self):
        await asyncio.sleep(0.5)
        return json.load(urlopen(f"http://127.0.0.1:{self.monitor}/varz"))["in_msgs"]


async def flush(client):
    begun = time.monotonic()
    try:
        await client.flush(timeout=1)
        said = "is done"
    except Exception as error:
        said = f"raises {type(error).__name__}"
    return f"flush() {said} {'at once' if time.monotonic() - begun < 0.9 else 'later'}"


async def with_python(comes_back):
    server = Server()
    await server.start()
    gone, back, closed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def noting(event):
        async def note(*_):
            event.set()
        return note
    client = await nats.connect(
        f"ws://127.0.0.1:{server.web}", reconnect_time_wait=0.5, max_reconnect_attempts=-1 if comes_back else 2,
        disconnected_cb=noting(gone), reconnected_cb=noting(back), closed_cb=noting(closed),
        error_cb=noting(asyncio.Event()))
    print(f"nats-py, {'and the server comes back' if comes_back else 'and it does not'}")
    print("  connected:", await flush(client))
    server.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(0.3)
    print("  the server stopped:", await flush(client))
    await server.end()
    await asyncio.wait_for(gone.wait(), 10)
    await client.publish("news", b"away")
    print(f"  the server killed: {await flush(client)}; connected: {client.is_connected}")
    if comes_back:
        await server.start()
        await asyncio.wait_for(back.wait(), 10)
        await client.publish("news", b"back")
        print(f"  back: {await flush(client)}; of two messages the server got {await server.counted()}")
        await client.close()
        await server.end()
    else:
        await asyncio.wait_for(closed.wait(), 10)
        print(f"  it has given up, and no call has raised; closed: {client.is_closed}", flush=True)


async def with_node(name):
    server = Server()
    await server.start()
    client = await asyncio.create_subprocess_exec("node", f"{DIR}/client.mjs", name, str(server.tcp), cwd=DIR,
                                                  stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)

    async def lines(number):
        async with asyncio.timeout(20):
            return [(await client.stdout.readline()).decode().strip() for _ in range(number)]
    try:
        assert await lines(1) == ["connected"]
        print(name)
        await server.end()
        assert await lines(1) == ["disconnect"]
        client.stdin.write(b"away\n")
        await asyncio.sleep(0.5)
        await server.start()
        print("  the server killed:", next(line for line in await lines(2) if line != "reconnect"))
        client.stdin.write(b"back\n")
        print(f"  back: {(await lines(1))[0]}; of two messages the server got {await server.counted()}", flush=True)
    finally:
        client.kill()
        await client.wait()
        await server.end()


async def main():
    await with_python(True)
    await with_python(False)
    await with_node("nats")
    await with_node("@nats-io/transport-node")

asyncio.run(asyncio.wait_for(main(), 70))
PY
server=$(find "$dir/root" -name nats-server -type f | head -n 1)
timeout 80 "$dir/py/bin/python" "$dir/run.py" "$dir" "$server" 2> "$dir/errors" | tee "$dir/seen" \
    || { cat "$dir/errors"; exit 1; }
diff - "$dir/seen" <<'OUTPUT'
nats-py, and the server comes back
  connected: flush() is done at once
  the server stopped: flush() raises FlushTimeoutError later
  the server killed: flush() is done at once; connected: False
  back: flush() is done at once; of two messages the server got 2
nats-py, and it does not
  connected: flush() is done at once
  the server stopped: flush() raises FlushTimeoutError later
  the server killed: flush() is done at once; connected: False
  it has given up, and no call has raised; closed: True
nats
  the server killed: flush() is rejected, NatsError
  back: flush() is done; of two messages the server got 1
@nats-io/transport-node
  the server killed: flush() is rejected, RequestError
  back: flush() is done; of two messages the server got 1
OUTPUT
