#!/usr/bin/env bash
# A half-open circuit breaker lets everybody through who asks at once, in four libraries of four.
#
# Guess:    half-open means one trial call; whoever asks meanwhile is refused until it has ended.
# Software: aiobreaker 1.2.0, circuitbreaker 2.1.3, purgatory 3.0.1, pybreaker 1.4.1 (with tornado
#           6.6.1, as its asynchronous call needs), on asyncio.
# Seen:     after three failures the breaker refuses. When its time is up and 50 tasks dial at once,
#           all 50 dials of each library run, although the first has not come back.
# Output:   see the end of this file.
# Matters:  a breaker is put in front of reconnection to spare a server that is getting up. With one
#           breaker shared by the connections of a process, the waiting ones all start in the same
#           instant when it opens a crack. Spread the waits behind it, and bound the dials at once
#           with a semaphore.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check aiobreaker==1.2.0 circuitbreaker==2.1.3 \
    purgatory==3.0.1 pybreaker==1.4.1 tornado==6.6.1
cat > "$dir/run.py" <<'PY'
import asyncio, datetime
import aiobreaker, circuitbreaker, purgatory, pybreaker

running = 0
most = 0

async def dial():
    """A dial that takes 0.3 s and fails; counts how many run at once."""
    global running, most
    running += 1
    most = max(most, running)
    try:
        await asyncio.sleep(0.3)
        raise ConnectionRefusedError
    finally:
        running -= 1

def by_aiobreaker():
    breaker = aiobreaker.CircuitBreaker(fail_max=3, timeout_duration=datetime.timedelta(seconds=0.5))
    return lambda: breaker.call_async(dial)

def by_circuitbreaker():
    return circuitbreaker.circuit(failure_threshold=3, recovery_timeout=0.5)(dial)

def by_purgatory():
    factory = purgatory.AsyncCircuitBreakerFactory(default_threshold=3, default_ttl=0.5)
    async def guarded():
        async with await factory.get_breaker("server"):
            await dial()
    return guarded

def by_pybreaker():
    breaker = pybreaker.CircuitBreaker(fail_max=3, reset_timeout=0.5)
    return lambda: breaker.call_async(dial)

async def attempt(guarded):
    try:
        await guarded()
    except Exception as error:
        return error

async def main():
    global most
    for library in (by_aiobreaker, by_circuitbreaker, by_purgatory, by_pybreaker):
        guarded = library()
        for _ in range(3):
            await attempt(guarded)
        most = 0
        await attempt(guarded)
        refused = most == 0
        await asyncio.sleep(0.8)
        most = 0
        await asyncio.gather(*(attempt(guarded) for _ in range(50)))
        print(f"{library.__name__[3:]}: refuses when open: {refused}; at once when half-open: {most} of 50", flush=True)

asyncio.run(main())
PY
timeout 60 "$dir/py/bin/python" "$dir/run.py" 2> "$dir/errors" | tee "$dir/seen" || { cat "$dir/errors"; exit 1; }
diff - "$dir/seen" <<'OUTPUT'
aiobreaker: refuses when open: True; at once when half-open: 50 of 50
circuitbreaker: refuses when open: True; at once when half-open: 50 of 50
purgatory: refuses when open: True; at once when half-open: 50 of 50
pybreaker: refuses when open: True; at once when half-open: 50 of 50
OUTPUT
