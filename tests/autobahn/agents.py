"""The four agents: recloser over each of its transports, and each library by itself.

An agent opens one connection and sends each message back, until the connection has ended.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

import aiohttp
from picows.websockets.asyncio.client import connect as connect_picows
from picows.websockets.exceptions import ConnectionClosed as PicowsClosed

import recloser

LARGEST: Final = 64 * 2**20
"""Bytes of the largest message that is taken; the suite sends 16 MiB."""


@dataclass(frozen=True)
class Agent:
    """One client of the suite."""

    name: str
    echo: Callable[[str], Awaitable[None]]
    compresses: bool
    """Whether it offers permessage-deflate."""


class Once:
    """A policy that stops at the first end: a case is one connection."""

    def decide(self, close: recloser.Close, context: recloser.Context) -> recloser.Stop:
        return recloser.Stop(rule="once")


async def _recloser(transport: Literal["aiohttp", "picows"], compression: bool, url: str) -> None:
    engine = recloser.connect(
        url,
        transport=transport,
        policy=Once(),
        governor=None,
        max_message_size=LARGEST,
        compression=compression,
    )
    with suppress(recloser.ConnectionClosed):  # how the loop ends
        async with engine as ws:
            async for message in ws:
                with suppress(recloser.NotOpen):  # the end came before
                    await ws.send(message)


async def _aiohttp(url: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, max_msg_size=LARGEST, compress=15) as ws,
    ):
        async for message in ws:
            with suppress(aiohttp.ClientConnectionResetError):  # the end came before
                if message.type is aiohttp.WSMsgType.TEXT:
                    await ws.send_str(message.data)
                elif message.type is aiohttp.WSMsgType.BINARY:
                    await ws.send_bytes(message.data)


async def _picows(url: str) -> None:
    with suppress(PicowsClosed):
        async with connect_picows(url, max_size=LARGEST, proxy=None) as ws:
            async for message in ws:
                await ws.send(message)


AGENTS: Final = (
    Agent("recloser-aiohttp", partial(_recloser, "aiohttp", True), compresses=True),
    Agent("aiohttp", _aiohttp, compresses=True),
    Agent("recloser-picows", partial(_recloser, "picows", False), compresses=False),
    Agent("picows", _picows, compresses=True),
)
LIBRARIES: Final = {"recloser-aiohttp": "aiohttp", "recloser-picows": "picows"}
"""The library beneath each transport of ours."""
