"""What the peer refused for its content is not sent again by the shipped policy."""

import pytest

from recloser import Close, Delivery, Drop, Outbox, State, policies
from recloser.fsm import Cause, Origin
from recloser.outbox import Reason
from tests.engine.rig import UP, engine, turns, virtual


@pytest.mark.spec("G5")
@pytest.mark.parametrize(
    ("code", "again"), [(1003, False), (1007, False), (1009, False), (1006, True)]
)
@virtual
async def test_a_refusal_for_content_drops_what_a_cut_keeps(code: int, again: bool) -> None:
    drops: list[Drop] = []
    ws, transport = engine(UP, UP, policy=policies.standard(), outbox=Outbox(on_drop=drops.append))
    ws.connect()
    await ws.wait_for(State.OPEN)
    wire = transport.wires[0]
    wire.stall()
    sender = ws.send("refused")
    wire.closed_with = (1000, "")  # it takes nothing more, and its end is not told yet
    assert await sender is Delivery.QUEUED
    wire.end(Close(code=code, origin=Origin.PEER, cause=Cause.CLOSE_FRAME, clean=True))
    await turns()
    assert [drop.reason for drop in drops] == ([] if again else [Reason.DECISION])
    ws.connect()
    await ws.wait_for(State.OPEN)
    await ws.drain()
    assert transport.wires[1].sent == (["refused"] if again else [])
    await ws.close()
