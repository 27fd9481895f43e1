"""`Acknowledgements`: the options by which a message is held until the peer has it."""

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
"""The result of a matcher: ids, or None for a message that is no acknowledgement."""


def ids_in(found: Id | UpTo | Iterable[Id]) -> Iterator[tuple[Id, bool]]:
    """Return the ids that a matcher has found, each with whether all before it are meant too.

    Raises `TypeError` for any other result.
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

    That is *at least once*: a message may arrive twice, and the peer has to recognise it. Raises
    `TypeError` or `ValueError` for values that make no sense.
    """

    matcher: Callable[[str | bytes], Acknowledged] | None = None
    """Called with each incoming message as it arrives, whether or not it is consumed. None: the
    application calls `ws.outbox.ack`."""
    pass_on: bool = False
    """Whether the consumer also receives a message in which the matcher found an id."""
    render: Callable[[Message], str | bytes] | None = None
    """Makes the text of each delivery, to write `message.id` and `message.redelivered` into it.
    None: the data of the message unchanged."""
    numbered: bool = True
    """Whether a message without an id of its own has its number as the id. If not, it is sent
    as without acknowledgements."""
    window: int = 100
    """The most messages that may be unacknowledged at a time; the others wait."""
    timeout: float = 30.0
    """Seconds after which a message is sent again on the same connection."""
    max_deliveries: int | None = None
    """Deliveries after which an unacknowledged message is dropped and reported; None: no limit. A
    message that makes the peer fail would otherwise end every connection."""

    def text_of(self, message: Message) -> str | bytes:
        """Return what goes out for a message; raises as `render` does, and `TypeError`."""
        if self.render is None or message.id is None:
            return message.data
        data = self.render(message)
        if not isinstance(data, str | bytes):
            raise TypeError(f"render must give str or bytes, not {type(data).__name__}")
        return data

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
        if self.pass_on and self.matcher is None:
            raise ValueError("pass_on is for what a matcher finds: give matcher, too")
        _check_count("window", self.window)
        if self.max_deliveries is not None:
            _check_count("max_deliveries", self.max_deliveries)
        check_seconds("timeout", self.timeout, positive=True)


def _check_count(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, not {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, not {value}")
