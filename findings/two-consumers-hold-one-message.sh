#!/usr/bin/env bash
# Queues in a file of SQLite: who gets a message while its consumer works, and after that consumer is killed.
#
# Guess:    while one process works on a message, another one gets the next message. After the first is
#           killed its message is there again: persist-queue's SQLiteAckQueue brings it back when it is
#           opened anew, litequeue and huey after a while, and at the latest when the file is opened anew.
# Software: persist-queue 1.1.0, litequeue 0.9, huey 3.5.4.
# Seen:     a process that opens SQLiteAckQueue gets the very message that another one works on, since each
#           opening sets all claims back; both acknowledgements are accepted. With auto_resume=False the
#           second gets the next message, and that of a killed process stays away. litequeue keeps the
#           claim of a process that is dead: `get` and `pop` never give the message again, and only
#           list_locked() shows it. huey has deleted the task before it runs.
# Output:   see the end of this file.
# Matters:  a claim without a lease is wrong in one of two ways: whoever sets it back does not know if the
#           consumer is dead, and where nobody does, the message is lost while it is on disk. Ask a durable
#           queue what ends a claim, before you put two processes or one restart beside it.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check persist-queue==1.1.0 litequeue==0.9 huey==3.5.4
cat > "$dir/queues.py" <<'PY'
import huey, litequeue, persistqueue


class Acknowledging:
    """persist-queue: a claim ends with an acknowledgement."""

    options = {}

    def __init__(self, path):
        self.queue = persistqueue.SQLiteAckQueue(path, multithreading=True, **self.options)

    def put(self, text):
        self.queue.put(text)

    def claim(self):
        try:
            return self.queue.get(block=False)
        except persistqueue.Empty:
            return None

    def acknowledge(self, text):
        return self.queue.ack(text) is not None


class NeverResuming(Acknowledging):
    options = {"auto_resume": False}


class Lite:
    """litequeue: a claim ends with `done`."""

    def __init__(self, path):
        self.queue, self.message = litequeue.LiteQueue(path), None

    def put(self, text):
        self.queue.put(text)

    def claim(self):
        self.message = self.queue.pop()
        return self.message and self.message.data

    def acknowledge(self, text):
        self.queue.done(self.message.message_id)
        return True


class Huey:
    """huey: tasks, which a worker takes one by one."""

    def __init__(self, path):
        self.huey = huey.SqliteHuey(filename=path)
        self.task = self.huey.task()(work)

    def put(self, text):
        self.task(text)

    def claim(self):
        task = self.huey.dequeue()
        return task and task.args[0]

    def acknowledge(self, text):
        return True


def work(text):
    return text


KINDS = {"SQLiteAckQueue": Acknowledging, "SQLiteAckQueue, auto_resume=False": NeverResuming, "litequeue": Lite, "huey": Huey}
PY
cat > "$dir/consumer.py" <<'PY'
import sys

from queues import KINDS

queue = KINDS[sys.argv[1]](sys.argv[2])
text = queue.claim()
print(text, flush=True)
sys.stdin.readline()
print("accepted" if queue.acknowledge(text) else "refused", flush=True)
PY
cat > "$dir/run.py" <<'PY'
import subprocess, sys

from queues import KINDS

folder = sys.argv[1]


def consumer(kind, path):
    return subprocess.Popen([sys.executable, f"{folder}/consumer.py", kind, path], text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def line(process):
    return process.stdout.readline().strip()


for number, kind in enumerate(KINDS):
    path = f"{folder}/{number}"
    queue = KINDS[kind](path)
    for text in ("one", "two"):
        queue.put(text)
    del queue
    print(kind)
    first = consumer(kind, path)
    holds = line(first)
    second = consumer(kind, path)
    print(f"  first holds {holds}, second {line(second)}")
    said = []
    for process in (first, second):
        process.stdin.write("\n")
        process.stdin.flush()
        said.append(line(process))
        process.wait()
    print("  acknowledgements:", *said)

    path += "-killed"
    queue = KINDS[kind](path)
    for text in ("one", "two"):
        queue.put(text)
    del queue
    first = consumer(kind, path)
    holds = line(first)
    first.kill()
    first.wait()
    queue = KINDS[kind](path)
    print(f"  killed with {holds}; then there are", *iter(queue.claim, None))
PY
timeout 60 "$dir/py/bin/python" "$dir/run.py" "$dir" | tee "$dir/seen"
diff - "$dir/seen" <<'OUTPUT'
SQLiteAckQueue
  first holds one, second one
  acknowledgements: accepted accepted
  killed with one; then there are one two
SQLiteAckQueue, auto_resume=False
  first holds one, second two
  acknowledgements: accepted accepted
  killed with one; then there are two
litequeue
  first holds one, second two
  acknowledgements: accepted accepted
  killed with one; then there are two
huey
  first holds one, second two
  acknowledgements: accepted accepted
  killed with one; then there are two
OUTPUT
