"""`Outbox`: the options of an outbox: its bounds, its file, its acknowledgements."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from inspect import iscoroutinefunction
from os import PathLike, fspath
from typing import Final, Literal, TypedDict, get_args

from recloser.outbox.acknowledgements import Acknowledgements
from recloser.outbox.message import Drop, Id

WhenFull = Literal["wait", "raise", "drop-oldest", "drop-newest"]
_CHOICES: Final[tuple[str, ...]] = get_args(WhenFull)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """Given to `recloser.connect`: messages that are sent while not open wait, in order.

    One may serve any number of engines: it holds no message itself. Raises `TypeError` or
    `ValueError` for values that make no sense.
    """

    max_messages: int = 10_000
    """The most messages that may wait."""
    max_bytes: int = 16 * 2**20
    """The most bytes that may wait, text as UTF-8. A longer message raises `OutboxFull`."""
    when_full: WhenFull = "wait"
    """`send` waits, raises `OutboxFull`, or the oldest or the newest message is dropped."""
    in_passive: bool = False
    """Whether messages are accepted in passive; if not, `send` raises `NotOpen` there."""
    resend: bool = True
    """Whether the unsent messages of an ended connection are sent again. They may arrive twice
    then; otherwise they count as sent, and may be lost."""
    on_drop: Callable[[Drop], object] | None = None
    """Called with each message that is dropped. An exception of it is logged."""

    path: str | PathLike[str] | None = None
    """A file, in which messages outlive the process; None: they are kept in memory. One file
    serves one engine at a time."""
    fsync: bool = False
    """Whether `send` waits for the disk itself, so that a message outlives a power cut, too."""
    acknowledgements: Acknowledgements | None = None
    """Holds messages until the peer has said that it has them; None: until they have left."""

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
        for name in ("in_passive", "resend", "fsync"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be True or False, not {getattr(self, name)!r}")
        if self.on_drop is not None and not callable(self.on_drop):
            raise TypeError(f"on_drop must be a function of one Drop, not {self.on_drop!r}")
        if iscoroutinefunction(self.on_drop):
            raise TypeError("on_drop must be a plain function: nothing waits for it")
        if self.path is not None:
            self._check_path(self.path)
        elif self.fsync:
            raise ValueError("fsync is for an outbox with a file: give path, too")
        acknowledgements = self.acknowledgements
        if acknowledgements is not None and not isinstance(acknowledgements, Acknowledgements):
            raise TypeError(
                f"acknowledgements must be recloser.Acknowledgements(...), not {acknowledgements!r}"
            )
        if not self.resend and (self.path is not None or acknowledgements is not None):
            raise ValueError(
                "resend=False goes with neither path nor acknowledgements: both send again what "
                "may not have arrived"
            )

    def _check_path(self, path: object) -> None:
        name = fspath(path) if isinstance(path, PathLike) else path
        if not isinstance(name, str):
            raise TypeError(f"path must be a str or a path of str, not {path!r}")
        if not name or name.startswith((":", "file:")):
            raise ValueError(f"path must be that of a file, not {name!r}")


class MessageOptions(TypedDict, total=False):
    """The options of a message; see `ReconnectingWebSocket.send`."""

    ttl: float | None
    key: Hashable
    id: Id | None
    this_generation: bool
