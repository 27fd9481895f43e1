#!/usr/bin/env bash
# Two xmpp.js clients with one resource push each other out for ever.
#
# Guess:    a client that is told <conflict/> ("another one has taken your name") stays away: it is
#           an answer, not a loss. It redials after a lost line only.
# Software: @xmpp/client 0.14.0 (npm) with its built-in reconnection. The server is a script on ws
#           8.23.0 that does what RFC 6120 (7.7.2.2) allows: the newer one wins, the older one gets
#           a stream error <conflict/> and the stream is closed.
# Seen:     the client emits "error" with the condition "conflict", and then redials a second later
#           like after any other end. So each client wins and loses in turn, about once a second,
#           with a full login each time; nothing grows, nothing ends.
# Output:   see the end of this file.
# Matters:  one forgotten tab makes both useless and loads the server, and both look like "a flaky
#           network". A message in-band that names the reason must reach the decision to redial; the
#           close that follows it (1000 here) says nothing.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
npm install --silent --no-fund --no-audit --prefix "$dir" @xmpp/client@0.14.0 ws@8.23.0
cat > "$dir/run.mjs" <<'JS'
import { WebSocket, WebSocketServer } from "ws";
globalThis.WebSocket ??= WebSocket;   // Node 20 has none of its own
const { client } = await import("@xmpp/client");

const FRAMING = 'xmlns="urn:ietf:params:xml:ns:xmpp-framing"';
const STREAM = 'xmlns:stream="http://etherx.jabber.org/streams"';
const holder = new Map();   // resource -> socket
let conflicts = 0;

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, handleProtocols: () => "xmpp" });
await new Promise((listening) => server.on("listening", listening));
server.on("connection", (socket) => {
  let authenticated = false;
  socket.on("message", (data) => {
    const text = String(data);
    if (text.startsWith("<open")) {
      socket.send(`<open ${FRAMING} from="example.org" id="s" version="1.0"/>`);
      socket.send(`<stream:features ${STREAM}>` + (authenticated
        ? '<bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"/>'
        : '<mechanisms xmlns="urn:ietf:params:xml:ns:xmpp-sasl"><mechanism>PLAIN</mechanism></mechanisms>')
        + "</stream:features>");
    } else if (text.startsWith("<auth")) {
      authenticated = true;
      socket.send('<success xmlns="urn:ietf:params:xml:ns:xmpp-sasl"/>');
    } else if (text.startsWith("<iq")) {
      const id = /id="([^"]+)"/.exec(text)[1];
      const resource = /<resource>([^<]+)</.exec(text)[1];
      const older = holder.get(resource);
      holder.set(resource, socket);
      socket.send(`<iq xmlns="jabber:client" type="result" id="${id}"><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind">`
        + `<jid>someone@example.org/${resource}</jid></bind></iq>`);
      if (older) {
        conflicts += 1;
        older.send(`<stream:error ${STREAM}><conflict xmlns="urn:ietf:params:xml:ns:xmpp-streams"/></stream:error>`);
        older.send(`<close ${FRAMING}/>`);
        older.close(1000);
      }
    } else if (text.startsWith("<close")) {
      socket.close(1000);
    }
  });
  socket.on("close", () => { for (const [name, held] of holder) if (held === socket) holder.delete(name); });
});

const told = new Map();
for (const name of ["first", "second"]) {
  const one = client({ service: `ws://127.0.0.1:${server.address().port}/`, domain: "example.org", resource: "desk",
                       username: "someone", password: "secret" });
  told.set(name, { online: 0, conflict: 0, other: 0 });
  one.on("online", () => { told.get(name).online += 1; });
  one.on("error", (error) => { told.get(name)[error.condition === "conflict" ? "conflict" : "other"] += 1; });
  one.start().catch(() => {});
  await new Promise((passed) => setTimeout(passed, 500));
}
await new Promise((passed) => setTimeout(passed, 10000));
for (const [name, { online, conflict, other }] of told)
  console.log(`${name}: online more than 3 times: ${online > 3}, told "conflict" more than 3 times: ${conflict > 3}, other errors: ${other}`);
console.log(`the server saw more than 6 conflicts in 10 s: ${conflicts > 6}`);
process.exit();
JS
timeout 60 node "$dir/run.mjs" 2> "$dir/errors" | tee "$dir/seen" || { cat "$dir/errors"; exit 1; }
diff - "$dir/seen" <<'OUTPUT'
first: online more than 3 times: true, told "conflict" more than 3 times: true, other errors: 0
second: online more than 3 times: true, told "conflict" more than 3 times: true, other errors: 0
the server saw more than 6 conflicts in 10 s: true
OUTPUT
