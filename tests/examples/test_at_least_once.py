"""The account of examples/at_least_once.py: a client is killed, its server breaks, all arrives."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "at_least_once.py"
ORDERS = 160


@pytest.mark.spec("G6", "G7.1", "G7.2")
def test_every_order_is_processed_exactly_once_whoever_is_killed() -> None:
    command = [sys.executable, "-W", "error", str(EXAMPLE), str(ORDERS)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    output = ended.stdout

    def figure(name: str) -> int:
        found = re.search(rf"^{name}: +(\d+)", output, re.MULTILINE)
        assert found, output
        return int(found[1])

    lives = re.findall(r"life (\d) of the client: (\d+) orders accepted, ended by (-?\d+)", output)
    assert [int(ended) for _, _, ended in lives] == [-signal.SIGKILL, -signal.SIGKILL, 0], output
    accepted = [int(count) for _, count, _ in lives]
    assert 0 < accepted[0] <= accepted[1] < accepted[2] == ORDERS  # each was killed at work
    assert "lived 3 times" in output
    for fault in ("cut before", "cut after", "silent", "cut after and refuse"):
        assert re.search(rf"[1-9]\d* x {fault}\b", output), output
    assert figure("arrived again") > 0  # at least once: or the rest would show nothing
    assert figure("arrived") >= ORDERS + figure("arrived again")
    assert (figure("sent"), figure("processed")) == (ORDERS, ORDERS)
    assert (figure("processed twice"), figure("lost")) == (0, 0)
