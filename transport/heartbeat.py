"""`Heartbeat`: the schedule of pings, and what is sent for one."""

import inspect
from collections.abc import Callable

from recloser.fsm.numbers import check_seconds
from recloser.fsm.value import Value, assign


class Heartbeat(Value):
    """The schedule of pings, and the patience for an answer. Seconds, finite and above 0.

    Silence is noticed within `interval + timeout` of the last inbound byte. A peer that sends
    any byte within `timeout` of a ping is alive; a pong is not needed. Either may be the longer
    one. Raises `TypeError` or `ValueError` for values that cannot work.

        recloser.connect(url, heartbeat=recloser.Heartbeat(20, 20, quiet_only=True))
    """

    __slots__ = ("interval", "message", "quiet_only", "timeout")
    __match_args__ = ("interval", "timeout", "message")

    interval: float
    """Seconds between pings, whatever comes in, unless `quiet_only` leaves one out. From 20 on a
    ping may come up to 1.5 s sooner: then many engines need no timers."""
    timeout: float
    """Seconds of silence after a ping that end the connection."""
    message: str | bytes | Callable[[], str | bytes] | None
    """Replaces the WebSocket ping, for services that want a message: the message itself, or a plain
    function that makes each. If the function fails, the connection ends."""
    quiet_only: bool
    """Ping a quiet connection only: one in which for `interval` no byte has come, or none of ours
    has left. For connections with much traffic. It needs the word of the kernel: on other systems
    than Linux, and over Multipath TCP, every ping goes out."""

    def __init__(
        self,
        interval: float = 20.0,
        timeout: float = 20.0,
        message: str | bytes | Callable[[], str | bytes] | None = None,
        *,
        quiet_only: bool = False,
    ) -> None:
        for name, given in (("interval", interval), ("timeout", timeout)):
            try:
                check_seconds(f"heartbeat.{name}", given, positive=True)
            except ValueError as error:
                raise ValueError(f"{error}: use heartbeat=None for no pings") from None
            assign(self, name, given)
        if not isinstance(quiet_only, bool):
            raise TypeError(f"heartbeat.quiet_only must be True or False, not {quiet_only!r}")
        if inspect.iscoroutinefunction(message):
            raise TypeError("heartbeat.message must be a plain function: the ping is due now")
        if message is not None and not callable(message):
            _check(message)
        assign(self, "message", message)
        assign(self, "quiet_only", quiet_only)

    def ping(self) -> str | bytes | None:
        """Return the next message, None for a WebSocket ping; raises as the function does."""
        if not callable(self.message):
            return self.message
        return _check(self.message())


def _check(message: object) -> str | bytes:
    if isinstance(message, str):
        try:
            message.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"heartbeat.message is no UTF-8: {error.reason}") from None
        return message
    if isinstance(message, bytes):
        return message
    if inspect.iscoroutine(message):
        message.close()
    raise TypeError(f"heartbeat.message must be str or bytes, not {type(message).__name__}")


def heartbeat_of(given: Heartbeat | float | None) -> Heartbeat | None:
    """Return the heartbeat; a number of seconds is used as interval and as time-out."""
    if given is None or isinstance(given, Heartbeat):
        return given
    return Heartbeat(interval=given, timeout=given)
