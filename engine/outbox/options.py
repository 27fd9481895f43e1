"""`Outbox`: how much is kept while there is no connection, and what gives way when it is full."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, get_args

from recloser.outbox.drops import Drop

WhenFull = Literal["wait", "raise", "drop-oldest", "drop-newest"]
_CHOICES: Final[tuple[str, ...]] = get_args(WhenFull)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """Given to `recloser.connect`: messages sent while not open are kept and sent in order.

    One may serve any number of engines: it holds no message itself. Raises `TypeError` or
    `ValueError` for what makes no sense.
    """

    max_messages: int = 10_000
    """How many messages may wait."""
    max_bytes: int = 16 * 2**20
    """How many bytes of messages may wait, text as UTF-8. A longer message raises `OutboxFull`."""
    when_full: WhenFull = "wait"
    """`send` waits, raises `OutboxFull`, or the oldest or the newest message is dropped."""
    in_passive: bool = False
    """Whether messages are taken in passive; `send` raises `NotOpen` there if not."""
    resend: bool = True
    """Whether what may not have left with an ended connection is sent again. It may arrive twice
    then; otherwise it counts as sent, and may be lost."""
    on_drop: Callable[[Drop], object] | None = None
    """Called with each message that is dropped. What it raises is logged."""

    def __post_init__(self) -> None:
        for name in ("max_messages", "max_bytes"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{name} must be an int, not {value!r}")
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        if self.when_full not in _CHOICES:
            raise ValueError(
                f"when_full must be one of {', '.join(_CHOICES)}, not {self.when_full!r}"
            )
        for name in ("in_passive", "resend"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be True or False, not {getattr(self, name)!r}")
        if self.on_drop is not None and not callable(self.on_drop):
            raise TypeError(f"on_drop must be a function of one Drop, not {self.on_drop!r}")
