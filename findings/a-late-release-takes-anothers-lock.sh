#!/usr/bin/env bash
# Locks in files that expire: what the release of a holder does that was busy for too long.
#
# Guess:    the first holder works without a pause until its lock is stale, and the second gets it. The
#           first then releases what it no longer has. proper-lockfile and cross-process-lock refuse that, sherlock and
#           flufl.lock raise; the lock of the second stays. Only lockfile, which knows no owner, removes
#           it. flufl.lock hands over as soon as the lifetime has passed, as the others do.
# Software: proper-lockfile 4.1.2, cross-process-lock 2.2.0, lockfile 1.0.4 (npm), sherlock 0.4.1 (its FileLock),
#           flufl.lock 10.0.0 (Python).
# Seen:     proper-lockfile releases without a word, and removes the second's lock: a third gets in while the
#           second works. Only the second hears of it, as "compromised", a renewal later. cross-process-lock
#           says nothing, either, and leaves the second's lock alone; but it dates a lock from the start of
#           the wait for it, so the second's is stale as soon as it is got, and a third gets in, too. sherlock
#           says nothing, and keeps the third out. flufl.lock raises, but hands over ten seconds after the
#           lifetime only.
# Output:   see the end of this file. Stale after 8 s, in flufl.lock after 3 s; the first is busy for 11 s, that of flufl.lock for 18 s.
# Matters:  a release is a write like any other: it must compare the owner. One blocked event loop is enough
#           for two holders in turn to have no lock at all. And no release is a proof that one held until then.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
npm install --silent --no-fund --no-audit --prefix "$dir" proper-lockfile@4.1.2 cross-process-lock@2.2.0 lockfile@1.0.4 &
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check sherlock==0.4.1 filelock==4.3.1 flufl.lock==10.0.0
wait
cat > "$dir/holder.js" <<'JS'
const { promisify } = require("util");
const proper = require("proper-lockfile");
const cross = require("cross-process-lock");
const plain = require("lockfile");
const [kind, path, patience, busy] = process.argv.slice(2);
const hear = error => console.log(error.code);
const locks = {
  "proper-lockfile": () => proper.lock(path, { stale: 8000, update: 1000, onCompromised: hear,
    retries: { retries: patience * 5, factor: 1, minTimeout: 200, maxTimeout: 200 } }),
  "cross-process-lock": () => cross.lock(path, { lockTimeout: 8000, waitTimeout: patience * 1000 || 1 }),
  lockfile: () => promisify(plain.lock)(path + ".lock", { stale: 8000, wait: patience * 1000, pollPeriod: 200 })
    .then(() => () => promisify(plain.unlock)(path + ".lock")),
};
(async () => {
  let release;
  try {
    release = await locks[kind]();
  } catch {
    console.log("refused");
    process.exit();
  }
  console.log("holds");
  if (busy > 0) {
    const end = Date.now() + busy * 1000;
    while (Date.now() < end);
    await release().then(() => console.log("released"), hear);
    process.exit();
  }
  setTimeout(() => {}, 60000);
})();
JS
cat > "$dir/holder.py" <<'PY'
import sys, time
from datetime import timedelta
from pathlib import Path

import flufl.lock, sherlock

kind, path, patience, busy = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
try:
    if kind == "sherlock":
        lock = sherlock.FileLock("work", client=Path(path), expire=8, timeout=patience, retry_interval=0.2)
        if not lock.acquire(blocking=patience > 0):
            raise TimeoutError
        release = lock.release
    else:
        lock = flufl.lock.Lock(f"{path}/file", lifetime=timedelta(seconds=3 if busy else 60))
        lock.lock(timeout=timedelta(seconds=patience or 0.5))
        release = lock.unlock
except (TimeoutError, flufl.lock.TimeOutError):
    print("refused", flush=True)
    sys.exit()
print("holds", flush=True)
if busy:
    time.sleep(busy)
    try:
        release()
        print("released")
    except flufl.lock.NotLockedError:
        print("NotLockedError")
else:
    time.sleep(60)
PY
cat > "$dir/run.py" <<'PY'
import asyncio, sys
from pathlib import Path

folder = Path(sys.argv[1])
BUSY = {"proper-lockfile": 11, "cross-process-lock": 11, "lockfile": 11, "sherlock": 11, "flufl.lock": 18}


async def start(kind, patience, busy):
    program = (sys.executable, folder / "holder.py") if kind in ("sherlock", "flufl.lock") else ("node", folder / "holder.js")
    path = folder / "locks" / kind
    return await asyncio.create_subprocess_exec(*program, kind, path, str(patience), str(busy), stdout=asyncio.subprocess.PIPE)


async def line(process):
    return (await process.stdout.readline()).decode().strip()


async def watch(kind):
    (folder / "locks" / kind).mkdir(parents=True)
    clock = asyncio.get_running_loop().time
    first = await start(kind, 1, BUSY[kind])
    await line(first)
    taken = clock()
    second = await start(kind, 25, 0)
    await line(second)
    waited = f"{'longer than' if clock() - taken > 11 else 'for'} the lifetime"
    said = await line(first)
    third = await start(kind, 0, 0)
    got = await line(third)
    hears = ""
    if kind == "proper-lockfile":
        hears = f"; the second hears {await asyncio.wait_for(line(second), 5)}"
    for process in (first, second, third):
        if process.returncode is None:
            process.kill()
        await process.wait()
    return f"{kind}: the second waits {waited}; the first: {said}; a third: {got}{hears}"


async def main():
    print(*await asyncio.gather(*map(watch, BUSY)), sep="\n")

asyncio.run(main())
PY
timeout 90 "$dir/py/bin/python" "$dir/run.py" "$dir" | tee "$dir/seen"
diff - "$dir/seen" <<'OUTPUT'
proper-lockfile: the second waits for the lifetime; the first: released; a third: holds; the second hears ECOMPROMISED
cross-process-lock: the second waits for the lifetime; the first: released; a third: holds
lockfile: the second waits for the lifetime; the first: released; a third: holds
sherlock: the second waits for the lifetime; the first: released; a third: refused
flufl.lock: the second waits longer than the lifetime; the first: NotLockedError; a third: refused
OUTPUT
