"""`recloser field`, and `recloser explain --server`, as they are run from a shell."""

import json

import pytest
from click.testing import CliRunner, Result

from recloser.cli import main
from recloser.policies import field


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.mark.spec("L10")
def test_all_rows_are_listed() -> None:
    found = json.loads(run("field", "--json").stdout)
    assert len(found) == len(field.rows())
    text = run("field").stdout
    assert all(row.name in text and row.wire in text for row in field.rows())
    assert run("field", "--format", "markdown").stdout.startswith("| software | version |")


@pytest.mark.spec("L10")
def test_the_rows_of_one_software_and_of_one_event() -> None:
    stopped = json.loads(run("field", "uvicorn", "stop", "--json").stdout)
    assert {(row["software"], row["event"], row["code"]) for row in stopped} == {
        ("uvicorn", "stop", 1012)
    }
    killed = json.loads(run("field", "kill", "--json").stdout)
    assert {row["event"] for row in killed} == {"kill"}


@pytest.mark.spec("L10")
def test_one_row_is_told_in_words() -> None:
    text = run("field", "daphne", "age").stdout
    assert '1000 ""' in text
    assert "come back within two seconds" in text
    assert "the default is a day" in text


@pytest.mark.spec("L10")
def test_a_row_whose_connection_stays_open_has_no_time_of_an_end() -> None:
    assert "\nafter  " in run("field", "daphne", "age").stdout
    text = run("field", "squid", "reload").stdout
    assert "stays open" in text
    assert "after  " not in text


@pytest.mark.spec("L10", "L6", "L9")
def test_what_there_is_not_gets_one_line() -> None:
    result = run("field", "uvicornn")
    assert result.exit_code == 2
    assert "did you mean" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.spec("L10", "L2")
def test_explain_decides_for_what_a_server_does() -> None:
    [answer] = json.loads(run("explain", "--server", "uvicorn", "--event", "stop", "--json").stdout)
    assert (answer["code"], answer["rule"], answer["decision"]) == (1012, "restart", "retry")
    text = run("explain", "--server", "uvicorn", "--event", "stop").stdout
    assert "uvicorn" in text.splitlines()[0]
    assert "Most restarts are over in a second" in text


@pytest.mark.spec("L10", "L2")
def test_explain_knows_that_nothing_may_end() -> None:
    asked = ("explain", "--server", "uvicorn", "--event", "overload")
    assert "none: the connection goes on" in run(*asked).stdout
    [answer] = json.loads(run(*asked, "--json").stdout)
    assert answer["decision"] is None


@pytest.mark.spec("L10", "L6")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--server", "uvicorn"], "give --server and --event together"),
        (["--event", "stop"], "give --server and --event together"),
        (["1012", "--server", "uvicorn", "--event", "stop"], "leave CODE and the other facts out"),
        (["--server", "uvicorn", "--event", "halt"], "no event 'halt'"),
    ],
)
def test_explain_says_what_is_missing(arguments: list[str], said: str) -> None:
    result = run("explain", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
