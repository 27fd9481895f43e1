"""Fault scripts: what can be written, and one line for what cannot."""

from pathlib import Path

import pytest

from recloser.testing import Fault, ScriptError, load_script, parse_script
from recloser.testing.doubles.faults import DEEDS, DEFAULT_SCRIPT


@pytest.mark.spec("K3.1", "K3.2")
def test_a_script_says_what_its_tables_say() -> None:
    text = """
        [[fault]]
        do = "close"
        code = 1012
        reason = "restart"
        after = 0.5
        send = ["a", "b"]
        times = 3
        client = "ada"

        [[fault]]
        do = "refuse"
        status = 429
        headers = { "Retry-After" = "3" }
    """
    assert parse_script(text) == (
        Fault(
            do="close",
            code=1012,
            reason="restart",
            after=0.5,
            send=("a", "b"),
            times=3,
            client="ada",
        ),
        Fault(do="refuse", status=429, headers={"Retry-After": "3"}),
    )


@pytest.mark.spec("L6")
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "at least one [[fault]]"),
        ("fault = 3", "at least one [[fault]]"),
        ("[[fault]\n", "no TOML"),
        ("x = 1\n[[fault]]", "unknown table 'x'"),
        ("fault = [1]", "fault 1 is no table"),
        ("[[fault]]\n[[fault]]\ncoed = 3", "fault 2: unknown key 'coed'; one of after, client"),
        ("[[fault]]\ndo = 'explode'", "do must be one of serve, close"),
        ("[[fault]]\ncode = '1000'", "code must be a whole number, not '1000'"),
        ("[[fault]]\ncode = true", "code must be a whole number, not True"),
        ("[[fault]]\ndo = 'close'\ncode = 70000", "16 bits"),
        ("[[fault]]\nafter = -1", "after must be finite and at least 0"),
        ("[[fault]]\ndelay = nan", "delay must be finite"),
        ("[[fault]]\ntimes = -1", "times must be at least 0"),
        ("[[fault]]\ndo = 'refuse'\nstatus = 20", "status must be 101 to 999"),
        ("[[fault]]\nsend = 'x'", "send must be a list of texts"),
        ("[[fault]]\nsend = [1]", "send must be a list of texts"),
        ("[[fault]]\npongs = 1", "pongs must be true or false"),
        ("[[fault]]\nheaders = 'x'", "headers must be a table"),
        ("[[fault]]\ndo = {}", "do must be one of"),
        ("[[fault]]\ndo = ['serve']", "do must be one of"),
        ("a = " + "[" * 3000 + "]" * 3000, "no TOML"),
        (f"[[fault]]\ncount = {'9' * 5000}", "no TOML"),
    ],
)
def test_what_cannot_be_meant_is_one_line(text: str, problem: str) -> None:
    with pytest.raises(ScriptError) as failure:
        parse_script(text)
    assert problem in str(failure.value)
    assert len(str(failure.value).splitlines()) == 1


def test_a_file_is_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "faults.toml"
    path.write_bytes(b"[[fault]]\nreason = '\xff'")
    with pytest.raises(ScriptError, match="UTF-8"):
        load_script(path)
    path.write_text("[[fault]]\nreason = '☂'\ndo = 'close'", encoding="utf-8")
    assert load_script(path)[0].title == "close 1000 '☂'"


def test_the_default_script_shows_much() -> None:
    assert {fault.do for fault in DEFAULT_SCRIPT} <= set(DEEDS)
    assert len({fault.do for fault in DEFAULT_SCRIPT}) >= 5
    assert "serve" not in {fault.do for fault in DEFAULT_SCRIPT}, "what follows would never come"
