#!/usr/bin/env bash
# Libraries that limit the rate of a server: the Retry-After that they name, and whom they then admit.
#
# Guess:    a 429 says in one Retry-After, in whole seconds, when the next request is admitted, and it is; nothing
#           that was admitted carries one.
# Software: Flask-Limiter 4.1.1, slowapi 0.1.10, quart-rate-limiter 0.12.1, litestar 2.25.0 (Python); koa-ratelimit
#           6.0.0, express-rate-limit 8.7.5, @fastify/rate-limit 11.2.0 (npm); three requests in four seconds
#           each, in a minute for litestar, which knows whole minutes.
# Seen:     koa-ratelimit rounds down, and Flask-Limiter at some moments: who waits as told is told again, now
#           "0". quart-rate-limiter says it twice, which a client reads as "2, 2". litestar says nothing. Those of
#           Flask and slowapi say it in each answer, 200s included.
# Output:   see the end of this file.
# Matters:  a client that obeys "0" asks as fast as it can until the last second is over, with the whole fleet; one
#           that reads the header only as a number throws "2, 2" away, or raises. Add a spread on top, give "0" a
#           floor, take the first of two, and look at the status before Retry-After.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
npm install --silent --no-fund --no-audit --prefix "$dir" koa@3.3.0 koa-ratelimit@6.0.0 express@5.3.0 express-rate-limit@8.7.5 fastify@5.12.8 @fastify/rate-limit@11.2.0 &
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check Flask-Limiter==4.1.1 slowapi==0.1.10 fastapi==0.165.0 quart-rate-limiter==0.12.1 litestar==2.25.0 uvicorn==0.54.0
wait
cat > "$dir/servers.js" <<'JS'
const http = require("http");
const Koa = require("koa"), koaLimit = require("koa-ratelimit");
const express = require("express"), { rateLimit } = require("express-rate-limit");
const fastify = require("fastify")();
(async () => {
  const koa = new Koa();
  koa.use(koaLimit({ driver: "memory", db: new Map(), duration: 4000, max: 3, id: () => "one" }));
  koa.use((context) => { context.body = "ok"; });
  const app = express();
  app.use(rateLimit({ windowMs: 4000, limit: 3 }));
  app.get("/", (_, response) => response.send("ok"));
  await fastify.register(require("@fastify/rate-limit"), { max: 3, timeWindow: 4000 });
  fastify.get("/", async () => "ok");
  await fastify.listen({ port: 0, host: "127.0.0.1" });
  const ports = { "@fastify/rate-limit": fastify.server.address().port };
  for (const [name, handler] of [["koa-ratelimit", koa.callback()], ["express-rate-limit", app]]) {
    const server = http.createServer(handler).listen(0, "127.0.0.1");
    await new Promise((done) => server.once("listening", done));
    ports[name] = server.address().port;
  }
  console.log(JSON.stringify(ports));
})();
JS
cat > "$dir/run.py" <<'PY'
import asyncio, http.client, json, logging, socket, subprocess, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import flask, flask_limiter, quart, quart_rate_limiter, slowapi, uvicorn
from fastapi import FastAPI, Request, Response
from litestar import Litestar, get
from litestar.middleware.rate_limit import RateLimitConfig
from slowapi.errors import RateLimitExceeded
from werkzeug.serving import make_server

logging.disable(logging.CRITICAL)


def of_flask():
    app = flask.Flask("app")
    app.get("/")(lambda: "ok")
    flask_limiter.Limiter(lambda: "one", app=app, default_limits=["3 per 4 seconds"], headers_enabled=True, storage_uri="memory://")
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def of_asgi(app):
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    threading.Thread(target=asyncio.run, args=[server.serve([listening])], daemon=True).start()
    return listening.getsockname()[1]


def of_slowapi():
    app = FastAPI()
    app.state.limiter = slowapi.Limiter(key_func=lambda: "one", headers_enabled=True)
    app.add_exception_handler(RateLimitExceeded, slowapi._rate_limit_exceeded_handler)

    @app.get("/")
    @app.state.limiter.limit("3 per 4 seconds")
    async def answer(request: Request, response: Response):
        return "ok"
    return of_asgi(app)


def of_quart():
    app = quart.Quart("app")
    quart_rate_limiter.RateLimiter(app)

    @app.get("/")
    @quart_rate_limiter.rate_limit(3, timedelta(seconds=4))
    async def answer():
        return "ok"
    return of_asgi(app)


def of_litestar():
    @get("/")
    async def answer() -> str:
        return "ok"
    return of_asgi(Litestar([answer], middleware=[RateLimitConfig(rate_limit=("minute", 3)).middleware]))


def ask(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/")
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.headers.get_all("Retry-After") or []


def at(part):
    """Sleep until that part of a second of the clock."""
    time.sleep((part - time.time()) % 1)


def watch(name, port):
    time.sleep(4.5)
    at(0.5)
    admitted = [ask(port)]
    time.sleep(1)
    at(0.1)  # the window that began at .5 ends at .5
    while (answer := ask(port))[0] == 200:
        admitted.append(answer)
    said = answer[1]
    told = "says nothing" if not said else f"says {' and '.join(said)}"
    if said:
        time.sleep(int(said[0]))
        status, again = ask(port)
        told += f", and then {status}" + (f" with {' and '.join(again)}" if status == 429 else "")
    if any(headers for _, headers in admitted):
        told += "; an admitted one has it, too"
    return f"{name}: {told}"


node = subprocess.Popen(["node", f"{sys.argv[1]}/servers.js"], stdout=subprocess.PIPE)
servers = {"Flask-Limiter": of_flask(), "slowapi": of_slowapi(), "quart-rate-limiter": of_quart(), "litestar": of_litestar()}
servers.update(sorted(json.loads(node.stdout.readline()).items()))
for port in servers.values():
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
            break
        except OSError:
            time.sleep(0.1)
with ThreadPoolExecutor(len(servers)) as pool:
    for line in pool.map(watch, servers, servers.values()):
        print(line, flush=True)
node.kill()
PY
timeout 60 "$dir/py/bin/python" "$dir/run.py" "$dir" 2> "$dir/errors" | tee "$dir/seen" || { cat "$dir/errors"; exit 1; }
diff - "$dir/seen" <<'OUTPUT'
Flask-Limiter: says 2, and then 429 with 0; an admitted one has it, too
slowapi: says 3, and then 200; an admitted one has it, too
quart-rate-limiter: says 2 and 2, and then 200
litestar: says nothing
@fastify/rate-limit: says 3, and then 200
express-rate-limit: says 3, and then 200
koa-ratelimit: says 2, and then 429 with 0
OUTPUT
