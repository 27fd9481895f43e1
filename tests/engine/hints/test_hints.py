"""Hints from the system: a network interface that comes up, and a signal."""

import asyncio
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser import Hold, State, hints
from recloser.hints.interfaces import hints_from
from recloser.hints.rtnetlink import Interfaces
from tests.engine.rig import KICKED, UP, Answering, opened, timers, turns, virtual

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX")


def link(flags: int, index: int = 3, kind: int = 16) -> bytes:
    body = struct.pack("=BxHiII", 0, 1, index, flags, 0)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body


def address(
    number: int = 7, flags: int = 0x80, scope: int = 0, kind: int = 20, *, label: bytes = b"eth0\0"
) -> bytes:
    """With an attribute of odd length before the address, as IFA_LABEL is."""
    body = struct.pack("=BBBBI", socket.AF_INET, 24, flags, scope, 3)
    body += struct.pack("=HH", 4 + len(label), 3) + label + b"\0" * (-len(label) % 4)
    body += struct.pack("=HH4B", 8, 1, 192, 0, 2, number)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body


UP_AND_RUNNING = 0x1 | 0x40

RECORDED = {
    "lo gets 127.0.0.1": (
        (
            "4c000000140000000000000000000000020880fe01000000080001007f000001080002007f000001"
            "070003006c6f0000080008008000000014000600ffffffffffffffffe0df0900e0df0900"
        ),
        False,
    ),
    "lo gets 198.51.100.7": (
        (
            "4c0000001400000015ca036bde440000022080000100000008000100c633640708000200c6336407"
            "070003006c6f0000080008008000000014000600ffffffffffffffffffdf0900ffdf0900"
        ),
        True,
    ),
    "2001:db8::7, tentative": (
        (
            "480000001400000000000000000000000a80c000010000001400010020010db80000000000000000"
            "0000000714000600ffffffffffffffff1de009001de0090008000800c0000000"
        ),
        False,
    ),
    "2001:db8::7": (
        (
            "480000001400000000000000000000000a808000010000001400010020010db80000000000000000"
            "0000000714000600ffffffffffffffff1de009001de009000800080080000000"
        ),
        True,
    ),
}
"""Datagrams of Linux 6, recorded while `ip address add` ran."""


class TestInterfaces:
    @pytest.mark.parametrize("name", RECORDED)
    def test_recorded_datagrams(self, name: str) -> None:
        datagram, news = RECORDED[name]
        assert Interfaces().changed(bytes.fromhex(datagram)) is news

    def test_a_link_is_news_when_it_begins_to_run_and_when_it_stops(self) -> None:
        seen = Interfaces()
        assert seen.changed(link(0x1))
        assert seen.changed(link(UP_AND_RUNNING))
        assert not seen.changed(link(UP_AND_RUNNING))
        assert seen.changed(link(UP_AND_RUNNING, index=4))
        assert seen.changed(link(0x1))
        assert not seen.changed(link(0x1))
        assert not seen.changed(link(0x1, kind=17))
        assert seen.changed(link(UP_AND_RUNNING))
        assert seen.changed(link(UP_AND_RUNNING, kind=17))
        assert seen.changed(link(UP_AND_RUNNING))

    def test_the_loopback_is_no_news(self) -> None:
        assert not Interfaces().changed(link(UP_AND_RUNNING | 0x8))
        assert not Interfaces().changed(address(scope=254))

    def test_an_address_is_news_once_until_it_goes_and_when_it_goes(self) -> None:
        seen = Interfaces()
        assert not seen.changed(address(flags=0x40))
        assert seen.changed(address())
        assert not seen.changed(address())
        assert seen.changed(address(number=8))
        assert seen.changed(address(kind=21))
        assert not seen.changed(address(kind=21, flags=0x40))
        assert not seen.changed(address(kind=21, scope=254))
        assert seen.changed(address())

    def test_one_datagram_may_hold_many_messages(self) -> None:
        assert Interfaces().changed(address(scope=254) + link(0) + address())
        assert not Interfaces().changed(b"")

    @given(st.binary(max_size=80))
    def test_garbage_is_survived(self, garbage: bytes) -> None:
        seen = Interfaces()
        seen.changed(garbage)
        seen.changed(struct.pack("=IHHII", 16 + len(garbage), 20, 0, 0, 0) + garbage)
        seen.changed(address()[:-5] + garbage)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, kernels = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, kernels:
        yield ours, kernels


async def called(event: asyncio.Event) -> None:
    async with asyncio.timeout(120):
        await event.wait()


class TestNetwork:
    async def test_news_make_one_hint_for_all_that_come_together(
        self, pair: tuple[socket.socket, socket.socket]
    ) -> None:
        ours, kernels = pair
        calls: list[int] = []
        rung = asyncio.Event()

        def wake() -> None:
            calls.append(1)
            rung.set()

        with hints_from(ours, wake, debounce=0.05):
            for datagram in (link(0x1), link(UP_AND_RUNNING), address(7), address(8)):
                kernels.send(datagram)
            await called(rung)
            assert calls == [1]
            kernels.send(address(8))
            kernels.send(address(9))
            rung.clear()
            await called(rung)
            assert calls == [1, 1]

    @pytest.mark.spec("J1.2")
    async def test_leaving_the_block_takes_back_a_hint_that_is_due(
        self, pair: tuple[socket.socket, socket.socket]
    ) -> None:
        ours, kernels = pair
        with hints_from(ours, pytest.fail, debounce=30):
            kernels.send(address())
            for _ in range(1000):
                if timers():
                    break
                await asyncio.sleep(0)
            assert len(timers()) == 1
        assert timers() == []
        assert not asyncio.get_running_loop().remove_reader(ours)

    async def test_an_overflow_of_the_kernel_counts_as_news_and_other_errors_end_it(self) -> None:
        errors = [OSError(105, "No buffer space"), BlockingIOError(), OSError(9, "gone")]

        class Overflowing(socket.socket):
            def recv(self, *_: Any) -> bytes:
                raise errors.pop(0)

        loop = asyncio.get_running_loop()
        reported: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        loop.set_exception_handler(lambda _, context: reported.put_nowait(context))
        kernels = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        ours = Overflowing(socket.AF_UNIX, socket.SOCK_DGRAM)
        rung = asyncio.Event()
        with kernels, ours:
            ours.bind(f"\0recloser-{os.getpid()}")
            kernels.connect(ours.getsockname())
            with hints_from(ours, rung.set, debounce=0):
                kernels.send(b"x")
                await called(rung)
                context = await asyncio.wait_for(reported.get(), 120)
                assert context["exception"].errno == 9
                assert not loop.remove_reader(ours)
        assert reported.empty()

    @pytest.mark.skipif(sys.platform != "linux", reason="netlink is Linux's")
    async def test_a_real_socket_is_opened_and_closed(self) -> None:
        with hints.network(lambda: None):
            pass

    @pytest.mark.skipif(
        not (shutil.which("unshare") and shutil.which("ip")), reason="needs unshare and ip"
    )
    def test_a_real_interface_comes_up(self, tmp_path: Path) -> None:
        """In a network namespace of its own, where the kernel lets us have one."""
        script = tmp_path / "script.py"
        script.write_text(
            "import asyncio, subprocess\n"
            "from recloser import hints\n"
            "def ip(*words): subprocess.run(['ip', *words], check=True)\n"
            "async def main():\n"
            "    rung = asyncio.Event()\n"
            "    ip('link', 'add', 'one', 'type', 'veth', 'peer', 'name', 'two')\n"
            "    with hints.network(rung.set, debounce=0.1):\n"
            "        ip('link', 'set', 'one', 'up')\n"
            "        ip('link', 'set', 'two', 'up')\n"
            "        await asyncio.wait_for(rung.wait(), 120)\n"
            "    print('rung')\n"
            "asyncio.run(main())\n"
        )
        unshare = ["unshare", "--net", "--map-root-user"]
        probe = [*unshare, "ip", "link", "add", "one", "type", "veth", "peer", "name", "two"]
        if subprocess.run(probe, capture_output=True, check=False).returncode:
            pytest.skip("this kernel gives no namespace with interfaces")
        run = subprocess.run(
            [*unshare, sys.executable, "-W", "error", str(script)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (run.stdout, run.returncode) == ("rung\n", 0), run.stderr

    async def test_other_systems_are_told_what_to_do(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "platform", "darwin")
        with (
            pytest.raises(RuntimeError, match=r"need Linux, and this is darwin: call ws.wake"),
            hints.network(lambda: None),
        ):
            pass

    @pytest.mark.skipif(sys.platform != "linux", reason="netlink is Linux's")
    @pytest.mark.parametrize(
        ("arguments", "error"),
        [
            ({"wake": None}, TypeError),
            ({"debounce": "1"}, TypeError),
            ({"debounce": -1}, ValueError),
            ({"debounce": float("nan")}, ValueError),
        ],
    )
    async def test_nonsense_is_refused(
        self, arguments: dict[str, Any], error: type[Exception]
    ) -> None:
        with (
            pytest.raises(error, match=r"wake|debounce"),
            hints.network(**{"wake": print, **arguments}),
        ):
            pass


class TestSignalled:
    @pytest.mark.spec("A13")
    async def test_it_wakes_at_each_signal_within_the_block(self) -> None:
        rung = asyncio.Event()
        with hints.signalled(rung.set, signal.SIGCONT):
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGCONT)
                await called(rung)
                rung.clear()
        assert signal.getsignal(signal.SIGCONT) is signal.SIG_DFL

    async def test_a_signal_that_has_an_owner_is_left_to_it(self) -> None:
        with (
            hints.signalled(print, signal.SIGUSR1),
            pytest.raises(RuntimeError, match="SIGUSR1 is handled already"),
            hints.signalled(print, signal.SIGUSR1),
        ):
            pass

    async def test_nonsense_is_refused(self) -> None:
        with (
            pytest.raises(TypeError, match="no arguments"),
            hints.signalled(None, signal.SIGUSR1),  # type: ignore[arg-type] # the point
        ):
            pass
        with (
            pytest.raises(RuntimeError, match="SIGKILL cannot be caught"),
            hints.signalled(print, signal.SIGKILL),
        ):
            pass

    async def test_outside_the_main_thread_it_says_where_to_call(self) -> None:
        async def elsewhere() -> None:
            with hints.signalled(print, signal.SIGUSR1):
                pass

        with pytest.raises(RuntimeError, match="main thread"):
            await asyncio.to_thread(asyncio.run, elsewhere())


BEFORE = {
    "a callback of the loop": """
loop.add_signal_handler(SIGNAL, hit.set)
with taken(): pass
os.kill(os.getpid(), SIGNAL)
await asyncio.wait_for(hit.wait(), 120)""",
    "a callback of the loop, meanwhile": """
loop.add_signal_handler(SIGNAL, hit.set)
with taken():
    os.kill(os.getpid(), SIGNAL)
    await asyncio.wait_for(hit.wait(), 120)
    await asyncio.wait_for(ours.wait(), 120)""",
    "a handler of the process": """
signal.signal(SIGNAL, lambda *_: loop.call_soon_threadsafe(hit.set))
with taken(): pass
os.kill(os.getpid(), SIGNAL)
await asyncio.wait_for(hit.wait(), 120)""",
    "a handler that was set meanwhile": """
with taken(): signal.signal(SIGNAL, lambda *_: loop.call_soon_threadsafe(hit.set))
os.kill(os.getpid(), SIGNAL)
await asyncio.wait_for(hit.wait(), 120)""",
    "nothing: it is ignored": """
signal.signal(SIGNAL, signal.SIG_IGN)
with taken(): pass
os.kill(os.getpid(), SIGNAL)""",
    "nothing: the loop is idle": """
with taken():
    loop.call_soon(os.kill, os.getpid(), SIGNAL)
    await asyncio.wait_for(ours.wait(), 120)
assert signal.getsignal(SIGNAL) is signal.SIG_DFL""",
    "one more, inside": """
with taken():
    with taken(): pass
    os.kill(os.getpid(), SIGNAL)
    await asyncio.wait_for(ours.wait(), 120)""",
}
PROGRAM = """
import asyncio, os, signal, sys
from contextlib import contextmanager
from recloser.hints.signals import SignalHandler
SIGNAL = signal.SIGUSR1
async def main():
    loop, hit, ours = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    @contextmanager
    def taken():
        handler = SignalHandler(SIGNAL, ours.set)
        handler.install()
        try: yield
        finally: handler.restore()
{body}
{run}
"""
RUNS = {
    "asyncio": "asyncio.run(main())",
    "uvloop": "import uvloop; asyncio.run(main(), loop_factory=uvloop.new_event_loop)"
    if sys.version_info >= (3, 12)
    else "import uvloop; uvloop.install(); asyncio.run(main())",
}


@pytest.mark.spec("J5")
@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("before", BEFORE)
def test_what_handled_a_signal_handles_it_afterwards(before: str, run: str) -> None:
    """In a process of its own, which sends itself a real signal."""
    body = "\n".join("    " + line for line in BEFORE[before].strip().splitlines())
    program = PROGRAM.format(body=body, run=RUNS[run])
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.spec("J5")
def test_an_interrupt_cancels_the_main_task_as_before() -> None:
    """`asyncio.run` handles SIGINT by cancelling its main task; so it does after the block."""
    program = PROGRAM.format(
        body="""
    global SIGNAL
    SIGNAL = signal.SIGINT
    with taken(): pass
    try:
        os.kill(os.getpid(), SIGNAL)
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        print("cancelled")
        raise
""",
        run="try: asyncio.run(main())\nexcept KeyboardInterrupt: print('interrupted')",
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.split() == ["cancelled", "interrupted"], done.stderr


@pytest.mark.spec("A9", "A13", "H2")
@virtual
async def test_a_hint_ends_the_rest_of_a_policy_alone() -> None:
    """What the adapters are given is `ws.wake`."""
    ours, kernels = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ws, wire, transport = await opened(UP, UP, UP, policy=Answering(Hold()))
    with ours, kernels, hints_from(ours, ws.wake, debounce=1.0):

        async def come_up(number: int) -> None:
            kernels.send(address(number))
            await asyncio.sleep(0)
            over = asyncio.Event()
            asyncio.get_running_loop().call_later(5.0, over.set)
            await over.wait()
            await turns()

        wire.end(KICKED)
        assert ws.state is State.PASSIVE
        await come_up(1)
        assert ws.generation == 2
        await ws.suspend()
        await come_up(2)
        assert ws.state is State.PASSIVE
        await ws.close()
        await come_up(3)
        assert ws.state is State.CLOSED
        assert len(transport.requests) == 2
