"""`recloser serve`, as somebody types it: a real process, a real client, Ctrl-C."""

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest
from click.testing import CliRunner

from recloser.cli import main

PROGRAM = "from recloser.cli import main; main()"

SCRIPT = """
[[fault]]
do = "close"
code = 4001
reason = "go away"

[[fault]]
do = "refuse"
status = 429
headers = { "Retry-After" = "3" }
"""


@contextmanager
def serving(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-u", "-c", PROGRAM, "serve", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.spec("K3.2")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_plays_its_script_and_ends_on_ctrl_c(tmp_path: Path, end: signal.Signals) -> None:
    path = tmp_path / "faults.toml"
    path.write_text(SCRIPT, encoding="utf-8")
    with serving("--script", str(path)) as process:
        line = first_line(process)
        assert "misbehaves until Ctrl-C: 2 faults" in line
        url = line.split()[0]

        async def visit() -> None:
            async with aiohttp.ClientSession() as session:
                for _ in range(2):
                    async with session.ws_connect(url) as ws:
                        message = await ws.receive()
                        assert (message.data, message.extra) == (4001, "go away")
                    with pytest.raises(aiohttp.WSServerHandshakeError) as failure:
                        await session.ws_connect(url)
                    assert failure.value.status == 429
                    assert failure.value.headers is not None
                    assert failure.value.headers["Retry-After"] == "3"

        asyncio.run(visit())
        process.send_signal(end)
        told, trouble = process.communicate(timeout=120)
    assert process.returncode == 0
    assert trouble == ""
    assert "#1    dialled   close 4001 'go away'" in told
    assert "#2    refused   429" in told
    assert "#4    refused   429" in told, "the script starts over"


@pytest.mark.spec("L6")
def test_it_ends_by_a_signal_where_the_loop_takes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Windows gives: a loop whose `add_signal_handler` raises."""

    def missing(*_: object) -> None:
        raise OSError("this loop handles no signals")

    monkeypatch.setattr(asyncio.SelectorEventLoop, "add_signal_handler", missing)
    ends: list[str] = []

    def says(text: str) -> None:
        ends.append(text)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("recloser.cli.serve.click.echo", says)
    result = CliRunner().invoke(main, ["serve", "--port", "0"])
    assert result.exit_code == 0
    assert "misbehaves until Ctrl-C" in ends[0]


def test_without_a_script_it_shows_what_it_can() -> None:
    with serving() as process:
        assert "misbehaves until Ctrl-C: 9 faults" in first_line(process)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
    assert process.returncode == 0


@pytest.mark.spec("L6")
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--port", "70000"), "must be 0 to 65535"),
        (("--port", "x"), "not a valid integer"),
        (("--script", "missing.toml"), "No such file"),
        (("--script", "bad.toml"), "fault 1: do must be one of"),
        (("extra",), "unexpected extra argument"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.toml").write_text("[[fault]]\ndo = 'explode'", encoding="utf-8")
    result = CliRunner().invoke(main, ["serve", *arguments])
    assert (result.exit_code, result.stdout) == (2, "")
    assert text in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.spec("L6")
def test_a_taken_port_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with serving("--port", port) as process:
            told, trouble = process.communicate(timeout=120)
    assert (process.returncode, told) == (2, "")
    assert f"cannot listen on 127.0.0.1:{port}" in trouble
    assert len(trouble.splitlines()) == 1
