#!/usr/bin/env bash
# A WAMP router that says goodbye before it stops loses its JavaScript clients for good.
#
# Guess:    both clients of the Autobahn family come back after a GOODBYE with the reason
#           "wamp.close.system_shutdown", as after a lost line: the reason exists for a restart.
# Software: autobahn 22.11.1 (npm) and autobahn 26.10.2 (Python component on asyncio). The router is
#           a script on ws 8.23.0 that speaks HELLO, WELCOME and GOODBYE.
# Seen:     autobahn-js redials after a cut, and after close 1000 without a GOODBYE. After any
#           GOODBYE of the router it reports "lost" with will_retry=false and never redials. The
#           Python client redials after "system_shutdown" and "close_realm", and ends after
#           "wamp.close.normal" only.
# Output:   see the end of this file.
# Matters:  the polite stop is the fatal one: a killed router gets its browsers back, one that is
#           restarted properly does not. A message of farewell in-band has to be passed on to the
#           policy of reconnection as advice, with its reason, and not as "the end".
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check autobahn==26.10.2
npm install --silent --no-fund --no-audit --prefix "$dir/js" autobahn@22.11.1 ws@8.23.0
cat > "$dir/client.py" <<'PY'
import asyncio, logging, sys
from autobahn.asyncio.component import Component

logging.disable(logging.CRITICAL)

async def main():
    component = Component(realm="realm1", transports=[{
        "type": "websocket", "url": sys.argv[1], "serializers": ["json"],
        "initial_retry_delay": 0.2, "max_retries": -1}])
    await component.start(asyncio.get_running_loop())

asyncio.run(main())
PY
cat > "$dir/js/client.js" <<'JS'
const autobahn = require("autobahn");
new autobahn.Connection({ url: process.argv[2], realm: "realm1", initial_retry_delay: 0.2 }).open();
JS
cat > "$dir/js/router.js" <<'JS'
const { spawn } = require("node:child_process");
const { WebSocketServer } = require("ws");
const [, , python, folder] = process.argv;
const clients = { "autobahn-js": ["node", `${folder}/js/client.js`], "autobahn-python": [python, `${folder}/client.py`] };
const ends = ["cut", "close 1000", "wamp.close.system_shutdown", "wamp.close.close_realm", "wamp.close.normal"];

async function dials(command, end) {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, handleProtocols: () => "wamp.2.json" });
  await new Promise((listening) => server.on("listening", listening));
  let count = 0;
  const first = new Promise((happened) => server.on("connection", (socket) => {
    count += 1;
    socket.on("message", (data) => {
      if (JSON.parse(data)[0] !== 1) return;
      socket.send(JSON.stringify([2, count, { roles: { broker: {}, dealer: {} } }]));
      setTimeout(() => {
        happened();
        if (end === "cut") return socket.terminate();
        if (end === "close 1000") return socket.close(1000);
        socket.send(JSON.stringify([6, {}, end]));
        setTimeout(() => socket.close(1000), 100);
      }, 200);
    });
  }));
  const child = spawn(command[0], [...command.slice(1), `ws://127.0.0.1:${server.address().port}/`], { stdio: "ignore" });
  await first;
  await new Promise((passed) => setTimeout(passed, 3000));
  child.kill("SIGKILL");
  for (const socket of server.clients) socket.terminate();
  server.close();
  return count > 1 ? "redials" : "never redials";
}

(async () => {
  for (const [name, command] of Object.entries(clients))
    for (const end of ends) console.log(`${name}, ${end}: ${await dials(command, end)}`);
})();
JS
timeout 120 node "$dir/js/router.js" "$dir/py/bin/python" "$dir" | tee "$dir/seen"
diff - "$dir/seen" <<'OUTPUT'
autobahn-js, cut: redials
autobahn-js, close 1000: redials
autobahn-js, wamp.close.system_shutdown: never redials
autobahn-js, wamp.close.close_realm: never redials
autobahn-js, wamp.close.normal: never redials
autobahn-python, cut: redials
autobahn-python, close 1000: redials
autobahn-python, wamp.close.system_shutdown: redials
autobahn-python, wamp.close.close_realm: redials
autobahn-python, wamp.close.normal: never redials
OUTPUT
