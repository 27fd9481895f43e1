#!/usr/bin/env bash
# A transport of uvloop writes once more after abort(), what stood in its buffer at that moment.
#
# Guess:    abort() drops the write buffer, as the documentation of asyncio says: buffered data is
#           lost. So the buffer's size at the call tells which bytes never leave.
# Software: uvloop 0.23.0 beside asyncio of Python 3.11, plain TCP on loopback.
# Seen:     the peer gets room in the same turn of the loop. asyncio: not one byte more leaves.
#           uvloop closes the socket a turn later, and writes what the socket takes until then.
# Output:   see the end of this file.
# Matters:  a client that sends again what had not left sends some of it twice: it counts the buffer,
#           aborts, and the tail of the buffer goes out all the same. Shut the socket for writing
#           (SHUT_WR on a duplicate of its descriptor) before the abort.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check uvloop==0.23.0
cat > "$dir/run.py" <<'PY'
import asyncio
import socket

import uvloop

SIZE = 20_000_000


async def story():
    """Fill a connection, abort it, make room in the same turn; the bytes that left after that."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        peer, _ = listener.accept()
    with peer:
        peer.setblocking(False)
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=client)
        transport.write(bytes(SIZE))
        before = None
        while before != (now := transport.get_write_buffer_size()):
            before = now
            await asyncio.sleep(0.2)
        left = SIZE - before
        transport.abort()
        got = drained(peer)
        await asyncio.sleep(0.2)
        return got + drained(peer) - left


def drained(peer):
    count = 0
    try:
        while data := peer.recv(1 << 20):
            count += len(data)
    except (BlockingIOError, ConnectionResetError):
        pass
    return count


for name, factory in (("asyncio", asyncio.new_event_loop), ("uvloop", uvloop.new_event_loop)):
    with asyncio.Runner(loop_factory=factory) as runner:
        more = runner.run(story())
    print(f"{name}: bytes leave after abort(): {'none' if more == 0 else 'yes' if more > 0 else 'fewer'}", flush=True)
PY
timeout 60 "$dir/py/bin/python" "$dir/run.py" 2> "$dir/errors" | tee "$dir/seen" || { cat "$dir/errors"; exit 1; }
diff - "$dir/seen" <<'OUTPUT'
asyncio: bytes leave after abort(): none
uvloop: bytes leave after abort(): yes
OUTPUT
