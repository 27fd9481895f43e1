#!/usr/bin/env bash
# Retry-After on a 503: what nine HTTP clients that retry by themselves make of "2.5", "2" and a date.
#
# Guess:    "2" and a date are obeyed by all. "2.5" is no number of whole seconds, as RFC 9110 (10.2.3)
#           wants it; a client waits that long all the same, or ignores it and takes its own pause.
# Software: urllib3 2.8.0, niquests 3.21.2, httpx-retries 0.6.0, aiohttp-retry 2.9.1; of npm got 14.6.6,
#           ky 1.14.3, axios-retry 4.5.0, undici 7.30.2, make-fetch-happen 15.0.6.
# Seen:     urllib3 and niquests raise InvalidHeader for "2.5": the first 503 ends the request for which
#           they were to try again. aiohttp-retry and make-fetch-happen know no Retry-After on a 503 and
#           come back early whatever it says. The others wait as told; httpx-retries takes its own pause
#           for "2.5".
# Output:   see the end of this file.
# Matters:  a server that answers with a fraction, of a clock or of jitter, keeps some clients away for
#           good and slows others not at all: send whole seconds. A client should read a header that it
#           cannot use as no header.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
npm install --silent --no-fund --no-audit --prefix "$dir/js" \
    got@14.6.6 ky@1.14.3 axios@1.21.1 axios-retry@4.5.0 undici@7.30.2 make-fetch-happen@15.0.6 &
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check urllib3==2.8.0 niquests==3.21.2 urllib3-future==2.25.904 \
    httpx==0.28.1 httpx-retries==0.6.0 aiohttp==3.14.5 aiohttp-retry==2.9.1
wait
cat > "$dir/js/client.mjs" <<'JS'
import axios from "axios";
import axiosRetry from "axios-retry";
import { got } from "got";
import ky from "ky";
import fetch from "make-fetch-happen";
import { Agent, RetryAgent, request } from "undici";

axiosRetry(axios, { retries: 3, retryDelay: axiosRetry.exponentialDelay });
const gets = {
  got: got,
  ky: url => ky(url, { timeout: false }),
  "axios-retry": url => axios.get(url),
  undici: url => request(url, { dispatcher: new RetryAgent(new Agent()) }),
  "make-fetch-happen": url => fetch(url, { retry: { retries: 3 } }),
};
await gets[process.argv[2]](process.argv[3]);
process.exit();
JS
cat > "$dir/client.py" <<'PY'
import asyncio, sys

name, url = sys.argv[1:]

async def asynchronous():
    from aiohttp_retry import ExponentialRetry, RetryClient
    async with RetryClient(retry_options=ExponentialRetry(3)) as client, client.get(url):
        pass

try:
    if name == "urllib3":
        import urllib3
        urllib3.PoolManager().request("GET", url, retries=urllib3.Retry(3, status_forcelist=[503], backoff_factor=0.1))
    elif name == "niquests":
        import niquests
        pauses = niquests.RetryConfiguration(3, status_forcelist=[503], backoff_factor=0.1)
        niquests.Session(retries=pauses).get(url)
    elif name == "httpx-retries":
        import httpx
        from httpx_retries import Retry, RetryTransport
        with httpx.Client(transport=RetryTransport(retry=Retry(3, backoff_factor=0.1))) as client:
            client.get(url)
    else:
        asyncio.run(asynchronous())
except Exception as error:
    print(type(error).__name__)
PY
cat > "$dir/run.py" <<'PY'
import asyncio, sys, time
from email.utils import formatdate

TOLD = {"none": lambda: "", "2": lambda: "2", "2.5": lambda: "2.5", "a date": lambda: formatdate(time.time() + 4, usegmt=True)}

async def told(value, *command):
    """When a client that was refused comes back."""
    dials = []

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        dials.append(time.monotonic())
        header = f"Retry-After: {value()}\r\n" if value() else ""
        status = "503 Service Unavailable" if len(dials) == 1 else "200 OK"
        writer.write(f"HTTP/1.1 {status}\r\n{header}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        client = await asyncio.create_subprocess_exec(*command, url, stdout=asyncio.subprocess.PIPE)
        said = (await asyncio.wait_for(client.communicate(), 30))[0].decode().strip()
    if len(dials) == 1:
        return said
    return "as told" if dials[1] - dials[0] > 1.9 else "its own pause"

async def main():
    folder = sys.argv[1]
    python, node = (sys.executable, f"{folder}/client.py"), ("node", f"{folder}/js/client.mjs")
    clients = {"urllib3": python, "niquests": python, "httpx-retries": python, "aiohttp-retry": python, "got": node,
               "ky": node, "axios-retry": node, "undici": node, "make-fetch-happen": node}
    names = list(clients)
    for some in names[:4], names[4:]:
        pauses = await asyncio.gather(*(told(value, *clients[name], name) for name in some for value in TOLD.values()))
        for name in some:
            seen, pauses = pauses[:len(TOLD)], pauses[len(TOLD):]
            print(f"{name}:", ", ".join(f"{what} - {pause}" for what, pause in zip(TOLD, seen, strict=True)))

asyncio.run(main())
PY
timeout 100 "$dir/py/bin/python" "$dir/run.py" "$dir" | tee "$dir/seen"
diff - "$dir/seen" <<'OUTPUT'
urllib3: none - its own pause, 2 - as told, 2.5 - InvalidHeader, a date - as told
niquests: none - its own pause, 2 - as told, 2.5 - InvalidHeader, a date - as told
httpx-retries: none - its own pause, 2 - as told, 2.5 - its own pause, a date - as told
aiohttp-retry: none - its own pause, 2 - its own pause, 2.5 - its own pause, a date - its own pause
got: none - its own pause, 2 - as told, 2.5 - as told, a date - as told
ky: none - its own pause, 2 - as told, 2.5 - as told, a date - as told
axios-retry: none - its own pause, 2 - as told, 2.5 - as told, a date - as told
undici: none - its own pause, 2 - as told, 2.5 - as told, a date - as told
make-fetch-happen: none - its own pause, 2 - its own pause, 2.5 - its own pause, a date - its own pause
OUTPUT
