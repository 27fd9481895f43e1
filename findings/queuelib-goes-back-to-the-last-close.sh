#!/usr/bin/env bash
# A FIFO file of queuelib goes back to its last close() when the process dies.
#
# Guess:    after a kill, what was popped since the start may come back (nothing acknowledges), but
#           what was pushed is there, at least once the file was flushed: it is a queue on disk.
# Software: queuelib 1.10.0 (the disk queues of Scrapy), FifoDiskQueue.
# Seen:     the queue notes its positions at close() only. After a SIGKILL it reopens as of the last
#           close(): all that was popped since is there again, all that was pushed since is gone,
#           although its bytes were flushed to the file. Reopening says nothing about it.
# Output:   see the end of this file.
# Matters:  as the outbox of a client it does both harms at once: old messages are sent again and new
#           ones vanish, in a process that never saw an error. A queue is durable when a kill test
#           says so; run one (write, kill -9, reopen) before trusting any.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check queuelib==1.10.0
cat > "$dir/process.py" <<'PY'
import os, signal, sys
from queuelib import FifoDiskQueue

path, flush, end = sys.argv[1:]
queue = FifoDiskQueue(path)
print("pops", *(queue.pop().decode() for _ in range(2)), flush=True)
for message in (b"new-1", b"new-2", b"new-3"):
    queue.push(message)
if flush == "flushed":
    queue.headf.flush()
if end == "closed":
    queue.close()
os.kill(os.getpid(), signal.SIGKILL)
PY
cat > "$dir/run.py" <<'PY'
import subprocess, sys
from queuelib import FifoDiskQueue

folder = sys.argv[1]
for case in (("unflushed", "killed"), ("flushed", "killed"), ("flushed", "closed")):
    path = f"{folder}/{'-'.join(case)}"
    queue = FifoDiskQueue(path)
    for number in range(1, 5):
        queue.push(b"old-%d" % number)
    queue.close()
    process = subprocess.run([sys.executable, f"{folder}/process.py", path, *case], capture_output=True, text=True)
    queue = FifoDiskQueue(path)
    left = [queue.pop().decode() for _ in range(len(queue))]
    print(f"{', '.join(case)}: {process.stdout.strip()}, pushes new-1 to new-3; reopened: {' '.join(left)}")
PY
timeout 60 "$dir/py/bin/python" "$dir/run.py" "$dir" 2> "$dir/errors" | tee "$dir/seen" || { cat "$dir/errors"; exit 1; }
diff - "$dir/seen" <<'OUTPUT'
unflushed, killed: pops old-1 old-2, pushes new-1 to new-3; reopened: old-1 old-2 old-3 old-4
flushed, killed: pops old-1 old-2, pushes new-1 to new-3; reopened: old-1 old-2 old-3 old-4
flushed, closed: pops old-1 old-2, pushes new-1 to new-3; reopened: old-3 old-4 new-1 new-2 new-3
OUTPUT
