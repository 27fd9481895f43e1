"""`Distinct`: messages that came before are left out, within a bound."""

from typing import Any

import pytest

from recloser import ConnectionClosed, Distinct
from tests.engine.rig import ended, opened, turns, virtual


def key(message: str | bytes) -> object:
    return None if message == "ping" else message


@pytest.mark.spec("C3.13")
@virtual
async def test_a_message_whose_key_came_before_is_left_out() -> None:
    ws, wire, _ = await opened()
    feed = Distinct(ws, key=key)
    for message in ("a", "ping", "b", "a", "ping", "b", b"a", "c"):
        wire.deliver(message)
    got = [await feed.receive() for _ in range(6)]
    assert got == ["a", "ping", "b", "ping", b"a", "c"]
    assert feed.repeated == 2
    await ws.close()
    assert isinstance(await ended(feed.receive()), ConnectionClosed)
    assert [message async for message in feed] == []


@pytest.mark.spec("C3.13", "J1.1")
@virtual
async def test_the_oldest_keys_are_forgotten() -> None:
    ws, wire, _ = await opened()
    feed = Distinct(ws, key=key, keep=2)
    got = []
    for message in ("a", "b", "b", "c", "a", "a", "d"):
        wire.deliver(message)
    await turns()
    await ws.close()
    got = [message async for message in feed]
    assert got == ["a", "b", "c", "a", "d"]
    assert feed.repeated == 2


async def later(message: str | bytes) -> str:
    return str(message)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"key": "id"}, TypeError),
        ({"key": later}, TypeError),
        ({"key": key, "keep": 0}, ValueError),
        ({"key": key, "keep": 1.5}, TypeError),
    ],
)
@pytest.mark.spec("C3.13")
@virtual
async def test_arguments_that_cannot_work_are_refused(
    options: dict[str, Any], error: type[Exception]
) -> None:
    ws, _, _ = await opened()
    with pytest.raises(error):
        Distinct(ws, **options)
    await ws.close()
