"""The advice of the engine, its outbox, its credentials and its transport, each followed."""

import asyncio
import signal
import threading
from collections.abc import Callable
from typing import Any

from aiohttp import ClientSession

import recloser
from recloser import (
    Acknowledgements,
    Outbox,
    Queries,
    State,
    Stop,
    Supervisor,
    hints,
)
from recloser.fsm import Close
from recloser.inspector import Inspector
from recloser.policies import Rule, hold, stop, when
from recloser.testing import ScriptedTransport
from tests.advice.follow import Advice, Shown
from tests.engine.rig import (
    CUT,
    DOWN,
    UP,
    URL,
    Answering,
    Plan,
    engine,
    opened,
    pass_time,
    turns,
)

Table = dict[tuple[str, str], Advice | Shown]


def made(**options: Any) -> Callable[[], Any]:
    """Make an engine for aiohttp with these options."""
    return lambda: recloser.connect(options.pop("url", URL) if "url" in options else URL, **options)


def scripted(**options: Any) -> Callable[[], Any]:
    return lambda: recloser.connect(URL, transport=ScriptedTransport(), **options)


def calling(act: Callable[[Any], Any], *plans: Plan, **options: Any) -> Callable[[], Any]:
    """Do something with an open engine."""

    async def story() -> None:
        ws, _, _ = await opened(*(plans or (UP, UP)), **options)
        try:
            outcome = act(ws)
            if asyncio.iscoroutine(outcome):
                await outcome
        finally:
            await ws.close()

    return story


def sending(**options: Any) -> Callable[[Any], Any]:
    return lambda ws: ws.send("x", **options)


async def later(*_: object) -> None:
    """A coroutine function."""


def starts_a_task(change: object) -> None:
    """What the message says: a plain function that starts a task."""
    tasks.append(asyncio.get_running_loop().create_task(later()))


tasks: list[asyncio.Task[None]] = []
ACKS = Acknowledgements()
RULE = Rule("a", when(code=1012), hold(), "So.")
LAST = Rule("b", when(), stop(), "The rest.")


def in_state(act: Callable[[Any], Any], place: str) -> Callable[[], Any]:
    """Do something with an engine that is not open, in this state."""

    async def story() -> None:
        plans = {"connecting": [Plan(takes=5.0), UP], "backoff": [DOWN, UP]}
        ws, _transport = engine(*plans.get(place, [UP, UP]))
        if place != "closed":
            ws.connect()
            await turns()
        if place == "passive":
            await ws.suspend()
        leaving = asyncio.ensure_future(ws.close()) if place == "closing" else None
        if place == "closing":
            await asyncio.sleep(0)
        try:
            assert ws.state.value == place
            await act(ws)
        finally:
            await ws.close()
            if leaving is not None:
                await leaving

    return story


async def sends(ws: Any) -> None:
    await ws.send("x")


async def scope_of(ws: Any) -> None:
    ws.scope  # noqa: B018 - the property raises


async def waits(ws: Any) -> None:
    await ws.wait_for(State.OPEN)
    await ws.send("x")


async def connects(ws: Any) -> None:
    ws.connect()
    await waits(ws)


def hooked(act: Callable[[Any, Any], Any]) -> Callable[[], Any]:
    """Do something in `on_open` with the engine and the opening."""

    async def story() -> None:
        errors: list[BaseException] = []

        async def hook(opening: recloser.Opening) -> None:
            try:
                await act(ws, opening)
            except Exception as error:
                errors.append(error)
                raise

        ws, _ = engine(UP, on_open=hook, policy=Answering(Stop()))
        ws.connect()
        await pass_time(1)
        await ws.close()
        if errors:
            raise errors[0]

    return story


async def sends_outside(ws: Any, opening: Any) -> None:
    await ws.send("x")


async def sends_inside(ws: Any, opening: Any) -> None:
    await opening.send("x")


def ended_scope(act: Callable[[Any], Any]) -> Callable[[], Any]:
    """Use the scope of a generation that has ended."""

    async def story() -> None:
        ws, wire, _ = await opened(UP, UP)
        scope = ws.scope
        wire.end(CUT)
        await turns()
        try:
            act(scope)
        finally:
            await ws.close()

    return story


def on_thread(act: Callable[[Any, Any], Any]) -> Callable[[], Any]:
    """Use the engine from another thread than its own."""

    async def story() -> None:
        loop = asyncio.get_running_loop()
        ws, wire, _ = await opened(UP)
        errors: list[BaseException] = []

        def work() -> None:
            try:
                act(ws, loop)
            except Exception as error:  # noqa: BLE001 - raised again by the owner
                errors.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        while thread.is_alive():  # noqa: ASYNC110 - a thread sets no event of a loop
            await asyncio.sleep(0)
        await turns()
        sent = list(wire.sent)
        await ws.close()
        if errors:
            raise errors[0]
        assert sent == ["x"]

    return story


def from_thread(ws: Any, loop: asyncio.AbstractEventLoop) -> None:
    async def send() -> None:
        await ws.send("x")

    loop.call_soon_threadsafe(ws.wake)
    asyncio.run_coroutine_threadsafe(send(), loop)


def receiving(*, handing_on: bool) -> Callable[[], Any]:
    """Two tasks want the messages of one engine."""

    async def story() -> None:
        ws, wire, _ = await opened(UP)
        received: asyncio.Queue[Any] = asyncio.Queue()

        async def hand_on() -> None:
            async for message in ws:
                await received.put(message)

        first = asyncio.ensure_future(hand_on())
        await turns()
        try:
            if not handing_on:
                await ws.receive()
            wire.deliver("x")
            assert await received.get() == "x"
        finally:
            await ws.close()
            await first

    return story


def supervised(act: Callable[[Any], Any], *, within: bool = True) -> Callable[[], Any]:
    """Do something with a supervisor that has an engine named `one`."""

    async def story() -> None:
        supervisor = Supervisor()
        if not within:
            await act(supervisor)
            return
        async with supervisor:
            supervisor.add(engine(UP)[0], lambda ws: ws.receive(), name="one")
            await act(supervisor)

    return story


async def adds(supervisor: Any, name: str | None = None) -> None:
    supervisor.add(engine(UP)[0], lambda ws: ws.receive(), name=name)


async def adds_one(supervisor: Any) -> None:
    await adds(supervisor, "one")


async def replaces_one(supervisor: Any) -> None:
    await supervisor.replace("one", engine(UP)[0], lambda ws: ws.receive())
    await supervisor.discard("one")
    await adds_one(supervisor)


async def adds_late(supervisor: Any) -> None:
    supervisor.stop()
    await adds(supervisor)


async def looks_first(supervisor: Any) -> None:
    supervisor.stop()
    if not supervisor.stopping:
        await adds(supervisor)


async def discards_two(supervisor: Any) -> None:
    await supervisor.discard("two")


async def discards_known(supervisor: Any) -> None:
    for name in list(supervisor.engines):
        await supervisor.discard(name)


async def discards_itself(supervisor: Any) -> None:
    errors: list[Exception] = []

    async def handler(ws: Any) -> None:
        try:
            await supervisor.discard("self")
        except RuntimeError as error:
            errors.append(error)

    supervisor.add(engine(UP)[0], handler, name="self")
    await pass_time(1)
    raise errors[0]


async def returns_itself(supervisor: Any) -> None:
    async def handler(ws: Any) -> None:
        await supervisor.discard("one")

    supervisor.add(engine(UP)[0], handler, name="self")
    await pass_time(1)
    assert not supervisor.engines


def used_twice(*, another: bool) -> Callable[[], Any]:
    async def story() -> None:
        supervisor = Supervisor()
        async with supervisor:
            pass
        async with Supervisor() if another else supervisor:
            pass

    return story


def asks(*keys: str) -> Callable[[Any], Any]:
    async def act(ws: Any) -> None:
        queries = Queries(ws, key=lambda said: said)
        found = [asyncio.ensure_future(queries.ask(key, key, within=1.0)) for key in keys]
        await turns()
        await ws.close()
        for each in await asyncio.gather(*found, return_exceptions=True):
            if isinstance(each, ValueError):
                raise each

    return act


def fills(outbox: Outbox, *texts: Any) -> Callable[[], Any]:
    """Send while the connection is away."""

    async def story() -> None:
        ws, _ = engine(DOWN, UP, outbox=outbox)
        ws.connect()
        await turns()
        try:
            sending = [asyncio.ensure_future(ws.send(each)) for each in texts]
            await pass_time(100)
        finally:
            await ws.close()
        for each in sending:
            each.result()

    return story


def signalled(signum: signal.Signals, *, by_hand: bool = False) -> Callable[[], Any]:
    """Wake at a signal that has a handler of the application's own."""

    async def story() -> None:
        ws, _, _ = await opened(UP)
        try:
            if by_hand:
                asyncio.get_running_loop().call_soon(ws.wake)  # what the handler does
                await turns()
            else:
                with hints.signalled(ws.wake, signum):
                    pass
        finally:
            await ws.close()

    return story


def handled() -> Callable[[], Any]:
    async def story() -> None:
        before = signal.signal(signal.SIGUSR1, lambda *_: None)
        try:
            with hints.signalled(lambda: None, signal.SIGUSR1):
                pass
        finally:
            signal.signal(signal.SIGUSR1, before)

    return story


def lending(**options: Any) -> Callable[..., Any]:
    """Lend a session that is made so."""

    def with_engine(**more: Any) -> Callable[[], Any]:
        async def story() -> None:
            async with ClientSession(**options) as session:
                recloser.connect(URL, session=session, **more)

        return story

    return with_engine


async def lends_closed() -> None:
    session = ClientSession()
    await session.close()
    recloser.connect(URL, session=session)


class Broken:
    """A policy that fails, until it is fixed."""

    fixed = False

    def decide(self, close: Close, context: object, /) -> Any:
        return Stop() if self.fixed else None


def broken(*, fixed: bool) -> Callable[[], Any]:
    async def story() -> None:
        policy = Broken()
        ws, wire, _ = await opened(UP, UP, policy=policy)
        wire.end(CUT)
        await turns()
        policy.fixed = fixed
        try:
            if fixed:
                ws.connect()
            await ws.wait_for(State.OPEN)
        finally:
            policy.fixed = True
            await ws.close()

    return story


def watching(*names: str) -> Callable[[], Any]:
    """Show two engines under these names."""

    async def story() -> None:
        inspector = Inspector()
        engines = [engine(UP)[0] for _ in names]
        for name, ws in zip(names, engines, strict=True):
            inspector.watch(name, ws)

    return story


async def loses_it(ws: Any) -> None:
    raise recloser.NotOpen(State.OPEN)
