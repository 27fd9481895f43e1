"""Records of received messages: what a consumer gets that asks for more than the data."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self, cast

from recloser.clock import Clock
from recloser.driver.inbound import NO_WIRE, Inbound, receiver

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class MessageRecord:
    """One received message, with the facts of its receipt.

    Its length is that of the data, so that it counts in the receive buffer as its message does.
    It is never false, although an empty message is empty.
    """

    data: str | bytes
    """The message."""
    generation: int
    """The number of the connection that it came with."""
    number: int
    """Its place among the messages of that connection, counted from 1. A number that is left out
    belongs to a message that gave way in the receive buffer."""
    at: float
    """The engine's monotonic clock at the receipt, in seconds, as in `StateChange.at`."""
    wall: float
    """Seconds since the epoch at the receipt."""

    def __len__(self) -> int:
        return len(self.data)

    def __bool__(self) -> bool:
        return True


class Recorder:
    """Makes the records of one generation."""

    __slots__ = ("_clock", "_generation", "_number")

    def __init__(self, clock: Clock, generation: int) -> None:
        self._generation = generation
        self._clock = clock
        self._number = 0

    def __call__(self, message: str | bytes) -> MessageRecord:
        """Make the record of a message that has just arrived."""
        self._number += 1
        clock = self._clock
        return MessageRecord(
            message, self._generation, self._number, clock.monotonic(), clock.wall()
        )


class RecordedMessages:
    """An iteration over the records of all messages, across connections. Made by `ws.records()`."""

    __slots__ = ("_inbound",)

    def __init__(self, inbound: Inbound) -> None:
        self._inbound = inbound

    @property
    def inbound(self) -> Inbound:
        """The source of the records."""
        return self._inbound

    async def receive(self) -> MessageRecord:
        """Wait for the next record; raises as `ws.receive` does."""
        return cast("MessageRecord", await _receive(self))

    async def __anext__(self) -> MessageRecord:
        return cast("MessageRecord", await _next(self))

    def __aiter__(self) -> Self:
        return self


_receive, _next = receiver(iterating=False), receiver(iterating=True)


class DataOfRecords:
    """In the place of `Inbound` for `ws.receive()`, once an engine records: the data alone.

    It has no wire of its own, so each message comes by `ready`.
    """

    __slots__ = ("_records", "check")

    wire = NO_WIRE

    def __init__(self, records: RecordedMessages) -> None:
        self._records = records
        self.check: Callable[[], None] = records.inbound.check

    async def ready(self, *, iterating: bool) -> str | bytes:
        """Wait for the next record, and return its data."""
        records = self._records
        record = await (records.__anext__() if iterating else records.receive())
        return record.data


def record(inbound: Inbound, clock: Clock, source: Inbound) -> tuple[RecordedMessages, Inbound]:
    """Return the records of an engine, and where its `receive` takes the data from now on.

    `source` is where it took the data until now: `inbound`, unless the engine records already.
    """
    records = RecordedMessages(inbound)
    if source is inbound:
        inbound.record(partial(Recorder, clock))
        source = cast("Inbound", DataOfRecords(records))
    return records, source
