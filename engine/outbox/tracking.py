"""An outbox that holds its messages until the peer has acknowledged them."""

from collections.abc import Iterable, Mapping
from itertools import takewhile
from typing import TYPE_CHECKING

from recloser import log
from recloser.clock import Alarm
from recloser.driver.sender import Data
from recloser.outbox.acknowledgements import Acknowledgements, UpTo
from recloser.outbox.drops import Reason
from recloser.outbox.message import Id, Message
from recloser.outbox.numbering import Numbering, storable
from recloser.outbox.options import Outbox
from recloser.outbox.unacknowledged import Unacknowledged
from recloser.transport.base import Delivery
from recloser.transport.wire import Wire

if TYPE_CHECKING:
    from recloser.driver.driver import Driver
    from recloser.driver.generation import Generation


class Tracking(Numbering):
    """Knows what was handed over, sends it again when it is overdue or the connection ended.

    Without `Outbox.acknowledgements` nothing awaits any.
    """

    __slots__ = ("_alarm", "_unacknowledged")

    def __init__(self, driver: "Driver", options: Outbox) -> None:
        super().__init__(driver, options)
        self._unacknowledged = Unacknowledged(self._wanted or Acknowledgements())
        self._alarm = Alarm()

    @property
    def held(self) -> int:
        """See `Outlet.held`."""
        return super().held + len(self._unacknowledged)

    @property
    def apart(self) -> int:
        """See `Outlet.apart`."""
        generation = self._driver.generation
        if not self._unacknowledged or generation is None or generation.wire is None:
            return self.held
        unsent = generation.wire.unsent_messages()
        return self.held - sum(message in self._unacknowledged for message in unsent)

    # -- sending ------------------------------------------------------------------------

    async def take(self, message: Message) -> Delivery:
        """See `Taking.take`; what waits for a window goes once there is one."""
        try:
            return await super().take(message)
        finally:
            self.resume()  # whatever became of this one, others may have been let in

    def _awaits(self, message: Message) -> bool:
        """Whether a message is to be acknowledged."""
        return self._wanted is not None and message.id is not None

    def _rendered(self, message: Message) -> Data:
        """See `Numbering._rendered`; raises what `render` does."""
        if self._wanted is None or self._wanted.render is None or message.id is None:
            return message.data
        data = self._wanted.render(message)
        if not isinstance(data, str | bytes):
            raise TypeError(f"render must give str or bytes, not {type(data).__name__}")
        return data

    def _lent(self, message: Message) -> None:
        """See `Numbering._lent`."""
        super()._lent(message)
        if self._awaits(message):
            self._unacknowledged.add(message, self._driver.clock.monotonic())
            self._arm()

    def _in_window(self, message: Message) -> bool:
        return not (self._awaits(message) and self._unacknowledged.full)

    def _direct(self, message: Message) -> bool:
        """See `Numbering._direct`."""
        return self._in_window(message)

    @property
    def _ready(self) -> bool:
        """See `Holding._ready`."""
        first = None if self._queue is None else next(iter(self._queue), None)
        return first is not None and self._in_window(first)

    # -- acknowledgements ---------------------------------------------------------------

    def acknowledge(self, identity: Id, *, up_to: bool = False) -> int:
        """See `Held.ack`."""
        if self._wanted is None:
            return super().acknowledge(identity, up_to=up_to)
        storable("id", identity)
        named = self._ids.get(identity)
        settled = [named] if named is not None and named.deliveries else []
        if up_to:
            settled = self._delivered(self._up_to(identity, named))
        self._driver.counters.acknowledged += len(settled)
        self._give_away(settled)
        self._admit()
        self.resume()
        return len(settled)

    def _up_to(self, identity: Id, named: Message | None) -> int:
        """Give the number of a message, also of one that was dropped after it was sent."""
        if named is not None:
            return named.number if named.deliveries else 0
        if self._wanted is None or not self._wanted.numbered or not isinstance(identity, int):
            return 0
        return identity if identity <= self._last else 0

    def _delivered(self, last: int) -> list[Message]:
        """Give those up to a number that were handed over; not all that is held is looked at."""
        found = [each for each in self._unacknowledged if each.number <= last]
        ahead = takewhile(lambda each: each.number <= last, self._queue or ())
        return found + [each for each in ahead if each.deliveries and self._awaits(each)]

    def _hear(self, message: str | bytes) -> bool:
        """Take an incoming message; whether it was an acknowledgement and no more."""
        wanted = self._wanted
        if wanted is None or wanted.matcher is None:
            return False
        try:
            found = wanted.matcher(message)
            if found is None:
                return False
            self._found(found)
        except Exception as error:  # noqa: BLE001 - as for any listener: it harms nobody (I3)
            log.failed(log.LISTENER_FAILED, self._driver.fields, wanted.matcher, error)
            return False
        return not wanted.pass_on

    def _found(self, found: UpTo | Id | Iterable[Id]) -> None:
        """Settle what a matcher has named; raises `TypeError` for what is no id."""
        if isinstance(found, UpTo):
            self.acknowledge(found.id, up_to=True)
        elif isinstance(found, str | int | bytes):
            self.acknowledge(found)
        elif isinstance(found, Mapping):
            raise TypeError("a matcher gives ids, not a message that it has parsed")
        else:
            for identity in found:
                self.acknowledge(identity)

    def _overdue(self, deadline: float) -> None:
        """Send again what was not acknowledged in time; what has not left is given more."""
        generation = self._generation
        wire = None if generation is None else generation.wire
        unsent = set() if wire is None else set(wire.unsent_messages())
        back = []
        for message in self._unacknowledged.overdue(deadline):
            if message in unsent:  # once more would be behind it
                self._unacknowledged.add(message, self._driver.clock.monotonic())
            else:
                back.append(message)
        if back:
            log.overdue(self._driver.fields, len(back), self._unacknowledged.timeout)
            newest = {each.key: each.number for each in self._unacknowledged}
            outdated = [m for m in back if m.key is not None and newest.get(m.key, 0) > m.number]
            self._drop(outdated, Reason.REPLACED)
            self._again([each for each in back if each not in outdated])
            self._admit()
        self._arm()
        self.resume()

    def _arm(self) -> None:
        deadline = None if self._generation is None else self._unacknowledged.deadline
        self._alarm.set(deadline, self._driver.clock, self._overdue)

    # -- the life of the connection -----------------------------------------------------

    def opened(self, generation: "Generation", wire: Wire) -> None:
        """See `Outlet.opened`."""
        if self._wanted is not None and self._wanted.matcher is not None:
            wire.intercept(self._hear)
        super().opened(generation, wire)

    def left(self) -> None:
        """See `Outlet.left`."""
        super().left()
        self._arm()

    async def _adopt(self, generation: "Generation", item: object) -> Delivery:
        """See `Holding._adopt`."""
        if not isinstance(item, Message):
            return await super()._adopt(generation, item)
        if item in self._unacknowledged:
            self._unacknowledged.remove(item)
        try:
            return await super()._adopt(generation, item)
        except BaseException:
            if self._queue is None or item not in self._queue:
                self._forget([item])  # nobody has it now
            raise

    def _returned(self, wire: Wire) -> list[Message]:
        """See `Holding._returned`: what is to be acknowledged comes back wherever it is."""
        back = [each for each in super()._returned(wire) if not self._awaits(each)]
        return sorted(back + self._unacknowledged.take(), key=lambda each: each.number)

    # -- what is taken out --------------------------------------------------------------

    def peek(self) -> tuple[Message, ...]:
        """See `Held.peek`."""
        return (*self._unacknowledged, *super().peek())

    def _again(self, messages: list[Message]) -> None:
        """See `Taking._again`; not without end."""
        super()._again(messages)
        limit = None if self._wanted is None else self._wanted.max_deliveries
        queue = self._queue
        if limit is None or queue is None:
            return
        over = [m for m in messages if m in queue and self._awaits(m) and m.deliveries >= limit]
        for message in over:
            queue.remove(message)
        self._drop(over, Reason.UNACKNOWLEDGED)

    def _take_out(self, messages: Iterable[Message]) -> None:
        """See `Taking._take_out`."""
        messages = tuple(messages)
        for message in messages:
            if message in self._unacknowledged:
                self._unacknowledged.remove(message)
        super()._take_out(messages)
        self._arm()
