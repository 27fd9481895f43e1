"""The sending half of an engine with an outbox: it performs the effects of the core."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Iterable
from functools import partial
from typing import Any, Final

from recloser import log
from recloser.clock import Alarm, Clock
from recloser.closed import closed_error
from recloser.contract import Data, Engine, OpenGeneration
from recloser.fsm.change import StateChange
from recloser.fsm.decisions import Unsent
from recloser.fsm.states import State, Trigger
from recloser.outbox import effects, events
from recloser.outbox.acknowledgements import ids_in
from recloser.outbox.core import OutboxCore
from recloser.outbox.dispatch import TURN
from recloser.outbox.effects import Answer, Forget, Hide, Mark, Note, Save, Send
from recloser.outbox.message import Entry, Id, Message, entry_of, make_message
from recloser.outbox.options import Outbox
from recloser.outbox.reports import DropReports
from recloser.outbox.store import Store
from recloser.outbox.table import MessageState
from recloser.transport.base import Delivery
from recloser.transport.errors import NotOpen
from recloser.transport.wire import Wire
from recloser.waiter import Waiter

_WAITING: Final = "recloser: the message had been put into the outbox before"
_HANDED_OVER: Final = "recloser: the message had been handed to the connection before"
_REFUSED: Final = "recloser: the message was not taken"


class OutboxSender:
    """Gives the core its events and performs its effects: on the wire, the loop and the store.

    While open with nothing held, and where messages have no numbers, `send` is the wire's own.
    """

    __slots__ = (
        *("_alarm", "_clock", "_deadline", "_drainers", "_generation", "_line", "_options"),
        *("_reports", "_timeout", "_wire", "core", "engine", "send", "store"),
    )

    def __init__(self, engine: Engine, options: Outbox, store: Callable[[Engine], Store]) -> None:
        self.engine = engine
        self._options = options
        self._timeout = options.acknowledgements.timeout if options.acknowledgements else 0.0
        self._clock: Clock | None = None  # the engine's, from leaving closed until closed
        self._alarm = Alarm()
        self._deadline: float | None = None
        self._wire: Wire | None = None  # of the open generation, until its end is told
        self._generation: OpenGeneration | None = None
        self._line: dict[Entry, asyncio.Future[effects.Effect]] = {}
        self._drainers: tuple[Waiter, ...] = ()
        self.core: OutboxCore = OutboxCore(options, closed=lambda: closed_error(engine.last_change))
        self._reports = DropReports(engine, options.on_drop)
        self.store: Store = store(engine)
        self.send: Callable[[Data], Coroutine[Any, Any, Delivery]] = self._accept

    @property
    def not_on_wire(self) -> int:
        """Messages held here and not in the connection's write buffer."""
        core, wire = self.core, self._wire
        return core.held if wire is None else core.held - core.awaited(wire.unsent_messages())

    # -- what the application sends -----------------------------------------------------

    def _accept(self, message: Data) -> Coroutine[Any, Any, Delivery]:
        """Accept a message that cannot go straight to the wire; `send` is this method then."""
        return self._follow(Entry(make_message(message)))

    def offer(
        self,
        message: Data,
        ttl: float | None,
        key: Hashable,
        id: Id | None,  # noqa: A002 - the name it has for who calls send
        *,
        this_generation: bool,
    ) -> Coroutine[Any, Any, Delivery]:
        """Send a message with what matters if it has to wait; see `ReconnectingWebSocket.send`."""
        self.bind()
        made = make_message(
            message,
            now=0.0 if ttl is None else self.now(),
            ttl=ttl,
            key=key,
            generation=self.engine.core.generation if this_generation else None,
        )
        return self._follow(Entry(made), id)

    async def _follow(
        self, entry: Entry, own: Id | None = None, bounced: int | None = None
    ) -> Delivery:
        """Offer a message to the core, and perform its effects until it answers.

        `bounced` is the generation whose connection did not take it.
        """
        at, wire = self.engine.core, self._wire
        if at.state is State.CLOSED:
            self.engine.bind()
        elif not self.store.ready:
            self.prepare()
        if bounced is None:
            full = self._options.path is not None and wire is not None and wire.congested
            step = self.tell(events.Offered(entry, at.state, at.wish, own, full), entry)
        else:
            step = self.tell(events.Bounced(entry, at.state, at.wish, bounced), entry)
        while True:
            match step:
                case Answer():
                    outcome = step.outcome
                    if isinstance(outcome, Exception):
                        raise outcome
                    return outcome
                case Save():
                    waiter = self.store.saved()
                    try:
                        problem = None if waiter is None else await waiter
                    except asyncio.CancelledError as error:
                        error.add_note(_WAITING if entry.delivery is None else _HANDED_OVER)
                        raise
                    if problem is None:
                        step = self.tell(events.Saved(entry), entry)
                    else:
                        step = self.tell(events.NotSaved(entry, problem), entry)
                case Send() if wire is not None:
                    try:
                        data = self._render(entry.message)
                    except BaseException:
                        self.tell(events.Unrendered(entry))
                        raise
                    delivery = await wire.send(data, entry)
                    if entry.delivery is not None:
                        return delivery  # it bounced, and was answered then
                    unsent = wire is self._wire and self._in_buffer(entry, wire)
                    step = self.tell(events.Sent(entry, delivery, unsent), entry)
                case _:
                    step = await self._admitted(entry)

    async def _admitted(self, entry: Entry) -> effects.Effect:
        """Wait for room; return the next effect."""
        future: asyncio.Future[effects.Effect] = asyncio.get_running_loop().create_future()
        self._line[entry] = future
        try:
            return await future
        except asyncio.CancelledError as error:
            self.tell(events.Cancelled(entry))
            refused = entry.delivery is None and entry.state is MessageState.WITHDRAWN
            error.add_note(_REFUSED if refused else _WAITING)
            raise
        finally:
            self._line.pop(entry, None)

    def _render(self, message: Message) -> Data:
        wanted = self._options.acknowledgements
        return message.data if wanted is None else wanted.text_of(message)

    def _in_buffer(self, entry: Entry, wire: Wire) -> bool:
        return self._options.path is not None and entry in reversed(wire.unsent_messages())

    # -- the core -----------------------------------------------------------------------

    def now(self) -> float:
        """Read the engine's clock."""
        return (self._clock or self.engine.clock).monotonic()

    def tell(self, event: events.Event, own: Entry | None = None) -> effects.Effect | None:
        """Give the core an event and perform its effects; return the effect left for the caller.

        That is about `own`, the message that it sends, or about the flush.
        """
        now = (self._clock or self.engine.clock).monotonic()
        found = self.core.handle(event, now)
        if len(found) == 1 and self.core.deadline == self._deadline:
            [effect] = found
            if isinstance(effect, Send) or (isinstance(effect, Answer) and effect.entry is own):
                return effect  # as nearly always: there is nothing else to do
        return self.perform(found, own)

    def perform(
        self, found: Iterable[effects.Effect], own: Entry | None = None
    ) -> effects.Effect | None:
        """Perform effects of the core; see `tell`."""
        step: effects.Effect | None = None
        wire, noted = self._wire, False
        for effect in found:
            match effect:
                case Note() | Forget() | Mark() | Hide():
                    self.store.note(effect)
                    noted = True
                case Answer() | Save():
                    entry = effect.entry
                    if entry is own:
                        step = effect
                    elif entry in self._line and not self._line[entry].done():
                        self._line[entry].set_result(effect)
                case Send():
                    step = effect
                case effects.Flush(number) if wire is not None and self._generation is not None:
                    self.send, flush = self._accept, self._flush(number, wire)
                    self._generation.scope.create_task(flush, name="recloser flush")
                case effects.Direct() if wire is not None:
                    self.send = wire.send
                case effects.Look() if wire is not None:
                    self.tell(events.Looked(set(wire.unsent_messages())))
                case effects.Survey() | effects.Read():
                    self.store.read(effect, self.tell)
                case effects.Resent(number):
                    self.engine.counters.resent += number
                case effects.Overdue(number):
                    log.messages_overdue(self.engine.fields, number, self._timeout)
                case effects.Suspected(number):
                    log.messages_suspected(self.engine.fields, number)
                case effects.Dropped(messages, reason):
                    self._reports.drop(messages, reason)
        if noted and not isinstance(step, Save):  # who saves asks for it
            self.store.write()
        deadline = self.core.deadline
        if deadline != self._deadline and self._clock is not None:
            self._deadline = deadline
            self._alarm.set(deadline, self._clock, self._due)
        if self._drainers and self.core.idle:
            self._release_drainers()
        return step

    def _due(self, deadline: float) -> None:
        self._deadline = None
        unsent = set() if self._wire is None else set(self._wire.unsent_messages())
        self.tell(events.Due(deadline, unsent))

    # -- the life of the connection -----------------------------------------------------

    def leave(self) -> None:
        """Stop sending: the generation is being left."""
        self.send = self._accept
        self.tell(events.Disconnecting())

    def changed(self, change: StateChange, generation: OpenGeneration | None) -> None:
        """Take a change of state; `generation` is the one that opened or ended with it."""
        state = change.current
        if change.trigger is Trigger.LOST:
            wire, self._wire, self._generation = self._wire, None, None
            items = () if wire is None else wire.unsent_messages()
            returned = [entry for entry in map(entry_of, items) if entry is not None]
            fate = Unsent.KEEP if change.decision is None else change.decision.unsent
            ended = events.Disconnected(change.generation, state, returned, fate)
            if wire is not None:  # what `on_open` sent is the first of the items
                ended.begun = max(0, wire.begun - len(items) + len(returned))
                ended.earlier = wire.has_sent
            self.tell(ended)
        if state is State.CLOSED or state is State.PASSIVE:
            self.tell(events.Stopped(state))
        if state is State.CLOSED:
            self._clock = None
            self._release_drainers()
        elif state is State.OPEN and generation is not None and generation.wire is not None:
            self._open(change.generation, generation, generation.wire)

    def _open(self, number: int, generation: OpenGeneration, wire: Wire) -> None:
        """Send to this wire from now on."""
        self._generation, self._wire = generation, wire
        wanted = self._options.acknowledgements
        if wanted is not None and wanted.matcher is not None:
            wire.intercept(self._hear)
        wire.on_undeliverable(partial(self._undelivered, number, wire), resend=self._options.resend)
        self.tell(events.Connected(number, wire.has_sent or bool(wire.unsent_messages())))

    async def _undelivered(self, number: int, wire: Wire, item: object) -> Delivery:
        """Take a message that the wire of a generation refused: it had ended unreported."""
        if wire is self._wire:
            self.send = self._accept
        entry = entry_of(item)
        if entry is None:
            raise NotOpen(State.CLOSING)
        return await self._follow(entry, bounced=number)

    async def _flush(self, number: int, wire: Wire) -> None:
        """Flush the backlog, in order; then messages go directly."""
        step = self.tell(events.Ready(number))
        wanted, sent = self._options.acknowledgements, 0
        renders, send = wanted is not None and wanted.render is not None, wire.send
        while True:
            match step:
                case Send():
                    entry = step.entry
                    try:
                        data = self._render(entry.message) if renders else entry.message.data
                    except Exception as error:  # noqa: BLE001 - it must not stop all behind it
                        log.failure(log.LISTENER_FAILED, self.engine.fields, "render", error)
                        step = self.tell(events.Unrendered(entry, number))
                        continue
                    try:
                        delivery = await send(data, entry)
                    except ConnectionError:
                        return  # it had been handed over, and is not to be sent again
                    sent += 1
                    if not sent % TURN:
                        await asyncio.sleep(0)
                    step = self.tell(events.Flushed(entry, delivery, number))
                case Save():
                    waiter = self.store.saved()
                    if waiter is not None:
                        await waiter  # if it failed, that was logged, and the messages can go
                    step = self.tell(events.Ready(number))
                case _:
                    return

    @property
    def holds(self) -> bool:
        """Messages wait here."""
        return True

    async def drain(self) -> None:
        """Wait until nothing is held; see `ReconnectingWebSocket.drain`."""
        engine = self.engine
        engine.bind()
        if self.core.idle:
            return
        if engine.core.state is not State.CLOSED:
            waiter = Waiter()
            self._drainers += (waiter,)
            try:
                await waiter.wait()
            finally:
                self._drainers = tuple(each for each in self._drainers if each is not waiter)
        if self.core.held:
            raise closed_error(engine.last_change)

    def _release_drainers(self) -> None:
        for waiter in self._drainers:
            waiter.wake()

    # -- acknowledgements ---------------------------------------------------------------

    def acknowledge(self, identity: Id, *, up_to: bool) -> int:
        """Settle acknowledged messages; see `OutboxView.ack`."""
        self.bind()
        entries = self.core.named(identity, up_to=up_to)
        if entries:
            with self.store.claim():
                self.engine.counters.acknowledged += len(entries)
                self.tell(events.Acknowledged(entries))
        return len(entries)

    def _hear(self, message: Data) -> Data | None:
        """Take an incoming message; return it unless it was only an acknowledgement."""
        wanted = self._options.acknowledgements
        if wanted is None or wanted.matcher is None:
            return message
        try:
            found = wanted.matcher(message)
            if found is None:
                return message
            for identity, up_to in ids_in(found):
                self.acknowledge(identity, up_to=up_to)
        except Exception as error:  # noqa: BLE001 - as for any listener: it harms nobody (I3)
            log.failure(log.LISTENER_FAILED, self.engine.fields, wanted.matcher, error)
            return message
        return message if wanted.pass_on else None

    # -- the file, and what is held -----------------------------------------------------

    def prepare(self) -> None:
        """Open the file, and hold its messages; raises `OutboxUnusable`."""
        self._clock = self.engine.clock
        restored = self.store.open()
        if restored is not None:
            self.tell(restored)

    def read_all(self) -> None:
        """Take all messages of the file into memory, at once; raises `OutboxUnusable`."""
        after = self.core.after
        if after is None:
            return
        survey = () if self.core.counted else (effects.Survey(after),)
        for event in self.store.read_now(*survey, effects.Read(after, None)):
            self.tell(event)

    async def released(self) -> None:
        """Release the file, unless the engine has left `closed` again."""
        await self.store.release(self._closed, lambda: self.core.doomed)
        if not self._closed():
            self.prepare()

    def abandon(self) -> None:
        """Release the file without a task."""
        self.store.abandon()

    def _closed(self) -> bool:
        return self.engine.core.state is State.CLOSED

    def bind(self) -> None:
        """Raise `WrongLoop` for a call from another loop; in closed every loop may call."""
        if not self._closed():
            self.engine.bind()
