"""`recloser connect` on a terminal: editing, history, a status line, and ways to leave (L3)."""

import termios

import pytest

from tests.tools.cli.process import closes, echo, on_terminal, says, serving
from tests.tools.cli.test_connect import OWN

CTRL_C, CTRL_D, UP = "\x03", "\x04", "\x1b[A"


@pytest.fixture
def patient(tmp_path) -> tuple[str, ...]:
    """Options that name a policy which waits half a minute."""
    own = OWN.replace("Retry(0.01", "Retry(30.0").replace("class Quick", "class Patient")
    (tmp_path / "patient.py").write_text(own)
    return ("--policy", "patient:Patient")


@pytest.mark.spec("L3")
@pytest.mark.parametrize("key", [CTRL_D, CTRL_C])
async def test_what_is_typed_is_sent_and_ctrl_c_and_ctrl_d_leave(key):
    async with serving() as peer, on_terminal("connect", peer.url) as terminal:
        before = termios.tcgetattr(terminal.child)
        await terminal.expect("connecting -> open")
        terminal.type("hello\r")
        await terminal.expect("< echo hello\r\n")
        await terminal.editing()
        terminal.type(key)
        assert await terminal.ended() == 0
        await peer.until(lambda peer: peer.codes == [1000])
        assert peer.received == ["hello"]
        assert termios.tcgetattr(terminal.child) == before


@pytest.mark.spec("L3")
async def test_lines_come_back_from_the_history():
    async with serving() as peer, on_terminal("connect", peer.url) as terminal:
        await terminal.expect("connecting -> open")
        terminal.type("first\r")
        await terminal.expect("< echo first")
        terminal.type(f"{UP}s\r")
        await terminal.expect("< echo firsts")
        assert peer.received == ["first", "firsts"]


@pytest.mark.spec("L3")
async def test_a_message_does_not_spoil_what_is_being_typed():
    async with serving() as peer, on_terminal("connect", peer.url) as terminal:
        await terminal.expect("connecting -> open")
        await terminal.write("hal")
        await peer.sockets[0].send_str("news")
        await terminal.expect(r"\r\x1b\[K< news\r\n> hal")
        terminal.type("lo\r")
        await terminal.expect("< echo hallo")
        assert peer.received == ["hallo"]


@pytest.mark.spec("L3")
async def test_the_status_line_tells_state_code_and_time_left(patient, tmp_path):
    async with (
        serving(closes(1012), echo) as peer,
        on_terminal("connect", peer.url, *patient, cwd=tmp_path) as terminal,
    ):
        await terminal.expect(r"\x1b\[24;1H.*backoff \| 1012 Service Restart \| next dial in \d+ s")
        before = await terminal.expect(r"next dial in (\d+) s \|")
        while (await terminal.expect(r"next dial in (\d+) s \|"))[1] == before[1]:
            pass
        terminal.type("\r")
        await terminal.expect(r"\x1b\[24;1H.* open \| dial 2")
        await terminal.editing()
        terminal.type(CTRL_D)
        assert await terminal.ended() == 0
        assert terminal.text.count("\x1b[1;23r") == 1, "the region that scrolls is set once"
        assert "\x1b[r" in terminal.text, "and given back"


@pytest.mark.spec("L3")
async def test_lines_that_cannot_be_sent_are_told_and_an_empty_one_dials_now(patient, tmp_path):
    async with (
        serving(503, closes(4001), echo) as peer,
        on_terminal("connect", peer.url, *patient, cwd=tmp_path) as terminal,
    ):
        await terminal.expect("connecting -> backoff")
        terminal.type("too early\r")
        await terminal.expect(r"-- not sent \(backoff, next dial in \d+ s\); Enter dials now")
        terminal.type("\r")
        await terminal.expect("open -> passive")
        terminal.type("at rest\r")
        await terminal.expect(r"-- not sent \(passive\); Enter dials now")
        terminal.type("\r")
        await terminal.expect("connecting -> open")
        terminal.type("now\r")
        await terminal.expect("< echo now")
        assert peer.received == ["now"]


@pytest.mark.spec("L3")
async def test_a_policy_that_gives_up_ends_it_although_somebody_types(tmp_path):
    (tmp_path / "quick.py").write_text(OWN)
    async with (
        serving(closes(4000, "go away")) as peer,
        on_terminal("connect", peer.url, "--policy", "quick:Quick", cwd=tmp_path) as terminal,
    ):
        assert await terminal.ended() == 1
        await terminal.expect('-- open -> closed: 4000 Private Use "go away" .*; rule enough')
        await terminal.expect("-- stopped: rule enough gave up")


async def test_what_a_peer_says_cannot_steer_the_terminal():
    evil = "\x1b]0;title\x07\x1b[2J\u202e\tnext\nline"
    told = (evil, b"\x00\xff" * 60)
    async with serving(says(*told)) as peer, on_terminal("connect", peer.url) as terminal:
        await terminal.expect(r"< \\x1b\]0;title\\x07\\x1b\[2J\\u202e\s+next\r\nline")
        await terminal.expect(r"< 120 bytes: 00 ff 00 .*\.\.\.\r\n")


async def test_a_terminal_that_knows_nothing_gets_plain_lines():
    async with serving() as peer, on_terminal("connect", peer.url, TERM="dumb") as terminal:
        await terminal.expect("-- connecting -> open: opened\r\n")
        terminal.type("hi\r")
        await terminal.expect("< echo hi")
        await terminal.editing()
        terminal.type(CTRL_D)
        assert await terminal.ended() == 0
        assert "\x1b[1;" not in terminal.text


async def test_ctrl_c_leaves_while_nothing_is_there():
    async with serving(503) as peer, on_terminal("connect", peer.url) as terminal:
        await terminal.expect("connecting -> backoff")
        terminal.type(CTRL_C)
        assert await terminal.ended() == 0
        await terminal.expect("backoff -> closed: close")
