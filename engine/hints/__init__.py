"""Hints from the machine that dialling may be worth while now: hand them `ws.wake`.

    with hints.network(ws.wake):
        async for message in ws: ...

A hint ends a backoff and a rest that a policy chose, never an intentional close or a rest that
the application asked for (A9, A13); one too many does no harm.
"""

from recloser.hints.interfaces import network
from recloser.hints.signals import signalled

__all__ = ["network", "signalled"]
