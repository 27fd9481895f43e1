#!/usr/bin/env bash
# Server-sent events in Python: what six clients make of an event that the end of a connection cut in half.
#
# Guess:    half an event is dropped, as the standard of WHATWG has it; a client that comes back does so
#           0.3 s after each end, since the server said "retry: 300" once, with the id of the last whole
#           event; 204 ends it. A lone "retry" line is no event.
# Software: aiohttp-sse-client 0.2.1, requests-sse 0.5.3, sseclient 0.0.27, which come back by themselves;
#           sseclient-py 1.9.0, httpx-sse 0.4.3, aiosseclient 0.1.8, which do not.
# Seen:     aiohttp-sse-client puts the half in front of the same event when it is sent again: "tw" and
#           "two" are one message of two lines. sseclient-py hands out the half as a whole event, with its
#           id. aiohttp-sse-client and requests-sse forget "retry" with the connection that said it: the
#           second return takes ten seconds. 204 ends those two with an error; sseclient dials on,
#           three times a second. httpx-sse and aiosseclient hand out an empty event for the "retry" line.
# Output:   see the end of this file.
# Matters:  what a parser holds when a connection ends belongs to that connection. A client that keeps it
#           makes a message that nobody sent, just where a restart has cut a stream; a client that believes
#           half an event asks for what comes after it, and never sees the other half.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check aiohttp-sse-client==0.2.1 requests-sse==0.5.3 \
    sseclient-py==1.9.0 httpx-sse==0.4.3 httpx==0.28.1 aiosseclient==0.1.8
# Its module has the name of another one.
"$dir/py/bin/pip" install -q --disable-pip-version-check --target "$dir/other" sseclient==0.0.27
cat > "$dir/client.py" <<'PY'
import asyncio, sys, warnings

warnings.simplefilter("ignore")
name, url = sys.argv[1:]

def show(data, id_):
    print(f"{data!r} id {id_ or 'none'}", flush=True)

async def asynchronous():
    if name == "aiosseclient":
        from aiosseclient import aiosseclient
        async for event in aiosseclient(url):
            show(event.data, event.id)
    else:
        from aiohttp_sse_client.client import EventSource
        async with EventSource(url) as source:
            async for event in source:
                show(event.data, event.last_event_id)

def blocking():
    if name == "httpx-sse":
        import httpx, httpx_sse
        with httpx.Client() as client, httpx_sse.connect_sse(client, "GET", url) as source:
            for event in source.iter_sse():
                show(event.data, event.id)
    elif name == "requests-sse":
        from requests_sse import EventSource
        with EventSource(url, timeout=5) as source:
            for event in source:
                show(event.data, event.last_event_id)
    elif name == "sseclient-py":
        import requests, sseclient
        for event in sseclient.SSEClient(requests.get(url, stream=True)).events():
            show(event.data, event.id)
    else:
        sys.path.insert(0, f"{sys.path[0]}/other")
        import sseclient
        for event in sseclient.SSEClient(url):
            show(event.data, event.id)

try:
    asyncio.run(asynchronous()) if name in ("aiosseclient", "aiohttp-sse-client") else blocking()
    print("the end")
except Exception as error:
    print(f"the end: {type(error).__name__}")
PY
cat > "$dir/run.py" <<'PY'
import asyncio, sys, time

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
ANSWERS = (HEAD + b"retry: 300\n\nid: 1\ndata: one\n\nid: 2\ndata: tw",
           HEAD + b"id: 2\ndata: two\n\n")
GONE = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"

class Server:
    """Ends each stream; notes when it ended one, when it was dialled, and from which event on."""

    def __init__(self):
        self.dials, self.ended = [], None

    async def answer(self, reader, writer):
        request = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        last = [line.split(":")[1].strip() for line in request if line.lower().startswith("last-event-id")]
        pause = 0 if self.ended is None else time.monotonic() - self.ended
        writer.write(ANSWERS[len(self.dials)] if len(self.dials) < len(ANSWERS) else GONE)
        self.dials.append((last[0] if last else "none", pause))
        await writer.drain()
        writer.close()
        self.ended = time.monotonic()

async def watch(name):
    """What a client does within 13 seconds after its first dial."""
    served = Server()
    async with await asyncio.start_server(served.answer, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        client = await asyncio.create_subprocess_exec(
            sys.executable, f"{sys.argv[1]}/client.py", name, url,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL)
        while not served.dials:
            await asyncio.sleep(0.05)
        try:
            await asyncio.wait_for(client.wait(), 13)
        except TimeoutError:
            client.kill()
        said = [line for line in (await client.stdout.read()).decode().splitlines() if line]
    lines = [name, *(f"  {line}" for line in said)]
    for last, pause in served.dials[1:3]:
        lines.append(f"  back {'at once' if pause < 2 else 'after some ten seconds'}, after id {last}")
    if len(served.dials) > 3:
        lines.append(f"  and again, {'more than ten times' if len(served.dials) > 13 else len(served.dials) - 3}")
    return "\n".join(lines)

async def main():
    names = "aiohttp-sse-client", "requests-sse", "sseclient", "sseclient-py", "httpx-sse", "aiosseclient"
    print(*await asyncio.gather(*(watch(name) for name in names)), sep="\n")

asyncio.run(main())
PY
timeout 100 "$dir/py/bin/python" "$dir/run.py" "$dir" | tee "$dir/seen"
diff - "$dir/seen" <<'OUTPUT'
aiohttp-sse-client
  'one' id 1
  'tw\ntwo' id 2
  the end: ConnectionAbortedError
  back at once, after id 1
  back after some ten seconds, after id 2
requests-sse
  'one' id 1
  'two' id 2
  the end: InvalidStatusCodeError
  back at once, after id 1
  back after some ten seconds, after id 2
sseclient
  '' id none
  'one' id 1
  'two' id 2
  back at once, after id 1
  back at once, after id 2
  and again, more than ten times
sseclient-py
  'one' id 1
  'tw' id 2
  the end
httpx-sse
  '' id none
  'one' id 1
  the end
aiosseclient
  '' id none
  'one' id 1
  the end
OUTPUT
