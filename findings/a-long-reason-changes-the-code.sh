#!/usr/bin/env bash
# A server that closes with a long reason sends another code, or none.
#
# Guess:    a reason above the 123 bytes of a close frame is cut, or it raises in the server and the
#           client sees 1011; the code itself is safe.
# Software: sanic 25.12.1, uvicorn 0.54.0 (websockets 17.4 and wsproto 1.3.2 beneath), hypercorn
#           0.18.0, granian 2.8.9, tornado 6.6.1, websockets 17.4, autobahn 26.10.2, socketify 0.0.31.
#           Each application closes with 4001 and a reason of 62 letters of two bytes each: 124 bytes.
# Seen:     four ways to lose 4001: sanic sends 1000 without a reason, websockets 1011, uvicorn over
#           websockets and tornado end TCP without a close frame (1006). granian sends an illegal
#           control frame of 126 bytes, socketify cuts the last letter in half: a client that checks
#           answers 1002, or 1007, and 4001 is lost there. uvicorn over wsproto, hypercorn and
#           autobahn cut at a letter, and 4001 arrives.
# Output:   see the end of this file.
# Matters:  the reason is often the text of an exception, so its length depends on the error. With
#           sanic "4001, do not come back" or "4001, come back" both become 1000, a normal goodbye.
#           A client cannot tell; a server keeps its reasons short and in ASCII.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check sanic==25.12.1 uvicorn==0.54.0 websockets==17.4 \
    wsproto==1.3.2 hypercorn==0.18.0 granian==2.8.9 tornado==6.6.1 autobahn==26.10.2 socketify==0.0.31
cat > "$dir/app.py" <<'PY'
REASON = "\u00e9" * 62

async def app(scope, receive, send):
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    await receive()
    await send({"type": "websocket.close", "code": 4001, "reason": REASON})
PY
cat > "$dir/server.py" <<'PY'
import asyncio, sys
from app import REASON, app

name, port = sys.argv[1], int(sys.argv[2])
if name == "sanic":
    from sanic import Sanic
    server = Sanic("server")
    @server.websocket("/")
    async def handler(request, ws):
        await ws.recv()
        await ws.close(4001, REASON)
    if __name__ == "__main__":
        server.run("127.0.0.1", port, single_process=True, access_log=False, motd=False)
elif name == "tornado":
    import tornado.web, tornado.websocket
    class Handler(tornado.websocket.WebSocketHandler):
        def on_message(self, message):
            self.close(4001, REASON)
    async def main():
        tornado.web.Application([("/", Handler)]).listen(port, "127.0.0.1")
        await asyncio.Event().wait()
    asyncio.run(main())
elif name == "websockets":
    import websockets
    async def handler(ws):
        await ws.recv()
        await ws.close(4001, REASON)
    async def main():
        async with websockets.serve(handler, "127.0.0.1", port) as server:
            await server.serve_forever()
    asyncio.run(main())
elif name == "autobahn":
    from autobahn.asyncio.websocket import WebSocketServerFactory, WebSocketServerProtocol
    class Protocol(WebSocketServerProtocol):
        def onMessage(self, payload, binary):
            self.sendClose(4001, REASON)
    async def main():
        factory = WebSocketServerFactory(f"ws://127.0.0.1:{port}")
        factory.protocol = Protocol
        server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", port)
        await server.serve_forever()
    asyncio.run(main())
elif name == "socketify":
    from socketify import App
    server = App()
    server.ws("/", {"message": lambda ws, message, opcode: ws.end(4001, REASON)})
    server.listen({"host": "127.0.0.1", "port": port}, lambda config: None)
    server.run()
elif name.startswith("uvicorn"):
    import uvicorn
    uvicorn.run(app, host="127.0.0.1", port=port, ws=name.split()[-1], lifespan="off")
elif name == "hypercorn":
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    asyncio.run(serve(app, config))
elif name == "granian":
    from granian.server.embed import Server
    asyncio.run(Server(app, address="127.0.0.1", port=port, interface="asginl").serve())
PY
cat > "$dir/run.py" <<'PY'
import asyncio, os, socket, struct, sys

os.chdir(sys.argv[1])
NAMES = ["uvicorn, wsproto", "hypercorn", "autobahn", "sanic", "websockets", "uvicorn, websockets", "tornado",
         "granian", "socketify"]
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

async def visit(port):
    reader, writer = await connect(port)
    writer.write(REQUEST)
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"\x81\x82" + bytes(4) + b"go")
    try:
        kind, size = await reader.readexactly(2)
        if size == 126:
            size, = struct.unpack("!H", await reader.readexactly(2))
        body = await reader.readexactly(size)
    except (asyncio.IncompleteReadError, ConnectionError):
        return "no close frame"
    finally:
        writer.close()
    code, = struct.unpack("!H", body[:2])
    try:
        reason = f"{len(body[2:].decode())} letters"
    except UnicodeDecodeError:
        reason = "text that is not UTF-8"
    return f"{code}, reason: {reason}, payload of {size} bytes"

async def main():
    for name in NAMES:
        port = free()
        server = await asyncio.create_subprocess_exec(
            sys.executable, "server.py", name, str(port),
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL)
        try:
            _, writer = await connect(port)
            writer.close()
            print(f"{name}: {await asyncio.wait_for(visit(port), 10)}", flush=True)
        finally:
            server.terminate()
            await server.wait()

asyncio.run(main())
PY
timeout 180 "$dir/py/bin/python" "$dir/run.py" "$dir" 2> "$dir/errors" | tee "$dir/seen" || { cat "$dir/errors"; exit 1; }
diff - "$dir/seen" <<'OUTPUT'
uvicorn, wsproto: 4001, reason: 61 letters, payload of 124 bytes
hypercorn: 4001, reason: 61 letters, payload of 124 bytes
autobahn: 4001, reason: 61 letters, payload of 124 bytes
sanic: 1000, reason: 0 letters, payload of 2 bytes
websockets: 1011, reason: 0 letters, payload of 2 bytes
uvicorn, websockets: no close frame
tornado: no close frame
granian: 4001, reason: 62 letters, payload of 126 bytes
socketify: 4001, reason: text that is not UTF-8, payload of 125 bytes
OUTPUT
