"""One `Credentials` for many engines: one call in flight, and cancelling one harms no other."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser import Credentials, Retry, State, Unauthorized, policies
from recloser.credentials import Token
from recloser.fsm import Cause
from recloser.testing import Plan, ScriptedTransport, run
from tests.engine.credentials.rig import SPENT, Asked, HandClock, bearer
from tests.engine.rig import UP, Answering, engine, now, others, pass_time, timers, turns, virtual

MANY = 50
ANEW = Retry(0.0, refresh=True, rule="anew")

Engines = list[tuple[Any, ScriptedTransport]]


def many(credentials: Credentials, *plans: Plan, **options: Any) -> Engines:
    """Engines that have been asked to connect."""
    found = [engine(*plans, credentials=credentials, **options) for _ in range(MANY)]
    for ws, _ in found:
        ws.connect()
    return found


async def all_in(engines: Engines, state: State) -> None:
    for ws, _ in engines:
        await ws.wait_for(state)


async def leave(engines: Engines) -> None:
    for ws, _ in engines:
        await ws.close()


@pytest.mark.spec("E4.1")
@virtual
async def test_many_engines_share_one_call() -> None:
    gate = asyncio.Event()
    provider = Asked(gate=gate)
    engines = many(Credentials(provider), UP)
    await turns()
    assert (provider.calls, provider.running) == (1, 1)
    gate.set()
    await all_in(engines, State.OPEN)
    assert {bearer(transport.wires[0]) for _, transport in engines} == {"token-1"}
    assert provider.calls == 1
    await leave(engines)


@pytest.mark.spec("E3.1", "E4.1", "E4.3")
@pytest.mark.parametrize("together", [False, True], ids=["one by one", "together"])
@virtual
async def test_many_refusals_of_one_credential_are_one_refresh(*, together: bool) -> None:
    """Also for those who hear of the refusal when its successor is there already."""
    provider = Asked()
    engines = many(Credentials(provider), UP, UP, policy=policies.standard())
    await all_in(engines, State.OPEN)
    for ws, transport in engines:
        transport.wires[0].end(SPENT)
        if not together:
            await ws.wait_for(State.OPEN)
    await all_in(engines, State.OPEN)
    assert now() == 0.0
    assert provider.calls == 2
    assert {bearer(transport.wires[1]) for _, transport in engines} == {"token-2"}
    await leave(engines)


@pytest.mark.spec("E4.2", "A5.2")
@pytest.mark.parametrize("who", [0, MANY // 2, MANY - 1], ids=["the first", "a middle", "the last"])
@virtual
async def test_cancelling_one_leaves_the_others_alone(who: int) -> None:
    gate = asyncio.Event()
    provider = Asked(gate=gate)
    engines = many(Credentials(provider), UP)
    await turns()
    left, transport = engines.pop(who)
    await left.close()
    assert transport.requests == []
    assert (provider.running, provider.cancelled) == (1, 0)
    gate.set()
    await all_in(engines, State.OPEN)
    assert provider.calls == 1
    await leave(engines)


@pytest.mark.spec("E4.2", "A5.2", "J1.1", "J1.2")
@virtual
async def test_the_call_ends_with_the_last_who_waited_for_it() -> None:
    provider = Asked(gate=asyncio.Event())
    credentials = Credentials(provider)
    engines = many(credentials, UP)
    await turns()
    await leave(engines)
    assert (provider.running, provider.cancelled) == (0, 1)
    assert (others(), timers()) == (set(), [])
    provider.gate = None
    ws, transport = engine(UP, credentials=credentials)
    ws.connect()
    await ws.wait_for(State.OPEN)
    assert bearer(transport.wires[0]) == "token-2"
    await ws.close()


@pytest.mark.spec("E4.2")
@virtual
async def test_one_that_comes_while_a_cancelled_call_winds_down_makes_its_own() -> None:
    """The call that is on its way out must not take a newcomer along."""
    winding, release = asyncio.Event(), asyncio.Event()
    calls = 0

    async def slow_to_end() -> str:
        nonlocal calls
        calls += 1
        if calls > 1:
            return "second"
        try:
            await asyncio.Event().wait()
        finally:
            winding.set()
            await release.wait()
        return "first"

    credentials = Credentials(slow_to_end)
    first, _ = engine(UP, credentials=credentials)
    second, transport = engine(UP, credentials=credentials)
    first.connect()
    await turns()
    leaving = asyncio.create_task(first.close())
    await winding.wait()
    second.connect()
    await second.wait_for(State.OPEN)
    assert now() == 0.0
    assert bearer(transport.wires[0]) == "second"
    release.set()
    await leaving
    await second.close()


@pytest.mark.spec("E2.1", "E2.2", "E4.1")
@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (OSError("no answer"), Cause.CREDENTIALS),
        (Unauthorized("signed out"), Cause.UNAUTHORIZED),
        (asyncio.CancelledError(), Cause.CREDENTIALS),
    ],
)
@virtual
async def test_a_failure_is_told_to_all_who_waited_and_the_next_dial_asks_anew(
    error: BaseException, cause: Cause
) -> None:
    gate = asyncio.Event()
    provider = Asked(error, "token", gate=gate)
    engines = many(Credentials(provider), UP)
    await pass_time(0.1 * MANY)  # until the governor has let all of them dial
    gate.set()
    await all_in(engines, State.BACKOFF)
    assert provider.calls == 1
    assert {ws.last_close.cause for ws, _ in engines} == {cause}
    await all_in(engines, State.OPEN)
    assert provider.calls == 2
    await leave(engines)


@pytest.mark.spec("E4.2", "F5")
@virtual
async def test_a_call_that_hangs_does_not_hold_those_who_come_later_for_ever() -> None:
    """Each newcomer would keep it alive if it had no bound of its own."""
    provider = Asked("never", "token", gate=asyncio.Event())
    credentials = Credentials(provider, timeout=10)
    found = []
    for _ in range(5):
        ws, transport = engine(UP, credentials=credentials, policy=Answering(Retry(1, rule="r")))
        ws.connect()
        found.append((ws, transport))
        await pass_time(4)
        if now() == 12:
            assert provider.calls == 2
            assert provider.gate is not None
            provider.gate.set()
    await all_in(found, State.OPEN)
    await leave(found)


@virtual
async def test_single_use_tickets_are_never_shared() -> None:
    provider = Asked()
    engines = many(Credentials(provider, cache=False), UP)
    await all_in(engines, State.OPEN)
    assert len({bearer(transport.wires[0]) for _, transport in engines}) == MANY
    await leave(engines)


@virtual
async def test_an_answer_to_what_was_asked_before_forget_serves_that_dial_alone() -> None:
    gate = asyncio.Event()
    provider = Asked("ada's", "bob's", gate=gate)
    credentials = Credentials(provider)
    asking = asyncio.create_task(credentials.ask(HandClock()))
    await turns()
    credentials.forget()
    gate.set()
    assert (await asking).value == "ada's"
    assert (await credentials.ask(HandClock())).value == "bob's"


@virtual
async def test_what_was_asked_for_before_forget_is_not_kept() -> None:
    gate = asyncio.Event()
    provider = Asked("ada's", "bob's", gate=gate)
    credentials = Credentials(provider)
    ada, transport = engine(UP, credentials=credentials)
    ada.connect()
    await turns()
    credentials.forget()
    bob, other = engine(UP, credentials=credentials)
    bob.connect()
    gate.set()
    await ada.wait_for(State.OPEN)
    await bob.wait_for(State.OPEN)
    assert (bearer(transport.wires[0]), bearer(other.wires[0])) == ("ada's", "bob's")
    assert (await credentials.ask(HandClock())).value == "bob's"
    await ada.close()
    await bob.close()


def test_loops_that_follow_one_another_share_what_is_kept() -> None:
    provider = Asked()
    credentials = Credentials(provider)

    async def once() -> str:
        ws, transport = engine(UP, credentials=credentials)
        async with ws:
            return bearer(transport.wires[0])

    assert [run(once()), run(once())] == ["token-1", "token-1"]


def test_a_call_that_another_loop_left_behind_is_not_waited_for() -> None:
    hanging, provider = asyncio.Event(), Asked()
    provider.gate = hanging
    credentials = Credentials(provider)
    left = asyncio.new_event_loop()
    waiting = left.create_task(credentials.ask(HandClock()))
    for _ in range(5):
        left.call_soon(left.stop)
        left.run_forever()

    async def story() -> None:
        provider.gate = None
        assert (await credentials.ask(HandClock())).value == "token-2"

    run(story())
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        left.run_until_complete(waiting)
    left.close()
    assert provider.running == 0


@given(
    st.lists(
        st.tuples(st.sampled_from(["ask", "refuse", "cancel", "answer", "forget", "age"]),
                  st.integers(0, 5)),
        max_size=40,
    )
)  # fmt: skip
def test_whatever_happens_one_call_at_most_and_no_refused_one_again(
    steps: list[tuple[str, int]],
) -> None:
    """Six dials interleave at random; each call is counted, each answer is a new token."""

    async def story() -> None:
        clock, gate, running, given = HandClock(), asyncio.Event(), 0, 0
        highest = 0

        async def provider() -> Token:
            nonlocal running, given, highest
            running += 1
            highest = max(highest, running)
            try:
                await gate.wait()
            finally:
                running -= 1
            given += 1
            return Token(str(given), expires_in=100)

        credentials = Credentials(provider, timeout=None)
        dials: dict[int, asyncio.Task[Any]] = {}
        used: dict[int, int] = {}
        forgotten = False

        async def dial(who: int, refused: int | None) -> None:
            held = await credentials.ask(clock, refused=refused)
            assert refused is None or held.version != refused
            used[who] = held.version

        for what, who in steps:
            if what in ("ask", "refuse") and who not in dials:
                dials[who] = asyncio.create_task(
                    dial(who, used.get(who) if what == "refuse" else None)
                )
            elif what == "cancel" and who in dials:
                dials[who].cancel()
            elif what == "answer":
                gate.set()
                await turns(5)
                gate.clear()
            elif what == "forget":
                credentials.forget()
                forgotten = True
            elif what == "age":
                clock.tick(60)
            await turns(5)
            dials = {who: task for who, task in dials.items() if not task.done()}
            assert forgotten or highest <= 1
            assert bool(dials) == bool(running)
        gate.set()
        for task in dials.values():
            await asyncio.wait([task])
        assert running == 0

    run(story())
