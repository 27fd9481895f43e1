"""Real engines over scripted sockets in virtual time, and what the tests of the engine share."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, Self, cast

import recloser
from recloser import Close, Context, Hold, Retry, State, StateChange, Stop
from recloser.clock import LoopClock, Timer
from recloser.fsm import Cause, Decision
from recloser.testing import Plan, ScriptedTransport, ScriptedWire, run
from recloser.timer_queue import TimerQueue

URL = "ws://feed.example/v1"

KICKED = Close.frame(1012, "restart")
CUT = Close.cut(Cause.EOF)
REFUSED = Close.refused(503)

HANGS = Plan(takes=float("inf"))
DEAF = Plan(deaf=True)
UP = Plan()
DOWN = Plan(refused=REFUSED)

Answer = Decision | Exception | object


class Answering:
    """A policy that gives its answers in turn and the last one for ever; keeps what it was asked.

    To an end that the application asked for it says Stop, unless `always`.
    """

    def __init__(self, *answers: Answer, always: bool = False) -> None:
        self.answers = list(answers) or [Retry(5.0, rule="again")]
        self.always = always
        self.asked: list[tuple[Close, Context]] = []

    def decide(self, close: Close, context: Context) -> Any:
        self.asked.append((close, context))
        if close.intentional and not self.always:
            return Stop("left")
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def engine(
    *plans: Plan, **options: Any
) -> tuple[recloser.ReconnectingWebSocket, ScriptedTransport]:
    """An engine that has not been asked for anything, and its transport."""
    transport = ScriptedTransport(plans)
    options.setdefault("transport", transport)
    options.setdefault("policy", Answering())
    return recloser.connect(options.pop("url", URL), **options), transport


async def opened(
    *plans: Plan, **options: Any
) -> tuple[recloser.ReconnectingWebSocket, ScriptedWire, ScriptedTransport]:
    """An open engine, its present wire and its transport."""
    ws, transport = engine(*(plans or (UP,)), **options)
    ws.connect()
    await ws.wait_for(State.OPEN)
    return ws, transport.wires[-1], transport


class Hasty(LoopClock):
    """A hundred seconds pass in one: dials are a second apart, and nobody waits for that.

    For real sockets and threads, for which virtual time does not wait.
    """

    def __init__(self) -> None:
        super().__init__(asyncio.get_running_loop())

    def monotonic(self) -> float:
        return super().monotonic() * 100

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        return super().call_at(when / 100, callback)


PATIENT = recloser.Timeouts(connect=6000.0, close=6000.0)
"""What a hasty engine gives a dial and a closing: a minute each."""


async def turns(count: int = 25) -> None:
    """Let everything happen that needs no time."""
    for _ in range(count):
        await asyncio.sleep(0)


async def pass_time(seconds: float) -> None:
    """Let virtual time pass."""
    over = asyncio.Event()
    timer = asyncio.get_running_loop().call_later(seconds, over.set)
    try:
        await over.wait()
    finally:
        timer.cancel()
    await turns()


def now() -> float:
    return asyncio.get_running_loop().time()


def timers() -> list[Callable[..., object]]:
    """What the timers call that are set in the running loop: in a queue, each one in it."""
    scheduled = cast("Any", asyncio.get_running_loop())._scheduled
    return [each for handle in scheduled if not handle.cancelled() for each in called(handle)]


def called(handle: asyncio.Handle) -> list[Callable[..., object]]:
    """What a handle of the loop calls: itself, or each timer of the queue behind it."""
    callback = cast("Any", handle)._callback
    queue = getattr(callback, "__self__", None)
    if not isinstance(queue, TimerQueue):
        return [callback]
    live = [timer[2] for timer in queue._heap if timer[2] is not None]
    assert live, "a queue without a timer must not wake the loop"
    assert len(queue._heap) == len(live) + queue._cancelled
    return live


def others() -> set[asyncio.Task[Any]]:
    """The tasks of the running loop but the present one."""
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


Body = Callable[..., Coroutine[Any, Any, None]]


def virtual(test: Body) -> Callable[..., None]:
    """Run an `async def` test in virtual time; it must leave no task and no timer (J1)."""

    @wraps(test)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        async def story() -> None:
            await test(*args, **kwargs)
            await turns()
            assert others() == set()
            assert timers() == []

        run(story())

    return wrapper


STATES = ("fresh", "closed", "connecting", "on_open", "open", "closing", "backoff", "held", "asked")
"""Every state, and the ways to be in it that differ: `fresh` was never connected, `held` and
`asked` are passive by a policy and by the application."""


class Rig:
    """One engine that has been brought into a state."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.policy = Answering(Hold("rest") if place == "held" else Retry(50.0, rule="again"))
        self.hook_hangs = place == "on_open"
        first = {"connecting": HANGS, "closing": DEAF, "backoff": DOWN, "held": DOWN}
        self.transport = ScriptedTransport([first.get(place, UP), UP, UP])
        self.changes: list[StateChange] = []
        self.ws = recloser.connect(
            URL,
            transport=self.transport,
            policy=self.policy,
            on_open=self._on_open,
            observers=[self.changes.append],
        )
        self.leaver: asyncio.Task[None] | None = None

    async def _on_open(self, opening: recloser.Opening) -> None:
        if self.hook_hangs:
            self.hook_hangs = False
            await asyncio.Event().wait()

    async def __aenter__(self) -> Self:
        ws, place = self.ws, self.place
        if place != "fresh":
            ws.connect()
            await turns()
        if place == "closed":
            await ws.close()
        elif place == "closing":
            self.leaver = asyncio.ensure_future(ws.close(4000, "first"))
            await turns()
        elif place == "asked":
            await ws.suspend()
        assert ws.state is self.expected
        self.changes.clear()
        return self

    @property
    def expected(self) -> State:
        names = {"fresh": "closed", "held": "passive", "asked": "passive", "on_open": "connecting"}
        return State(names.get(self.place, self.place))

    @property
    def path(self) -> list[State]:
        """The states entered since the engine was brought into the first."""
        return [change.current for change in self.changes]

    async def __aexit__(self, *exc_info: object) -> None:
        await self.ws.close()
        if self.leaver is not None:
            await self.leaver
        assert self.ws.state is State.CLOSED
        assert self.transport.live == []
        assert self.transport.dialling == 0


async def ended(awaitable: Awaitable[object]) -> BaseException | object:
    """What an awaitable came to: its result, or what it raised."""
    try:
        return await awaitable
    except BaseException as error:  # noqa: BLE001 - the tests look at whatever it was
        return error
