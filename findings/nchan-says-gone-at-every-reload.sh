#!/usr/bin/env bash
# nchan tells its subscribers "410 Gone" when nginx is reloaded, as when their channel is deleted.
#
# Guess:    a reload of nginx leaves the WebSockets of its subscribers alone: the old worker keeps
#           them, as it keeps proxied ones. "410 Gone" is for a channel that was deleted.
# Software: nchan 1.3.6 in nginx 1.22.1 (Debian 12; the script needs `unshare` with a mount namespace).
# Seen:     at a reload (HUP) and at an orderly stop (QUIT) each subscriber gets 1001 "410 Gone" at
#           once, byte for byte what it gets when its channel is deleted. After the reload the
#           channel works, but the messages stored in it are lost (storage in memory, one worker).
# Output:   see the end of this file.
# Matters:  "Gone" reads like "do not come back", and after a deletion it means that; after a reload
#           it means "now". The text cannot tell: coming back and looking is the only way. And
#           whoever relies on the server's buffer to catch up misses what it held at the reload.
set -euo pipefail
dir=$(mktemp -d)
trap 'test ! -s "$dir/pid" || kill "$(cat "$dir/pid")" 2> "$dir/none" || true; sleep 1; rm -rf "$dir"' EXIT
(cd "$dir" && apt-get download -qq 'nginx=1.22.1-*' libnginx-mod-nchan=1:1.3.6+dfsg-2 libhiredis0.14=0.14.1-3 \
    2> apt && for file in *.deb; do dpkg -x "$file" root; done)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat > "$dir/nginx.conf" <<CONFIG
daemon off;
user root;
worker_processes 1;
pid $dir/pid;
load_module $dir/root/usr/lib/nginx/modules/ngx_nchan_module.so;
events {}
http {
    access_log off;
    server {
        listen 127.0.0.1:$port;
        location = /subscribe { nchan_subscriber websocket; nchan_channel_id news; }
        location = /publish { nchan_publisher; nchan_channel_id news; }
    }
}
CONFIG
# nginx wants /var/lib/nginx, which a private mount gives it.
LD_LIBRARY_PATH="$dir/root/usr/lib/x86_64-linux-gnu" unshare --map-root-user --mount sh -c '
    mount -t tmpfs none /var/lib && mkdir /var/lib/nginx && exec "$0/root/usr/sbin/nginx" -p "$0" -c "$0/nginx.conf" -e "$0/log"' \
    "$dir" > "$dir/out" 2>&1 &
cat > "$dir/run.py" <<'PY'
import asyncio, os, signal, struct, sys, time, urllib.request
from pathlib import Path

folder, port = Path(sys.argv[1]), int(sys.argv[2])
REQUEST = (b"GET /subscribe HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")

def publish(method, data=None):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/publish", data=data, method=method)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.status

def master(number):
    os.kill(int((folder / "pid").read_text()), number)

async def subscriber(event):
    """Give what a subscriber is sent until it is closed, `event` called after the first message."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST)
    await reader.readuntil(b"\r\n\r\n")
    got = []
    while True:
        kind, size = await asyncio.wait_for(reader.readexactly(2), 5)
        body = await reader.readexactly(size)
        if kind == 0x88:
            writer.close()
            return [*got, f"close {struct.unpack('!H', body[:2])[0]} {body[2:].decode()!r}"]
        got.append(body.decode())
        await asyncio.sleep(0.3)
        await asyncio.to_thread(event)

async def main():
    for _ in range(100):
        try:
            publish("POST", b"first")
            break
        except OSError:
            await asyncio.sleep(0.1)
    print("reload:", await subscriber(lambda: master(signal.SIGHUP)), flush=True)
    await asyncio.sleep(1)
    publish("POST", b"second")
    print("channel deleted:", await subscriber(lambda: publish("DELETE")), flush=True)
    publish("POST", b"third")
    print("orderly stop:", await subscriber(lambda: master(signal.SIGQUIT)), flush=True)
    print("a worker crashed:", "signal 11" in (folder / "log").read_text(), flush=True)

asyncio.run(main())
PY
timeout 60 python3 "$dir/run.py" "$dir" "$port" 2> "$dir/errors" | tee "$dir/seen" || { cat "$dir/errors" "$dir/out"; exit 1; }
diff - "$dir/seen" <<'OUTPUT'
reload: ['first', "close 1001 '410 Gone'"]
channel deleted: ['second', "close 1001 '410 Gone'"]
orderly stop: ['third', "close 1001 '410 Gone'"]
a worker crashed: False
OUTPUT
