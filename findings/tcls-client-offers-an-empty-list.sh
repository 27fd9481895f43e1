#!/usr/bin/env bash
# Tcl's WebSocket client: which servers take its upgrade, and what its program hears of three ends.
#
# Guess:    its upgrade is taken by every server but websockets, which reads headers by the letter. A close
#           with 1012 is told as 1012 and answered with 1012; one without a code is told as 1005, or as
#           none; the end of TCP is told as 1006, or as an error.
# Software: websocket 1.4.2, of tcllib 1.21, on Tcl 8.6 (Debian 12); servers: websockets 17.4,
#           aiohttp 3.14.5, tornado 6.6.1, ws 8.23.0 and websocket 1.0.35 (npm).
# Seen:     the client sends "Sec-WebSocket-Protocol:" with nothing behind it, and "Connection: close"
#           beside "Connection: Upgrade". ws answers 400, too. 1012 is told, but no close frame is ever
#           answered. An end without a code is told as 1000, and a line that was cut as 1001, "Endpoint
#           going away".
# Output:   see the end of this file.
# Matters:  to Tcl each lost line is an orderly goodbye: a program that redials after 1006 only stays
#           away. A server that refuses an empty offer, for which the grammar of RFC 6455 has no room, keeps
#           out every program in Tcl; its closes take as long as it waits for an answer.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
npm install --silent --no-fund --no-audit --prefix "$dir/js" ws@8.23.0 websocket@1.0.35 &
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check websockets==17.4 aiohttp==3.14.5 tornado==6.6.1
(cd "$dir" && apt-get download -qq 'tcllib=1.21+dfsg-1' tcl8.6 libtcl8.6 2> apt && for file in *.deb; do dpkg -x "$file" root; done)
wait
cat > "$dir/client.tcl" <<'TCL'
package require websocket
::logger::disable critical
proc hear {socket type message} {
    if {$type in {connect close error timeout}} {
        puts [concat $type $message]
        flush stdout
    }
    if {$type eq "close"} exit
}
::websocket::open [lindex $argv 0] hear
vwait forever
TCL
cat > "$dir/js/server.js" <<'JS'
const http = require("http").createServer();
if (process.argv[2] === "ws") new (require("ws").WebSocketServer)({ server: http });
else new (require("websocket").server)({ httpServer: http, autoAcceptConnections: true });
http.listen(0, "127.0.0.1", () => console.log(http.address().port));
JS
cat > "$dir/server.py" <<'PY'
import asyncio, sys

import tornado.httpserver, tornado.netutil, tornado.web, tornado.websocket
from aiohttp import web
from websockets.asyncio.server import serve

async def with_websockets():
    server = await serve(lambda websocket: websocket.wait_closed(), "127.0.0.1", 0)
    return server.sockets[0].getsockname()[1]

async def with_aiohttp():
    async def handle(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive()
        return socket

    app = web.Application()
    app.router.add_get("/", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner.addresses[0][1]

async def with_tornado():
    sockets = tornado.netutil.bind_sockets(0, "127.0.0.1")
    app = tornado.web.Application([("/", tornado.websocket.WebSocketHandler)])
    tornado.httpserver.HTTPServer(app).add_sockets(sockets)
    return sockets[0].getsockname()[1]

async def main():
    print(await {"websockets": with_websockets, "aiohttp": with_aiohttp, "tornado": with_tornado}[sys.argv[1]](), flush=True)
    await asyncio.Future()

asyncio.run(main())
PY
cat > "$dir/run.py" <<'PY'
import asyncio, base64, hashlib, os, struct, sys
from pathlib import Path

folder = Path(sys.argv[1])
root = folder / "root/usr"
environment = os.environ | {"LD_LIBRARY_PATH": str(next(root.glob("lib/*-linux-gnu"))), "TCLLIBPATH": f"{root}/share/tcltk",
                            "TCL_LIBRARY": f"{root}/share/tcltk/tcl8.6"}
SERVERS = {name: (sys.executable, "server.py") for name in ("websockets", "aiohttp", "tornado")}
SERVERS |= {name: ("node", "js/server.js") for name in ("ws", "websocket")}
ENDS = {"1012": b"\x88\x09" + struct.pack(">H", 1012) + b"restart", "without a code": b"\x88\x00", "cut": b""}
READY = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n"


async def heard(port, seconds):
    """The lines of a program that dials."""
    client = await asyncio.create_subprocess_exec(root / "bin/tclsh8.6", folder / "client.tcl", f"ws://127.0.0.1:{port}/",
                                                  env=environment, stdout=asyncio.subprocess.PIPE)
    try:
        await asyncio.wait_for(client.wait(), seconds)
    except TimeoutError:
        client.kill()
    return [line.split(" when ")[0] for line in (await client.stdout.read()).decode().splitlines()]


async def taken(name):
    program, script = SERVERS[name]
    server = await asyncio.create_subprocess_exec(program, folder / script, name, stdout=asyncio.subprocess.PIPE)
    try:
        port = int(await server.stdout.readline())
        return await heard(port, 5)
    finally:
        server.kill()
        await server.wait()


async def ended(frame):
    """What the program hears after the upgrade, and if it answers with a close frame."""
    answers = asyncio.get_running_loop().create_future()

    async def serve(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        key = next(line.split(": ")[1] for line in head if line.lower().startswith("sec-websocket-key"))
        accept = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
        writer.write(READY.format(base64.b64encode(accept).decode()).encode())
        await asyncio.sleep(1)
        writer.write(frame)
        if not frame:
            writer.write_eof()
        answers.set_result(await reader.read(1))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        lines = await heard(server.sockets[0].getsockname()[1], 10)
        answer = await answers
    return f"{lines[-1]}; {'an answer' if answer else 'no answer'}"


async def main():
    for name, lines in zip(SERVERS, await asyncio.gather(*map(taken, SERVERS)), strict=True):
        print(f"{name}: {', '.join(lines)}")
    for name, told in zip(ENDS, await asyncio.gather(*map(ended, ENDS.values())), strict=True):
        print(f"{name}: {told}")

asyncio.run(main())
PY
timeout 100 "$dir/py/bin/python" "$dir/run.py" "$dir" | tee "$dir/seen"
diff - "$dir/seen" <<'OUTPUT'
websockets: error HTTP error code 400
aiohttp: connect
tornado: connect
ws: error HTTP error code 400
websocket: connect
1012: close 1012 restart; no answer
without a code: close 1000 {Normal closure}; no answer
cut: close 1001 {Endpoint going away}; no answer
OUTPUT
