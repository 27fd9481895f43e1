"""A ping that is a message of the application's: when, what, and what becomes of a bad one."""

import asyncio
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yarl

import recloser
from recloser.fsm.record import Cause, Origin
from recloser.testing.doubles.raw_server import PONG, frame, text
from recloser.transport import Heartbeat
from tests.transport.link import linked
from tests.transport.test_receiving import overrun

Factory = Callable[[], asyncio.AbstractEventLoop]
TEXT, BINARY = 1, 2


def counting() -> Callable[[], str]:
    count = iter(range(1, 10**6))
    return lambda: f"ping {next(count)}"


MESSAGES: list[tuple[Any, list[tuple[int, bytes]]]] = [
    ('{"op":1}', [(TEXT, b'{"op":1}')] * 3),
    (b"\0", [(BINARY, b"\0")] * 3),
    ("", [(TEXT, b"")] * 3),
    (lambda: "x" * 200, [(TEXT, b"x" * 200)] * 3),
    (None, [(TEXT, b"ping 1"), (TEXT, b"ping 2"), (TEXT, b"ping 3")]),
]


@pytest.mark.spec("F2")
@pytest.mark.parametrize(("message", "expected"), MESSAGES)
async def test_messages_go_out_on_schedule_in_the_place_of_pings(
    loop_factory: Factory, message: Any, expected: list[tuple[int, bytes]]
) -> None:
    message = counting() if message is None else message
    async with linked(heartbeat=Heartbeat(0.03, 5, message)) as link:
        assert [await link.peer.frame() for _ in range(3)] == expected
        assert link.wire.unsent == 0


@pytest.mark.spec("F2")
@pytest.mark.parametrize("ask_kernel", [True, False], ids=["kernel", "counted"])
@pytest.mark.parametrize("answer", [text("pong"), text("prices"), frame(PONG)])
async def test_any_frame_is_an_answer(
    loop_factory: Factory, answer: bytes, *, ask_kernel: bool
) -> None:
    async with linked(heartbeat=Heartbeat(0.03, 0.25, "ping"), ask_kernel=ask_kernel) as link:
        for _ in range(10):
            assert await link.peer.frame() == (TEXT, b"ping")
            await link.peer.send(answer)
        assert link.told == []
        if answer != frame(PONG):
            assert await link.receive() == answer[2:].decode()


@pytest.mark.spec("F1.1")
async def test_no_answer_is_silence(loop_factory: Factory) -> None:
    async with linked(heartbeat=Heartbeat(0.05, 0.1, "ping")) as link:
        close = await link.end()
        assert (close.cause, close.origin) == (Cause.HEARTBEAT, Origin.ENGINE)
        assert close.error is None


@pytest.mark.spec("F12.1")
@pytest.mark.parametrize("ask_kernel", [True, False], ids=["kernel", "counted"])
@pytest.mark.parametrize("before", [None, Heartbeat(3600, 3600)], ids=["none", "slow"])
async def test_another_heartbeat_takes_the_place_of_the_one_before(
    loop_factory: Factory, before: Heartbeat | None, *, ask_kernel: bool
) -> None:
    async with linked(heartbeat=before, ask_kernel=ask_kernel) as link:
        link.wire.set_heartbeat(Heartbeat(0.03, 0.25, "beat"))
        for _ in range(10):
            assert await link.peer.frame() == (TEXT, b"beat")
            await link.peer.send(text("heard"))
        assert await link.receive() == "heard"
        close = await link.end()  # it is judged, too
        assert close.cause is Cause.HEARTBEAT


@pytest.mark.spec("F12.1")
async def test_none_ends_the_heartbeat(loop_factory: Factory) -> None:
    async with linked(heartbeat=Heartbeat(0.03, 0.05, "beat")) as link:
        assert await link.peer.frame() == (TEXT, b"beat")
        link.wire.set_heartbeat(None)
        link.wire.probe()
        await link.peer.send(text("still here"))
        assert await link.receive() == "still here"
        link.wire.close(4000, "")
        link.wire.set_heartbeat(Heartbeat(0.01, 0.01))  # too late: it is closing
        assert await link.peer.close_seen() == (4000, "")


async def test_a_probe_asks_with_the_message() -> None:
    async with linked(heartbeat=Heartbeat(3600, 5, counting())) as link:
        link.wire.probe()
        assert await link.peer.frame() == (TEXT, b"ping 1")


async def test_a_message_that_waits_behind_a_backlog_condemns_nobody_who_acknowledges(
    loop_factory: Factory,
) -> None:
    async with linked(heartbeat=Heartbeat(0.05, 0.1, "ping")) as link:
        await overrun(link)
        for _ in range(6):
            assert await link.peer.frame() == (TEXT, b"ping")
        assert link.told == []


def crash() -> str:
    raise LookupError("no sequence number yet")


async def late() -> str:
    return "ping"


@pytest.mark.spec("A8", "F1.1")
@pytest.mark.parametrize(
    ("message", "error"),
    [
        (crash, LookupError),
        (lambda: None, TypeError),
        (lambda: 7, TypeError),
        (lambda: late(), TypeError),  # noqa: PLW0108 - hides that it is a coroutine function
        (lambda _: "ping", TypeError),
        (lambda: "\ud800", ValueError),
    ],
)
async def test_a_function_that_fails_ends_the_connection_and_is_told(
    loop_factory: Factory, message: Any, error: type[Exception]
) -> None:
    """Not a healthy connection that nobody judges any more."""
    async with linked(heartbeat=Heartbeat(0.03, 5, message)) as link:
        close = await link.end()
        assert (close.code, close.cause, close.origin) == (1006, Cause.HOOK, Origin.ENGINE)
        assert close.sent_code is None
        assert not close.intentional
        assert isinstance(close.error, error)
        assert close.error.__traceback__ is None
        assert link.wire._liveness is None


@pytest.mark.parametrize(
    "make",
    [
        partial(Heartbeat, message=7),
        partial(Heartbeat, message=["ping"]),
        partial(Heartbeat, message=bytearray(b"ping")),
        partial(Heartbeat, message=late),
        partial(Heartbeat, message="\ud800"),
        partial(Heartbeat, interval=0, message="ping"),
        partial(Heartbeat, quiet_only=1),
        partial(Heartbeat, timeout=float("inf"), message="ping"),
        partial(Heartbeat, "20"),
        partial(recloser.connect, yarl.URL("ws://h/"), heartbeat=0),
        partial(recloser.connect, yarl.URL("ws://h/"), heartbeat=True),
        partial(recloser.connect, yarl.URL("ws://h/"), heartbeat="20"),
    ],
)
def test_what_cannot_work_is_refused_at_once(make: Callable[[], object]) -> None:
    with pytest.raises((TypeError, ValueError), match=r"heartbeat\."):
        make()


def test_the_examples_of_the_document_are_accepted() -> None:
    page = (Path(__file__).parents[2] / "docs" / "liveness.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    made: list[object] = []

    class Recloser:
        Heartbeat = recloser.Heartbeat

        @staticmethod
        def connect(url: str, heartbeat: Any) -> None:
            made.append(recloser.connect(url, heartbeat=heartbeat))

    exec(block, {"recloser": Recloser, "url": "ws://h/"})
    assert len(made) == 5
