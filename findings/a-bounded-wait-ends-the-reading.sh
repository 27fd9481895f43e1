#!/usr/bin/env bash
# To wait for the end of a connection, but no longer than half a second: four clients of asyncio.
#
# Guess:    asyncio.wait_for(client.wait(), 0.5) gives up waiting and does no more; the next message arrives.
# Software: python-socketio 5.18.1 and python-engineio 4.15.1 (their servers run in uvicorn 0.54.0), websockets 17.4,
#           picows 2.3.1 against websockets.
# Seen:     the two wait by awaiting the task that reads, and the time-out cancels it. From then on nothing arrives and
#           no ping is answered; the client still says that it is connected, and tells of no end. Its disconnect()
#           raises CancelledError into a task that nobody cancelled. websockets and picows do as guessed.
# Output:   see the end of this file.
# Matters:  a supervisor that looks in on its client every few seconds makes it deaf by that; so does a cancelled
#           task that was waiting. Put asyncio.shield() around such a wait, or poll the client's own state.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check python-socketio==5.18.1 python-engineio==4.15.1 aiohttp==3.14.5 uvicorn==0.54.0 websockets==17.4 picows==2.3.1
cat > "$dir/run.py" <<'PY'
import asyncio, contextlib, logging, socket

import engineio, picows, socketio, uvicorn
from websockets.asyncio.client import connect
from websockets.asyncio.server import broadcast, serve

logging.disable(logging.CRITICAL)


@contextlib.asynccontextmanager
async def running(app):
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    task = asyncio.create_task(server.serve([listening]))
    while not server.started:
        await asyncio.sleep(0.05)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = server.force_exit = True
    await task


async def play(name, wait, tell, got, says, leave):
    """Tell it something, wait in vain for half a second, tell it something more, and leave."""
    await tell("first")
    await asyncio.sleep(0.3)
    try:
        await asyncio.wait_for(wait(), 0.5)
    except TimeoutError:
        pass
    await tell("second")
    await asyncio.sleep(0.5)
    print(f"{name}: got {' and '.join(got)}; {says()}", end="; ")

    async def end():
        try:
            await leave()
        except asyncio.CancelledError:
            return "raises CancelledError"
        return "ends"
    print("leaving", await asyncio.create_task(end()), flush=True)


async def with_socketio():
    server = socketio.AsyncServer(async_mode="asgi")
    async with running(socketio.ASGIApp(server)) as url:
        for transport in "websocket", "polling":
            got, ends = [], []
            client = socketio.AsyncClient()
            client.on("news", got.append)
            client.on("disconnect", ends.append)
            await client.connect(url, transports=[transport])
            await play(f"python-socketio, {transport}", client.wait, lambda text: server.emit("news", text), got,
                       lambda: f"connected {client.connected}, {len(ends)} ends told", client.disconnect)


async def with_engineio():
    server = engineio.AsyncServer(async_mode="asgi")
    sids, got, ends = [], [], []
    server.on("connect", lambda sid, _: sids.append(sid))
    async with running(engineio.ASGIApp(server)) as url:
        client = engineio.AsyncClient()
        client.on("message", got.append)
        client.on("disconnect", ends.append)
        await client.connect(url, transports=["websocket"])
        await play("python-engineio, websocket", client.wait, lambda text: server.send(sids[0], text), got,
                   lambda: f"connected {client.state == 'connected'}, {len(ends)} ends told", client.disconnect)


class Listener(picows.WSListener):
    def __init__(self):
        self.got, self.ends = [], []

    def on_ws_frame(self, transport, frame):
        if frame.msg_type == picows.WSMsgType.TEXT:
            self.got.append(frame.get_payload_as_utf8_text())

    def on_ws_disconnected(self, transport):
        self.ends.append(1)


async def with_others():
    async with serve(lambda websocket: websocket.wait_closed(), "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"

        async def tell(text):
            broadcast(server.connections, text)

        websocket, got = await connect(url), []

        async def read():
            async for text in websocket:
                got.append(text)

        reading = asyncio.create_task(read())
        await play("websockets", websocket.wait_closed, tell, got,
                   lambda: f"connected {websocket.state.name == 'OPEN'}, {int(reading.done())} ends told", websocket.close)
        transport, listener = await picows.ws_connect(Listener, url)

        async def leave():
            transport.send_close(1000)
            await transport.wait_disconnected()

        await play("picows", transport.wait_disconnected, tell, listener.got,
                   lambda: f"connected {not listener.ends}, {len(listener.ends)} ends told", leave)


async def main():
    await with_others()
    await with_engineio()
    await with_socketio()

asyncio.run(main())
PY
timeout 60 "$dir/py/bin/python" "$dir/run.py" 2> "$dir/errors" | tee "$dir/seen" || { cat "$dir/errors"; exit 1; }
diff - "$dir/seen" <<'OUTPUT'
websockets: got first and second; connected True, 0 ends told; leaving ends
picows: got first and second; connected True, 0 ends told; leaving ends
python-engineio, websocket: got first; connected True, 0 ends told; leaving raises CancelledError
python-socketio, websocket: got first; connected True, 0 ends told; leaving raises CancelledError
python-socketio, polling: got first; connected True, 0 ends told; leaving raises CancelledError
OUTPUT
