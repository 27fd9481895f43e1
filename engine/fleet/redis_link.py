"""`RedisLink`: scripts that run on one Redis or Valkey server, and what is told on its channels."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from redis import asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeout

from recloser.fleet.store import StoreUnreachable
from recloser.fsm.numbers import check_count
from recloser.store_contact import StoreContact

_TIMEOUT: Final = 10.0
"""Seconds for a connection to Redis, and for an answer; who asks has less patience."""
_WAIT: Final = 1000
"""Milliseconds that replicas have to confirm a write."""
_PAUSE: Final = 0.3
"""Seconds between two attempts to subscribe."""


class _Listener:
    """Who hears what is told on one channel."""

    __slots__ = ("hear", "missed")

    def __init__(self, hear: Callable[[str], None], missed: Callable[[], None] | None) -> None:
        self.hear = hear
        self.missed = missed


class RedisLink:
    """One client, and one connection to hear on while somebody listens.

    Raises `TypeError` or `ValueError` for what cannot work.
    """

    def __init__(self, server: "str | redis.Redis", *, replicas: int, prefix: str) -> None:
        check_count("replicas", replicas, least=0)
        if not isinstance(prefix, str):
            raise TypeError(f"prefix must be a str, not {type(prefix).__name__}")
        self._own = isinstance(server, str)
        if isinstance(server, str):
            server = redis.Redis.from_url(
                server,
                socket_timeout=_TIMEOUT,
                socket_connect_timeout=_TIMEOUT,
                retry=Retry(NoBackoff(), 0),  # who asks knows better when to ask again
            )
        elif not isinstance(server, redis.Redis):
            raise TypeError(f"server must be a URL or a redis.asyncio.Redis, not {server!r}")
        self._redis = server
        self._replicas = replicas
        self._prefix = f"{{{prefix}}}"
        self._listeners: dict[str, list[_Listener]] = {}
        self._listening: asyncio.Task[None] | None = None
        self._hearing = StoreContact()
        """Whether the server lets us hear what is told."""

    def key(self, *names: str) -> str:
        """Return the name of a key; all are in one slot of a cluster."""
        return ":".join((self._prefix, *names))

    def channel(self, *names: str) -> str:
        """Return the name of a channel."""
        return self.key("told", *names)

    async def confirmed(self, script: str, keys: tuple[str, ...], *arguments: object) -> Any:
        """Run a script, and return its answer once so many replicas have what it wrote.

        Raises `StoreUnreachable`, and `TimeoutError` where it may have been carried out.
        """
        answer, *copies = await self._run(script, keys, *arguments, wait=self._replicas)
        if copies and copies[0] < self._replicas:
            raise StoreUnreachable(
                f"only {copies[0]} of {self._replicas} replicas have it: see to the replication"
            )
        return answer

    async def run(self, script: str, keys: tuple[str, ...], *arguments: object) -> Any:
        """Run a script, and return its answer; raises as `confirmed` does."""
        [answer] = await self._run(script, keys, *arguments)
        return answer

    async def tell(self, channel: str, message: str) -> None:
        """Tell all who listen on a channel; raises as `confirmed` does."""
        await self.run("return redis.call('PUBLISH', KEYS[1], ARGV[1])", (channel,), message)

    def listen(
        self, channel: str, hear: Callable[[str], None], missed: Callable[[], None] | None = None
    ) -> Callable[[], None]:
        """Call `hear` with what is told; `missed` when something may have been missed.

        The returned function ends that.
        """
        listener = _Listener(hear, missed)
        self._listeners.setdefault(channel, []).append(listener)
        loop, task = asyncio.get_running_loop(), self._listening
        if task is None or task.done() or task.get_loop() is not loop:  # of a loop that has ended
            self._listening = loop.create_task(self._listen(), name="recloser fleet news")

        def end() -> None:
            listeners = self._listeners.get(channel, [])
            if listener in listeners:
                listeners.remove(listener)
            if not listeners:
                self._listeners.pop(channel, None)
            if not self._listeners:
                self._stop_listening()

        return end

    async def aclose(self) -> None:
        """Hear nothing more, and close the connections; a lent client stays open."""
        task = self._stop_listening()
        if task is not None:
            await asyncio.wait((task,))
        if self._own:
            await self._redis.aclose()

    async def _run(
        self, script: str, keys: tuple[str, ...], *arguments: object, wait: int = 0
    ) -> list[Any]:
        """Run a script; return its answer, and how many replicas have it if any must."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.eval(script, len(keys), *keys, *map(str, arguments))
        if wait:
            pipeline.execute_command("WAIT", wait, _WAIT)
        try:
            found: list[Any] = await pipeline.execute(raise_on_error=False)
        except RedisTimeout as error:
            raise TimeoutError("Redis gave no answer in time") from error
        except (RedisError, OSError) as error:
            raise StoreUnreachable(f"Redis cannot be asked: {error}") from error
        for each in found:
            if isinstance(each, Exception):
                raise StoreUnreachable(f"Redis refuses the request: {each}") from each
        return found

    def _stop_listening(self) -> asyncio.Task[None] | None:
        task, self._listening = self._listening, None
        if task is not None:
            task.cancel()
        return task

    async def _listen(self) -> None:
        """Pass on what is told, and say where something may have been missed."""
        heard = False
        while True:
            try:
                async with self._redis.pubsub() as news:
                    await news.psubscribe(self.channel("*"))
                    while True:
                        message = await news.get_message(timeout=_TIMEOUT)
                        if message is not None and message["type"] == "psubscribe":
                            self._hearing.answered(self.channel("*"), {})
                            if heard:  # the library has subscribed anew, or this has
                                self._tell_of_a_gap()
                            heard = True
                        elif message is not None:
                            self._hear(message)
            except (RedisError, OSError, UnicodeDecodeError) as error:
                # The requests of those who wait tell the log what is wrong, but not where hearing
                # alone is refused; a lent client that decodes answers raises for a message that is
                # no UTF-8.
                if isinstance(error, ResponseError):
                    self._hearing.failed(self.channel("*"), error, {})
                heard = True
                await asyncio.sleep(_PAUSE)

    def _hear(self, message: dict[str, Any]) -> None:
        for listener in tuple(self._listeners.get(text_of(message["channel"]), ())):
            listener.hear(text_of(message["data"]))

    def _tell_of_a_gap(self) -> None:
        for listeners in tuple(self._listeners.values()):
            for listener in tuple(listeners):
                if listener.missed is not None:
                    listener.missed()


def text_of(given: bytes | str) -> str:
    """Return what a server gave as text; bytes that are no UTF-8 become U+FFFD."""
    return given.decode(errors="replace") if isinstance(given, bytes) else given
