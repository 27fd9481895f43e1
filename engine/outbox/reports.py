"""`DropReports`: tells the application, the log and the statistics of each dropped message."""

from collections.abc import Callable

from recloser import log
from recloser.contract import Engine
from recloser.outbox.message import Drop, Message, Reason


class DropReports:
    """Reports the dropped messages of one engine.

    `on_drop` is the application's function, which may call the engine: what it raises is logged.
    """

    __slots__ = ("_engine", "_on_drop")

    def __init__(self, engine: Engine, on_drop: Callable[[Drop], object] | None) -> None:
        self._engine = engine
        self._on_drop = on_drop

    def drop(self, messages: tuple[Message, ...], reason: Reason) -> None:
        """Report messages that were dropped together.

        They are counted first, then logged in one line, and then told one by one.
        """
        engine = self._engine
        engine.counters.dropped += len(messages)
        size = sum(message.size for message in messages)
        log.messages_dropped(engine.fields, reason.value, len(messages), size, asked=reason.asked)
        listener = self._on_drop
        if listener is None:
            return
        for message in messages:
            try:
                listener(Drop(message, reason))
            except Exception as error:  # noqa: BLE001 - as for any listener: it harms nobody (I3)
                log.failure(log.LISTENER_FAILED, engine.fields, listener, error)
