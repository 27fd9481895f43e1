"""The hand clock, and the pytest plugin with the doubles as fixtures."""

import subprocess
import sys
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from recloser.testing import HandClock

if TYPE_CHECKING:
    from recloser.clock import Clock


@pytest.mark.spec("K3.2")
def test_the_hand_clock_calls_what_falls_due_in_order() -> None:
    clock: Clock = HandClock(monotonic=100.0, wall=1e9)
    assert isinstance(clock, HandClock)
    seen: list[tuple[str, float]] = []

    def call(name: str) -> None:
        seen.append((name, clock.monotonic()))

    for name, when in (("late", 109.0), ("early", 101.0), ("same", 101.0), ("never", 500.0)):
        clock.call_at(when, partial(call, name))
    gone = clock.call_at(102.0, partial(call, "gone"))
    gone.cancel()
    assert clock.timers == 4
    clock.advance(10.0)
    assert seen == [("early", 101.0), ("same", 101.0), ("late", 109.0)]
    assert (clock.monotonic(), clock.wall(), clock.timers) == (110.0, 1e9 + 10.0, 1)
    gone.cancel()
    clock.jump(-5.0)
    assert (clock.monotonic(), clock.wall()) == (110.0, 1e9 + 5.0)


def test_a_timer_set_by_a_timer_is_called_in_the_same_advance() -> None:
    clock = HandClock()
    seen: list[float] = []

    def tick() -> None:
        seen.append(clock.monotonic())
        if len(seen) < 3:
            clock.call_at(clock.monotonic() + 1.0, tick)

    clock.call_at(1.0, tick)
    clock.advance(2.5)
    assert seen == [1.0, 2.0]
    assert clock.timers == 1


@pytest.mark.parametrize("seconds", [-1.0, float("nan")])
def test_a_clock_does_not_go_back(seconds: float) -> None:
    with pytest.raises(ValueError, match="does not go back"):
        HandClock().advance(seconds)


PLUGGED = """
import asyncio
import recloser
from recloser.testing import Fault, Plan

def test_virtual_time(virtual_time, scripted_transport):
    async def story():
        transport = scripted_transport(Plan(takes=3600.0))
        async with recloser.connect("ws://x/", transport=transport,
                                    timeouts=recloser.Timeouts(connect=7200.0)) as ws:
            await ws.send("hello")
            return transport.wires[0].sent, asyncio.get_running_loop().time()
    sent, took = virtual_time(story())
    assert sent == ["hello"]
    assert 3600 <= took < 3601

def test_server(scripted_server):
    async def story():
        async with scripted_server(Fault(do="refuse", status=403)) as server:
            try:
                async with recloser.connect(server.url):
                    raise AssertionError("it is refused")
            except recloser.ConnectionClosed as closed:
                return closed.change.close.status
    assert asyncio.run(story()) == 403

def test_policy(check_policy):
    class Ends:
        def decide(self, close, context):
            return recloser.Stop()
    check_policy(Ends, laws=["total"], quick=True, examples=5)

def test_clock(hand_clock):
    hand_clock.call_at(1.0, lambda: None)
    hand_clock.advance(1.0)

def test_leak(hand_clock):
    hand_clock.call_at(1.0, lambda: None)
"""


@pytest.mark.spec("K3.2")
def test_the_plugin_gives_fixtures(tmp_path: Path) -> None:
    (tmp_path / "test_plugged.py").write_text(PLUGGED, encoding="utf-8")
    known = any(each.value == "recloser.testing.plugin" for each in entry_points(group="pytest11"))
    plugin = () if known else ("-p", "recloser.testing.plugin")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugin, "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "5 passed, 1 error" in done.stdout, done.stdout + done.stderr
    assert "the test leaves 1 timers set" in done.stdout


def test_the_plugin_loads_nothing_heavy() -> None:
    program = (
        "import sys, pytest, recloser.testing.plugin\n"
        "heavy = {'aiohttp', 'structlog', 'transitions', 'hypothesis', 'recloser.fsm'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, timeout=120)
