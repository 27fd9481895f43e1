"""`Acknowledgements`: how the peer says that it has a message, and what if it does not."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from inspect import iscoroutinefunction

from recloser.fsm.numbers import check_seconds
from recloser.outbox.message import Id, Message


@dataclass(frozen=True, slots=True)
class UpTo:
    """Acknowledges a message and all that were sent before it, as cumulative protocols do."""

    id: Id


Acknowledged = Id | UpTo | Collection[Id] | None
"""What a matcher finds in an incoming message: ids, or None where it is no acknowledgement."""


def ids_in(found: Id | UpTo | Iterable[Id]) -> Iterator[tuple[Id, bool]]:
    """Give the ids that a matcher has found, each with whether all before it are meant, too.

    Raises `TypeError` for what is no such thing.
    """
    if isinstance(found, UpTo):
        yield found.id, True
    elif isinstance(found, str | int | bytes):
        yield found, False
    elif isinstance(found, Mapping):
        raise TypeError("a matcher gives ids, not a message that it has parsed")
    else:
        for identity in found:
            yield identity, False


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgements:
    """Given to `Outbox`: a message is held until it is acknowledged, and sent again if it is not.

    That is *at least once*: a message may arrive twice, and the peer has to know it again. Raises
    `TypeError` or `ValueError` for what makes no sense.
    """

    matcher: Callable[[str | bytes], Acknowledged] | None = None
    """Called with each incoming message as it arrives, whether somebody consumes or not. None:
    the application calls `ws.outbox.ack`."""
    pass_on: bool = False
    """Whether a message in which the matcher found something is received as well."""
    render: Callable[[Message], str | bytes] | None = None
    """Makes what goes over the wire each time that a message does, to write `message.id` and
    `message.redelivered` into it; None: its data as they are."""
    numbered: bool = True
    """Whether a message without an id of its own has its number as the id. If not, it is sent
    as without acknowledgements."""
    window: int = 100
    """How many messages may be on their way unacknowledged; those behind them wait."""
    timeout: float = 30.0
    """Seconds after which a message is sent again on the same connection."""
    max_deliveries: int | None = None
    """After how many a message that is still not acknowledged is dropped and reported; None: it
    is sent for ever. A message that makes the peer fail would end every connection otherwise."""

    def __post_init__(self) -> None:
        for name in ("matcher", "render"):
            value = getattr(self, name)
            if value is not None and not callable(value):
                raise TypeError(f"{name} must be a function of one message, not {value!r}")
            if iscoroutinefunction(value):
                raise TypeError(f"{name} must be a plain function: nothing waits for it")
        for name in ("pass_on", "numbered"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be True or False, not {getattr(self, name)!r}")
        _check_count("window", self.window)
        if self.max_deliveries is not None:
            _check_count("max_deliveries", self.max_deliveries)
        check_seconds("timeout", self.timeout, positive=True)


def _check_count(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, not {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, not {value}")
