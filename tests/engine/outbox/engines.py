"""Engines with an outbox in memory, brought into a state; what their outboxes hold."""

from typing import Any

import recloser
from recloser import Acknowledgements, Outbox, State
from recloser.testing import Plan, ScriptedTransport
from tests.engine.rig import Answering, turns

Engine = recloser.ReconnectingWebSocket
ACKNOWLEDGED = Acknowledgements()


def in_memory(*plans: Plan, **options: Any) -> tuple[Engine, ScriptedTransport]:
    transport = ScriptedTransport(plans)
    url, policy = "ws://feed.example", Answering()
    return recloser.connect(
        url, transport=transport, policy=policy, outbox=Outbox(**options)
    ), transport


async def open_(ws: Engine) -> None:
    ws.connect()
    await ws.wait_for(State.OPEN)
    await turns()


async def in_backoff(ws: Engine) -> Engine:
    """In backoff, as nobody answered."""
    ws.connect()
    await turns()
    assert ws.state is State.BACKOFF
    return ws


def data_of(ws: Engine) -> list[str | bytes]:
    return [message.data for message in ws.outbox.peek()]


def file_is_current(ws: Engine) -> bool:
    """Whether the file is up to date."""
    disk = getattr(ws._outlet, "_disk")  # noqa: B009 - not every outlet has one
    return disk._task is None and not disk.unwritten
