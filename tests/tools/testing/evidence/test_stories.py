"""Stories are played on the real core, told in order, and written as Python that is the same."""

from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given

from recloser import State, policies
from recloser.fsm import Cause, Close, Context, Hold, Origin, Phase, Retry, Stop
from recloser.simulate.scenario import Down, Scenario
from recloser.testing import (
    Call,
    Fleet,
    Invoke,
    Lose,
    Open,
    Question,
    Story,
    Tell,
    Wait,
    fair,
    play,
    strategies,
)
from recloser.testing.evidence.ends import NOBODY, refused
from recloser.testing.laws.client_law import play_client
from recloser.testing.verdict.narrative import lines_of, path_of
from recloser.testing.verdict.source import policy_source, source_of


def states(story: Story) -> list[State]:
    trace = play(policies.standard(), story)
    found = [trace.moments[0].previous]
    found += [each.current for each in trace.moments if each.current is not each.previous]
    return found


CASES: list[tuple[Story, str]] = [
    (Story(()), "closed connecting"),
    (Story((Open(),)), "closed connecting open"),
    (Story((Lose(NOBODY),)), "closed connecting backoff"),
    (Story((Lose(refused(403)),)), "closed connecting closed"),
    (Story((Lose(Close.frame(1012), 60.0),)), "closed connecting open backoff"),
    (Story((Lose(NOBODY, None, 2),)), "closed connecting backoff connecting backoff"),
    (
        Story((Open(), Invoke(Call.CLOSE), Lose(Close.frame(4401)))),
        "closed connecting open closing closed",
    ),
    (
        Story((Open(), Invoke(Call.CLOSE), Invoke(Call.CONNECT), Lose(Close.frame(1000)))),
        "closed connecting open closing connecting",
    ),
    (Story((Open(), Invoke(Call.SUSPEND))), "closed connecting open closing passive"),
    (Story((Open(), Invoke(Call.RECONNECT))), "closed connecting open closing connecting"),
    (Story((Open(), Invoke(Call.FAIL))), "closed connecting open backoff"),
    (Story((Invoke(Call.FAIL),)), "closed connecting"),
    (
        Story((Open(), Tell("hold"), Lose(Close.frame(1000), 1.0), Wait(9e4))),
        "closed connecting open passive",
    ),
    (Story((Open(), Tell("hold"), Lose(Close.frame(1000)), Invoke(Call.WAKE))),
     "closed connecting open passive connecting"),
    (Story((Wait(20.0),)), "closed connecting backoff"),
    (Story((Lose(NOBODY), Invoke(Call.CLOSE))), "closed connecting backoff closed"),
]  # fmt: skip


@pytest.mark.spec("K1.3")
@pytest.mark.parametrize(("story", "path"), CASES, ids=lambda value: None)
def test_a_story_goes_its_way(story: Story, path: str) -> None:
    assert " ".join(state.value for state in states(story)) == path


def test_what_is_told_is_what_was_played() -> None:
    story = Story((Lose(Close.frame(1012, "restart"), 3600.0), Lose(NOBODY), Open()), roll=0.5)
    trace = play(policies.standard(), story)
    text = "\n".join(lines_of(trace))
    for part in (
        "  1.        0.000 s  the application calls connect()",
        "the peer closes with 1012 'restart'",
        "open -> backoff",
        "Retry(3) by rule 'restart' (roll 0.5)",
        "1006 (network, tcp)",
        "connecting -> open",
    ):
        assert part in text
    assert path_of(trace) == "closed -> connecting -> open -> (backoff -> connecting) x 2 -> open"
    assert [type(each.decision) for each in trace.asked] == [Retry, Retry]


def test_a_long_story_is_folded() -> None:
    trace = play(policies.standard(), Story((Lose(NOBODY, None, 50),)))
    lines = lines_of(trace)
    assert len(lines) == 14
    assert "more like these" in lines[5]
    assert path_of(trace) == "closed -> (connecting -> backoff) x 50"


def test_fair_rolls_are_even() -> None:
    drawn = sorted(fair(number) for number in range(1, 101))
    gaps = [after - before for before, after in pairwise(drawn)]
    assert drawn[0] >= 0
    assert drawn[-1] < 1
    assert max(gaps) < 0.03


EVIDENCE: list[Any] = [
    Story(
        (Open(), Invoke(Call.CLOSE), Lose(Close.frame(4401, "who?"))), can_refresh=True, roll=0.25
    ),
    Story((Tell("stop", 3.0), Wait(5.0), Lose(refused(503, 30.0), None, 3))),
    Question(
        Close(code=1006, origin=Origin.ENGINE, cause=Cause.HEARTBEAT),
        Context(phase=Phase.OPEN, attempt=10**9, uptime=1e-9, roll=0.0),
    ),
    Fleet(parting=Close.cut(Cause.RESET), dials=refused(500), seed=3),
    Scenario(engines=50, outage=3.0, down=Down.BUSY),
]


@pytest.mark.spec("K1.4")
@pytest.mark.parametrize("evidence", EVIDENCE, ids=lambda value: type(value).__name__)
def test_evidence_written_as_python_is_the_same(evidence: Any) -> None:
    seen: list[object] = []
    text = source_of("total", policy_source(policies.standard), evidence)
    space: dict[str, Any] = {}
    exec(compile(text, "pasted.py", "exec"), space)
    space["assert_law"] = lambda law, make, given: seen.append(given)
    space["test_total"]()
    assert seen == [evidence]
    assert "from recloser.policies import standard" in text


def test_a_policy_that_cannot_be_imported_is_said_so() -> None:
    statement, name = policy_source(partial(policies.standard))
    assert statement.startswith("#")
    assert name == "make_policy"


@pytest.mark.spec("A1", "A7", "K1.3")
@given(strategies.stories())
def test_any_story_keeps_the_promises_of_the_machine(story: Story) -> None:
    trace = play(policies.standard(), story)
    assert trace.problem is None
    at = [each.at for each in trace.moments]
    assert at == sorted(at)
    for before, after in pairwise(trace.moments):
        assert before.current is after.previous
        if before.current is State.CLOSED:
            asked = "calls connect()" in after.event
            assert after.current is (State.CONNECTING if asked else State.CLOSED)


@pytest.mark.spec("K1.3")
def test_the_client_goes_through_every_case_too() -> None:
    for story, _ in CASES:
        assert play_client(policies.standard(), story) is None


class Wrong:
    def decide(self, close: Close, context: Context) -> Any:
        return Retry(1.0) if context.attempt != 2 else "again"


@pytest.mark.spec("B4.1", "K1.3")
def test_the_client_tells_of_a_policy_that_fails() -> None:
    problem = play_client(Wrong(), Story((Lose(NOBODY, None, 2),)))
    assert problem is not None
    assert "answered str instead of Retry, Hold or Stop" in problem


@pytest.mark.spec("K3.1")
@given(strategies.closes(), strategies.contexts(), strategies.decisions())
def test_strategies_make_what_the_engine_could_meet(
    close: Close, context: Context, decision: object
) -> None:
    assert context.attempt >= context.streak >= 1
    assert 0 <= context.roll < 1
    assert (context.uptime is None) is (context.phase is Phase.DIAL)
    assert context.uptime is None or context.uptime <= context.since_dial <= context.elapsed
    assert isinstance(decision, Retry | Hold | Stop)
    assert isinstance(policies.standard().decide(close, context), Retry | Hold | Stop)


@pytest.mark.spec("K3.1")
@given(strategies.schedules(), strategies.fault_scripts())
def test_schedules_and_scripts(schedule: list[float], script: tuple[object, ...]) -> None:
    assert all(pause >= 0 for pause in schedule)
    assert len(script) <= 6
