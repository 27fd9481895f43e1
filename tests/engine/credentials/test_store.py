"""When a provider is asked for a credential, what is kept, and what its failures come to."""

import asyncio
from functools import partial
from math import isfinite
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser import Close, Credentials, Retry, State, Timeouts, Unauthorized, policies
from recloser.credentials import Token
from recloser.fsm import Cause, Origin, Policy
from recloser.policies.rules import rules_of
from recloser.testing import Plan, run
from tests.engine.credentials.rig import NOT_LET_IN, SPENT, Asked, HandClock, bearer, bearer_of
from tests.engine.driver.test_inputs import raises, raises_later, ways
from tests.engine.rig import (
    CUT,
    DOWN,
    UP,
    Answering,
    engine,
    now,
    opened,
    others,
    timers,
    turns,
    virtual,
)  # fmt: skip
from tests.policies.rig import after, makers, received, refused, shipped

AGAIN = Retry(5.0, rule="again")
ANEW = Retry(0.0, refresh=True, rule="anew")


@pytest.mark.spec("E1.2")
@pytest.mark.parametrize("way", range(4))
@pytest.mark.parametrize("wrapped", [False, True], ids=["bare", "credentials"])
@virtual
async def test_values_functions_and_coroutines(way: int, *, wrapped: bool) -> None:
    given = ways("secret")[way]
    ws, wire, _ = await opened(credentials=Credentials(given) if wrapped else given)
    assert wire.request.headers["Authorization"] == "Bearer secret"
    await ws.close()


@pytest.mark.spec("E1.1")
@virtual
async def test_a_bare_function_is_asked_before_every_dial() -> None:
    provider = Asked()
    ws, _, transport = await opened(
        UP, DOWN, UP, credentials=provider, policy=Answering(Retry(1.0, rule="again"))
    )
    transport.wires[0].end(CUT)
    await ws.wait_for(State.OPEN)
    tokens = [bearer_of(request.headers) for request in transport.requests]
    assert tokens == ["token-1", "token-2", "token-3"]
    await ws.close()


@pytest.mark.spec("E1.3", "E3.1")
@virtual
async def test_credentials_are_kept_until_one_is_refused() -> None:
    provider = Asked()
    policy = Answering(AGAIN, ANEW, AGAIN)
    ws, _, transport = await opened(
        UP, UP, UP, UP, credentials=Credentials(provider), policy=policy
    )
    for _ in range(3):
        transport.wires[-1].end(CUT)
        await ws.wait_for(State.OPEN)
    assert [bearer(wire) for wire in transport.wires] == [
        "token-1", "token-1", "token-2", "token-2",
    ]  # fmt: skip
    await ws.close()


@pytest.mark.spec("E3.1")
@virtual
async def test_a_refused_one_is_not_taken_again_if_the_refresh_fails() -> None:
    provider = Asked("old", OSError("no answer"), "new")
    policy = Answering(ANEW, AGAIN)
    ws, _, transport = await opened(UP, UP, credentials=Credentials(provider), policy=policy)
    transport.wires[0].end(SPENT)
    await ws.wait_for(State.BACKOFF)
    await turns()
    assert ws.last_close is not None
    assert ws.last_close.cause is Cause.CREDENTIALS
    await ws.wait_for(State.OPEN)
    assert [bearer(wire) for wire in transport.wires] == ["old", "new"]
    await ws.close()


@pytest.mark.spec("E3.1")
@pytest.mark.parametrize("ended", [SPENT, NOT_LET_IN], ids=["open", "dial"])
@virtual
async def test_refresh_asks_for_the_successor_and_provider_only_for_the_first(
    ended: Close,
) -> None:
    first, successor = Asked("signed in"), Asked("renewed", "renewed again")
    credentials = Credentials(first, refresh=successor)
    plans = (UP, UP) if ended is SPENT else (Plan(refused=ended), UP)
    ws, transport = engine(*plans, UP, credentials=credentials, policy=Answering(ANEW))
    ws.connect()
    await ws.wait_for(State.OPEN)
    if ended is SPENT:
        transport.wires[-1].end(SPENT)
        await ws.wait_for(State.OPEN)
    assert bearer(transport.wires[-1]) == "renewed"
    credentials.forget()
    transport.wires[-1].end(CUT)
    await ws.wait_for(State.OPEN)
    assert bearer(transport.wires[-1]) == "signed in"
    assert (first.calls, successor.calls) == (2, 1)
    await ws.close()


@pytest.mark.spec("E3.1")
@virtual
async def test_a_plain_first_credential_with_a_refresh() -> None:
    credentials = Credentials("first", refresh=lambda: "second")
    ws, transport = engine(Plan(refused=NOT_LET_IN), UP, UP, credentials=credentials,
                           policy=policies.standard())  # fmt: skip
    ws.connect()
    await ws.wait_for(State.OPEN)
    assert [bearer_of(request.headers) for request in transport.requests] == ["first", "second"]
    await ws.close()


@pytest.mark.spec("E3.3")
@pytest.mark.parametrize(
    ("given", "can"),
    [
        (None, False),
        ("token", False),
        (Credentials("token"), False),
        (Credentials(Token("token", expires_in=60)), False),
        (lambda: "token", True),
        (Asked(), True),
        (Credentials(lambda: "token"), True),
        (Credentials("token", refresh=lambda: "token"), True),
    ],
)
@virtual
async def test_the_policy_is_told_whether_there_is_somebody_to_ask(
    given: Any, *, can: bool
) -> None:
    policy = Answering(AGAIN)
    ws, _ = engine(Plan(refused=NOT_LET_IN), credentials=given, policy=policy)
    ws.connect()
    await turns()
    assert [context.can_refresh for _, context in policy.asked] == [can]
    await ws.close()


@pytest.mark.spec("E3.1", "E3.2", "B13.4")
@virtual
async def test_standard_asks_once_in_a_streak_and_stops_at_the_same_refusal() -> None:
    provider = Asked()
    ws, transport = engine(
        *(Plan(refused=NOT_LET_IN),) * 3, credentials=provider, policy=policies.standard()
    )
    ws.connect()
    await ws.wait_for(State.CLOSED)
    assert now() == 0.0
    tokens = [bearer_of(request.headers) for request in transport.requests]
    assert tokens == ["token-1", "token-2"]
    assert ws.last_close is not None
    assert ws.last_close.status == 401


@pytest.mark.spec("E3.3", "B13.4")
@virtual
async def test_standard_stops_at_401_where_nobody_can_be_asked() -> None:
    ws, transport = engine(
        Plan(refused=NOT_LET_IN), credentials="token", policy=policies.standard()
    )
    ws.connect()
    await ws.wait_for(State.CLOSED)
    assert len(transport.requests) == 1


def codes_of(policy: Policy) -> list[int]:
    """The codes that a rule names; a range of more than a hundred names none."""
    wanted = (want for rule in rules_of(policy) for name, want in rule.when.tests if name == "code")
    ranges = [range(int(low), int(high)) for want in wanted for low, high in _finite(want)]
    return sorted({code for each in ranges if len(each) <= 100 for code in each})


def _finite(want: object) -> list[tuple[float, float]]:
    return [each for each in getattr(want, "intervals", ()) if isfinite(each[1] - each[0])]


REFRESHED = [
    pytest.param(name, close, id=f"{name} {close.status or close.code}")
    for name, policy in shipped().items()
    for close in (*map(received, codes_of(policy)), refused(401))
    if getattr(policy.decide(close, after(can_refresh=True)), "refresh", False)
]


def test_there_are_services_with_codes_of_their_own_for_it() -> None:
    assert len({param.values[0] for param in REFRESHED}) > 10
    assert len({param.values[1] for param in REFRESHED}) > 5


@pytest.mark.spec("E3.1", "B14.1")
@pytest.mark.parametrize(("name", "close"), REFRESHED)
@virtual
async def test_where_a_policy_says_so_a_new_credential_is_dialled_with_at_once(
    name: str, close: Close
) -> None:
    provider = Asked()
    refused_first = close.status is not None
    plans = (Plan(refused=close), UP) if refused_first else (UP, UP)
    ws, transport = engine(*plans, credentials=Credentials(provider), policy=shipped()[name])
    ws.connect()
    await ws.wait_for(State.OPEN)
    if not refused_first:
        transport.wires[0].end(close)
        await ws.wait_for(State.OPEN)
    assert now() == 0.0
    tokens = [bearer_of(request.headers) for request in transport.requests]
    assert tokens == ["token-1", "token-2"]
    await ws.close()


# -- ends that are known ----------------------------------------------------------------------


@pytest.mark.spec("E1.3")
@pytest.mark.parametrize("kind", ["in", "at", "both"])
@pytest.mark.parametrize(("later", "asked"), [(0, 1), (69.9, 1), (70, 2), (100, 2), (1e9, 2)])
@virtual
async def test_one_that_would_end_soon_is_replaced_before_the_dial(
    kind: str, later: float, asked: int
) -> None:
    clock = HandClock()
    times: dict[str, dict[str, Any]] = {
        "in": {"expires_in": 100},
        "at": {"expires_at": clock.epoch + 100},
    }
    times["both"] = {"expires_in": 100, "expires_at": clock.epoch + 1000}
    provider = Asked(Token("first", **times[kind]), "second")
    credentials = Credentials(provider, ahead=30.0)
    await credentials.ask(clock)
    clock.tick(later)
    assert timers() == []
    given = await credentials.ask(clock)
    assert provider.calls == asked
    assert given.value == ("first" if asked == 1 else "second")


@pytest.mark.spec("E1.3")
@pytest.mark.parametrize("which", ["now", "epoch"])
@virtual
async def test_either_clock_ends_it(which: str) -> None:
    """The monotonic clock stands still while the machine sleeps; the wall clock may be set back."""
    clock, provider = HandClock(), Asked(Token("first", expires_in=100), "second")
    credentials = Credentials(provider)
    await credentials.ask(clock)
    setattr(clock, which, getattr(clock, which) + 100)
    assert (await credentials.ask(clock)).value == "second"


@virtual
async def test_one_that_ends_sooner_than_the_margin_serves_one_dial() -> None:
    clock = HandClock()
    provider = Asked(Token("brief", expires_in=0), Token("past", expires_at=5), "last")
    credentials = Credentials(provider)
    given = [(await credentials.ask(clock)).value for _ in range(4)]
    assert given == ["brief", "past", "last", "last"]
    assert provider.calls == 3


@given(
    st.floats(0, 1e6), st.floats(0, 1e4), st.lists(st.floats(0, 1e5), min_size=1, max_size=8)
)  # fmt: skip
def test_none_is_dialled_with_that_has_less_than_the_margin_left_unless_new(
    life: float, ahead: float, steps: list[float]
) -> None:
    async def story() -> None:
        clock, provider = HandClock(), Asked(Token("t", expires_in=life))
        credentials = Credentials(provider, ahead=ahead)
        ends = float("-inf")
        for step in steps:
            clock.tick(step)
            before = provider.calls
            await credentials.ask(clock)
            if provider.calls > before:
                ends = clock.now + life
            else:
                assert clock.now + ahead < ends

    run(story())


@pytest.mark.spec("E1.3")
@virtual
async def test_no_timer_and_no_task_is_kept_while_open() -> None:
    plain, _, _ = await opened()
    bare = len(timers()), len(others())
    await plain.close()
    credentials = Credentials(lambda: Token("t", expires_in=60))
    ws, _, _ = await opened(credentials=credentials)
    assert (len(timers()), len(others())) == bare
    await ws.close()


# -- failures ---------------------------------------------------------------------------------

FAILURES: list[tuple[str, Any, Cause]] = [
    ("raises", raises(OSError("no vault")), Cause.CREDENTIALS),
    ("raises later", raises_later(KeyError("token")), Cause.CREDENTIALS),
    ("time-out", raises_later(TimeoutError()), Cause.CREDENTIALS),
    ("unauthorized", raises(Unauthorized("revoked")), Cause.UNAUTHORIZED),
    ("unauthorized later", raises_later(Unauthorized()), Cause.UNAUTHORIZED),
    ("cancelled", raises(asyncio.CancelledError()), Cause.CREDENTIALS),
    ("cancelled later", raises_later(asyncio.CancelledError()), Cause.CREDENTIALS),
    ("arguments", lambda _: "token", Cause.CREDENTIALS),
    ("None", lambda: None, Cause.CONFIGURATION),
    ("number", lambda: 7, Cause.CONFIGURATION),
    ("bytes", lambda: b"token", Cause.CONFIGURATION),
    ("empty", lambda: "", Cause.CONFIGURATION),
    ("no headers", dict, Cause.CONFIGURATION),
    ("OAuth answer", lambda: {"access_token": "t", "expires_in": 3600}, Cause.CONFIGURATION),
    ("line break", lambda: "a\r\nb: c", Cause.CONFIGURATION),
    ("header line break", lambda: {"a": "b\n"}, Cause.CONFIGURATION),
    ("a function", lambda: lambda: "token", Cause.CONFIGURATION),
    ("bad token", lambda: Token("t", expires_in=float("nan")), Cause.CREDENTIALS),
]


@pytest.mark.spec("E2.1")
@pytest.mark.parametrize("wrapped", [False, True], ids=["bare", "credentials"])
@pytest.mark.parametrize(("provider", "cause"), [pytest.param(*a[1:], id=a[0]) for a in FAILURES])
@virtual
async def test_a_provider_that_fails_is_a_failed_dial(
    provider: Any, cause: Cause, *, wrapped: bool
) -> None:
    policy = Answering(AGAIN)
    given = Credentials(provider) if wrapped else provider
    ws, transport = engine(UP, policy=policy, credentials=given)
    ws.connect()
    await turns()
    assert ws.state is State.BACKOFF
    assert now() == 0.0
    close = ws.last_close
    assert close is not None
    assert (close.code, close.origin, close.cause) == (1006, Origin.ENGINE, cause)
    assert close.error is not None
    assert close.error.__traceback__ is close.error.__context__ is close.error.__cause__ is None
    assert transport.requests == []
    assert len(policy.asked) == 1
    await ws.close()


@pytest.mark.spec("E2.2")
@pytest.mark.parametrize("make", sorted(makers()))
@virtual
async def test_the_shipped_policies_stop_at_unauthorized(make: str) -> None:
    ws, transport = engine(
        UP, policy=shipped()[make], credentials=Asked(Unauthorized("signed out"))
    )
    ws.connect()
    await turns()
    assert ws.state is State.CLOSED
    assert transport.requests == []


@pytest.mark.spec("E2.1")
@virtual
async def test_standard_asks_a_broken_provider_again_in_growing_gaps() -> None:
    provider = Asked(*[OSError("no answer")] * 3, "token")
    ws, _ = engine(UP, credentials=Credentials(provider), policy=policies.standard(), seed=1)
    ws.connect()
    await ws.wait_for(State.OPEN)
    assert provider.calls == 4
    assert now() > 1.0
    await ws.close()


@virtual
async def test_nonsense_is_not_kept() -> None:
    provider = Asked(None, "two\nlines", {"a": "b\n"}, "token")
    ws, transport = engine(UP, credentials=Credentials(provider), policy=Answering(AGAIN))
    ws.connect()
    await ws.wait_for(State.OPEN)
    assert bearer(transport.wires[0]) == "token"
    await ws.close()


@pytest.mark.spec("F5", "A5.2")
@pytest.mark.parametrize(
    ("options", "seconds", "cause"),
    [
        ({}, 10.0, Cause.CREDENTIALS),
        ({"timeout": 3}, 3.0, Cause.CREDENTIALS),
        ({"timeout": None}, 20.0, Cause.CONNECT_TIMEOUT),
        ({"cache": False}, 10.0, Cause.CREDENTIALS),
        (None, 20.0, Cause.CONNECT_TIMEOUT),
    ],
)
@virtual
async def test_a_provider_that_hangs_runs_into_a_deadline(
    options: dict[str, Any] | None, seconds: float, cause: Cause
) -> None:
    provider = Asked(gate=asyncio.Event())
    given = provider if options is None else Credentials(provider, **options)
    ws, transport = engine(UP, credentials=given)
    ws.connect()
    await ws.wait_for(State.BACKOFF)
    await turns()
    assert now() == seconds
    assert ws.last_close is not None
    assert ws.last_close.cause is cause
    assert (provider.running, provider.cancelled) == (0, 1)
    assert transport.requests == []
    await ws.close()


@pytest.mark.spec("A1", "A5.2")
@pytest.mark.parametrize("leave", ["close", "suspend"])
@pytest.mark.parametrize("cache", [False, True])
@virtual
async def test_leaving_while_a_provider_runs_opens_nothing(leave: str, *, cache: bool) -> None:
    provider = Asked(gate=asyncio.Event())
    ws, transport = engine(UP, credentials=Credentials(provider, cache=cache))
    ws.connect()
    await turns()
    await getattr(ws, leave)()
    assert now() == 0.0
    assert (provider.running, provider.cancelled) == (0, 1)
    assert transport.requests == []
    assert others() == set()
    await ws.close()


@pytest.mark.spec("A1", "A5.2")
@pytest.mark.parametrize("cache", [False, True])
@virtual
async def test_a_provider_that_swallows_cancellation_does_not_lead_to_a_dial(
    *, cache: bool
) -> None:
    async def stubborn() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "the one in the cache"
        return "never"

    ws, transport = engine(UP, credentials=Credentials(stubborn, cache=cache))
    ws.connect()
    await turns()
    await ws.close()
    await turns()
    assert ws.state is State.CLOSED
    assert transport.requests == []


@pytest.mark.spec("A1", "A5.2")
@pytest.mark.parametrize("cache", [False, True])
@virtual
async def test_a_provider_may_itself_ask_for_the_end(*, cache: bool) -> None:
    async def provider() -> str:
        await ws.close()
        return "token"

    ws, transport = engine(UP, credentials=Credentials(provider, cache=cache))
    ws.connect()
    await ws.wait_for(State.CLOSED)
    await turns()
    assert transport.requests == []
    assert ws.last_close is not None
    assert ws.last_close.intentional


@virtual
async def test_the_deadline_of_the_dial_is_the_shorter_one() -> None:
    provider = Asked(gate=asyncio.Event())
    ws, _ = engine(UP, credentials=Credentials(provider), timeouts=Timeouts(connect=2))
    ws.connect()
    await ws.wait_for(State.BACKOFF)
    assert now() == 2.0
    await ws.close()


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: Credentials(None), "provider"),  # type: ignore[arg-type] # the point of the test
        (lambda: Credentials(""), "empty"),
        (lambda: Credentials("from a file\n"), "line break"),
        (lambda: Credentials(7), "str, headers or a Token"),  # type: ignore[arg-type] # the same
        (lambda: Credentials({"a": 1}), "must be text"),  # type: ignore[dict-item] # the same
        (lambda: Credentials("t", refresh=b""), "str, headers or a Token"),  # type: ignore[arg-type] # the same
        (lambda: Credentials(Credentials("t")), "already"),  # type: ignore[arg-type] # the same
        (lambda: Credentials("t", place="header"), "place"),  # type: ignore[arg-type] # the same
        (lambda: Credentials("t", place=Asked().__call__), "place"),  # type: ignore[arg-type] # the same
        (lambda: Credentials("t", ahead=-1), "ahead"),
        (lambda: Credentials("t", ahead=float("nan")), "ahead"),
        (lambda: Credentials("t", timeout=0), "timeout"),
        (lambda: Credentials("t", timeout="1"), "timeout"),  # type: ignore[arg-type] # the same
        (lambda: Credentials("t", timeout=True), "timeout"),
        (lambda: Token("t", expires_in=-1), "expires_in"),
        (lambda: Token("t", expires_in="60"), "expires_in"),  # type: ignore[arg-type] # the same
        (lambda: Token("t", expires_at=float("inf")), "expires_at"),
        (lambda: Token(b"t"), "str, headers or a Token"),  # type: ignore[arg-type] # the same
        (partial(engine, credentials=7), "str, headers or a Token"),
        (partial(engine, credentials=""), "empty"),
    ],
)
def test_what_cannot_work_is_refused_at_once(make: Any, what: str) -> None:
    with pytest.raises((TypeError, ValueError), match=what):
        make()
