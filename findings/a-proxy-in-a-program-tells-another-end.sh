#!/usr/bin/env bash
# Six reverse proxies that are part of a program, between a client and a server that says goodbye, vanishes or refuses.
#
# Guess:    a proxy hands on what the server behind it said: its code and reason, a cut as a cut, and a refusal with its
#           status and Retry-After. The server behind is told how the client went.
# Software: @fastify/http-proxy 11.6.3 in fastify 5.12.8, httpxy 0.5.6, http-proxy-3 1.23.3 (npm);
#           fastapi-proxy-lib 0.3.0 and asgiproxy 0.2.0 in uvicorn 0.54.0, jupyter-server-proxy 4.6.0 in
#           jupyter-server 2.21.1; client and server are websockets 17.4, without compression.
# Seen:     two of npm hand on bytes, and the guess is right. The other four end one WebSocket and begin another:
#           a cut reaches the client as 4006, 1011, 1000, or a close without a code; two drop 1012 and 4001, and one of
#           them says 1000 instead. A 503 is 403 in two, without Retry-After; in the other two it is a 101, and then
#           1011 or a cut. A client that vanishes is an orderly 1000 or 1005 to the server, or 4006.
# Output:   see the end of this file.
# Matters:  a client that stays away after 403, 4006 or 1000 stays away because the server restarted; one that takes the
#           101 for success begins its pauses anew at each refusal. Let pauses shrink only after a message, and put a
#           proxy that hands on bytes before a server whose codes mean something.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
npm install --silent --no-fund --no-audit --prefix "$dir" \
    @fastify/http-proxy@11.6.3 fastify@5.12.8 httpxy@0.5.6 http-proxy-3@1.23.3 &
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check websockets==17.4 uvicorn==0.54.0 fastapi==0.165.0 \
    starlette==1.10.0 fastapi-proxy-lib==0.3.0 httpx-ws==0.9.0 asgiproxy==0.2.0 aiohttp==3.14.5 \
    jupyter-server-proxy==4.6.0 jupyter-server==2.21.1 tornado==6.6.1
wait $!
cat > "$dir/proxy.mjs" <<'JS'
import http from "node:http";

const [name, behind, port] = process.argv.slice(2);
const target = `http://127.0.0.1:${behind}`;
if (name === "@fastify/http-proxy") {
  const app = (await import("fastify")).default();
  await app.register((await import("@fastify/http-proxy")).default, { upstream: target, websocket: true });
  await app.listen({ port: +port, host: "127.0.0.1" });
} else {
  const proxy = (await import(name)).createProxyServer({ target, ws: true });
  proxy.on("error", () => {});
  http.createServer((request, response) => proxy.web(request, response))
    .on("upgrade", (request, socket, head) => proxy.ws(request, socket, name === "httpxy" ? {} : head, head))
    .listen(+port, "127.0.0.1");
}
JS
cat > "$dir/proxy.py" <<'PY'
import sys

import uvicorn

name, behind, port = sys.argv[1:]
target = f"//127.0.0.1:{behind}"
if name == "asgiproxy":
    from asgiproxy.config import BaseURLProxyConfigMixin, ProxyConfig
    from asgiproxy.context import ProxyContext
    from asgiproxy.simple_proxy import make_simple_proxy_app

    class Config(BaseURLProxyConfigMixin, ProxyConfig):
        upstream_base_url = f"http:{target}"
        rewrite_host_header = "127.0.0.1"

    app = make_simple_proxy_app(ProxyContext(config=Config()))
else:
    from fastapi_proxy_lib.fastapi.app import reverse_ws_app

    app = reverse_ws_app(base_url=f"ws:{target}/")
uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="critical")
PY
cat > "$dir/run.py" <<'PY'
import asyncio, os, socket, sys
from http import HTTPStatus

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed, InvalidStatus

DIR = sys.argv[1]
GOODBYES = {"1000": (1000, "done"), "1012": (1012, "restart"), "4001": (4001, "expired")}
JUPYTER = ("-m", "jupyter_server", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
           "--IdentityProvider.token=", "--ServerApp.log_level=50",
           f"--ServerApp.root_dir={DIR}", "--ServerApp.port_retries=0")
NAMES = "httpxy", "http-proxy-3", "@fastify/http-proxy", "fastapi-proxy-lib", "asgiproxy", "jupyter-server-proxy"
ends = asyncio.Queue()


def refuse(connection, request):
    if request.path.endswith("/refused"):
        response = connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "")
        response.headers["Retry-After"] = "7"
        return response


async def behind(websocket):
    """Does what it is asked for, and notes how its client went."""
    try:
        async for asked in websocket:
            if asked in GOODBYES:
                await websocket.close(*GOODBYES[asked])
            elif asked == "a cut":
                websocket.transport.abort()
            else:
                await websocket.send(asked)
    except ConnectionClosed:
        pass
    await websocket.wait_closed()
    if not websocket.request.path.endswith("/server"):
        ends.put_nowait(told(websocket.protocol.close_rcvd))


def told(close):
    """What came in a close frame, if one came."""
    return f"{int(close.code)} {close.reason}".strip() if close else "a cut"


async def dial(url, way):
    websocket = await connect(url + way, compression=None, proxy=None)
    await websocket.send("hello")
    await websocket.recv()
    return websocket


async def servers_end(url, asked):
    websocket = await dial(url, "server")
    await websocket.send(asked)
    try:
        async with asyncio.timeout(10):
            return await websocket.recv()
    except ConnectionClosed as closed:
        return told(closed.rcvd)


async def clients_end(url, code):
    websocket = await dial(url, "client")
    if code:
        await websocket.close(code, "bye")
    else:
        websocket.transport.abort()
    async with asyncio.timeout(10):
        return await ends.get()


async def refusal(url):
    try:
        websocket = await connect(url + "refused", compression=None, proxy=None)
    except InvalidStatus as refused:
        after = refused.response.headers.get("Retry-After")
        return f"{refused.response.status_code}, {f'Retry-After {after}' if after else 'no Retry-After'}"
    try:
        async with asyncio.timeout(10):
            return await websocket.recv()
    except ConnectionClosed as closed:
        return f"101, then {told(closed.rcvd)}"


async def start(name, target):
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    if name == "jupyter-server-proxy":
        command = sys.executable, *JUPYTER, f"--ServerApp.port={port}"
    elif name in ("asgiproxy", "fastapi-proxy-lib"):
        command = sys.executable, f"{DIR}/proxy.py", name, str(target), str(port)
    else:
        command = "node", f"{DIR}/proxy.mjs", name, str(target), str(port)
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=open(f"{DIR}/errors", "a"), env=os.environ | {"HOME": DIR})
    processes.append(process)
    for _ in range(400):
        try:
            (await asyncio.open_connection("127.0.0.1", port))[1].close()
            break
        except OSError:
            await asyncio.sleep(0.1)
    return f"ws://127.0.0.1:{port}/" + (f"proxy/{target}/" if name == "jupyter-server-proxy" else "")

processes = []


async def main():
    async with serve(behind, "127.0.0.1", 0, process_request=refuse) as server:
        target = server.sockets[0].getsockname()[1]
        try:
            for name in NAMES:
                url = await start(name, target)
                print(name)
                told_client = [f"{asked} -> {await servers_end(url, asked)};" for asked in (*GOODBYES, "a cut")]
                print("  the server ends:", *told_client)
                print(f"  the client ends: 4002 -> {await clients_end(url, 4002)};",
                      f"a cut -> {await clients_end(url, None)}")
                print("  503, Retry-After 7 ->", await refusal(url), flush=True)
        finally:
            for process in processes:
                process.kill()
                await process.wait()

asyncio.run(main())
PY
timeout 80 "$dir/py/bin/python" "$dir/run.py" "$dir" 2>> "$dir/errors" | tee "$dir/seen" \
    || { cat "$dir/errors"; exit 1; }
diff - "$dir/seen" <<'OUTPUT'
httpxy
  the server ends: 1000 -> 1000 done; 1012 -> 1012 restart; 4001 -> 4001 expired; a cut -> a cut;
  the client ends: 4002 -> 4002 bye; a cut -> a cut
  503, Retry-After 7 -> 503, Retry-After 7
http-proxy-3
  the server ends: 1000 -> 1000 done; 1012 -> 1012 restart; 4001 -> 4001 expired; a cut -> a cut;
  the client ends: 4002 -> 4002 bye; a cut -> a cut
  503, Retry-After 7 -> 503, Retry-After 7
@fastify/http-proxy
  the server ends: 1000 -> 1000 done; 1012 -> 1012 restart; 4001 -> 4001 expired; a cut -> 4006;
  the client ends: 4002 -> 4002 bye; a cut -> 4006
  503, Retry-After 7 -> 101, then 1011 unexpected response
fastapi-proxy-lib
  the server ends: 1000 -> 1000 done; 1012 -> 1012 restart; 4001 -> 4001 expired; a cut -> 1011;
  the client ends: 4002 -> 4002 bye; a cut -> 1000
  503, Retry-After 7 -> 403, no Retry-After
asgiproxy
  the server ends: 1000 -> 1000; 1012 -> 1000; 4001 -> 1000; a cut -> 1000;
  the client ends: 4002 -> 1000; a cut -> 1000
  503, Retry-After 7 -> 403, no Retry-After
jupyter-server-proxy
  the server ends: 1000 -> 1005; 1012 -> 1005; 4001 -> 1005; a cut -> 1005;
  the client ends: 4002 -> 1005; a cut -> 1005
  503, Retry-After 7 -> 101, then a cut
OUTPUT
