#!/usr/bin/env bash
# lighttpd's graceful restart answers nobody as long as a WebSocket is open, and cuts that at last.
#
# Guess:    SIGUSR1 takes the new configuration at once, and old WebSockets live on beside it, as
#           they do at a reload of nginx, haproxy and Apache.
# Software: lighttpd 1.4.69 (Debian 12) in front of websockets 17.4, loopback.
# Seen:     the open WebSockets are served for some nine seconds, then cut without a close frame,
#           whether they are quiet or talk. A new connection waits in the backlog of the kernel
#           until then. Then the server is there again. Its documents say as much: SIGUSR1 serves
#           existing connections first, and server.graceful-restart-bg changes that.
# Output:   see the end of this file.
# Matters:  a reload is a restart here: whoever dials waits, and everybody who was connected comes
#           back in the same moment. Only a limit of the client's own bounds a dial that waits.
set -euo pipefail
dir=$(mktemp -d)
trap 'test ! -s "$dir/lighttpd" || kill "$(cat "$dir/lighttpd")" 2> "$dir/none" || true; sleep 1; rm -rf "$dir"' EXIT
(cd "$dir" && apt-get download -qq lighttpd=1.4.69-1 2> apt && dpkg -x lighttpd_*.deb root)
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check websockets==17.4
# Below the range from which the kernel takes the ports of clients.
read -r port behind < <(python3 -c 'import random, socket
found = []
while len(found) < 2:
    with socket.socket() as sock:
        port = random.randrange(20000, 30000)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            continue
        found.append(port)
print(*found)')
cat > "$dir/lighttpd.conf" <<CONFIG
server.document-root = "$dir"
server.bind = "127.0.0.1"
server.port = $port
server.errorlog = "$dir/error"
server.modules = ("mod_proxy")
proxy.server = ("" => (("host" => "127.0.0.1", "port" => $behind)))
proxy.header = ("upgrade" => "enable")
CONFIG
"$dir/root/usr/sbin/lighttpd" -D -f "$dir/lighttpd.conf" -m "$dir/root/usr/lib/lighttpd" > "$dir/out" 2>&1 &
echo $! > "$dir/lighttpd"
cat > "$dir/run.py" <<'PY'
import asyncio, os, signal, sys
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

port, behind, server = map(int, sys.argv[1:])
URL = f"ws://127.0.0.1:{port}/"

async def echo(ws):
    async for message in ws:
        await ws.send(message)

async def dial():
    try:
        async with connect(URL, open_timeout=3):
            return "101"
    except TimeoutError:
        return "no answer within 3 s"
    except OSError as error:
        return type(error).__name__

async def talk(ws):
    while True:
        await ws.send("still there?")
        await ws.recv()
        await asyncio.sleep(0.3)

async def main():
    async with serve(echo, "127.0.0.1", behind):
        while await dial() != "101":
            await asyncio.sleep(0.2)
        quiet, busy = await connect(URL), await connect(URL)
        talking = asyncio.create_task(talk(busy))
        started = asyncio.get_running_loop().time()
        os.kill(server, signal.SIGUSR1)
        await asyncio.sleep(1)
        print("1 s after SIGUSR1: the old ones are open:", quiet.close_code is None and not talking.done(), flush=True)
        print("a new one:", await dial(), flush=True)
        for name, ws in (("quiet", quiet), ("talking", busy)):
            await ws.wait_closed()
            took = asyncio.get_running_loop().time() - started
            print(f"the {name} one: {ws.close_code}, {'after 4 to 20 s' if 4 < took < 20 else took}", flush=True)
        await asyncio.wait({talking})
        for _ in range(20):
            if (found := await dial()) == "101":
                break
        print("a new one then:", found, flush=True)

asyncio.run(main())
PY
timeout 90 "$dir/py/bin/python" "$dir/run.py" "$port" "$behind" "$(cat "$dir/lighttpd")" 2> "$dir/errors" | tee "$dir/seen" || { cat "$dir/errors" "$dir/out"; exit 1; }
diff - "$dir/seen" <<'OUTPUT'
1 s after SIGUSR1: the old ones are open: True
a new one: no answer within 3 s
the quiet one: 1006, after 4 to 20 s
the talking one: 1006, after 4 to 20 s
a new one then: 101
OUTPUT
