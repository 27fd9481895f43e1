"""The examples of docs/sending.md run, and its tables name what there is."""

import asyncio
import json
import re
import textwrap
from pathlib import Path
from typing import Any, get_args

import pytest

import recloser
from recloser import Delivery
from recloser.outbox import Message, Reason, UpTo
from recloser.outbox.options import WhenFull
from recloser.outbox.table import MessageState
from recloser.testing import ScriptedTransport
from tests.engine.outbox.files import real, settled
from tests.engine.rig import CUT, DOWN, UP, Answering, turns

PAGE = (Path(__file__).parents[3] / "docs" / "sending.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
URL = "ws://feed.example"


def of_block(part: str, **names: Any) -> dict[str, Any]:
    """Run the one block of the page in which a text stands."""
    [block] = [each for each in BLOCKS if part in each]
    space = {"recloser": recloser, "asyncio": asyncio, "json": json, "URL": URL, **names}
    exec(compile(textwrap.dedent(block), "docs/sending.md", "exec"), space)
    return space


def test_every_example_is_run_here() -> None:
    parts = ("recloser.connect(", "def put", 'Outbox(path="outbox.db")', "def matcher")
    assert len(parts) == len(BLOCKS)
    for part in parts:
        assert sum(part in block for block in BLOCKS) == 1


@pytest.mark.spec("G1.1")
@real
async def test_an_outbox_is_given_to_connect() -> None:
    ws = of_block("recloser.connect(")["ws"]
    assert isinstance(ws, recloser.ReconnectingWebSocket)
    assert (len(ws.outbox), ws.outbox.bytes) == (0, 0)


@pytest.mark.spec("G1.1")
@real
async def test_a_thread_sends() -> None:
    transport = ScriptedTransport((UP,))
    async with recloser.connect(URL, transport=transport) as ws:
        found = of_block("def put", ws=ws, loop=asyncio.get_running_loop())
        assert await asyncio.to_thread(found["in_a_thread"]) is Delivery.SENT
        assert transport.wires[0].sent == ["hello"]


@pytest.mark.spec("G6")
@real
async def test_messages_outlive_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    outbox = of_block('Outbox(path="outbox.db")')["outbox"]
    ws = recloser.connect(
        URL, transport=ScriptedTransport((DOWN,)), policy=Answering(), outbox=outbox
    )
    ws.connect()
    await turns()
    assert await ws.send("kept") is Delivery.QUEUED
    await ws.close()
    transport = ScriptedTransport((UP,))
    async with recloser.connect(URL, transport=transport, outbox=outbox) as ws:
        await ws.drain()
        assert transport.wires[0].sent == ["kept"]


@pytest.mark.spec("G7.1", "G7.2", "G7.5")
@real
async def test_messages_are_held_until_they_are_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = of_block("def matcher")
    transport = ScriptedTransport((UP, UP))
    ws = recloser.connect(URL, transport=transport, policy=Answering(), outbox=found["outbox"])
    async with ws:
        assert await ws.send("order") is Delivery.QUEUED
        await settled(lambda: len(transport.wires[0].sent) == 1)
        transport.wires[0].end(CUT)
        ws.connect()
        await settled(lambda: len(transport.wires) == 2 and len(transport.wires[1].sent) == 1)
        transport.wires[1].deliver('{"ack": 1}')
        await ws.drain()
    first, second = (json.loads(wire.sent[0]) for wire in transport.wires)
    assert first == {"id": 1, "again": False, "body": "order"}
    assert second == {"id": 1, "again": True, "body": "order"}


def test_the_tables_name_every_choice_and_reason() -> None:
    assert set(re.findall(r'^\| `"([\w-]+)"` \|', PAGE, re.MULTILINE)) == set(get_args(WhenFull))
    _, _, states = PAGE.partition("### The states of a message")
    named = re.findall(r"^\| ([a-z ]+) \|", states.partition("###")[0], re.MULTILINE)
    assert named == ["state", *(state.value for state in MessageState)]
    for reason in Reason:
        assert f"`{reason.value}`" in PAGE or f"Reason.{reason.name}" in PAGE
    for name in re.findall(r"`Reason\.(\w+)`", PAGE):
        assert name in Reason.__members__
    assert UpTo.__name__ in PAGE
    assert "redelivered" in dir(Message)
    for call in ("peek", "clear", "move_to", "ack"):
        assert f"`ws.outbox.{call}(" in PAGE
