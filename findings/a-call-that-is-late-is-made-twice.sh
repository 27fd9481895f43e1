#!/usr/bin/env bash
# aria2 and its client of asyncio: a call whose answer is late, a restart, a ping.
#
# Guess:    a call that adds a download is made once, and raises when its answer is late. After a restart of aria2 a
#           client with reconnect_interval=1 dials again. A ping is answered with a pong; a stop with a close frame.
# Software: aioaria2 1.3.7 (aiohttp 3.14.5) and websockets 17.4 against aria2 1.36.0 (Debian 12), paused by SIGSTOP
#           for 13 s, and then stopped by SIGTERM. The download is added as paused: nothing is fetched.
# Seen:     after ten seconds aioaria2 sends the same call again, with the same id; one addUri() is two downloads. After
#           the restart it has not dialled in five seconds, its reading task has ended without an error, and each call
#           raises: reconnect_interval is the pause before the repeated call. aria2 answers each ping, and a pong, with
#           an error message as well; it ends without a close frame.
# Output:   see the end of this file.
# Matters:  a stall of the network makes two of one download. Give max_attempts=1, look for the download before a repeat
#           (aria2 takes a gid of yours), and make a new client when closed. With pings on, pass over messages whose id
#           is null: they fail no call, and are no news of a feed.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
(cd "$dir" && apt-get download -qq aria2=1.36.0-1 libaria2-0=1.36.0-1 libc-ares2 libssh2-1 libgmp10 \
        libgnutls30 libhogweed6 libnettle8 libidn2-0 libp11-kit0 libtasn1-6 libunistring2 libffi8 \
        libsqlite3-0 libssl3 libxml2 libicu72 liblzma5 libstdc++6 2> apt \
    && for package in *.deb; do dpkg -x "$package" root; done)
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check aioaria2==1.3.7 aiohttp==3.14.5 websockets==17.4
cat > "$dir/run.py" <<'PY'
import asyncio, os, random, signal, socket, sys
from pathlib import Path

import aioaria2
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

DIR = Path(sys.argv[1])
LIBRARIES = next((DIR / "root/usr/lib").glob("*/libaria2.so.0")).parent


def free():
    """A port below the range from which the kernel takes the ports of clients."""
    while True:
        with socket.socket() as found:
            try:
                found.bind(("127.0.0.1", random.randrange(20000, 30000)))
            except OSError:
                continue
            return found.getsockname()[1]

PORT = free()


async def start():
    process = await asyncio.create_subprocess_exec(
        DIR / "root/usr/bin/aria2c", "--no-conf", "--enable-rpc", f"--rpc-listen-port={PORT}", "--disable-ipv6=true",
        "--quiet=true", cwd=DIR, env=os.environ | {"LD_LIBRARY_PATH": str(LIBRARIES)})
    for _ in range(200):
        try:
            (await asyncio.open_connection("127.0.0.1", PORT))[1].close()
            break
        except OSError:
            await asyncio.sleep(0.05)
    return process


async def messages(websocket):
    """All that comes within a second."""
    came = []
    try:
        async with asyncio.timeout(1):
            while True:
                came.append(await websocket.recv())
    except TimeoutError:
        return came or "no message"


async def call(made):
    try:
        return await made
    except Exception as error:
        return f"raises {type(error).__name__}"


async def main():
    process = await start()
    try:
        websocket = await connect(f"ws://127.0.0.1:{PORT}/jsonrpc", ping_interval=None, proxy=None)
        await (await websocket.ping("are you there"))
        print("a ping: a pong, and", *await messages(websocket))
        await websocket.pong()
        print("a pong:", *await messages(websocket))

        client = await aioaria2.Aria2WebsocketClient.new(f"http://127.0.0.1:{PORT}/jsonrpc", reconnect_interval=1)
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(0.3)
        asyncio.get_running_loop().call_later(13, process.send_signal, signal.SIGCONT)
        added = await call(client.addUri([f"http://127.0.0.1:{PORT}/file"], {"pause": "true"}))
        print("one addUri(), late:", added if added.startswith("raises") else "returns one gid")
        print("downloads:", len(await client.tellWaiting(0, 100, ["gid"])), flush=True)

        process.terminate()
        try:
            await asyncio.wait_for(websocket.recv(), 10)
        except ConnectionClosed as closed:
            print("aria2 stops:", closed.rcvd or "a cut")
        await process.wait()
        process = await start()
        await asyncio.sleep(5)
        reading = client._listen_task
        print("aria2 is back, 5 s later: closed", client.closed, "- the reading task:",
              (reading.exception() or "ended without an error") if reading.done() else "reads")
        print("a call:", await call(client.getVersion()), flush=True)
        await client.close()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

asyncio.run(main())
PY
timeout 60 "$dir/py/bin/python" -W ignore "$dir/run.py" "$dir" 2> "$dir/errors" | tee "$dir/seen" \
    || { cat "$dir/errors"; exit 1; }
diff - "$dir/seen" <<'OUTPUT'
a ping: a pong, and {"id":null,"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request."}}
a pong: {"id":null,"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request."}}
one addUri(), late: returns one gid
downloads: 2
aria2 stops: a cut
aria2 is back, 5 s later: closed True - the reading task: ended without an error
a call: raises Aria2rpcException
OUTPUT
