"""The events that servers of many kinds have, made in the way that most of them have."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tests.field.software import Event, Process


def sends(number: signal.Signals) -> Callable[[Process], None]:
    """What sends a signal."""
    return lambda process: process.signal(number)


def says(command: str) -> Callable[[Process], None]:
    """What writes a line to the standard input."""
    return lambda process: process.say(command)


def runs(*command: str) -> Callable[[Process], Awaitable[None]]:
    """What runs a command; {folder} in it is the folder of the server."""

    async def run(process: Process) -> None:
        await process.run(*(each.format(folder=process.place.folder) for each in command))

    return run


def asks(times: int) -> Callable[[Process], Awaitable[None]]:
    """What asks for a page over HTTP, so many times."""

    async def ask(process: Process) -> None:
        for _ in range(times):
            reader, writer = await asyncio.open_connection("127.0.0.1", process.place.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            await reader.read()
            writer.close()

    return ask


def stop(should: str, **more: Any) -> Event:
    """SIGTERM, and started again as soon as it has ended."""
    return Event(
        **{
            "name": "stop",
            "how": "SIGTERM",
            "act": sends(signal.SIGTERM),
            "should": should,
            "ends": True,
            **more,
        }
    )


def dies(should: str = "soon") -> Event:
    """SIGTERM to what has no handler for it."""
    return stop(should, note="no handler of signals: the process dies")


def message(should: str, **more: Any) -> Event:
    """A message, and SIGTERM behind it."""
    return stop(
        should, **{"name": "message", "how": "a message, then SIGTERM", "message": True, **more}
    )


def kill(**more: Any) -> Event:
    """SIGKILL for all its processes, and started again."""
    return Event(
        **{
            "name": "kill",
            "how": "SIGKILL",
            "act": Process.kill,
            "should": "soon",
            "ends": True,
            **more,
        }
    )


def reload(should: str, how: str = "SIGHUP", **more: Any) -> Event:
    """A signal or a command by which it takes a new configuration, or new workers."""
    return Event(
        **{"name": "reload", "how": how, "act": sends(signal.SIGHUP), "should": should, **more}
    )


def idle(should: str, how: str, *options: str, **more: Any) -> Event:
    """Nobody says anything, for longer than it allows."""
    return Event(name="idle", how=how, options=options, should=should, quiet=True, **more)


def unanswered(should: str, how: str, **more: Any) -> Event:
    """What the protocol of the server asks for gets no answer: a ping of its own, or a hello."""
    return Event(name="idle", how=how, should=should, **more)


def unanswered_pings(should: str, how: str, *options: str, **more: Any) -> Event:
    """Pings of the server get no pong, because the line to it is broken."""
    return Event(
        **{
            "name": "idle",
            "how": f"no pong, {how}",
            "options": options,
            "should": should,
            "mute": True,
            **more,
        }
    )


def refused(path: str, should: str = "stop", how: str = "an unknown path", **more: Any) -> Event:
    """A dial that is refused."""
    return Event(name="refused", how=how, path=path, should=should, **more)


def starting(should: str, how: str = "a dial in the 3 s of start-up", **more: Any) -> Event:
    """A dial while the application of the server starts."""
    environment: Mapping[str, str] = {"STARTUP": "3"}
    return Event(name="start", how=how, environment=environment, should=should, **more)


def overload(fill: int, should: str, how: str, *options: str, **more: Any) -> Event:
    """A dial beyond what it takes."""
    return Event(name="overload", how=how, options=options, fill=fill, should=should, **more)


def behind_killed(should: str = "soon", **more: Any) -> Event:
    """The server behind it is killed, and started again."""
    return Event(
        **{
            "name": "upstream",
            "how": "SIGKILL",
            "should": should,
            "act": Process.kill,
            "upstream": True,
            "ends": True,
            **more,
        }
    )


def behind_down(should: str = "spread", **more: Any) -> Event:
    """A dial while the server behind it is down."""
    return refused("/", should, "the server behind is down", upstream=True, **more)


def closes(should: str, how: str, command: str = "close", **more: Any) -> Event:
    """The planned stop that its own interface has; the line of that name on standard input."""
    return stop(should, how=how, act=says(command), **more)
