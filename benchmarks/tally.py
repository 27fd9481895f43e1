"""How many of a number of connections are open, and who waits for all of them, or for none."""

import asyncio


class Tally:
    """The open ones among so many."""

    def __init__(self, most: int) -> None:
        self.open = 0
        self._most = most
        self.all = asyncio.Event()
        """Set while all are open."""
        self.none = asyncio.Event()
        """Set once all that have been open are gone."""

    def add(self, more: int) -> None:
        """Count one more, or by -1 one less."""
        self.open += more
        for event, reached in ((self.all, self.open == self._most), (self.none, self.open == 0)):
            event.set() if reached else event.clear()
