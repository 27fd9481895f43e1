#!/usr/bin/env bash
# Server-sent events in Node: five clients after a 204, which ends a stream for good, and after an orderly end.
#
# Guess:    all five come back 0.3 s after an orderly end, since the server said "retry: 300", and say with
#           Last-Event-ID what they have; 204 ends them, as the standard of WHATWG has it. The line with
#           "retry" alone is no message.
# Software: eventsource 4.1.1, launchdarkly-eventsource 2.2.0, reconnecting-eventsource 1.6.5 over the first,
#           event-source-polyfill 1.0.31, @microsoft/fetch-event-source 2.0.1 (npm), on Node.
# Seen:     the first two do. reconnecting-eventsource dials on after 204, and without Last-Event-ID: it starts
#           again from the beginning. event-source-polyfill dials on, too, and names the last event in the
#           query, not in the header. fetch-event-source takes each orderly end for the last, unless its
#           program throws in `onclose`; the line with "retry" is an empty message to it.
# Output:   see the end of this file.
# Matters:  a server that ends its clients with 204 is dialled for ever by two of five, and one that ends
#           streams now and then to move them loses the fifth. What ends a stream is a matter of the client.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
npm install --silent --no-fund --no-audit --prefix "$dir" eventsource@4.1.1 launchdarkly-eventsource@2.2.0 \
    reconnecting-eventsource@1.6.5 event-source-polyfill@1.0.31 @microsoft/fetch-event-source@2.0.1
cat > "$dir/client.js" <<'JS'
const [name, url] = process.argv.slice(2);
const hear = ({ data, lastEventId, id }) => console.log(`${JSON.stringify(data)} id ${lastEventId || id || "none"}`);
process.on("uncaughtException", () => {});
const constructors = {
  eventsource: () => require("eventsource").EventSource,
  "launchdarkly-eventsource": () => require("launchdarkly-eventsource").EventSource,
  "event-source-polyfill": () => require("event-source-polyfill").EventSourcePolyfill,
  "reconnecting-eventsource": () => {
    globalThis.window = globalThis;
    globalThis.EventSource = require("eventsource").EventSource;
    return require("reconnecting-eventsource").default;
  },
};
if (constructors[name]) {
  const source = new (constructors[name]())(url);
  source.onmessage = hear;
  source.onerror = () => {};
} else {
  globalThis.window = globalThis;
  globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} };
  require("@microsoft/fetch-event-source").fetchEventSource(url, { onmessage: hear });
}
JS
cat > "$dir/run.py" <<'PY'
import asyncio, sys

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
ANSWERS = HEAD + b"retry: 300\n\nid: 1\ndata: one\n\n", HEAD + b"id: 2\ndata: two\n\n"
GONE = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
NAMES = ("eventsource", "launchdarkly-eventsource", "reconnecting-eventsource", "event-source-polyfill",
         "@microsoft/fetch-event-source")

async def watch(name):
    """What a client hears, and from where on it asks each time, in 12 seconds."""
    asked = []

    async def answer(reader, writer):
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        header = [line.split(":")[1].strip() for line in lines if line.lower().startswith("last-event-id")]
        query = first.split()[1].partition("lastEventId=")[2]
        writer.write(ANSWERS[len(asked)] if len(asked) < len(ANSWERS) else GONE)
        asked.append(header[0] if header else f"{query} in the query" if query else "nothing")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        client = await asyncio.create_subprocess_exec(
            "node", f"{sys.argv[1]}/client.js", name, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL)
        while not asked:
            await asyncio.sleep(0.05)
        await asyncio.sleep(12)
        if client.returncode is None:
            client.kill()
        said = (await client.stdout.read()).decode().splitlines()
    after = asked[len(ANSWERS) + 1:]
    again = f"dials again, with {after[0]}" if after else "dials no more"
    lines = [name, f"  hears {', '.join(said)}", f"  comes back with {', '.join(asked[1:3]) or 'no dial'}"]
    if len(asked) > len(ANSWERS):
        lines.append(f"  after 204 {again}")
    return "\n".join(lines)

async def main():
    print(*await asyncio.gather(*map(watch, NAMES)), sep="\n")

asyncio.run(main())
PY
timeout 60 python3 "$dir/run.py" "$dir" | tee "$dir/seen"
diff - "$dir/seen" <<'OUTPUT'
eventsource
  hears "one" id 1, "two" id 2
  comes back with 1, 2
  after 204 dials no more
launchdarkly-eventsource
  hears "one" id 1, "two" id 2
  comes back with 1, 2
  after 204 dials no more
reconnecting-eventsource
  hears "one" id 1, "two" id 2
  comes back with 1, 2
  after 204 dials again, with nothing
event-source-polyfill
  hears "one" id 1, "two" id 2
  comes back with 1 in the query, 2 in the query
  after 204 dials again, with 2 in the query
@microsoft/fetch-event-source
  hears "" id none, "one" id 1
  comes back with no dial
OUTPUT
