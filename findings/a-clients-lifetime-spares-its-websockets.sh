#!/usr/bin/env bash
# squid's limit on the lifetime of a client ends a page that streams, and no WebSocket.
#
# Guess:    client_lifetime is the age at which squid ends whatever a client still has open: its manual
#           calls it the greatest time for which a client may stay connected. A WebSocket, which stays
#           longer than anything else, is what it meets first.
# Software: squid 5.7 (Debian 12), as a reverse proxy with http_upgrade_request_protocols.
# Seen:     with three seconds, a page that goes on streaming is ended after three seconds. A WebSocket
#           with the same bytes at the same pace, opened at the same moment, is open after eight.
# Output:   see the end of this file.
# Matters:  an operator who sets it to move clients off a proxy moves all but those with a reconnecting
#           client; and a client's own limit on the age of a connection is the only one that holds.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
(cd "$dir" && apt-get download -qq 'squid=5.7-2*' 'squid-common=5.7-2*' libecap3=1.0.1-3.4 'libltdl7=2.4.7-7*' \
    libnetfilter-conntrack3=1.0.9-3 libnfnetlink0 libmnl0 2> apt && for file in *.deb; do dpkg -x "$file" root; done)
chmod 777 "$dir"
cat > "$dir/run.py" <<'PY'
import asyncio, socket, subprocess, sys
from contextlib import suppress
from pathlib import Path

folder = Path(sys.argv[1])
root = folder / "root" / "usr"
PAGE = b"GET /page HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
UPGRADE = (b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
ANSWER = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")

async def serve(reader, writer):
    """Ten bytes a second, for twelve seconds, as frames or as chunks."""
    with suppress(OSError, asyncio.IncompleteReadError):
        upgrade = b"pgrade: websocket" in await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER if upgrade else b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(120):
            writer.write(b"\x81\x01x" if upgrade else b"1\r\nx\r\n")
            await writer.drain()
            await asyncio.sleep(0.1)
    writer.close()

async def life(port, request):
    loop = asyncio.get_running_loop()
    began = loop.time()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    status = (await reader.readline()).split()[1].decode()
    with suppress(OSError):
        try:
            async with asyncio.timeout(8):
                while await reader.read(65536):
                    pass
        except TimeoutError:
            writer.close()
            return f"{status}, open after 8 s"
    writer.close()
    return f"{status}, ended after {'2 to 5 s' if 1.5 < loop.time() - began < 5 else f'{loop.time() - began:.1f} s'}"

async def main():
    behind = await asyncio.start_server(serve, "127.0.0.1", 0)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "conf").write_text(f"""
http_port 127.0.0.1:{port} accel defaultsite=localhost no-vhost
cache_peer 127.0.0.1 parent {behind.sockets[0].getsockname()[1]} 0 no-query no-digest originserver name=behind
cache_peer_access behind allow all
http_access allow all
http_upgrade_request_protocols websocket allow all
client_lifetime 3 seconds
shutdown_lifetime 0 seconds
pid_filename {folder}/pid
cache_log {folder}/log
coredump_dir {folder}
mime_table {root}/share/squid/mime.conf
icon_directory {root}/share/squid/icons
error_directory {folder}
access_log none
cache deny all
cache_mem 8 MB
pinger_enable off
""")
    squid = subprocess.Popen([root / "sbin/squid", "-N", "-n", f"finding{port}", "-f", folder / "conf"])
    try:
        for _ in range(100):
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            await asyncio.sleep(0.1)
        page, websocket = await asyncio.gather(life(port, PAGE), life(port, UPGRADE))
        print("a page that streams:", page)
        print("a WebSocket:", websocket)
    finally:
        squid.terminate()
        squid.wait()
    behind.close()

asyncio.run(main())
PY
libraries=$(dirname "$(find "$dir/root" -name 'libecap.so.3' | head -n 1)")
LD_LIBRARY_PATH="$libraries" timeout 60 python3 "$dir/run.py" "$dir" 2> "$dir/errors" | tee "$dir/seen" \
    || { cat "$dir/errors"; exit 1; }
diff - "$dir/seen" <<'OUTPUT'
a page that streams: 200, ended after 2 to 5 s
a WebSocket: 101, open after 8 s
OUTPUT
