#!/usr/bin/env bash
# mqtt.js shows an upgrade refused with 401, 403, 404 or 503 as a plain "close", and redials.
#
# Guess:    an "error" event with the status, as ws itself gives it; then redials each second.
# Software: mqtt 5.16.0 (npm) over WebSockets, that is over ws; the server is Node's own http.
# Seen:     no "error" event. Each attempt is "close" without an argument, then "reconnect", each
#           second, for ever and alike for 401, 403, 404 and 503; a Retry-After of 30 is not kept.
#           A refusal of MQTT itself (CONNACK 5) is an error and ends the client.
# Output:   see the end of this file.
# Matters:  where the proxy in front of a broker checks the token, an expired one looks like a broker
#           that is down: no program can tell, refresh, or stop, and the proxy sees one request a
#           second from each client of the fleet. Whoever writes a client keeps the status of a
#           refused upgrade where the policy can see it.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
npm install --silent --no-fund --no-audit --prefix "$dir" mqtt@5.16.0 ws@8.23.0
cat > "$dir/run.js" <<'JS'
const http = require("node:http");
const mqtt = require("mqtt");
const { WebSocketServer } = require("ws");
const passed = (ms) => new Promise((done) => setTimeout(done, ms));

async function watch(url) {
  const events = [];
  const client = mqtt.connect(url);
  client.on("error", (error) => events.push(`error "${error.message}"`));
  client.on("close", (...args) => events.push(`close ${JSON.stringify(args)}`));
  client.on("reconnect", () => events.push("reconnect"));
  await passed(3600);
  await new Promise((ended) => client.end(true, ended));
  return events.slice(0, -1);   // the last close is the one of end()
}

(async () => {
  for (const status of [401, 403, 404, 503]) {
    let dials = 0;
    const server = http.createServer();
    server.on("upgrade", (request, socket) => {
      dials += 1;
      socket.end(`HTTP/1.1 ${status} No\r\nRetry-After: 30\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
    });
    await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
    const events = await watch(`ws://127.0.0.1:${server.address().port}/`);
    const kinds = [...new Set(events)].join(", ");
    console.log(`${status}, Retry-After 30: ${dials >= 3 ? "redials each second" : "waits"}; events: ${kinds}`);
    server.close();
  }
  let dials = 0;
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, handleProtocols: () => "mqtt" });
  await new Promise((listening) => server.on("listening", listening));
  server.on("connection", (socket) => {
    dials += 1;
    socket.once("message", () => socket.send(Buffer.from([0x20, 2, 0, 5]), () => socket.close()));
  });
  const events = await watch(`ws://127.0.0.1:${server.address().port}/`);
  console.log(`CONNACK 5: ${dials} dial; events: ${[...new Set(events)].join(", ")}`);
  server.close();
})();
JS
timeout 90 node "$dir/run.js" | tee "$dir/seen"
diff - "$dir/seen" <<'OUTPUT'
401, Retry-After 30: redials each second; events: close [], reconnect
403, Retry-After 30: redials each second; events: close [], reconnect
404, Retry-After 30: redials each second; events: close [], reconnect
503, Retry-After 30: redials each second; events: close [], reconnect
CONNACK 5: 1 dial; events: error "Connection refused: Not authorized"
OUTPUT
