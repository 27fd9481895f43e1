"""POSIX signals: one handler for the time of a block, and a hint by a signal."""

import asyncio
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any, Final, TypeAlias

from recloser.checks import check_plain_function

_Handler: TypeAlias = Callable[[int, FrameType | None], Any] | int | None
"""The result of `signal.getsignal`."""


class SignalHandler:
    """Calls `callback()` in the running event loop at each signal, from `install` to `restore`.

    Only the handler of the process is replaced. A callback of `loop.add_signal_handler` for the
    same signal stays in its loop and is called, too. Handlers of this class share: an outer one
    is called after an inner one. Any other handler rests meanwhile.
    """

    __slots__ = ("_callback", "_loop", "_previous", "signum")

    def __init__(self, signum: int, callback: Callable[[], object]) -> None:
        self.signum: Final = signal.Signals(signum)
        self._callback = callback
        self._loop: asyncio.AbstractEventLoop | None = None
        self._previous: _Handler = None

    def install(self) -> None:
        """Take the signal over. Must be called in the event loop.

        Raises `RuntimeError` outside the main thread, for a signal that cannot be caught, and
        for one that code outside Python handles, since that handler could not be put back.
        """
        name = self.signum.name
        loop = asyncio.get_running_loop()
        previous = signal.getsignal(self.signum)
        if previous is None:
            raise RuntimeError(
                f"code outside Python handles {name}, and its handler could not be put back: "
                "choose another signal"
            )
        self._loop, self._previous = loop, previous
        try:
            signal.signal(self.signum, self)
        except ValueError:
            raise RuntimeError(
                f"{name} can be handled in the main thread alone: call this there"
            ) from None
        except OSError:
            raise RuntimeError(f"{name} cannot be caught: choose another signal") from None

    def restore(self) -> None:
        """Put back what handled the signal before, unless somebody has replaced this since."""
        present: object = signal.getsignal(self.signum)
        if present is self:
            signal.signal(self.signum, self._previous)

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        """Be the handler of the process: runs in the main thread, between two instructions."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._callback)
        if isinstance(self._previous, SignalHandler):
            self._previous(signum, frame)


@contextmanager
def signal_handlers(
    signums: Iterable[signal.Signals], callback: Callable[[], object]
) -> Iterator[None]:
    """Call `callback()` in the event loop at each of these signals, inside the `with` block.

    It needs no POSIX system, as `loop.add_signal_handler` does. Raises as `SignalHandler.install`.
    """
    with ExitStack() as stack:
        for each in signums:
            handler = SignalHandler(each, callback)
            handler.install()
            stack.callback(handler.restore)
        yield


@contextmanager
def signalled(wake: Callable[[], object], signum: signal.Signals) -> Iterator[None]:
    """Call `wake()` in the event loop at each signal `signum`, inside the `with` block.

    SIGCONT comes when a process that was stopped runs on, SIGUSR1 when somebody sends it. After
    the block the signal is ignored, or has its default effect, as before. Raises `RuntimeError`
    where the signal is handled already, outside the main thread, and for a signal that cannot be
    caught.
    """
    check_plain_function("wake", "no arguments, such as ws.wake", wake)
    handler = SignalHandler(signum, wake)
    if signal.getsignal(signum) not in (signal.SIG_DFL, signal.SIG_IGN):
        raise RuntimeError(f"{handler.signum.name} is handled already: call wake() there")
    handler.install()
    try:
        yield
    finally:
        handler.restore()
