"""Engines with an outbox in memory, brought into a state; what their outboxes hold."""

import sqlite3
from typing import Any

import recloser
from recloser import Acknowledgements, Outbox, State
from recloser.outbox.file.writer import GroupCommitWriter
from recloser.outbox.sender import OutboxSender
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


def sender_of(ws: Engine) -> OutboxSender:
    """The half of an engine that these tests are about: its core and its store are public."""
    sender = ws._sender
    assert isinstance(sender, OutboxSender)
    return sender


def writer_of(ws: Engine) -> GroupCommitWriter:
    store = sender_of(ws).store
    assert isinstance(store, GroupCommitWriter)
    return store


def connection_of(ws: Engine) -> sqlite3.Connection:
    """The connection to the file, to watch it or to make it fail."""
    database = writer_of(ws).database
    assert database is not None
    return database.connection


def file_is_current(ws: Engine) -> bool:
    """Whether the file is up to date."""
    return writer_of(ws).idle
