"""What a page reads of a stream of server-sent events, and engines that are watched."""

import json
from typing import TYPE_CHECKING, Any

from recloser.inspector import Inspector

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


def parsed(text: str) -> tuple[str, Any]:
    """The name and the data of one event."""
    event, data, *rest = text.split("\n")
    assert rest == ["", ""]
    return event.removeprefix("event: "), json.loads(data.removeprefix("data: "))


class Page:
    """One open page: it reads the stream of an inspector."""

    def __init__(self, inspector: Inspector) -> None:
        self.texts: AsyncGenerator[str, None] = inspector.stream()

    async def read(self, name: str) -> Any:
        """The data of the next event of this name."""
        async for text in self.texts:
            found, data = parsed(text)
            if found == name:
                return data
        raise AssertionError(f"the stream ended without {name}")

    async def close(self) -> None:
        await self.texts.aclose()
