"""A resolver of names that never answers."""

import asyncio
import socket

from aiohttp.abc import AbstractResolver, ResolveResult


class Hanging(AbstractResolver):
    """Never answers, and says when it is asked."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.set()
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async def close(self) -> None:
        """Nothing is held."""
