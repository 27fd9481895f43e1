"""A real Redis or Valkey server on loopback, in a process that can be killed and started again."""

import socket
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Self

from redis import asyncio as redis
from redis.exceptions import RedisError

from tests.engine.rig import pass_time


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def until(ask: Callable[[], Awaitable[bool]]) -> None:
    while True:
        if await ask():
            return
        await pass_time(0.02)


class RedisServer:
    """One server, on one port through all its lives; its data is in `folder` if it is kept.

    program: "redis-server" or "valkey-server".
    """

    def __init__(self, program: str, folder: Path, *options: str, port: int | None = None) -> None:
        self.port = port or free_port()
        self._program = program
        self._folder = folder
        self._options = options
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def _spawn(self) -> subprocess.Popen[bytes]:
        self._folder.mkdir(exist_ok=True)
        return subprocess.Popen(
            [
                *(self._program, "--port", str(self.port), "--bind", "127.0.0.1"),
                *("--dir", str(self._folder), "--save", "", "--appendonly", "no"),
                *("--repl-diskless-sync-delay", "0", "--repl-timeout", "60", *self._options),
            ],
            stdout=subprocess.DEVNULL,
        )

    async def start(self) -> None:
        self.process = process = self._spawn()
        async with redis.Redis(port=self.port) as client:

            async def answers() -> bool:
                assert process.poll() is None, "it has ended"
                try:
                    return bool(await client.ping())
                except (RedisError, OSError):
                    return False

            await until(answers)

    async def in_step(self) -> None:
        """Wait until this replica has what its server had, also if it was promoted just now."""
        async with redis.Redis(port=self.port) as client:

            async def linked() -> bool:
                found = await client.info("replication")
                async with redis.Redis(port=found["master_port"]) as followed:
                    history = (await followed.info("replication"))["master_replid"]
                up = found["master_link_status"] == "up"
                return bool(up and found["master_replid"] == history)

            await until(linked)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *raised: object) -> None:
        self.kill()
