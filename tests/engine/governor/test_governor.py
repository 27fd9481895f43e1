"""Engines of an event loop and the governor that they share, in virtual time."""

import asyncio
import gc
import ssl
import threading
import weakref
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from structlog.testing import capture_logs

import recloser
from recloser import Budget, Governor, Retry, State, StateChange, Timeouts
from recloser.checks import address_of
from recloser.clock import LoopClock
from recloser.fsm import Cause, Close, Origin, Trigger
from recloser.testing import Plan, ScriptedTransport
from tests.engine.rig import (
    CUT,
    DOWN,
    HANGS,
    UP,
    URL,
    Answering,
    engine,
    now,
    opened,
    others,
    pass_time,
    timers,
    turns,
    virtual,
)

GONE = Plan(refused=Close.cut(Cause.TCP))
SLOW = Plan(takes=5.0)


class Fleet:
    """Engines at one host; `dials` has the moment of each dial and the number of its engine."""

    def __init__(self, count: int, *plans: Plan, **options: Any) -> None:
        self.changes: list[list[StateChange]] = [[] for _ in range(count)]
        options.setdefault("policy", Answering(Retry(5.0, rule="again")))
        self.transport = ScriptedTransport(plans)
        self.engines = [
            recloser.connect(
                URL, transport=self.transport, observers=[self.changes[number].append], **options
            )
            for number in range(count)
        ]

    def connect(self) -> None:
        for ws in self.engines:
            ws.connect()

    async def open(self) -> None:
        self.connect()
        for ws in self.engines:
            await ws.wait_for(State.OPEN)

    @property
    def states(self) -> list[State]:
        return [ws.state for ws in self.engines]

    @property
    def dials(self) -> int:
        return len(self.transport.requests)

    async def close(self) -> None:
        for ws in self.engines:
            await ws.close()


@pytest.mark.spec("M1.1", "M1.2")
@virtual
async def test_dials_begin_at_the_rate_and_the_wait_is_told() -> None:
    fleet = Fleet(5, *[UP] * 5, governor=Governor(rate=0.5), timeouts=Timeouts(connect=3.0))
    with capture_logs() as lines:
        await fleet.open()
    assert now() == pytest.approx(8.0)
    waits = [changes[-1].waited for changes in fleet.changes]
    assert waits == pytest.approx([0.0, 2.0, 4.0, 6.0, 8.0])
    told = [line["waited"] for line in lines if line["to"] == "open" and "waited" in line]
    assert told == pytest.approx([2.0, 4.0, 6.0, 8.0])
    await fleet.close()
    await pass_time(2.0)


@pytest.mark.spec("M1.2")
@virtual
async def test_the_deadline_of_a_dial_begins_with_its_permit() -> None:
    """The one that waits has as long as every other, and its providers are asked at the end."""
    asked: list[float] = []

    def credentials() -> str:
        asked.append(now())
        return "token"

    fleet = Fleet(
        2,
        *[Plan(takes=9.0), HANGS],
        governor=Governor(at_once=1),
        timeouts=Timeouts(connect=10.0),
        credentials=credentials,
    )
    fleet.connect()
    await pass_time(18.5)
    assert fleet.states == [State.OPEN, State.CONNECTING]
    await pass_time(1.0)
    assert fleet.states == [State.OPEN, State.BACKOFF]
    [lost] = [change for change in fleet.changes[1] if change.current is State.BACKOFF]
    assert lost.close is not None
    assert lost.close.cause is Cause.CONNECT_TIMEOUT
    assert lost.waited == pytest.approx(9.0)
    assert lost.at == pytest.approx(19.0)
    assert asked == pytest.approx([0.0, 9.0])
    await fleet.close()


@pytest.mark.spec("M1.2")
@virtual
async def test_a_wait_has_no_end_but_the_permit() -> None:
    fleet = Fleet(
        3, *[Plan(takes=9.0)] * 3, governor=Governor(at_once=1), timeouts=Timeouts(connect=10.0)
    )
    await fleet.open()
    assert now() == pytest.approx(27.0)
    assert [len(changes) for changes in fleet.changes] == [2, 2, 2]
    await fleet.close()


@pytest.mark.spec("M1.5", "A5.1")
@pytest.mark.parametrize("leave", ["close", "suspend"])
@virtual
async def test_who_leaves_while_it_waits_leaves_nothing(leave: str) -> None:
    fleet = Fleet(3, *[Plan(takes=9.0)] * 2, governor=Governor(at_once=1))
    fleet.connect()
    await turns()
    await getattr(fleet.engines[1], leave)()
    assert now() == 0.0
    assert len(others()) == 2
    await fleet.engines[2].wait_for(State.OPEN)
    assert now() == pytest.approx(18.0)
    assert fleet.dials == 2
    await fleet.close()


@pytest.mark.spec("M1.5", "J3")
@virtual
async def test_the_owner_of_an_engine_that_waits_can_be_cancelled() -> None:
    fleet = Fleet(2, *[Plan(takes=9.0)] * 2, governor=Governor(at_once=1))
    fleet.engines[0].connect()

    async def own() -> None:
        async with fleet.engines[1]:
            raise AssertionError("it waits")

    owner = asyncio.create_task(own())
    await turns()
    owner.cancel()
    with pytest.raises(asyncio.CancelledError):
        await owner
    assert fleet.states == [State.CONNECTING, State.CLOSED]
    await fleet.close()


@pytest.mark.spec("M1.5")
@virtual
async def test_a_permit_ends_with_its_dial_however_that_ends() -> None:
    governor = Governor(at_once=1)
    for plan in (UP, DOWN, HANGS, Plan(takes=3.0)):
        ws, _ = engine(plan, governor=governor, timeouts=Timeouts(connect=5.0))
        ws.connect()
        await pass_time(1.0)
        await ws.close()
    ws, wire, _ = await opened(UP, UP, governor=governor)
    wire.end(CUT)
    await ws.wait_for(State.OPEN)
    moving = asyncio.create_task(ws.move())
    await turns()
    moving.cancel()
    await asyncio.gather(moving, return_exceptions=True)
    other, _, _ = await opened(governor=governor)
    await ws.close()
    await other.close()


@pytest.mark.spec("M1.5")
@virtual
async def test_a_move_has_a_permit_and_its_wait_does_not_count() -> None:
    governor = Governor(at_once=1)
    busy, _ = engine(Plan(takes=8.0), governor=governor, timeouts=Timeouts(connect=10.0))
    ws, _, _ = await opened(
        UP, Plan(takes=4.0), governor=governor, timeouts=Timeouts(connect=5.0, stable=1.0)
    )
    busy.connect()
    await turns()
    await ws.move()
    assert now() == pytest.approx(12.0)
    third, _, _ = await opened(governor=governor)
    for each in (busy, ws, third):
        await each.close()


@pytest.mark.spec("M1.3")
@virtual
async def test_who_connects_is_before_who_comes_back() -> None:
    policy = Answering(Retry(1.0, rule="again"))
    governor = Governor(rate=0.1)
    back, wire, _ = await opened(UP, UP, governor=governor, policy=policy)
    new, _ = engine(UP, governor=governor)
    await pass_time(1.0)
    wire.end(CUT)
    await pass_time(2.0)
    assert back.state is State.CONNECTING
    new.connect()
    await new.wait_for(State.OPEN)
    assert now() == pytest.approx(10.0)
    await back.wait_for(State.OPEN)
    assert now() == pytest.approx(20.0)
    await back.close()
    await new.close()
    await pass_time(10.0)


@pytest.mark.spec("M1.4")
@virtual
async def test_an_engine_that_is_alone_notices_nothing() -> None:
    seen = []
    for governor in ("shared", None):
        changes: list[StateChange] = []
        start = now()
        with capture_logs() as lines:
            ws, transport = engine(
                *[GONE] * 4,
                UP,
                *[DOWN] * 3,
                HANGS,
                UP,
                governor=governor,
                observers=[changes.append],
                timeouts=Timeouts(connect=5.0, stable=3.0),
                policy=None,
                seed=7,
            )
            ws.connect()
            await ws.wait_for(State.OPEN)
            await pass_time(60.0)
            transport.wires[-1].end(CUT)
            await turns()
            await ws.wait_for(State.OPEN)
            await ws.close()
        for line in lines:
            line.pop("timestamp")
        moments = [(round(change.at - start, 6), change.current) for change in changes]
        seen.append((moments, lines))
    assert seen[0] == seen[1]
    assert len(seen[0][0]) > 15


@pytest.mark.spec("M3.1", "M3.2", "M3.3")
@virtual
async def test_one_dials_for_all_and_all_come_back_one_after_the_other() -> None:
    count = 50
    fleet = Fleet(count, *[UP] * count, *[GONE] * 3, *[Plan(takes=0.5)] * count)
    await fleet.open()
    await pass_time(20.0)
    lost = now()
    for wire in fleet.transport.wires:
        wire.end(CUT)
    await pass_time(6.0)
    assert fleet.dials == count + 1
    assert {ws.attempt for ws in fleet.engines} == {2}
    assert fleet.states == [State.BACKOFF] * count
    for ws in fleet.engines:
        await ws.wait_for(State.OPEN)
    assert fleet.dials == 2 * count + 3
    assert now() - lost < 40.0
    last = [changes[-1].at for changes in fleet.changes]
    assert all(sum(at <= each < at + 1.0 for each in last) <= 35 for at in last)
    await fleet.close()


@pytest.mark.spec("M3.19", "M3.20")
@virtual
@pytest.mark.parametrize(("asleep", "most"), [(401, 5), (503, 10)])
async def test_a_peer_that_hangs_up_at_once_is_not_hammered_while_another_engine_sleeps(
    asleep: int, most: int
) -> None:
    """After an outage: the policy wants twenty seconds, and the return of the host is over.

    One that was told to stay away is waited for; then the return wakes its engines later and later.
    """
    governor = Governor()
    away = Close.refused(asleep, retry_after=600.0 if asleep == 503 else None)
    sleeper, _ = engine(
        Plan(refused=away), governor=governor, policy=Answering(Retry(900.0, rule="again"))
    )
    fleet = Fleet(3, *[UP] * 3, GONE, *[UP] * 40, governor=governor)
    fleet.connect()
    await pass_time(20.0)
    sleeper.connect()
    await turns()
    for wire in fleet.transport.wires:
        wire.end(CUT)
    await pass_time(30.0)
    assert fleet.states == [State.OPEN] * 3
    assert sleeper.state is State.BACKOFF
    unlucky, transport = engine(
        *[UP] * 40, governor=governor, policy=Answering(Retry(20.0, rule="again"))
    )
    unlucky.connect()
    while now() < 150.0:
        if unlucky.state is State.OPEN:
            transport.wires[-1].end(CUT)
        await pass_time(0.5)
    assert len(transport.requests) == pytest.approx(most, abs=1)
    for ws in (sleeper, unlucky):
        await ws.close()
    await fleet.close()


@pytest.mark.spec("M3.2", "M3.3")
@virtual
@pytest.mark.parametrize("given", ["text", "function"])
async def test_who_took_a_record_before_its_first_dial_comes_back_with_the_others(
    given: str,
) -> None:
    """A service starts at a dead host, and the policies want five minutes. A dozen have dialled."""
    count = 50
    policy = Answering(Retry(300.0, rule="again"))
    transport = ScriptedTransport([*[GONE] * 15, *[UP] * count])
    governor = Governor()
    engines = [
        recloser.connect(
            URL if given == "text" else lambda: URL,
            transport=transport,
            governor=governor,
            policy=policy,
        )
        for _ in range(count)
    ]
    for ws in engines:
        ws.connect()
    await pass_time(5.0)
    assert State.OPEN not in {ws.state for ws in engines}
    new, _ = engine(UP, governor=governor)
    new.connect()
    await pass_time(30.0)
    assert {ws.state for ws in engines} == {State.OPEN}
    for ws in (*engines, new):
        await ws.close()


@pytest.mark.spec("M3.2", "M3.6")
@virtual
async def test_who_trusts_otherwise_is_told_nothing() -> None:
    """The third engine has a TLS context of its own, so the refusal of the first is not its own."""
    refused = Plan(refused=Close(code=1015, origin=Origin.NETWORK, cause=Cause.TLS))
    governor = Governor(at_once=1)
    context = ssl.create_default_context()
    made: list[ScriptedTransport] = []

    class Tls(ScriptedTransport):
        def __init__(self, *, ssl: Any, heartbeat: Any, max_message_size: int) -> None:
            super().__init__([refused if ssl is True else UP])
            made.append(self)

    engines = [
        recloser.connect(
            URL, transport=Tls, ssl=trust, governor=governor, policy=recloser.policies.standard()
        )
        for trust in (True, True, context)
    ]
    for ws in engines:
        ws.connect()
    await pass_time(1.0)
    assert [ws.state for ws in engines] == [State.CLOSED, State.CLOSED, State.OPEN]
    assert [len(transport.requests) for transport in made] == [1, 0, 1]
    assert engines[1].last_close is not None
    assert engines[1].last_close.code == 1015
    await engines[2].close()


@pytest.mark.spec("M3.6", "M1.5")
@virtual
async def test_a_certificate_that_is_refused_ends_all_though_nobody_stays_at_the_host() -> None:
    refused = Plan(refused=Close(code=1015, origin=Origin.NETWORK, cause=Cause.TLS))
    policy = recloser.policies.standard()
    fleet = Fleet(4, refused, governor=Governor(at_once=1), policy=policy)
    fleet.connect()
    for ws in fleet.engines:
        await ws.wait_for(State.CLOSED)
    assert fleet.dials == 1
    assert [changes[-1].rule for changes in fleet.changes] == ["certificate"] * 4


@pytest.mark.spec("M3.6")
@virtual
async def test_hosts_of_one_group_have_records_of_their_own() -> None:
    """The certificate of one is refused while the other waits for the one permit of both."""
    refused = Plan(refused=Close(code=1015, origin=Origin.NETWORK, cause=Cause.TLS))
    governor = Governor(at_once=1, by=lambda address: "both")
    transport = ScriptedTransport([refused, UP])
    one, other = (
        recloser.connect(url, transport=transport, governor=governor)
        for url in ("ws://a.example/", "ws://b.example/")
    )
    one.connect()
    other.connect()
    await pass_time(1.0)
    assert [one.state, other.state] == [State.CLOSED, State.OPEN]
    await other.close()


@pytest.mark.spec("M3.4")
@virtual
async def test_a_budget_that_is_spent_is_not_spent_again_by_the_return() -> None:
    policy = Answering(Retry(1.0, rule="again"))
    fleet = Fleet(2, UP, UP, GONE, UP, UP, UP, budget=Budget((3, 100.0)), policy=policy)
    await fleet.open()
    await pass_time(20.0)
    for wire in fleet.transport.wires:
        wire.end(CUT)
    other, _ = engine(UP)
    await pass_time(3.0)
    other.connect()
    await pass_time(10.0)
    ends = [each for changes in fleet.changes for each in changes if each.close]
    assert [each.rule for each in ends if each.close and each.close.cause is Cause.TCP] == [
        "budget-spent"
    ]
    assert not [
        each for changes in fleet.changes for each in changes if each.trigger is Trigger.WAKE
    ]
    await fleet.close()
    await other.close()


@pytest.mark.spec("M1.5", "M1.4")
@virtual
async def test_a_function_that_gives_another_path_each_time_asks_for_one_permit() -> None:
    numbers = count()
    ws, transport = engine(
        *[UP] * 3,
        url=lambda: f"ws://a.example/{next(numbers)}",
        governor=Governor(at_once=1),
        policy=Answering(Retry(1.0)),
    )
    ws.connect()
    for dials in range(1, 4):
        await ws.wait_for(State.OPEN)
        assert len(transport.requests) == dials
        transport.wires[-1].end(CUT)
        await pass_time(2.0)
    await ws.close()


@pytest.mark.spec("M1.1", "M1.5")
@pytest.mark.parametrize("end", ["closed", "lost"])
@virtual
async def test_a_permit_that_came_with_a_hint_ends_with_its_dial_though_that_never_began(
    end: str,
) -> None:
    governor = Governor(at_once=1)
    fleet = Fleet(2, UP, UP, SLOW, SLOW, governor=governor, policy=Answering(Retry(60.0)))
    await fleet.open()
    one = fleet.engines[0]
    closing: list[asyncio.Future[None]] = []

    def ends(change: StateChange) -> None:
        if change.trigger is Trigger.WAKE and end == "closed":
            closing.append(asyncio.ensure_future(one.close()))
        elif change.trigger is Trigger.WAKE:
            lost = Close.by_engine(Cause.CONNECT_TIMEOUT)
            asyncio.get_running_loop().call_soon(one._driver.revoke, lost, None)

    one.subscribe(ends)
    await pass_time(20.0)
    for wire in list(fleet.transport.wires):
        wire.end(CUT)
    other, _ = engine(UP, governor=governor)
    other.connect()
    await pass_time(2.0)
    assert fleet.states == [
        State.CLOSED if end == "closed" else State.BACKOFF,
        State.CONNECTING,
    ]
    dials = fleet.dials
    one.connect()
    await turns()
    assert fleet.dials == dials
    await pass_time(10.0)
    assert fleet.states == [State.OPEN, State.OPEN]
    await fleet.close()
    await other.close()


@pytest.mark.spec("M3.8", "M3.9")
@virtual
async def test_who_is_woken_within_a_second_of_its_last_dial_counts_from_the_next_one() -> None:
    """Else its dial would look slow, and the window would grow as if the host had a queue."""
    governor = Governor()
    fleet = Fleet(1, GONE, SLOW, governor=governor, policy=Answering(Retry(60.0)))
    fleet.connect()
    begun = now()
    gone, _ = engine(GONE, governor=governor, policy=Answering(Retry(60.0)))
    gone.connect()
    await pass_time(0.5)
    other, _ = engine(UP, governor=governor)
    other.connect()
    await pass_time(0.25)
    assert fleet.states == [State.CONNECTING]
    assert fleet.dials == 1
    await pass_time(1.0)
    assert fleet.dials == 2
    number = id(fleet.engines[0]._driver.core)
    dial = governor.desk()._core._homes[number]._dialling[number]
    assert dial.began == pytest.approx(begun + 1.0)
    await fleet.close()
    await gone.close()
    await other.close()


@pytest.mark.spec("M1.5")
@virtual
async def test_a_function_that_gives_another_address_asks_for_a_permit_there() -> None:
    governor = Governor(at_once=1)
    urls = iter(["ws://a.example/", "ws://b.example/"])
    ws, _ = engine(
        UP, SLOW, url=lambda: next(urls), governor=governor, policy=Answering(Retry(1.0))
    )
    ws.connect()
    await turns()
    assert ws.state is State.OPEN
    at_a, _ = engine(Plan(takes=50.0), url="ws://a.example/x", governor=governor)
    at_b, _ = engine(Plan(takes=3.0), url="ws://b.example/x", governor=governor)
    at_b.connect()
    ws.reconnect()
    await pass_time(2.0)
    at_a.connect()
    await pass_time(5.9)
    assert ws.state is State.CONNECTING
    await pass_time(0.2)
    assert ws.state is State.OPEN
    assert at_a.state is State.CONNECTING
    for each in (ws, at_a, at_b):
        await each.close()


@pytest.mark.spec("M1.4")
async def test_a_governor_of_several_event_loops_governs_each_for_itself() -> None:
    """The permit that an engine of this loop keeps holds up no engine of another."""
    governor = Governor(at_once=1)

    async def elsewhere() -> None:
        ws, _, _ = await opened(UP, governor=governor)
        await ws.close()

    ws, transport = engine(HANGS, governor=governor)
    waiting, _ = engine(UP, governor=governor)
    ws.connect()
    waiting.connect()
    await turns()  # the thread may be done before this loop goes round
    await asyncio.to_thread(asyncio.run, elsewhere())
    assert [ws.state, waiting.state] == [State.CONNECTING] * 2
    assert len(transport.requests) == 1
    await ws.close()
    await waiting.wait_for(State.OPEN)
    await waiting.close()


@pytest.mark.spec("M1.4", "M1.5")
def test_a_closed_event_loop_is_forgotten() -> None:
    """The rate keeps the host in mind by a timer, which would keep the loop alive."""
    governor = Governor(rate=0.001)

    async def use() -> weakref.ref[asyncio.AbstractEventLoop]:
        ws, _, _ = await opened(UP, governor=governor)
        await ws.close()
        return weakref.ref(asyncio.get_running_loop())

    first = asyncio.run(use())
    asyncio.run(use())
    gc.collect()
    assert first() is None


class Crossed(asyncio.SelectorEventLoop):
    """An event loop beside which another one comes and goes while it is asked if it is closed."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        super().__init__()
        self.meanwhile = meanwhile

    def is_closed(self) -> bool:
        if super().is_closed():
            meanwhile, self.meanwhile = self.meanwhile, lambda: None
            meanwhile()
        return super().is_closed()


@pytest.mark.spec("M1.4")
def test_event_loops_of_several_threads_come_and_go_at_one_time() -> None:
    """One governor forgets closed loops while another thread has a new loop, or forgets them."""
    governor = Governor()

    async def desk() -> object:
        return governor.desk()

    async def in_another_thread() -> None:
        thread = threading.Thread(target=asyncio.run, args=(desk(),))
        thread.start()
        thread.join()

    def meanwhile() -> None:
        thread = threading.Thread(target=asyncio.run, args=(in_another_thread(),))
        thread.start()
        thread.join()

    loop = Crossed(meanwhile)
    loop.run_until_complete(desk())
    loop.close()
    assert asyncio.run(desk()) is not None


@pytest.mark.spec("M1.4")
@virtual
async def test_an_engine_with_a_clock_has_a_governor_only_if_it_is_given_one() -> None:
    """A host is down and a probe is under way, so that whoever has the governor waits."""
    for shared in ({}, {"governor": Governor()}):
        clock = LoopClock(asyncio.get_running_loop())
        failed = [engine(GONE, policy=Answering(Retry(500.0)), **shared)[0] for _ in range(2)]
        probe, _ = engine(HANGS, **shared)
        for ws in (*failed, probe):
            ws.connect()
            await turns()
        without, _ = engine(UP, **shared)
        with_clock, _ = engine(UP, clock=clock, **shared)
        without.connect()
        with_clock.connect()
        await turns()
        assert without.state is State.CONNECTING
        assert with_clock.state is (State.CONNECTING if shared else State.OPEN)
        for ws in (*failed, probe, without, with_clock):
            await ws.close()


@pytest.mark.spec("M1.1")
@pytest.mark.parametrize(
    ("by", "keys"),
    [
        ("host", ["feed.example:443", "feed.example:443"]),
        ("address", ["wss://feed.example/a", "wss://feed.example/b"]),
        (lambda address: address[-1], ["a", "b"]),
    ],
)
def test_what_counts_as_one_host(by: Any, keys: list[str]) -> None:
    governor = Governor(by=by)
    found = [
        governor.key(address_of(url)[0])
        for url in ("wss://feed.example/a", "wss://feed.example:443/b?token=1")
    ]
    assert found == keys


@pytest.mark.spec("M1.1")
@pytest.mark.parametrize("stops", [True, False])
@virtual
async def test_a_function_that_names_no_group_fails_the_dial_and_breaks_nothing(
    stops: bool,
) -> None:
    """It names the first dial, and nothing afterwards."""
    names = iter(["mine"])

    def name(address: str) -> str:
        return next(names, [address])  # type: ignore[return-value] # the point

    policy = None if stops else Answering(Retry(5.0, rule="again"))
    ws, wire, _ = await opened(UP, UP, governor=Governor(by=name), policy=policy)
    with capture_logs() as lines:
        wire.end(CUT)
        await pass_time(9.0)
    assert ws.state is (State.CLOSED if stops else State.BACKOFF)
    assert ws.last_close is not None
    assert ws.last_close.cause is Cause.CONFIGURATION
    assert "by must return the name of a group as a str" in str(ws.last_close.error)
    assert "websocket.listener_failed" in [line["event"] for line in lines]
    await ws.close()


@pytest.mark.spec("M1.5", "C3.10")
@pytest.mark.parametrize("waits", [True, False])
@virtual
async def test_a_function_that_fails_costs_a_successor_neither_its_place_nor_its_permit(
    waits: bool,
) -> None:
    """The connection ends meanwhile, so that the successor's dial is the redial."""
    broken = False

    def name(address: str) -> str:
        if broken:
            raise RuntimeError("no name")
        return "all"

    governor = Governor(at_once=1, by=name)
    ws, wire, _ = await opened(UP, Plan(takes=4.0), governor=governor)
    await pass_time(2.0)
    busy, _ = engine(Plan(takes=8.0), governor=governor)
    if waits:
        busy.connect()
        await turns()
    moving = asyncio.create_task(ws.move())
    await turns()
    broken = True
    wire.end(CUT)
    await turns()
    broken = False
    third, _ = engine(Plan(takes=1.0), governor=governor)
    third.connect()
    async with asyncio.timeout(60.0):
        await ws.wait_for(State.OPEN)
    assert now() == pytest.approx(14.0 if waits else 6.0)
    assert third.state is State.CONNECTING
    await third.wait_for(State.OPEN)
    assert now() == pytest.approx(15.0 if waits else 7.0)
    await asyncio.gather(moving, return_exceptions=True)
    for each in (ws, busy, third):
        await each.close()


@pytest.mark.spec("M1.4")
def test_nonsense_is_refused() -> None:
    for options in ({"rate": 0}, {"at_once": 0}, {"ramp": 0.5}):
        with pytest.raises(ValueError, match=next(iter(options))):
            Governor(**options)  # type: ignore[arg-type] # each has a type of its own
    with pytest.raises(TypeError, match="by must be"):
        Governor(by="path")  # type: ignore[arg-type] # the point
    with pytest.raises(TypeError, match="governor must be"):
        recloser.connect(URL, governor=5)  # type: ignore[arg-type] # the point


@pytest.mark.spec("M1.5", "J1.2")
@virtual
async def test_no_engine_is_kept_alive() -> None:
    governor = Governor()
    ws, _, _ = await opened(UP, governor=governor)
    await ws.close()
    gone = weakref.ref(ws)
    del ws
    gc.collect()
    assert gone() is None
    assert timers() == []


@pytest.mark.spec("M2", "J1")
@virtual
async def test_a_crowd_comes_back_and_each_is_open_or_on_its_way_at_every_moment() -> None:
    """Two hundred lose their server, which refuses three probes; nobody dials it twice."""
    count = 200
    fleet = Fleet(count, *[UP] * count, *[GONE] * 3, *[UP] * count)
    await fleet.open()
    tasks, wires = len(others()), [*fleet.transport.wires]
    for changes in fleet.changes:
        changes.clear()
    since = now()
    for wire in wires:
        wire.end(CUT)
    await turns()
    while fleet.states.count(State.OPEN) < count:
        await pass_time(1.0)
        assert now() - since < 60.0
    on_the_way = {State.BACKOFF, State.CONNECTING, State.OPEN}
    assert {change.current for changes in fleet.changes for change in changes} == on_the_way
    assert fleet.dials == 2 * count + 3
    assert len(others()) == tasks
    await fleet.close()
    await pass_time(2.0)
