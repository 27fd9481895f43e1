#!/usr/bin/env bash
# Privoxy answers CONNECT with 404 when it cannot resolve the name of the server.
#
# Guess:    503, the answer that it gives for a server that refuses, or 502 or 504: the proxy failed,
#           and says so.
# Software: privoxy 3.0.34 (Debian 12); the client is aiohttp 3.14.5 with proxy=.
# Seen:     a refused server is 503 "Connect failed". A name that does not resolve is 404 "No such
#           domain". aiohttp raises ClientHttpProxyError, which is no WSServerHandshakeError but has
#           the same base class and a status like it: 404.
# Output:   see the end of this file.
# Matters:  a resolver that is down for a minute looks like a wrong URL, the one refusal after which
#           most clients stop for good. A status that the proxy gave to CONNECT never came from the
#           server: judge it as a failed dial, whatever the number.
set -euo pipefail
dir=$(mktemp -d)
trap 'kill "${proxy:-}" 2> "$dir/none" || true; rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check aiohttp==3.14.5
(cd "$dir" && apt-get download -qq privoxy=3.0.34-1 libpcre3=2:8.39-15 libmbedtls14=2.28.3-1 \
    libmbedx509-1=2.28.3-1 libmbedcrypto7=2.28.3-1 2> apt && for file in *.deb; do dpkg -x "$file" root; done)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat > "$dir/config" <<CONFIG
confdir $dir/root/etc/privoxy
templdir $dir/root/etc/privoxy/templates
listen-address 127.0.0.1:$port
toggle 0
CONFIG
libraries=$(dirname "$(find "$dir/root" -name 'libpcre.so.3' | head -n 1)"):$(dirname "$(find "$dir/root" -name 'libmbedtls.so.*' | head -n 1)")
RES_OPTIONS="timeout:1 attempts:1" LD_LIBRARY_PATH="$libraries" \
    "$dir/root/usr/sbin/privoxy" --no-daemon "$dir/config" > "$dir/log" 2>&1 &
proxy=$!
cat > "$dir/run.py" <<'PY'
import asyncio, sys
import aiohttp

PROXY = f"http://127.0.0.1:{sys.argv[1]}"

async def main():
    async with aiohttp.ClientSession() as session:
        for _ in range(100):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", int(sys.argv[1]))
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                break
        # Port 9 of loopback refuses; .invalid never resolves (RFC 6761).
        for url in ("wss://127.0.0.1:9/", "wss://server.invalid/"):
            try:
                await asyncio.wait_for(session.ws_connect(url, proxy=PROXY), 20)
            except aiohttp.ClientResponseError as error:
                print(f"{url}: {type(error).__name__}, status {error.status}", flush=True)

asyncio.run(main())
PY
timeout 90 "$dir/py/bin/python" "$dir/run.py" "$port" 2> "$dir/errors" | tee "$dir/seen" || { cat "$dir/errors"; exit 1; }
diff - "$dir/seen" <<'OUTPUT'
wss://127.0.0.1:9/: ClientHttpProxyError, status 503
wss://server.invalid/: ClientHttpProxyError, status 404
OUTPUT
