"""`recloser connect` in pipes: lines in, messages out, over all faults (L3)."""

import asyncio
import json
import os
import signal
import ssl
from contextlib import suppress
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner

from recloser.cli import main
from recloser.journal import Reader
from tests.tools.cli.process import (
    PATIENCE,
    closes,
    echo,
    finished,
    in_pipes,
    says,
    serving,
    silent,
)

OWN = """
from recloser import Hold, Retry, Stop
class Quick:
    def decide(self, close, context):
        if close.code == 4001:
            return Hold(rule="night")
        if close.intentional or close.code == 4000:
            return Stop(rule="enough")
        return Retry(0.01, rule="quick")
"""


@pytest.fixture
def quick(tmp_path) -> tuple[str, ...]:
    """Options that name a policy in the current folder, which is `tmp_path`."""
    (tmp_path / "quick_policy.py").write_text(OWN)
    return ("--policy", "quick_policy:Quick")


async def line(process: asyncio.subprocess.Process) -> str:
    """The next line on stdout."""
    async with asyncio.timeout(PATIENCE):
        return (await process.stdout.readline()).decode().rstrip("\n")


async def note(process: asyncio.subprocess.Process, text: str) -> str:
    """The next line on stderr that has this text."""
    async with asyncio.timeout(PATIENCE):
        while text not in (found := (await process.stderr.readline()).decode()):
            assert found, f"{text!r} never came"
    return found


@pytest.mark.spec("L3")
async def test_lines_go_in_and_messages_come_out():
    async with serving() as peer, in_pipes("connect", peer.url, "--linger", "0") as client:
        client.stdin.write("one\r\n\nzwölf".encode() + b"\n")
        assert [await line(client) for _ in range(3)] == ["echo one", "echo ", "echo zwölf"]
        status, _, err = await finished(client, b"the last one lacks its end")
        assert status == 0
        await peer.until(lambda peer: peer.codes == [1000])
        assert peer.received == ["one", "", "zwölf", "the last one lacks its end"]
        assert "echo" not in err
        assert err.splitlines()[:2] == [
            "-- closed -> connecting: connect",
            "-- connecting -> open: opened",
        ]
        assert "\x1b" not in err


@pytest.mark.spec("L3")
async def test_after_the_last_line_answers_are_waited_for(tmp_path):
    (tmp_path / "in").write_text("one\ntwo\n")
    with (tmp_path / "in").open("rb") as lines:
        async with (
            serving() as peer,
            in_pipes("connect", peer.url, "--linger", "inf", stdin=lines.fileno()) as client,
        ):
            assert [await line(client) for _ in range(2)] == ["echo one", "echo two"]
            client.send_signal(signal.SIGINT)
            status, _, _ = await finished(client)
            assert status == 0
            await peer.until(lambda peer: peer.codes == [1000])


async def test_the_wait_for_answers_ends_by_itself():
    async with serving() as peer, in_pipes("connect", peer.url, "--linger", "0.05") as client:
        status, _, err = await finished(client, b"one\n")
        assert status == 0
        await peer.until(lambda peer: peer.codes == [1000])
        assert "open -> closing: close" in err


@pytest.mark.spec("L3")
async def test_lines_are_held_until_they_can_be_sent_and_survive_faults(quick, tmp_path):
    acts = (503, closes(1012, after=1), 503, closes(1000, "later", after=1), echo)
    async with (
        serving(*acts) as peer,
        in_pipes("connect", peer.url, *quick, "--linger", "0", cwd=tmp_path) as client,
    ):
        for text, answered in (("one", 2), ("two", 4), ("three", 5)):
            client.stdin.write(f"{text}\n".encode())
            assert await line(client) == f"echo {text}"
            if text != "three":
                await peer.until(lambda peer, count=answered: peer.dials > count)
        status, _, err = await finished(client)
        assert (status, peer.received) == (0, ["one", "two", "three"])
        for text in ("HTTP 503", "1012 Service Restart", '1000 Normal Closure "later" (peer'):
            assert text in err
        assert "rule quick; next dial in 0.01 s" in err


@pytest.mark.spec("L3")
@pytest.mark.parametrize(
    ("code", "problem"),
    [
        (4000, "stopped: rule enough gave up"),
        (4001, "stopped: rule night rests, and in a pipe nobody can wake it"),
    ],
)
async def test_a_policy_that_gives_up_ends_it_with_one_line(quick, tmp_path, code, problem):
    async with (
        serving(closes(code)) as peer,
        in_pipes("connect", peer.url, *quick, cwd=tmp_path) as client,
    ):
        async with asyncio.timeout(PATIENCE):
            assert await client.wait() == 1  # although its input is still open
        _, _, err = await finished(client)
        *before, last = err.splitlines()
        assert last == f"-- {problem}"
        assert len({*before}) == len(before)
        assert sum(f": {code} Private Use " in each for each in before) == 1  # told as a change
        assert peer.dials == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_leaves_in_any_state(quick, tmp_path, number):
    async with serving(503) as peer, in_pipes("connect", peer.url, cwd=tmp_path) as client:
        await note(client, "connecting -> backoff")
        client.send_signal(number)
        status, _, err = await finished(client)
        assert status == 0
        assert "backoff -> closed: close" in err


async def test_who_asks_twice_is_not_kept_waiting():
    async with serving(silent) as peer, in_pipes("connect", peer.url) as client:
        await note(client, "connecting -> open")
        client.send_signal(signal.SIGINT)
        await note(client, "open -> closing")
        client.send_signal(signal.SIGINT)
        status, _, err = await finished(client)
        assert status == 130
        assert "Traceback" not in err


async def test_a_reader_that_has_seen_enough_is_no_error():
    async with serving(says(*["news"] * 10)) as peer:
        async with in_pipes("connect", peer.url) as client:
            assert await line(client) == "news"
            client.stdout._transport.close()
            await client.stdout.read()  # it ends when the pipe is closed, which is a turn later
            await peer.until(lambda peer: peer.sockets)
            await peer.sockets[0].send_str("more")
            async with asyncio.timeout(PATIENCE):
                assert await client.wait() == 0
        await peer.until(lambda peer: peer.codes == [1000])


async def test_a_pipe_that_nobody_empties_does_not_keep_it_from_leaving():
    big = "x" * (1 << 20)
    async with serving(says(*[big] * 4)) as peer, in_pipes("connect", peer.url) as client:
        client.stdout._transport.pause_reading()
        await note(client, "connecting -> open")
        client.send_signal(signal.SIGTERM)
        await note(client, "closing -> closed")
        await peer.until(lambda peer: peer.codes == [1000])
        client.stdout._transport.resume_reading()
        assert (await finished(client))[0] == 0


async def test_long_messages_come_out_whole():
    long = "x" * 3_000_000
    async with serving(says(long)) as peer, in_pipes("connect", peer.url) as client:
        assert await line(client) == long


async def test_a_line_that_is_no_text_is_told_and_not_sent():
    async with serving() as peer, in_pipes("connect", peer.url, "--linger", "0") as client:
        status, _, err = await finished(client, b"one\n\xff\xfe\nthree\n")
        assert status == 1
        assert "-- line 2 not sent: it is no UTF-8 (--binary sends any bytes)" in err
        await peer.until(lambda peer: peer.codes == [1000])
        assert peer.received == ["one", "three"]


async def test_bytes_in_and_out():
    async with serving() as peer, in_pipes("connect", peer.url, "--binary") as client:
        client.stdin.write(b"\xff\xfe\r\n")
        async with asyncio.timeout(PATIENCE):
            assert await client.stdout.readline() == b"echo \xff\xfe\r\n"
        assert peer.received == [b"\xff\xfe\r"]


async def test_bytes_among_text_are_printed_as_digits():
    async with serving(says(b"\x00\xff")) as peer, in_pipes("connect", peer.url) as client:
        assert await line(client) == "00ff"


async def test_json_is_indented_and_the_rest_is_left_alone():
    said = ('{"b": [1, "ü"], "a": {}}', "no json", "1" * 5000, "[" * 100_000)
    async with serving(says(*said)) as peer, in_pipes("connect", peer.url, "--json") as client:
        expected = json.dumps(json.loads(said[0]), indent=2, ensure_ascii=False).splitlines()
        assert [await line(client) for _ in expected] == expected
        assert [await line(client) for _ in said[1:]] == list(said[1:])


async def test_headers_and_subprotocols_go_with_every_dial(quick, tmp_path):
    arguments = ("-H", "X-One: 1", "--header", "X-Two:two: 2", "-s", "quiz", "-s", "chat", *quick)
    async with (
        serving(503, echo) as peer,
        in_pipes("connect", peer.url, *arguments, cwd=tmp_path) as client,
    ):
        await note(client, "connecting -> open")
        for request in peer.requests:
            assert (request["X-One"], request["X-Two"]) == ("1", "two: 2")
            assert request["Sec-WebSocket-Protocol"].replace(" ", "") == "quiz,chat"
        assert len(peer.requests) == 2
        assert peer.sockets[0].ws_protocol == "chat"


async def test_a_token_is_fetched_for_every_dial(quick, tmp_path):
    fetch = "sh -c 'echo x >> calls; wc -l < calls'"
    arguments = ("--token-command", fetch, "-H", "X-One: 1", *quick)
    async with (
        serving(503, echo) as peer,
        in_pipes("connect", peer.url, *arguments, cwd=tmp_path) as client,
    ):
        await note(client, "connecting -> open")
        tokens = [" ".join(request["Authorization"].split()) for request in peer.requests]
        assert tokens == ["Bearer 1", "Bearer 2"]
        assert {request["X-One"] for request in peer.requests} == {"1"}


@pytest.mark.parametrize(
    ("fetch", "problem"),
    [
        ("sh -c 'echo no luck >&2; exit 3'", "sh ended with status 3: no luck"),
        ("true", "true printed no token"),
    ],
)
async def test_a_token_command_that_fails_is_a_failed_dial(fetch, problem):
    async with (
        serving() as peer,
        in_pipes("connect", peer.url, "--token-command", fetch) as client,
    ):
        told = await note(client, "connecting -> ")
        assert problem in told
        assert "credentials" in told
        assert peer.dials == 0


async def test_a_token_command_does_not_outlive_its_dial(tmp_path):
    pipe = tmp_path / "pid"
    os.mkfifo(pipe)
    fetch = f"sh -c 'echo $$ > {pipe}; kill -STOP $$'"
    async with in_pipes("connect", "ws://127.0.0.1:9/", "--token-command", fetch) as client:
        async with asyncio.timeout(PATIENCE):
            pid = int(await asyncio.to_thread(pipe.read_text))
        client.send_signal(signal.SIGINT)
        status, _, _ = await finished(client)
        assert status == 0
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_a_log_and_a_journal_are_kept(quick, tmp_path):
    arguments = ("--log", "log.jsonl", "--journal", "journal.jsonl", "--linger", "0", *quick)
    async with (
        serving(503, echo) as peer,
        in_pipes("connect", f"{peer.url}?token=tiger", *arguments, cwd=tmp_path) as client,
    ):
        status, _, err = await finished(client, b"one\n")
    assert status == 0
    stories = []
    for name in ("log.jsonl", "journal.jsonl"):
        with (tmp_path / name).open("rb") as file:
            reader = Reader(file)
            stories.append([entry.change.current.value for entry in reader])
            assert reader.lines == reader.entries
        assert "tiger" not in (tmp_path / name).read_text()
        assert (tmp_path / name).stat().st_mode & 0o077 == 0
    assert stories[0] == stories[1]
    assert stories[0][-3:] == ["open", "closing", "closed"]
    assert "tiger" not in err


@pytest.mark.spec("I7.1", "L3")
async def test_a_disk_that_stalls_under_log_and_journal_holds_nothing_up(quick, tmp_path):
    """Two named pipes that are full; what is written is there once they are emptied."""
    ends = []
    for name in ("log", "journal"):
        os.mkfifo(tmp_path / name)
        ends.append(os.open(tmp_path / name, os.O_RDWR | os.O_NONBLOCK))
        with suppress(BlockingIOError):
            while True:
                os.write(ends[-1], b"\n")
    arguments = ("--log", "log", "--journal", "journal", "--linger", "inf", *quick)
    async with (
        serving(echo, echo) as peer,
        in_pipes("connect", peer.url, *arguments, cwd=tmp_path) as client,
    ):
        for message in ("one", "two"):
            client.stdin.write(f"{message}\n".encode())
            assert await line(client) == f"echo {message}"
        for end in ends:
            os.set_blocking(end, True)
            while not (data := os.read(end, 1 << 16).strip()):
                pass
            assert json.loads(data.splitlines()[0])["to"] == "connecting"
            os.close(end)
        client.send_signal(signal.SIGINT)
        status, _, _ = await finished(client)
    assert status == 0


@pytest.mark.spec("L3.1", "L3.2", "B1.4")
@pytest.mark.parametrize("trust", ["--cacert", "--insecure", None])
async def test_whom_to_trust(trust, tmp_path):
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    options = {"--cacert": ["--cacert", tmp_path / "ca.pem"], None: []}.get(trust, [trust])
    async with (
        serving(closes(1000, after=1), tls=tls) as peer,
        in_pipes("connect", peer.url, *options) as client,
    ):
        status, out, err = await finished(client, b"one\n")
    lines = err.splitlines()
    if trust is None:
        assert (status, out, peer.received) == (1, "", [])
        assert "-- the certificate is not trusted: --cacert FILE" in err
        assert lines[0] == "-- closed -> connecting: connect"
    else:
        assert (status, out) == (0, "echo one\n")
        assert not [line for line in lines if "certificate" in line]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
async def test_a_journal_that_cannot_be_written_is_told_and_harms_nobody():
    arguments = ("--journal", "/dev/full", "--linger", "0")
    async with serving() as peer, in_pipes("connect", peer.url, *arguments) as client:
        status, _, err = await finished(client, b"one\n")
        assert status == 0
        [told] = [each for each in err.splitlines() if "journal_not_written" in each]
        assert "No space left on device" in told
        assert peer.received == ["one"]


@pytest.mark.spec("L6")
@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "Missing argument 'URL'"),
        (["http://x.example/"], "url must start with ws:// or wss://"),
        (["ws://x.example/#top"], "url must have no fragment"),
        (["ws:///"], "url must name a host"),
        (["ws://x/", "-H", "nonsense"], "give a header as 'Name: value'"),
        (["ws://x/", "-H", "A: b\r\nc"], "must not contain a line break"),
        (["ws://x/", "--linger", "-1"], "give seconds"),
        (["ws://x/", "--linger", "nan"], "give seconds"),
        (["ws://x/", "-p", "nonsense"], "unknown policy 'nonsense'"),
        (["ws://x/", "--token-command", "no-such-program-here"], "no program"),
        (["ws://x/", "--token-command", "'"], "No closing quotation"),
        (["ws://x/", "--log", "nowhere/x"], "nowhere/x: No such file or directory"),
        (["ws://x/", "--journal", "nowhere/x"], "nowhere/x: No such file or directory"),
        (["ws://me:tiger@x/#top"], "ws://***@x"),
        (["ws://x/", "--insecure"], "only a wss URL has a certificate"),
        (["ws://x/", "--cacert", "ca.pem"], "only a wss URL has a certificate"),
        (["wss://x/", "--cacert", "nowhere.pem"], "nowhere.pem: No such file or directory"),
        (["wss://x/", "--cacert", "empty.pem"], "empty.pem has no certificate in PEM form"),
        (["wss://x/", "--cacert", "."], "is a directory"),
        (["wss://x/", "--cacert", "empty.pem", "--insecure"], "exclude each other"),
    ],
)
def test_bad_input_gets_one_line(arguments, problem, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.pem").touch()
    result = CliRunner().invoke(main, ["connect", *arguments])
    assert (result.exit_code, result.stdout) == (2, "")
    [told] = result.stderr.splitlines()
    assert told.startswith("recloser connect: ")
    assert problem in told
    assert "tiger" not in told
