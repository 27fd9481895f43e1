#!/usr/bin/env bash
# Asking two servers to compress with less memory makes the connection fail instead.
#
# Guess:    permessage-deflate is negotiated: a server that cannot do what is asked declines, and the
#           connection opens without compression, or with less of it (RFC 7692, 5.1 and 7.1).
# Software: tornado 6.6.1 and socketify 0.0.31 (uWebSockets) as servers with compression on, beside
#           uvicorn 0.54.0; the client is websockets 17.4.
# Seen:     asked for server_no_context_takeover, tornado and socketify accept the offer but not that
#           part of it, which RFC 7692 (7.1.1.1) does not allow; the client ends the handshake with
#           NegotiationError. Asked for a window of 8 bits, which is valid, tornado answers HTTP 500,
#           and socketify gives an answer that does not fit either. uvicorn keeps the first wish and
#           declines the second. What the client asks for by default works everywhere.
# Output:   see the end of this file.
# Matters:  a setting that saves memory (thousands of connections, a small device) turns into a
#           server that is "down": 500 is retried for ever. A client that is refused with extensions
#           offered tries once without them, or says in its record which it had offered.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check tornado==6.6.1 socketify==0.0.31 uvicorn==0.54.0 websockets==17.4
cat > "$dir/server.py" <<'PY'
import asyncio, sys

name, port = sys.argv[1], int(sys.argv[2])
if name == "tornado":
    import tornado.web, tornado.websocket
    class Echo(tornado.websocket.WebSocketHandler):
        def get_compression_options(self):
            return {}
        def on_message(self, message):
            self.write_message(message)
    async def main():
        tornado.web.Application([("/", Echo)]).listen(port, "127.0.0.1")
        await asyncio.Event().wait()
    asyncio.run(main())
elif name == "socketify":
    from socketify import App, CompressOptions
    app = App()
    app.ws("/", {"compression": CompressOptions.DEDICATED_COMPRESSOR_4KB,
                 "message": lambda ws, message, opcode: ws.send(message, opcode, True)})
    app.listen({"host": "127.0.0.1", "port": port}, lambda config: None)
    app.run()
else:
    import uvicorn
    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": event["text"]})
    uvicorn.run(app, host="127.0.0.1", port=port, ws="websockets", lifespan="off")
PY
cat > "$dir/run.py" <<'PY'
import asyncio, os, socket, sys
import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory as Deflate

os.chdir(sys.argv[1])
OFFERS = {
    "as by default": {"client_max_window_bits": True},
    "server_no_context_takeover": {"server_no_context_takeover": True},
    "server_max_window_bits=9": {"server_max_window_bits": 9},
    "server_max_window_bits=8": {"server_max_window_bits": 8},
}
TEXT = "compress me " * 500

def free():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]

async def attempt(port, offer):
    try:
        async with websockets.connect(f"ws://127.0.0.1:{port}/", compression=None, extensions=[Deflate(**offer)],
                                      close_timeout=1) as ws:
            await ws.send(TEXT)
            same = await asyncio.wait_for(ws.recv(), 5) == TEXT
            return f"opens, {'with' if ws.protocol.extensions else 'without'} compression, echo right: {same}"
    except websockets.exceptions.InvalidStatus as error:
        return f"HTTP {error.response.status_code}"
    except websockets.exceptions.NegotiationError:
        return "NegotiationError, the answer does not fit the offer"

async def main():
    for name in ("uvicorn", "tornado", "socketify"):
        port = free()
        server = await asyncio.create_subprocess_exec(sys.executable, "server.py", name, str(port),
                                                      stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL)
        try:
            for _ in range(150):
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.1)
                else:
                    writer.close()
                    break
            for what, offer in OFFERS.items():
                print(f"{name}, {what}: {await attempt(port, offer)}", flush=True)
        finally:
            server.terminate()
            await server.wait()

asyncio.run(main())
PY
timeout 90 "$dir/py/bin/python" "$dir/run.py" "$dir" 2> "$dir/errors" | tee "$dir/seen" || { cat "$dir/errors"; exit 1; }
diff - "$dir/seen" <<'OUTPUT'
uvicorn, as by default: opens, with compression, echo right: True
uvicorn, server_no_context_takeover: opens, with compression, echo right: True
uvicorn, server_max_window_bits=9: opens, with compression, echo right: True
uvicorn, server_max_window_bits=8: opens, without compression, echo right: True
tornado, as by default: opens, with compression, echo right: True
tornado, server_no_context_takeover: NegotiationError, the answer does not fit the offer
tornado, server_max_window_bits=9: opens, with compression, echo right: True
tornado, server_max_window_bits=8: HTTP 500
socketify, as by default: opens, with compression, echo right: True
socketify, server_no_context_takeover: NegotiationError, the answer does not fit the offer
socketify, server_max_window_bits=9: opens, with compression, echo right: True
socketify, server_max_window_bits=8: NegotiationError, the answer does not fit the offer
OUTPUT
