"""The timeline of a scripted server: its events in order, for assertions."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One event of the server."""

    at: float
    """Seconds since the server started."""
    connection: int
    """The number of the connection, from 1."""
    what: str
    """`dialled`, `accepted`, `refused`, `received`, `sent`, `closing`, `closed`, `cut`,
    `reset`, `silent`, `hanging`, `gone`."""
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.at:9.3f} s  #{self.connection:<4} {self.what:9} {self.detail}".rstrip()


class Timeline:
    """Entries in order: iterate over them, search them, or wait for further ones."""

    def __init__(self, on_entry: Callable[[TimelineEntry], object] | None = None) -> None:
        self._entries: list[TimelineEntry] = []
        self._changed: asyncio.Event = asyncio.Event()
        self._on_entry = on_entry

    def add(self, entry: TimelineEntry) -> None:
        """Append an entry, and wake the tasks that wait."""
        self._entries.append(entry)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        if self._on_entry is not None:
            self._on_entry(entry)

    def __iter__(self) -> Iterator[TimelineEntry]:
        return iter(tuple(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def of(self, *what: str, connection: int | None = None) -> list[TimelineEntry]:
        """Return the entries of these kinds, of one connection or of all."""
        return [
            each
            for each in self._entries
            if each.what in what and connection in (None, each.connection)
        ]

    @property
    def story(self) -> list[tuple[int, str]]:
        """Connection and kind of every entry: the whole account without times."""
        return [(each.connection, each.what) for each in self._entries]

    async def until(self, what: str, *, times: int = 1, within: float = 10.0) -> TimelineEntry:
        """Wait until an event has happened so many times; return the last of these entries.

        Raises `TimeoutError` with the whole account after `within` seconds.
        """
        try:
            async with asyncio.timeout(within):
                while len(found := self.of(what)) < times:
                    await self._changed.wait()
        except TimeoutError as error:
            raise TimeoutError(
                f"{what!r} happened {len(self.of(what))} of {times} times within {within:g} s:\n"
                f"{self}"
            ) from error
        return found[times - 1]

    def __str__(self) -> str:
        return "\n".join(map(str, self._entries))
