#!/usr/bin/env bash
# Limiters for asyncio: whose turn it is when more ask than may go.
#
# Guess:    who asks first goes first, as with a lock of asyncio. Twenty ask at once for ten a second, and then
#           eleven a second for twenty seconds: the line grows to some thirty, and nobody waits longer than 4 s.
# Software: aiolimiter 1.3.0, pyrate-limiter 4.5.1, asyncio-throttle 1.0.2, throttled-py 3.5.0.
# Seen:     aiolimiter and pyrate-limiter keep the order, but for neighbours. In the others there is no line: who
#           waits sleeps and asks again, and whoever comes in between goes first. asyncio-throttle asks a hundred
#           times a second, so that it is a lottery: 6 to 8 s. throttled-py sleeps for as long as it was told; with
#           a bucket of tokens some wait for as long as the rush lasts, 22 s, and are overtaken by 200 others.
# Output:   see the end of this file.
# Matters:  behind such a limiter the reconnects of a crowd have no longest wait: the average is the same, and
#           some client is away for minutes. A bound on the wait makes it worse: they give up, and ask anew.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check \
    aiolimiter==1.3.0 pyrate-limiter==4.5.1 asyncio-throttle==1.0.2 throttled-py==3.5.0
cat > "$dir/run.py" <<'PY'
import asyncio, time

import aiolimiter, asyncio_throttle, pyrate_limiter
from throttled.asyncio import RateLimiterType, Throttled, rate_limiter

RATE, AT_ONCE, LATER = 10, 20, 220

def limiters():
    yield "aiolimiter", aiolimiter.AsyncLimiter(RATE, 1).acquire
    rate = pyrate_limiter.Limiter(pyrate_limiter.Rate(RATE, pyrate_limiter.Duration.SECOND))
    yield "pyrate-limiter", lambda: rate.try_acquire_async("feed")
    throttler = asyncio_throttle.Throttler(rate_limit=RATE, period=1)
    yield "asyncio-throttle", throttler.__aenter__
    bucket = Throttled(key="feed", using=RateLimiterType.TOKEN_BUCKET.value, timeout=60,
                       quota=rate_limiter.per_sec(RATE, burst=RATE))
    yield "throttled-py", bucket.limit

async def watch(name, acquire):
    gone, waits = [], []

    async def client(number, comes):
        await asyncio.sleep(comes)
        asked = time.monotonic()
        result = await acquire()
        assert not getattr(result, "limited", False)
        gone.append(number)
        waits.append(time.monotonic() - asked)

    moments = [0.0] * AT_ONCE + [1 + number / (RATE + 1) for number in range(LATER)]
    async with asyncio.timeout(60):
        await asyncio.gather(*map(client, range(len(moments)), moments))
    overtaken = max(sum(other > number for other in gone[:place]) for place, number in enumerate(gone))
    most = "fewer than thirty" if overtaken < 30 else "thirty and more" if overtaken < 100 else "a hundred and more"
    wait = "less" if max(waits) < 15 else "more"
    return f"{name}: one is overtaken by {most} others; the longest wait is {wait} than 15 s"

async def main():
    print(*await asyncio.gather(*(watch(*each) for each in limiters())), sep="\n")

asyncio.run(main())
PY
timeout 90 "$dir/py/bin/python" "$dir/run.py" | tee "$dir/seen"
diff - "$dir/seen" <<'OUTPUT'
aiolimiter: one is overtaken by fewer than thirty others; the longest wait is less than 15 s
pyrate-limiter: one is overtaken by fewer than thirty others; the longest wait is less than 15 s
asyncio-throttle: one is overtaken by thirty and more others; the longest wait is less than 15 s
throttled-py: one is overtaken by a hundred and more others; the longest wait is more than 15 s
OUTPUT
