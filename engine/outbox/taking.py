"""What an outbox takes: within bounds, in order, and with a word about all that it drops."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from recloser import log
from recloser.driver.sender import Data, Outlet
from recloser.fsm.errors import NotOpen, OutboxFull, closed_error
from recloser.fsm.states import State, Wish
from recloser.outbox.drops import Drop, Reason
from recloser.outbox.message import Message, made
from recloser.outbox.options import Outbox
from recloser.outbox.queue import Queue
from recloser.outbox.waiting import Waiting
from recloser.transport.base import Delivery

if TYPE_CHECKING:
    from recloser.driver.driver import Driver


class Taking(Outlet):
    """The half of `Holding` that looks after the messages, not after the connection."""

    __slots__ = ("_options", "_queue", "_room")

    def __init__(self, driver: "Driver", options: Outbox) -> None:
        super().__init__(driver)
        self._options = options
        self._queue: Queue | None = None
        self._room: Waiting | None = None

    @property
    def held(self) -> int:
        """See `Outlet.held`."""
        return 0 if self._queue is None else len(self._queue)

    def bind(self) -> None:
        """Raise `WrongLoop` for a call from elsewhere; what is closed can be asked anywhere."""
        if self._driver.core.state is not State.CLOSED:
            self._driver.bind()

    def peek(self) -> tuple[Message, ...]:
        """See `Held.peek`."""
        self._expire()
        return () if self._queue is None else tuple(self._queue)

    def _made(
        self, message: Data, ttl: float | None, key: Hashable, *, this_generation: bool
    ) -> Message:
        driver = self._driver
        driver.bind()
        generation = driver.core.generation if this_generation else None
        now = driver.clock.monotonic()
        return made(message, now=now, ttl=ttl, key=key, generation=generation)

    def check(self, message: Message) -> None:
        """Raise what `send` raises where this message is not taken."""
        core = self._driver.core
        state = core.state
        if state is State.CLOSED:
            raise closed_error(self._driver.last_change)
        resting = state is State.PASSIVE or (state is State.CLOSING and core.wish is Wish.SUSPEND)
        if resting and not self._options.in_passive:
            raise NotOpen(state)
        if state is State.CLOSING and core.wish is Wish.CLOSE:
            raise NotOpen(state)
        if message.generation is not None and state not in (State.CONNECTING, State.OPEN):
            raise NotOpen(state)

    def takes(self, messages: list[Message]) -> bool:
        """Whether all of these fit behind what is held, as if no key replaced another."""
        count, size = self.held, 0 if self._queue is None else self._queue.bytes
        return (
            count + len(messages) <= self._options.max_messages
            and size + sum(message.size for message in messages) <= self._options.max_bytes
        )

    def put(self, message: Message) -> None:
        """Queue a message for which there is room."""
        if self._queue is None:
            self._queue = Queue(self._options)
        self._drop(self._queue.append(message), Reason.REPLACED)

    async def take(self, message: Message) -> Delivery:
        """Queue a message, if it is taken at all, once there is room."""
        self.check(message)
        options = self._options
        if message.size > options.max_bytes:
            raise OutboxFull("max_bytes", options.max_bytes)
        self._expire()
        if self._full(message):
            match options.when_full:
                case "wait":
                    if self._room is None:
                        self._room = Waiting()
                    return await self._room.wait(message)
                case "raise":
                    raise OutboxFull("messages held", self.held)
                case "drop-newest":
                    self._drop([message], Reason.NEWEST)
                    return Delivery.DROPPED
                case "drop-oldest":
                    self._make_room(message)
        self.put(message)
        return Delivery.QUEUED

    def clear(self) -> tuple[Message, ...]:
        """See `Held.clear`."""
        taken = self.peek()
        self._give_away(taken)
        self._admit()
        return taken

    def own(self, message: Message) -> Message:
        """Make a message one of this outbox: numbers and ids are those of another."""
        return replace(message, number=0, id=None)

    def once_kept(self, then: Callable[[], None]) -> None:
        """Call when all that was put here so far is held for certain."""
        then()

    def _give_away(self, messages: Iterable[Message]) -> None:
        """Take out messages that are somebody else's now."""
        messages = tuple(messages)
        if messages:
            self._unfile(messages)
            self._take_out(messages)

    def _unfile(self, messages: Iterable[Message]) -> None:
        """Take messages out of what outlives the process."""

    def _moved(self, messages: Iterable[Message]) -> Callable[[], None]:
        """Give what takes them out of there when somebody else has them for certain."""
        return partial(self._unfile, messages)

    def _take_out(self, messages: Iterable[Message]) -> None:
        """Hold messages no more."""
        for message in messages:
            if self._queue is not None and message in self._queue:
                self._queue.remove(message)

    def _full(self, message: Message) -> bool:
        return self._queue is not None and (bool(self._room) or not self._queue.fits(message))

    def _make_room(self, message: Message) -> None:
        dropped = []
        while self._queue is not None and not self._queue.fits(message):
            dropped.append(self._queue.pop())
        self._drop(dropped, Reason.OLDEST)

    def _again(self, messages: list[Message]) -> None:
        """Put back messages that were handed to a connection, to be sent once more."""
        self._driver.counters.resent += len(messages)
        self._put_back(messages)

    def _put_back(self, messages: list[Message]) -> None:
        if self._queue is None:
            self._queue = Queue(self._options)
        self._drop(self._queue.put_back(messages), Reason.REPLACED)

    def _expire(self) -> None:
        if self._queue is not None:
            self._drop(self._queue.expired(self._driver.clock.monotonic()), Reason.EXPIRED)

    def _admit(self) -> None:
        """Let in those who wait for room, if there is some; keep no empty queue."""
        if self._room is not None:
            if self._queue is None:
                self._queue = Queue(self._options)
            self._room.admit(self._queue.fits, self.put)
            if not self._room:
                self._room = None
        if self._queue is not None and not len(self._queue):
            self._queue = None

    def _message(self, item: object) -> Message | None:
        """Give the message that an item of a wire stands for; None for one of `on_open`."""
        if isinstance(item, Message):
            return item
        if isinstance(item, str | bytes):
            return made(item, now=0.0, ttl=None, key=None, generation=None)
        return None

    def _drop(self, messages: list[Message], reason: Reason) -> None:
        """Report what has been taken out; whoever hears of it may call the engine."""
        if not messages:
            return
        driver = self._driver
        driver.counters.dropped += len(messages)
        size = sum(message.size for message in messages)
        log.dropped(driver.fields, reason.value, len(messages), size, asked=reason.asked)
        told = self._options.on_drop
        if told is None:
            return
        for message in messages:
            try:
                told(Drop(message, reason))
            except Exception as error:  # noqa: BLE001 - as for any listener: it harms nobody (I3)
                log.failed(log.LISTENER_FAILED, driver.fields, told, error)
