"""A hint by a POSIX signal."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def signalled(wake: Callable[[], object], signum: signal.Signals) -> Iterator[None]:
    """Call `wake()` in the event loop at each signal `signum`, inside the `with` block.

    SIGCONT comes when a process that was stopped runs on, SIGUSR1 when somebody sends it.
    Raises `RuntimeError` where the signal is handled already, outside the main thread, and
    for a signal that cannot be caught.
    """
    if not callable(wake):
        raise TypeError(f"give a function without arguments such as ws.wake, not {wake!r}")
    if signal.getsignal(signum) not in (signal.SIG_DFL, signal.SIG_IGN):
        raise RuntimeError(f"{signal.Signals(signum).name} is handled already: call wake() there")
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signum, wake)
    try:
        yield
    finally:
        loop.remove_signal_handler(signum)
