#!/usr/bin/env bash
# A Perl client answers each close frame that it gets with code 1005, which must not be sent.
#
# Guess:    a close with 1012 is told to the program as 1012 and answered with 1012; one without a code is
#           told as 1005, or as none, and answered without one.
# Software: AnyEvent::WebSocket::Client 0.54 for Perl 5.36 (Debian 12); the server is websockets 17.4.
# Seen:     both are told rightly, and both are answered with a frame that holds the number 1005, which RFC
#           6455 (7.4.1) keeps for ends without a code. The server refuses it: its own close ends as an
#           error, without an answer.
# Output:   see the end of this file.
# Matters:  a server that counts closes without an answer as lost lines, to show how well a restart went,
#           counts every program in Perl that was told of it and obeyed. "No code" is the absence of one.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check websockets==17.4
(cd "$dir" && apt-get download -qq 'libanyevent-websocket-client-perl=0.54*' perl perl-base libperl5.36 perl-modules-5.36 \
    libgdbm6 libgdbm-compat4 libdb5.3 libanyevent-perl libanyevent-connector-perl libprotocol-websocket-perl \
    libperlx-maybe-perl liburi-perl liburi-ws-perl libmoo-perl libclass-method-modifiers-perl librole-tiny-perl \
    libsub-quote-perl libimport-into-perl libmodule-runtime-perl 2> apt && for file in *.deb; do dpkg -x "$file" root; done)
cat > "$dir/client.pl" <<'PERL'
use AnyEvent;
use AnyEvent::WebSocket::Client;
my $connection;
AnyEvent::WebSocket::Client->new->connect($ARGV[0])->cb(sub {
    $connection = shift->recv;
    $connection->on(finish => sub {
        print $connection->close_code // "no code", "\n";
        exit;
    });
});
AnyEvent->condvar->recv;
PERL
cat > "$dir/run.py" <<'PY'
import asyncio, os, sys
from pathlib import Path

from websockets.asyncio.server import serve

folder = Path(sys.argv[1])
root = folder / "root/usr"
libraries = next(root.glob("lib/*-linux-gnu"))
modules = [root / "share/perl5", *libraries.glob("perl5/5.*"), *root.glob("share/perl/5.*.*"), *libraries.glob("perl/5.*.*"),
           libraries / "perl-base"]
environment = os.environ | {"LD_LIBRARY_PATH": str(libraries), "PERL5LIB": ":".join(map(str, modules))}

async def restart(websocket):
    await websocket.close(1012, "restart")

async def nameless(websocket):
    websocket.protocol.send_close()
    websocket.send_data()

async def watch(end):
    """What the program is told, and what the server gets."""
    answer = asyncio.get_running_loop().create_future()

    async def serve_one(websocket):
        protocol, wire = websocket.protocol, bytearray()
        receive = protocol.receive_data

        def note(data):
            wire.extend(data)
            receive(data)

        protocol.receive_data = note
        await asyncio.sleep(1)
        await end(websocket)
        await websocket.wait_closed()
        key, code = wire[2:6], wire[6:8]
        number = int.from_bytes(byte ^ key[place] for place, byte in enumerate(code))
        answer.set_result(f"{number}, to the server: {protocol.parser_exc or 'a close'}")

    async with serve(serve_one, "127.0.0.1", 0, ping_interval=None, close_timeout=3) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        client = await asyncio.create_subprocess_exec(root / "bin/perl", folder / "client.pl", url, env=environment,
                                                      stdout=asyncio.subprocess.PIPE)
        try:
            await asyncio.wait_for(client.wait(), 15)
        except TimeoutError:
            client.kill()
        told = (await client.stdout.read()).decode().strip()
        return f"told {told}; answered: {await asyncio.wait_for(answer, 10)}"

async def main():
    for end in restart, nameless:
        print(f"{end.__name__}: {await watch(end)}")

asyncio.run(main())
PY
timeout 100 "$dir/py/bin/python" "$dir/run.py" "$dir" | tee "$dir/seen"
diff - "$dir/seen" <<'OUTPUT'
restart: told 1012; answered: 1005, to the server: invalid status code
nameless: told no code; answered: 1005, to the server: invalid status code
OUTPUT
