"""Leases: engines of one key over a memory store, in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from structlog.testing import capture_logs

import recloser
from recloser import RecloserError, Retry, State
from recloser.clock import LoopClock
from recloser.fleet import Grant, Lease, LeaseState, MemoryStore, Refusal, StoreUnreachable
from recloser.fsm import Cause, Close
from recloser.testing import ScriptedTransport, ScriptedWire
from recloser.transport import Request, Wire
from tests.engine.rig import (
    DOWN,
    KICKED,
    UP,
    Answering,
    Plan,
    engine,
    now,
    pass_time,
    turns,
    virtual,
)

TTL = 9.0


class Fleet:
    """Engines of one key, each with a lease of its own over one store."""

    def __init__(self, store: Any = None) -> None:
        self.store = MemoryStore() if store is None else store
        self.leases: list[Lease] = []

    def add(
        self, *plans: Plan, store: Any = None, **options: Any
    ) -> tuple[recloser.ReconnectingWebSocket, Any]:
        lease = Lease(store or self.store, "prices", ttl=TTL)
        self.leases.append(lease)
        headers = lambda: {"X-Fencing": str(lease.token)}  # noqa: E731 - short
        return engine(*(plans or [UP] * 9), lease=lease, headers=headers, **options)


class Severable:
    """One engine's way to a store, which can be cut off in either direction."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.store = store or MemoryStore()
        self.away = False
        self.carried_out = False
        """Requests arrive while it is cut off, and their answers do not."""
        self.requests = 0

    async def acquire(self, key: str, owner: str, ttl: float, floor: int) -> Grant | Refusal:
        return await self._request(partial(self.store.acquire, key, owner, ttl, floor))

    async def renew(self, key: str, owner: str, token: int, ttl: float) -> bool:
        return await self._request(partial(self.store.renew, key, owner, token, ttl))

    async def release(self, key: str, owner: str) -> None:
        await self._request(partial(self.store.release, key, owner))

    def watch(self, key: str, callback: Callable[[], None]) -> Callable[[], None]:
        return self.store.watch(key, callback)

    async def _request(self, call: Callable[[], Awaitable[Any]]) -> Any:
        self.requests += 1
        if not self.away:
            return await call()
        if self.carried_out:
            await call()
            await asyncio.Event().wait()
        raise StoreUnreachable("cut off")


@pytest.mark.spec("O1.1", "O3.1", "O3.2")
@virtual
async def test_one_is_open_and_the_others_rest() -> None:
    fleet = Fleet()
    engines = [fleet.add() for _ in range(3)]
    for ws, _ in engines:
        ws.connect()
        await turns()
    assert [ws.state for ws, _ in engines] == [State.OPEN, State.PASSIVE, State.PASSIVE]
    assert [lease.token for lease in fleet.leases] == [1, None, None]
    await pass_time(100)
    assert [ws.state for ws, _ in engines] == [State.OPEN, State.PASSIVE, State.PASSIVE]
    assert engines[0][1].requests[0].headers["X-Fencing"] == "1"
    begun = now()
    await engines[0][0].close()
    await turns()
    assert now() - begun < 0.1
    assert [ws.state for ws, _ in engines].count(State.OPEN) == 1
    for ws, _ in engines:
        await ws.close()
    assert len(asyncio.all_tasks()) == 1


async def pair(store: Any = None, **options: Any) -> tuple[Fleet, Any, Any, Any, Any]:
    """A holder and a standby with their transports."""
    fleet = Fleet(store)
    (holder, wires), (standby, others) = fleet.add(**options), fleet.add()
    holder.connect()
    await turns()
    standby.connect()
    await turns()
    assert (holder.state, standby.state) == (State.OPEN, State.PASSIVE)
    return fleet, holder, wires, standby, others


@pytest.mark.spec("O1.2", "O2.1", "O2.2", "O4.1", "O4.2")
@pytest.mark.parametrize("carried_out", [False, True])
@virtual
async def test_a_holder_that_hears_nothing_leaves_before_another_may_come(
    carried_out: bool,
) -> None:
    """Also where its renewals arrive and the answers do not: it cannot know."""
    fleet, store = Fleet(), Severable()
    store.store = fleet.store
    (holder, wires), (standby, _) = fleet.add(store=store), fleet.add()
    holder.connect()
    await turns()
    standby.connect()
    await pass_time(20)
    store.away, store.carried_out = True, carried_out
    lease_ends = None
    with capture_logs() as lines:
        while standby.state is not State.OPEN:
            before = holder.state
            await pass_time(0.25)
            if before is State.OPEN and holder.state is not State.OPEN:
                lease_ends = now()
            assert [holder.state, standby.state].count(State.OPEN) <= 1
            assert now() < 60
    assert lease_ends is not None
    assert wires.wires[0].closed_with is None or wires.wires[0].closed_with[0] == 1001
    assert wires.live == []
    assert now() < 20 + 2 * TTL + 1
    assert fleet.leases[1].token is not None
    assert fleet.leases[1].token > 1
    assert [line["event"] for line in lines].count("websocket.store_unreachable") == 1
    assert fleet.leases[0].token is None
    await holder.close()
    await standby.close()


@pytest.mark.spec("O1.3")
@pytest.mark.parametrize("leave", ["close", "suspend", "stop", "hold", "backoff"])
@virtual
async def test_who_leaves_for_good_lets_the_next_one_in_at_once(leave: str) -> None:
    answers = {"stop": recloser.Stop("enough"), "hold": recloser.Hold("rest")}
    _, holder, wires, standby, others = await pair(
        policy=Answering(answers.get(leave, Retry(50.0)))
    )
    await pass_time(2)  # dials start a second apart
    begun = now()
    if leave in ("close", "suspend"):
        await getattr(holder, leave)()
    else:
        wires.wires[0].end(KICKED)
    if leave == "backoff":
        await pass_time(30)
        assert holder.state is State.BACKOFF
        assert standby.state is State.PASSIVE
        await holder.suspend()
        begun = now()
    await turns()
    assert standby.state is State.OPEN
    assert now() - begun < 0.1
    assert others.requests[0].headers["X-Fencing"] == "2"
    holder.connect()
    await turns()
    assert holder.state is State.PASSIVE
    await standby.close()
    await pass_time(1)
    assert holder.state is State.OPEN
    await holder.close()


@pytest.mark.spec("O1.3")
@virtual
async def test_the_lease_is_free_only_after_the_socket_is() -> None:
    deaf = Plan(deaf=True)
    fleet = Fleet()
    holder, wires = fleet.add(deaf, timeouts=recloser.Timeouts(close=3.0))
    standby, _ = fleet.add()
    holder.connect()
    await turns()
    standby.connect()
    closing = asyncio.ensure_future(holder.close())
    await pass_time(2.9)
    assert standby.state is State.PASSIVE
    await closing
    await turns()
    assert standby.state is State.OPEN
    assert wires.live == []
    await standby.close()


@pytest.mark.spec("O1.1", "O1.4")
@virtual
async def test_a_standby_asks_no_provider_no_policy_and_counts_no_failure() -> None:
    asked: list[str] = []
    policy = Answering(Retry(5.0))
    fleet = Fleet()
    holder, _ = fleet.add()
    standby, transport = fleet.add(policy=policy, credentials=lambda: asked.append("") or "token")
    async with holder, standby:
        for _ in range(3):
            standby.connect()
            await pass_time(2)
            standby.wake()
            await pass_time(2)
        assert standby.state is State.PASSIVE
        assert standby.last_close is not None
        assert standby.last_close.cause is Cause.LEASE
        assert standby.attempt == 0
        assert (asked, policy.asked, transport.requests) == ([], [], [])


@pytest.mark.spec("O1.1", "O4.3")
@virtual
async def test_a_standby_asks_once_in_a_lease() -> None:
    store = Severable()
    _, holder, _, standby, _ = await pair(store)
    before = store.requests
    await pass_time(10 * TTL)
    # The holder asks three times in a lease. The standby sees at each turn a fresh lease.
    assert store.requests - before < 10 * 3 + 16
    await standby.suspend()
    await pass_time(2 * TTL)
    before = store.requests
    await pass_time(10 * TTL)
    assert store.requests - before <= 31
    await holder.close()
    await turns()
    assert standby.state is State.PASSIVE
    standby.connect()
    await turns()
    assert standby.state is State.OPEN
    await standby.close()


class Sleeper(LoopClock):
    """The machine sleeps: its wall clock goes on, and its monotonic clock does not."""

    def __init__(self) -> None:
        super().__init__(asyncio.get_running_loop())
        self.slept = 0.0

    def wall(self) -> float:
        return super().monotonic() + self.slept


@pytest.mark.spec("O2.1", "O2.3", "O2.4")
@pytest.mark.parametrize("outbox", [False, True])
@virtual
async def test_who_wakes_too_late_sends_nothing(outbox: bool) -> None:
    """The loop has had no turn since: nothing has told the engine that the time is over."""
    clock = Sleeper()
    options = {"outbox": recloser.Outbox()} if outbox else {}
    fleet, holder, wires, standby, _ = await pair(clock=clock, **options)
    await holder.send("before")
    clock.slept += TTL
    assert not fleet.leases[0].valid
    assert holder.state is State.OPEN
    if outbox:
        await holder.send("after")
        assert len(holder.outbox) == 1
    else:
        with pytest.raises(recloser.NotOpen):
            await holder.send("after")
    await pass_time(TTL)
    assert wires.wires[0].sent == ["before"]
    assert wires.wires[0].closed_with is None
    assert wires.wires[0].aborted
    await holder.close()
    await standby.close()


@pytest.mark.spec("O2.2")
@virtual
async def test_a_dial_ends_with_its_lease() -> None:
    store = Severable()
    fleet = Fleet(store)
    ws, transport = fleet.add(
        Plan(takes=7.0), Plan(takes=30.0), timeouts=recloser.Timeouts(connect=60.0)
    )
    ws.connect()
    await pass_time(10)
    assert ws.state is State.OPEN
    transport.wires[0].end(KICKED)
    await pass_time(6)
    assert ws.state is State.CONNECTING
    store.away = True
    await pass_time(TTL)
    assert ws.state is State.PASSIVE
    assert transport.live == []
    await ws.close()


@pytest.mark.spec("O4.1")
@virtual
async def test_a_standby_of_a_store_that_is_away_asks_until_it_is_back() -> None:
    store = Severable()
    store.away = True
    fleet = Fleet(store)
    ws, _ = fleet.add()
    with capture_logs() as lines:
        ws.connect()
        await pass_time(20)
        assert ws.state is State.PASSIVE
        store.away = False
        await pass_time(1)
        assert ws.state is State.OPEN
    events = [line["event"] for line in lines if "store" in line["event"]]
    assert events == ["websocket.store_unreachable", "websocket.store_reached"]
    await ws.close()


@pytest.mark.spec("O2.2")
@virtual
async def test_a_lease_that_another_has_ends_the_connection_at_once() -> None:
    store = MemoryStore()
    _, holder, wires, standby, _ = await pair(store)
    await pass_time(TTL / 2)
    store._leases.clear()  # the store has lost it, and granted it to the standby
    standby.wake()
    await pass_time(TTL / 3)
    assert holder.state is State.PASSIVE
    assert wires.wires[0].closed_with is None
    await holder.close()
    await standby.close()


@pytest.mark.spec("O2.2", "O1.2")
@virtual
async def test_a_lease_that_ends_in_backoff_is_asked_for_anew() -> None:
    store = Severable()
    fleet = Fleet(store)
    ws, transport = fleet.add(DOWN, UP, policy=Answering(Retry(40.0)))
    ws.connect()
    await turns()
    assert ws.state is State.BACKOFF
    store.away = True
    await pass_time(TTL)
    assert fleet.leases[0].state is LeaseState.CANDIDATE
    store.away = False
    await pass_time(2)
    assert fleet.leases[0].valid
    assert ws.state is State.BACKOFF
    await pass_time(40)
    assert ws.state is State.OPEN
    assert transport.requests[-1].headers["X-Fencing"] == "2"
    await ws.close()


@pytest.mark.spec("E7")
@virtual
async def test_a_lease_belongs_to_one_engine() -> None:
    lease = Lease(MemoryStore(), "prices")
    engine(lease=lease)
    with pytest.raises(RecloserError, match="make one for each engine"):
        engine(lease=lease)
    assert repr(lease) == "<Lease 'prices' released>"
    assert (lease.token, lease.valid, lease.key) == (None, False, "prices")


@pytest.mark.spec("O1.1")
@virtual
async def test_other_keys_are_other_connections() -> None:
    store = MemoryStore()
    engines = [engine(UP, lease=Lease(store, key))[0] for key in ("prices", "orders")]
    for ws in engines:
        ws.connect()
    await turns()
    assert [ws.state for ws in engines] == [State.OPEN, State.OPEN]
    for ws in engines:
        await ws.close()


@pytest.mark.spec("E7")
def test_what_cannot_be_a_lease_is_refused() -> None:
    with pytest.raises(TypeError, match="LeaseStore such as MemoryStore"):
        Lease(object(), "prices")  # type: ignore[arg-type] # on purpose
    with pytest.raises(TypeError, match="key must be a str"):
        Lease(MemoryStore(), 7)  # type: ignore[arg-type] # on purpose
    with pytest.raises(ValueError, match="name the connection that there is once"):
        Lease(MemoryStore(), "")
    assert Lease(MemoryStore(), "prices").key == "prices"
    with pytest.raises(TypeError, match=r"lease must be a recloser\.fleet\.Lease"):
        engine(lease="prices")


class Bare(ScriptedWire):
    """A wire of somebody's that cannot stop writing."""

    restrict = Wire.restrict


@pytest.mark.spec("O2.3", "E6")
@virtual
async def test_a_wire_that_cannot_stop_writing_is_refused() -> None:
    class Transport(ScriptedTransport):
        async def dial(self, request: Request, ended: Callable[[Close], None]) -> Wire:
            wire = await super().dial(request, ended)
            wire.__class__ = Bare
            return wire

    policy = Answering(recloser.Stop("refused"))
    ws, _ = engine(transport=Transport([UP]), lease=Lease(MemoryStore(), "a"), policy=policy)
    ws.connect()
    await turns()
    assert ws.state is State.CLOSED
    assert ws.last_close is not None
    assert ws.last_close.cause is Cause.CONFIGURATION
    assert "cannot stop writing" in str(ws.last_close.error)


@pytest.mark.spec("J2.2", "O1.2")
@virtual
async def test_a_forgotten_holder_asks_for_nothing_and_its_lease_ends_by_itself() -> None:
    fleet, holder, _, standby, _ = await pair()
    fleet.leases.pop(0)
    with pytest.warns(ResourceWarning, match="was never closed"):
        del holder, _
    await turns()
    assert standby.state is State.PASSIVE
    await pass_time(TTL + 1)
    assert standby.state is State.OPEN
    await standby.close()
