"""`HandCore`: the core of an outbox, one event at a time, with a clock that a test sets."""

from collections.abc import Iterable
from typing import Any

from recloser import ConnectionClosed, Outbox
from recloser.fsm.states import State, Wish
from recloser.outbox import events
from recloser.outbox.core import OutboxCore
from recloser.outbox.effects import Effect, Save, Send
from recloser.outbox.message import Entry, Id, make_message
from recloser.outbox.window import ReadWindow


class HandCore:
    """A core whose connection of generation 5 is open, and whose events a test makes."""

    def __init__(
        self, outbox: Outbox, *, open_: bool = True, window: ReadWindow | None = None
    ) -> None:
        self.core = OutboxCore(outbox, closed=lambda: ConnectionClosed(None), window=window)
        self.now = 100.0
        if open_:
            self.tell(events.Connected(5))

    def tell(self, event: events.Event) -> list[Effect]:
        return self.core.handle(event, self.now)

    def offer(
        self,
        text: str = "x",
        state: State = State.OPEN,
        *,
        congested: bool = False,
        own: Id | None = None,
        **options: Any,
    ) -> tuple[Entry, list[Effect]]:
        entry = Entry(make_message(text, now=self.now, **options))
        offered = events.Offered(entry, state, Wish.CONNECT, own, congested=congested)
        return entry, self.tell(offered)

    def flushed(self, generation: int = 5) -> Entry:
        """A message that waited for the connection, and that the flush hands over."""
        [step] = only(self.tell(events.Ready(generation)), Send, Save)
        if isinstance(step, Save):
            [step] = only(self.tell(events.Ready(generation)), Send)
        assert isinstance(step, Send)
        return step.entry


def only(found: Iterable[Effect], *kinds: type) -> list[Any]:
    return [each for each in found if isinstance(each, kinds)]
