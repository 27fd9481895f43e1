"""The examples run as the README says, against the server that comes with them."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-u", "-W", "error", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read_until(process: subprocess.Popen[str], pattern: str, lines: int = 2000) -> re.Match[str]:
    assert process.stdout is not None
    seen = []
    for _ in range(lines):
        line = process.stdout.readline()
        if not line:
            break
        seen.append(line)
        found = re.search(pattern, line)
        if found:
            return found
    pytest.fail(f"{pattern!r} was not printed, but:\n{''.join(seen[-50:])}")


@pytest.fixture(scope="module")
def demo() -> Iterator["subprocess.Popen[str]"]:
    """It takes its time, so it runs beside the quickstart."""
    with running(str(EXAMPLES / "demo.py")) as process:
        yield process


@pytest.mark.usefixtures("demo")
def test_the_quickstart_goes_on_across_the_acts_of_its_server(tmp_path: Path) -> None:
    script = EXAMPLES / "quickstart.py"
    with running(str(EXAMPLES / "server.py"), "0") as server:
        port = read_until(server, r"ws://127\.0\.0\.1:(\d+)")[1]
        here = tmp_path / script.name
        here.write_text(script.read_text().replace(":8765", f":{port}"))
        with running(str(here)) as client:
            read_until(client, "echo hello")
            read_until(client, "open -> backoff")
            read_until(client, "connecting -> open")
            read_until(client, "connection 2 tick")
            client.send_signal(signal.SIGINT)
            assert client.wait(120) != 0
        server.send_signal(signal.SIGINT)
        assert server.wait(120) == 0


@pytest.mark.spec("A1", "B6.1", "B7", "H2", "I4.1")
def test_the_demo_shows_every_state_and_ends_by_itself(demo: "subprocess.Popen[str]") -> None:
    output, _ = demo.communicate(timeout=120)
    assert demo.returncode == 0, output
    for state in ("connecting", "open", "closing", "closed", "backoff", "passive"):
        assert f"-> {state}" in output
    for ending in ("1001 Going Away", "Token expired", "1012", "4401", "HTTP 503", "heartbeat"):
        assert ending in output
    assert "0 further dials reached the server" in output
