"""`ReconnectingWebSocket`: one connection, as a service uses it."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Hashable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self, Unpack

from recloser.checks import check_advice, check_generation
from recloser.closed import closed_error
from recloser.driver.driver import Driver
from recloser.driver.inbound import ReceiveBody, receiver
from recloser.driver.scope import Scope
from recloser.driver.stable import failures
from recloser.driver.statistics import Statistics
from recloser.fsm.change import StateChange
from recloser.fsm.closecodes import INTERNAL_ERROR, NORMAL, check_close
from recloser.fsm.events import Ask, Healthy, Hint, Move, Reconnect
from recloser.fsm.record import Close
from recloser.fsm.states import State, Wish
from recloser.ownership import close_forgotten, enter, leave
from recloser.rest import rest_until
from recloser.transport.base import Delivery
from recloser.transport.errors import NotOpen
from recloser.transport.heartbeat import Heartbeat, heartbeat_of

if TYPE_CHECKING:
    from recloser.driver.message_records import RecordedMessages
    from recloser.outbox.message import Id
    from recloser.outbox.options import MessageOptions
    from recloser.outbox.view import OutboxView
    from recloser.settled import Settled


class ReconnectingWebSocket:
    """A WebSocket that lives through any number of connections; made by `recloser.connect`.

    Belongs to the event loop that first used it: a call from another loop or thread raises
    `WrongLoop`. Nothing is dialled before `connect()` or `async with`.
    """

    __slots__ = ("__weakref__", "_driver", "_inbound", "_rest", "_sender")

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._inbound = driver.inbound
        self._sender = driver.sender
        self._rest: object = None  # identifies the latest suspend()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.state.value} generation {self.generation}>"

    # -- the present state --------------------------------------------------------------

    @property
    def fields(self) -> Mapping[str, object]:
        """The application's fields, as given to `connect`; they are in every log line."""
        return self._driver.fields

    @property
    def state(self) -> State:
        """The state of the machine."""
        return self._driver.core.state

    @property
    def attempt(self) -> int:
        """Failures since the last stable period, `mark_healthy()` or `connect()`."""
        return failures(self._driver.core, self._driver.clock)

    @property
    def generation(self) -> int:
        """The number of the latest dial; 0 before the first."""
        return self._driver.core.generation

    @property
    def retry_in(self) -> float | None:
        """Seconds until the next dial; None unless in backoff."""
        core = self._driver.core
        if core.state is not State.BACKOFF or core.deadline is None:
            return None
        return max(0.0, core.deadline - self._driver.clock.monotonic())

    @property
    def last_close(self) -> Close | None:
        """The record of the latest end or failed dial; None before the first."""
        return self._driver.last_close

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that the peer chose; None unless open, or if it chose none."""
        wire = self._driver.open_wire
        return None if wire is None else wire.subprotocol

    @property
    def scope(self) -> Scope:
        """Tasks and callbacks that end with the present generation; raises `NotOpen`."""
        self._driver.bind()
        generation = self._driver.generation
        if self.state is not State.OPEN or generation is None:
            raise NotOpen(self.state)
        return generation.scope

    def statistics(self) -> Statistics:
        """Return the counters since the engine was made."""
        return self._driver.counters.read(self._driver.inbound.undelivered)

    # -- changes of state ---------------------------------------------------------------

    def changes(self) -> AsyncIterator[StateChange]:
        """Iterate over all changes of state from now on.

        Ends after the change to closed. A slow iteration misses no change and delays nothing.
        Each task needs an iterator of its own: a second task that waits for one raises
        `ConcurrentReceive`.
        """
        self._driver.bind()
        return self._driver.observers.changes()

    def subscribe(self, callback: Callable[[StateChange], object]) -> Callable[[], None]:
        """Call `callback(change)` at every change; the returned function ends that.

        The call is synchronous and in the event loop. An exception of the callback is logged,
        and so is a call that takes more than 0.1 s. Raises `TypeError` for what cannot be called.
        """
        return self._driver.observers.subscribe(callback)

    def settled(self, after: float = 2.0) -> "Settled":
        """Return a slow view for people: online, offline or gave up.

        Interruptions shorter than `after` seconds do not show; see `Settled`. Raises
        `TypeError` or `ValueError` unless `after` is a finite number of at least 0.
        """
        from recloser.settled import Settled  # noqa: PLC0415 - most engines have none

        return Settled(self._driver, after)

    async def wait_for(self, state: State) -> None:
        """Wait until the machine is in `state`; return at once if it is.

        Raises `ConnectionClosed` or `PolicyError` in closed, unless that is `state`, and
        `TypeError` for what is no `State`.
        """
        if not isinstance(state, State):
            raise TypeError(f"wait_for takes a State such as State.OPEN, not {state!r}")
        await self._until(state)

    async def _until(self, *states: State) -> None:
        driver = self._driver
        driver.bind()
        if self.state in states:
            return
        if self.state is State.CLOSED:
            raise closed_error(driver.last_change)
        change = await driver.observers.wait_for(frozenset(states))
        if change.current not in states:
            raise closed_error(change)

    # -- requests -----------------------------------------------------------------------

    def connect(self) -> None:
        """Ask for a connection: from closed and passive, or now instead of after the backoff.

        The failures so far are forgotten. While closing, the request is remembered; while
        connecting or open, nothing happens. Raises `OutboxUnusable`, and stays in closed, where
        the outbox has a file that cannot be used.
        """
        self._driver.bind()
        self._sender.prepare()
        self._driver.feed(Ask(Wish.CONNECT))

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """End for good: nothing dials until `connect()` is called.

        Returns when everything is released, within `timeouts.close`, or when a later request
        supersedes this one. What was received can still be received. The first code wins on the
        wire. Raises `TypeError` or `ValueError`, in every state, for a code or reason that a close
        frame must not carry (RFC 6455 section 7.4); nothing has changed then.
        """
        check_close(code, reason)
        await self._driver.leave(Ask(Wish.CLOSE, code, reason))

    async def suspend(self, code: int = NORMAL, reason: str = "") -> None:
        """Rest in passive: no socket and no timer, until `connect()` or `close()`.

        Does nothing in closed. Returns and raises as `close` does.
        """
        check_close(code, reason)
        self._rest = None
        await self._driver.leave(Ask(Wish.SUSPEND, code, reason))

    async def suspend_until(
        self, awaitable: Awaitable[object], code: int = NORMAL, reason: str = ""
    ) -> None:
        """Rest as by `suspend()` until `awaitable` is done, then `connect()` and return.

        A later request of the application supersedes this one: when the engine leaves passive,
        the awaitable is cancelled, as by `asyncio.wait_for`. An exception of the awaitable is
        logged and raised, and the engine goes on resting. In closed nothing is awaited.
        """
        check_close(code, reason)
        self._rest = rest = object()
        ask = Ask(Wish.SUSPEND, code, reason)
        await rest_until(self._driver, ask, awaitable, lambda: self._rest is rest)

    def reconnect(
        self, code: int = NORMAL, reason: str = "", *, generation: int | None = None
    ) -> None:
        """Leave and dial again, with a code of the application's choice.

        Some services drop a session that its client closes with 1000 (Discord's gateway does). In
        backoff and passive it dials, while connecting it does nothing. The failures are not
        forgotten: leaving before it was stable is one, and dials start 1 s apart. Nothing happens
        where `generation` is not that of the open connection. Raises `ConnectionClosed` in closed.
        """
        check_close(code, reason)
        check_generation(generation)
        self._driver.bind()
        if self.state is State.CLOSED and generation is None:
            raise closed_error(self._driver.last_change)
        self._driver.feed(Reconnect(code, reason, generation))

    def fail(
        self,
        advice: str | None = None,
        *,
        code: int = INTERNAL_ERROR,
        reason: str = "",
        retry_after: float | None = None,
        spread: float | None = None,
        generation: int | None = None,
    ) -> None:
        """Say that the open connection has failed: it ends, and the policy decides.

        For what only the application sees: an in-band "please reconnect", an invalid session.
        It counts as a failure. The record has the cause DECLARED, and `advice`, `retry_after` and
        `spread` as `advise` passes them on. The peer gets a close frame with `code` and `reason`,
        and half a second for its answer. Nothing happens unless open, nor where `generation` is
        given and not that of the open connection. Raises as `advise` and `close` do.
        """
        check_close(code, reason)
        given = check_advice(advice, retry_after, spread, generation, optional=True)
        self._driver.bind()
        self._driver.fail(Close.declared(), code, reason, advice=given, number=generation)

    async def move(self, code: int = NORMAL, reason: str = "") -> None:
        """Connect a successor, then close (docs/moving.md); raises `MoveFailed`, or `NotOpen`."""
        check_close(code, reason)
        await self._driver.move(Move(code, reason))

    def wake(self) -> None:
        """Hint that dialling may be worth while now: the network is back, say.

        Ends a backoff, and a rest that a policy chose; keeps the failure count and the gap of
        1 s between dials. While open, the peer is pinged, and a connection whose local address
        this machine has lost is ended. Never overrides `close()` or `suspend()`.
        """
        driver = self._driver
        driver.bind()
        driver.feed(Hint())
        if driver.open_wire is not None:
            driver.open_wire.probe()

    def set_heartbeat(self, heartbeat: Heartbeat | float | None) -> None:
        """Ping the open connection by another schedule, given as to `connect`, until it ends.

        Raises `NotOpen`, as `Heartbeat` does, and `RecloserError` for a transport without pings.
        """
        self._driver.bind()
        if self._driver.open_wire is None:
            raise NotOpen(self.state)
        self._driver.open_wire.set_heartbeat(heartbeat_of(heartbeat))

    def mark_healthy(self) -> None:
        """Say that this open connection works, without waiting for `timeouts.stable`."""
        self._driver.bind()
        self._driver.feed(Healthy())

    def advise(
        self,
        advice: str,
        *,
        retry_after: float | None = None,
        spread: float | None = None,
        generation: int | None = None,
    ) -> None:
        """Pass on what the server said in-band; the policy sees it once, at the next end.

        `retry_after` and `spread` are in seconds. Nothing happens where `generation` is given and
        has ended. Raises `TypeError` unless `advice` is a str and the others are numbers, and
        `ValueError` for seconds that are negative or not finite.
        """
        event = check_advice(advice, retry_after, spread, generation)
        self._driver.bind()
        self._driver.feed(event)

    # -- messages -----------------------------------------------------------------------

    def send(
        self,
        message: str | bytes,
        *,
        ttl: float | None = None,
        key: Hashable = None,
        id: "Id | None" = None,  # noqa: A002 - what every protocol calls it
        this_generation: bool = False,
    ) -> Coroutine[Any, Any, Delivery]:
        """Send one message, and tell whether it was handed to the open connection or queued.

        Waits while the connection's buffer is full. Raises `ConnectionClosed` or `PolicyError`
        in closed, `TypeError` for what is neither `str` nor `bytes`. Without an outbox also
        `NotOpen` while not open, and `ConnectionError` when the connection ends meanwhile.

        With one, the message is queued while not open, and until those before it have gone out;
        docs/sending.md has the rest. `ttl` (seconds), `key` (a newer message replaces an older
        one) and `this_generation` (dropped when the generation ends) matter while it waits. `id`
        is what acknowledges it; `ValueError` if one of the same id is held. From an outbox with
        a file `OutboxUnusable` where that cannot be written. Without an outbox nothing waits:
        each message is for this generation alone, and `ttl`, `key` and `id` raise `RecloserError`.
        """
        # A plain function, and not `bind`: either would cost more than the transport's own layer.
        self._inbound.check()
        if ttl is None and key is None and id is None and not this_generation:
            return self._sender.send(message)
        return self._sender.offer(message, ttl, key, id, this_generation=this_generation)

    async def send_json(
        self,
        value: object,
        *,
        dumps: Callable[[Any], str | bytes] = json.dumps,
        **options: Unpack["MessageOptions"],
    ) -> Delivery:
        """Send a value as JSON; takes and answers what `send` does, raises as that and `dumps`."""
        return await self.send(dumps(value), **options)

    async def drain(self) -> None:
        """Wait until the outbox is empty: all was handed to a connection, or acknowledged.

        Raises `ConnectionClosed` or `PolicyError` in closed if it is not.
        """
        await self._sender.drain()

    @property
    def outbox(self) -> "OutboxView":
        """The messages in the outbox; raises `RecloserError` without an outbox."""
        from recloser.outbox.view import OutboxView  # noqa: PLC0415 - most engines have none

        return OutboxView(self._sender)

    async def receive_json(self, *, loads: Callable[[str | bytes], Any] = json.loads) -> Any:
        """Wait for the next message, and read it as JSON; raises as `receive` and `loads` do."""
        return loads(await self.receive())

    def records(self) -> "RecordedMessages":
        """Iterate over the messages as records: data, generation, number, time of receipt.

        The engine records from the first call on; what had arrived before has the time of that
        call. `receive` and iteration over the engine go on with the data alone.
        """
        from recloser.driver.message_records import record  # noqa: PLC0415 - few engines record

        self._driver.bind()
        records, self._inbound = record(self._driver.inbound, self._driver.clock, self._inbound)
        return records

    receive: ClassVar[ReceiveBody] = receiver(iterating=False)
    receive.__doc__ = """Wait for the next message, across reconnections and rests.

        Cancelling or timing out loses nothing. What was received before the end is given
        first; then, in closed, this raises `ConnectionClosed` or `PolicyError`. A second
        call while one waits raises `ConcurrentReceive`.
        """

    __anext__: ClassVar[ReceiveBody] = receiver(iterating=True)
    __anext__.__doc__ = "As `receive`, but ends where the application has ended the engine."

    def __aiter__(self) -> Self:
        return self

    # -- ownership ----------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self.connect()
        await enter(self._driver, self._until(State.OPEN, State.PASSIVE))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await leave(self._driver, self.close, raised=kind is not None)

    def __del__(self) -> None:
        close_forgotten(self._driver, self)


def driver_of(ws: ReconnectingWebSocket) -> Driver:
    """Return what drives an engine; for the other parts of the public face."""
    return ws._driver  # noqa: SLF001 - the same module
