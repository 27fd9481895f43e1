"""`recloser codes`, as it is run from a shell."""

import json
import re

import pytest
from click.testing import CliRunner, Result

from recloser import policies
from recloser.cli import main


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.mark.spec("L2", "B14.2")
def test_codes_of_a_service() -> None:
    found = json.loads(run("codes", "Kraken", "--json").stdout)
    assert found["service"] == "kraken"
    assert found["limits"][0]["dials"] == 150
    assert all(row["source"] and row["date"] and row["name"] for row in found["codes"])
    assert {"status", "do"} <= set(found["codes"][-1]) | set(found["codes"][0])
    text = run("codes", "kraken").stdout
    assert "at most 150 dials in 600 s per IP address" in text
    assert re.search(r"^status 429 +wait 600", text, re.MULTILINE)
    assert "1008 like /DATA-0001/" in run("codes", "deepgram-tts").stdout


@pytest.mark.spec("L2", "D10.6")
def test_the_lifetime_of_a_connection() -> None:
    found = json.loads(run("codes", "binance", "--json").stdout)
    assert found["lifetime"]["seconds"] == 86_400
    text = " ".join(run("codes", "binance").stdout.split())
    assert "valid for 24 hours. max_age=(73440, 82080) [https://developers.binance.com/" in text
    assert json.loads(run("codes", "kraken", "--json").stdout)["lifetime"] is None


@pytest.mark.spec("L2")
def test_codes_that_are_registered() -> None:
    found = json.loads(run("codes", "--json").stdout)
    assert found["services"] == list(policies.services())
    rows = {row["code"]: row for row in found["codes"]}
    assert rows["1006"]["in_frame"] == "never"
    assert rows["1012"] == {
        "code": "1012",
        "name": "Service Restart",
        "in_frame": "yes",
        "standard": "retry in 1-5 s",
    }
    assert re.search(r"^3000 +Unauthorized +yes", run("codes").stdout, re.MULTILINE)
