"""A budget of dials: over all lives of an engine, over several engines, and over processes."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

import recloser
from recloser import Budget, Retry, State, StateChange, Timeouts, policies
from recloser.fsm import Cause
from recloser.fsm.allowance import Allowance, wait_for_budget
from recloser.transport.base import DialFailed
from tests.engine.credentials.rig import HandClock
from tests.engine.rig import (
    DOWN,
    KICKED,
    UP,
    Answering,
    ended,
    engine,
    now,
    pass_time,
    turns,
    virtual,
)


@pytest.mark.spec("D9.1", "D9.2")
@virtual
async def test_stable_connections_reset_nothing() -> None:
    """Each connection is stable, and each is ended by the peer after twenty seconds."""
    changes: list[StateChange] = []
    ws, transport = engine(
        *[UP] * 20,
        budget=Budget((3, 100.0), (5, 600.0)),
        policy=Answering(Retry(1.0, rule="again")),
        observers=[changes.append],
    )
    ws.connect()
    starts = []
    while now() < 1300:
        await ws.wait_for(State.OPEN)
        starts.append(now())
        await pass_time(20)
        transport.wires[-1].end(KICKED)
    assert len(starts) > 8
    for span, most in ((100.0, 3), (600.0, 5)):
        assert max(sum(a <= b < a + span for b in starts) for a in starts) == most
    rules = {change.rule for change in changes if change.current is State.BACKOFF}
    assert rules == {"again", "budget-spent"}
    assert max(change.attempt for change in changes) == 1
    await ws.close()


@pytest.mark.spec("D9.1", "D9.3", "E1.1")
@pytest.mark.parametrize("ask", ["connect", "wake", "reconnect"])
@virtual
async def test_no_call_dials_beyond_it_and_nobody_is_asked_for_that(ask: str) -> None:
    asked: list[float] = []

    def url() -> str:
        asked.append(now())
        return "ws://feed.example"

    ws, transport = engine(UP, UP, url=url, budget=Budget((1, 60.0)), policy=Answering(Retry(5.0)))
    ws.connect()
    await ws.wait_for(State.OPEN)
    await pass_time(20)
    transport.wires[0].end(KICKED)
    assert ws.retry_in is not None
    assert 40.0 <= ws.retry_in <= 42.0
    for _ in range(3):
        getattr(ws, ask)()
        await pass_time(2)
        assert ws.state is State.BACKOFF
        assert ws.last_close is not None
        assert ws.last_close.cause is Cause.BUDGET
        assert ws.attempt == (0 if ask == "connect" else 1)
    assert asked == [0.0]
    await ws.wait_for(State.OPEN)
    assert 60.0 <= now() <= 63.0
    assert len(asked) == len(transport.requests) == 2
    await ws.close()


@pytest.mark.spec("D9.1")
@virtual
async def test_engines_share_one_budget() -> None:
    budget = Budget((2, 30.0))
    engines = [engine(*[UP] * 3, budget=budget) for _ in range(6)]
    for ws, _ in engines:
        ws.connect()
    await turns()
    assert [ws.state for ws, _ in engines].count(State.OPEN) == 2
    await pass_time(40)
    assert [ws.state for ws, _ in engines].count(State.OPEN) == 4
    await pass_time(80)
    assert {ws.state for ws, _ in engines} == {State.OPEN}
    assert sum(len(transport.requests) for _, transport in engines) == 6
    for ws, _ in engines:
        await ws.close()


@pytest.mark.spec("D9.3", "D6.1")
@virtual
async def test_a_limit_on_attempts_does_not_count_what_was_not_dialled() -> None:
    policy = policies.limit(policies.standard(), attempts=2, then=policies.stop())
    ws, _ = engine(UP, UP, budget=Budget((1, 50.0)), policy=policy)
    ws.connect()
    await ws.wait_for(State.OPEN)
    await pass_time(20)
    for _ in range(5):
        ws.reconnect()
        await pass_time(1)
    await ws.wait_for(State.OPEN)
    await ws.close()


@pytest.mark.spec("D9.3", "A1")
@virtual
async def test_an_engine_that_is_closed_meanwhile_stays_closed() -> None:
    ws, transport = engine(UP, DOWN, budget=Budget((1, 50.0)))
    ws.connect()
    await ws.wait_for(State.OPEN)
    ws.reconnect()
    await ws.close()
    await pass_time(100)
    assert ws.state is State.CLOSED
    assert len(transport.requests) == 1


@pytest.mark.spec("D9.2", "I1.1")
@virtual
async def test_the_log_says_that_the_budget_was_the_reason() -> None:
    with capture_logs() as lines:
        ws, _ = engine(DOWN, budget=Budget((1, 50.0)), policy=policies.standard())
        ws.connect()
        await ws.wait_for(State.BACKOFF)
        await ws.close()
    [line] = [line for line in lines if line.get("to") == "backoff"]
    assert line["rule"] == "budget-spent"
    assert 50.0 <= line["delay"] <= 53.0


@pytest.mark.spec("B14.6")
def test_the_limits_of_the_catalogue_make_one() -> None:
    found = {
        name: Budget(*service.limits)
        for name in policies.services()
        if (service := policies.service(name)).limits
    }
    assert repr(found["binance"]) == "<Budget 300 in 300 s>"
    assert repr(found["discord-gateway"]) == "<Budget 1000 in 86400 s>"
    assert len(found) >= 7


async def dial(budget: Budget, clock: HandClock) -> bool:
    failed = await ended(budget.spend(clock, {}))
    assert failed is None or (isinstance(failed, DialFailed) and failed.close.cause is Cause.BUDGET)
    return failed is None


@pytest.mark.spec("D9.4")
async def test_the_dials_of_other_budgets_of_the_file_count(tmp_path: Path) -> None:
    path, clock = tmp_path / "dials.db", HandClock()
    one, two = (Budget((3, 60.0), path=path) for _ in range(2))
    assert [await dial(one, clock), await dial(two, clock), await dial(one, clock)] == [True] * 3
    clock.tick(10.0)
    assert not await dial(two, clock)
    assert two.wait(clock.now) == pytest.approx(50.0)
    late = Budget((3, 60.0), path=path)
    assert not await dial(late, clock)
    clock.tick(50.5)
    assert [await dial(each, clock) for each in (late, two, late, one)] == [True] * 3 + [False]


@pytest.mark.spec("D9.4")
async def test_many_that_ask_at_the_same_moment_share_what_is_left(tmp_path: Path) -> None:
    path, clock = tmp_path / "dials.db", HandClock()
    budgets = [Budget((4, 60.0), path=path) for _ in range(3)]
    granted = await asyncio.gather(*(dial(each, clock) for each in budgets * 4))
    assert granted.count(True) == 4


@pytest.mark.spec("D9.4", "J3")
async def test_a_dial_that_is_cancelled_while_it_is_written_counts(tmp_path: Path) -> None:
    path, clock = tmp_path / "dials.db", HandClock()
    budget = Budget((2, 60.0), path=path)
    task = asyncio.ensure_future(budget.spend(clock, {}))
    await asyncio.sleep(0)
    task.cancel()
    assert isinstance(await ended(task), asyncio.CancelledError)
    clock.tick(1.0)
    assert [await dial(budget, clock), await dial(budget, clock)] == [True, False]


@pytest.mark.spec("D9.4")
@pytest.mark.parametrize("step", [-3600.0, 3600.0])
async def test_a_wall_clock_that_is_set_frees_nothing_of_our_own(
    tmp_path: Path, step: float
) -> None:
    clock = HandClock()
    budget = Budget((1, 600.0), path=tmp_path / "dials.db")
    assert await dial(budget, clock)
    clock.epoch += step
    clock.tick(1.0)
    assert not await dial(budget, clock)
    clock.tick(600.0)
    assert await dial(budget, clock)


@pytest.mark.spec("D9.8")
@pytest.mark.parametrize("ahead", [59.0, 61.0, 3e7])
async def test_dials_from_the_future_hold_nobody_up_for_ever(tmp_path: Path, ahead: float) -> None:
    """The clock of the machine was wrong when a process before this one dialled."""
    path, clock = tmp_path / "dials.db", HandClock()
    clock.epoch += ahead
    assert await dial(Budget((1, 60.0), path=path), clock)
    clock.epoch -= ahead
    budget = Budget((1, 60.0), path=path)
    for _ in range(59):
        assert not await dial(budget, clock)
        clock.tick(1.0)
    clock.tick(1.0 + ahead if ahead < 60.0 else 1.0)
    assert await dial(budget, clock)


KILLED = """
import asyncio, os, signal, sys
from recloser import Budget
from recloser.clock import LoopClock

async def main():
    budget = Budget((2, 3600.0), path=sys.argv[1])
    await budget.spend(LoopClock(asyncio.get_running_loop()), {})
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@pytest.mark.spec("D9.4")
async def test_the_dials_of_a_killed_process_count(tmp_path: Path) -> None:
    path = tmp_path / "dials.db"
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", KILLED, str(path)], check=False
    )
    assert done.returncode < 0
    ws, transport = engine(DOWN, DOWN, budget=Budget((2, 3600.0), path=path))
    ws.connect()
    await ws.wait_for(State.BACKOFF)
    assert ws.last_close is not None
    assert ws.last_close.cause is not Cause.BUDGET
    assert ws.retry_in is not None
    assert 3000.0 < ws.retry_in < 3800.0
    assert len(transport.requests) == 1
    await ws.close()


@pytest.mark.spec("D9.5")
async def test_a_file_that_cannot_be_written_is_told_of_and_memory_counts_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recloser.budget_file._PATIENCE", 0.0)
    path, clock = tmp_path / "dials.db", HandClock()
    budget = Budget((2, 60.0), path=path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other, capture_logs() as lines:
        other.execute("BEGIN EXCLUSIVE")
        assert await dial(budget, clock)
        clock.tick(1.0)
        assert await dial(budget, clock)
        assert not await dial(budget, clock)
        other.execute("ROLLBACK")
    assert [line["event"] for line in lines] == ["websocket.budget_not_saved"] * 2
    assert lines[0]["path"] == str(path)
    assert "locked" in lines[0]["error"]
    clock.tick(59.5)
    assert await dial(budget, clock)
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT count(*) FROM dials").fetchone() == (2,)


@pytest.mark.spec("D9.5")
async def test_a_dial_does_not_wait_for_a_disk_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process that has locked the file holds the thread up, as a disk that stalls does."""
    monkeypatch.setattr("recloser.budget_file._PATIENCE", 60.0)
    monkeypatch.setattr("recloser.budget_file._DEADLINE", 0.05)
    path, clock = tmp_path / "dials.db", HandClock()
    budget = Budget((3, 60.0), path=path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other, capture_logs() as lines:
        other.execute("BEGIN EXCLUSIVE")
        assert [await dial(budget, clock) for _ in range(2)] == [True, True]
        other.execute("ROLLBACK")
    assert ["has not answered" in line["error"] for line in lines] == [True, True]
    monkeypatch.setattr("recloser.budget_file._DEADLINE", 60.0)
    assert await dial(budget, clock), "it waits for the write that is under way"
    assert not await dial(Budget((3, 60.0), path=path), clock), "all three are in the file"


SHARED_BY_A_FORK = """
import asyncio, os, sys
from recloser import Budget
from tests.engine.credentials.rig import HandClock
from tests.engine.test_budget import dial

budget, clock = Budget((3, 60.0), path=sys.argv[1]), HandClock()
print(asyncio.run(dial(budget, clock)), flush=True)
if child := os.fork():
    os.waitpid(child, 0)
print([asyncio.run(dial(budget, clock)) for _ in range(1 if not child else 2)], flush=True)
os._exit(0)
"""


@pytest.mark.spec("D9.4")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_counts_as_another_process(tmp_path: Path) -> None:
    """One dial before it, one of the child, and one that is left for the parent."""
    done = subprocess.run(
        [sys.executable, "-c", SHARED_BY_A_FORK, tmp_path / "dials.db"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["True", "[True]", "[True, False]"], done.stderr
    with closing(sqlite3.connect(tmp_path / "dials.db")) as file:
        [(owners, dials)] = file.execute("SELECT count(DISTINCT owner), count(*) FROM dials")
    assert (owners, dials) == (2, 3)


FORKED = """
import asyncio, os, sys
from recloser import Budget, budget_file
from tests.engine.credentials.rig import HandClock
from tests.engine.test_budget import dial

budget, clock = Budget((3, 60.0), path=sys.argv[1]), HandClock()
print("made", flush=True)
sys.stdin.readline()
budget_file._PATIENCE, budget_file._DEADLINE = 60.0, 0.05
asyncio.run(dial(budget, clock))
budget_file._DEADLINE = 5.0
if not (child := os.fork()):
    sys.stdin.readline()
    asyncio.run(dial(budget, clock))
    os._exit(0)
print(os.waitpid(child, 0)[1])
os._exit(0)
"""


@pytest.mark.spec("D9.5")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_waits_for_no_write_of_its_parent(tmp_path: Path) -> None:
    """The file is locked while the parent dials and forks, and free when the child dials."""
    path = tmp_path / "dials.db"
    process = subprocess.Popen(
        # Python 3.12 and later warn of a fork beside a thread, which is what is tried.
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKED, path],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "made\n"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        process.stdin.write("\n")
        process.stdin.flush()
        assert "budget_not_saved" in process.stderr.readline()
        other.execute("ROLLBACK")
        out, err = process.communicate("\n")
    assert (out, err) == ("0\n", "")


@pytest.mark.spec("D9.5")
async def test_a_file_that_was_removed_is_made_again(tmp_path: Path) -> None:
    path, clock = tmp_path / "dials.db", HandClock()
    budget = Budget((2, 60.0), path=path)
    path.unlink()
    assert await dial(budget, clock)
    assert await dial(Budget((2, 60.0), path=path), clock)
    assert not await dial(Budget((2, 60.0), path=path), clock)


class Shelf:
    """A store that two budgets share, and that may be away."""

    name = "shelf"

    def __init__(self) -> None:
        self.dials: dict[tuple[str, int], float] = {}
        self.away = False

    async def spend(
        self,
        owner: str,
        dials: Mapping[int, float],
        own: Sequence[float],
        allowances: Sequence[Allowance],
    ) -> tuple[Sequence[float], bool]:
        if self.away:
            raise ConnectionRefusedError("no shelf")
        others = sorted(at for (who, _), at in self.dials.items() if who != owner)
        last, now = max(dials.items())
        granted = wait_for_budget(allowances, sorted((*others, *own)), now) <= 0
        for number, at in dials.items():
            if granted or number != last:
                self.dials[owner, number] = at
        return others, granted


@pytest.mark.spec("D9.4", "D9.5")
async def test_a_store_of_ones_own_takes_the_place_of_the_file(tmp_path: Path) -> None:
    shelf, clock = Shelf(), HandClock()
    one, other = Budget((3, 60.0), store=shelf), Budget((3, 60.0), store=shelf)
    assert await dial(one, clock)
    clock.tick(1.0)
    shelf.away = True
    with capture_logs() as lines:
        assert await dial(one, clock)
    assert [(line["event"], line["path"]) for line in lines] == [
        ("websocket.budget_not_saved", "shelf")
    ]
    shelf.away = False
    clock.tick(1.0)
    assert await dial(one, clock)
    assert not await dial(other, clock)
    assert len(shelf.dials) == 3
    with pytest.raises(TypeError, match="give one of them"):
        Budget((3, 60.0), store=shelf, path=tmp_path / "dials.db")
    with pytest.raises(TypeError, match="store must be a BudgetStore"):
        Budget((3, 60.0), store="shelf")  # type: ignore[arg-type] # the point


@pytest.mark.spec("D9.6")
def test_a_file_of_something_else_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    foreign, text = tmp_path / "outbox.db", tmp_path / "notes.txt"
    with closing(sqlite3.connect(foreign)) as file:
        file.execute("CREATE TABLE messages (id INTEGER)")
    text.write_text("not a database, and longer than the header of one" * 10)
    for path, reason in (
        (foreign, "belongs to something else"),
        (text, "cannot be used as a budget"),
        (tmp_path / "no such folder" / "dials.db", "cannot be used as a budget"),
    ):
        before = path.read_bytes() if path.exists() else None
        with pytest.raises(OSError, match=reason):
            Budget((1, 1.0), path=path)
        assert (path.read_bytes() if path.exists() else None) == before


@pytest.mark.spec("D9.1", "E7")
@pytest.mark.parametrize(
    ("allowances", "error"),
    [
        ((), ValueError),
        (((1, 2, 3),), TypeError),
        ((7,), TypeError),
        (((0, 1.0),), ValueError),
        (((1, -1.0),), ValueError),
        ((("1", 1.0),), TypeError),
    ],
)
def test_nonsense_is_refused(allowances: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        Budget(*allowances)
    for path in ("", ":memory:", "file:dials.db?mode=memory"):
        with pytest.raises(ValueError, match="path must be that of a file"):
            Budget((1, 1.0), path=path)
    with pytest.raises(TypeError, match="path must be a str"):
        Budget((1, 1.0), path=b"dials.db")  # type: ignore[arg-type] # the point
    with pytest.raises(TypeError, match="budget must be a"):
        recloser.connect("ws://feed.example", budget=(1, 1.0))  # type: ignore[arg-type] # the point


@pytest.mark.spec("D9.1", "F5")
@virtual
async def test_a_dial_that_fails_counts_too() -> None:
    ws, transport = engine(
        *[DOWN] * 9,
        budget=Budget((2, 100.0)),
        timeouts=Timeouts(connect=5.0),
        policy=Answering(Retry(2.0)),
    )
    ws.connect()
    await pass_time(99)
    assert len(transport.requests) == 2
    await ws.close()
