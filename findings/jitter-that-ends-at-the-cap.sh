#!/usr/bin/env bash
# Backoff with jitter: which pauses of ten libraries still differ from client to client once they are at their cap.
#
# Guess:    a pause at the cap is drawn, too, in stamina (which has wait_jitter), httpx-retries (full
#           jitter by default) and cockatiel (decorrelated jitter by default), as in backoff (Python),
#           exponential-backoff and @lifeomic/attempt. It is the cap itself in tenacity's
#           wait_exponential_jitter, in urllib3 and in retry of npm, with all that stand on it (p-retry,
#           async-retry): those add their jitter first and cut the sum then. All of them keep to the cap.
# Software: stamina 26.1.0, httpx-retries 0.6.0, tenacity 9.2.1, backoff 2.2.1, urllib3 2.8.0; of npm
#           cockatiel 3.2.1, retry 0.13.1, exponential-backoff 3.1.3, @lifeomic/attempt 3.1.0, backoff 2.5.0.
# Seen:     after the twelfth failure stamina, httpx-retries and cockatiel wait for the cap, too: httpx-retries
#           draws from a range that still grows, and cuts what it drew, so a shorter pause is rare.
#           The pauses of backoff (npm) go beyond its maxDelay, by up to one half.
# Output:   see the end of this file. Cap 10 s, first pause 1 s; 40 clients each, whose sleeps are noted and cut short.
# Matters:  clients that failed together at the cap, at a server that could not take them all, come back
#           together each time after. Draw the pause after it is cut, not before.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
npm install --silent --no-fund --no-audit --prefix "$dir/js" \
    cockatiel@3.2.1 retry@0.13.1 exponential-backoff@3.1.3 @lifeomic/attempt@3.1.0 backoff@2.5.0 &
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check stamina==26.1.0 tenacity==9.2.1 backoff==2.2.1 urllib3==2.8.0 \
    httpx-retries==0.6.0 httpx==0.28.1
wait
cat > "$dir/pauses.py" <<'PY'
import logging, time

import backoff, httpx, httpx_retries, stamina, tenacity, urllib3
from urllib3.util.retry import RequestHistory

logging.disable()
FAILURES = 12
pauses = []
time.sleep = pauses.append


def fail():
    if len(pauses) < FAILURES:
        raise ConnectionError


def with_stamina():
    stamina.retry(on=ConnectionError, attempts=None, timeout=None, wait_initial=1, wait_max=10, wait_jitter=1)(fail)()


def with_tenacity():
    tenacity.Retrying(wait=tenacity.wait_exponential_jitter(1, 10, jitter=1), sleep=pauses.append)(fail)


def with_random_tenacity():
    tenacity.Retrying(wait=tenacity.wait_random_exponential(1, 10), sleep=pauses.append)(fail)


def with_backoff():
    backoff.on_exception(backoff.expo, ConnectionError, max_value=10)(fail)()


def with_httpx_retries():
    refused = httpx.MockTransport(lambda request: httpx.Response(503 if len(pauses) < FAILURES else 200))
    retry = httpx_retries.Retry(FAILURES, backoff_factor=1, max_backoff_wait=10)
    httpx.Client(transport=httpx_retries.RetryTransport(refused, retry)).get("http://localhost/")


def with_urllib3():
    failures = (RequestHistory("GET", "/", None, 503, None),) * FAILURES
    retry = urllib3.Retry(FAILURES, backoff_factor=1, backoff_max=10, backoff_jitter=1, history=failures)
    pauses.append(retry.get_backoff_time())


for name, wait in {
    "stamina": with_stamina, "httpx-retries": with_httpx_retries, "tenacity, wait_exponential_jitter": with_tenacity,
    "urllib3": with_urllib3, "tenacity, wait_random_exponential": with_random_tenacity, "backoff": with_backoff,
}.items():
    last = []
    for _ in range(40):
        pauses.clear()
        wait()
        last.append(pauses[-1])
    print(f"{name}: {'the cap' if last.count(10) > 30 else 'drawn'}")
PY
cat > "$dir/js/pauses.js" <<'JS'
const cockatiel = require("cockatiel");
const retry = require("retry");
const { backOff } = require("exponential-backoff");
const attempt = require("@lifeomic/attempt");
const { ExponentialStrategy } = require("backoff");

const FAILURES = 12;
const later = globalThis.setTimeout;
let pauses = [];
let left = 0;
globalThis.setTimeout = (call, pause, ...rest) => (pauses.push(pause), later(call, 0, ...rest));
const fail = async () => { if (left-- > 0) throw new Error("lost"); };

const waits = {
  cockatiel: () => cockatiel.retry(cockatiel.handleAll, { maxAttempts: FAILURES,
    backoff: new cockatiel.ExponentialBackoff({ initialDelay: 1000, maxDelay: 10000 }) }).execute(fail),
  retry: () => { pauses = retry.timeouts({ retries: FAILURES, minTimeout: 1000, maxTimeout: 10000, randomize: true }); },
  "exponential-backoff": () => backOff(fail, { numOfAttempts: FAILURES + 1, startingDelay: 1000, maxDelay: 10000, jitter: "full" }),
  "@lifeomic/attempt": () => attempt.retry(fail, { maxAttempts: FAILURES + 1, delay: 1000, factor: 2, maxDelay: 10000, jitter: true }),
  "backoff (npm)": () => {
    const strategy = new ExponentialStrategy({ initialDelay: 1000, maxDelay: 10000, randomisationFactor: 0.5 });
    while (pauses.length < FAILURES) pauses.push(strategy.next());
  },
};
(async () => {
  for (const [name, wait] of Object.entries(waits)) {
    const last = [];
    for (let client = 0; client < 40; client++) {
      pauses = [];
      left = FAILURES;
      await wait();
      last.push(pauses.at(-1));
    }
    const atCap = last.filter(pause => pause === 10000).length;
    console.log(`${name}: ${atCap > 30 ? "the cap" : "drawn"}${Math.max(...last) > 10000 ? ", beyond the cap" : ""}`);
  }
})();
JS
{ timeout 60 "$dir/py/bin/python" "$dir/pauses.py" && timeout 60 node "$dir/js/pauses.js"; } | tee "$dir/seen"
diff - "$dir/seen" <<'OUTPUT'
stamina: the cap
httpx-retries: the cap
tenacity, wait_exponential_jitter: the cap
urllib3: the cap
tenacity, wait_random_exponential: drawn
backoff: drawn
cockatiel: the cap
retry: the cap
exponential-backoff: drawn
@lifeomic/attempt: drawn
backoff (npm): drawn, beyond the cap
OUTPUT
