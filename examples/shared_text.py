"""A text edited by many at once, on a y-websocket server; what was typed offline is not lost.

    pip install pycrdt
    python examples/shared_text.py ws://127.0.0.1:1234/room 'what I have to say. '

The protocol: https://github.com/yjs/y-protocols/blob/master/PROTOCOL.md
"""

import asyncio
import sys

from pycrdt import (
    Doc,
    Text,
    TransactionEvent,
    YMessageType,
    create_sync_message,
    create_update_message,
    handle_sync_message,
)

import recloser
from recloser import NotOpen, policies


class SharedText:
    """One document, kept in step with those of the others."""

    def __init__(self, url: str) -> None:
        self.doc = Doc[Text]()
        self.text = self.doc.get("text", type=Text)
        self.ws = recloser.connect(
            url, on_open=self._greet, policy=policies.for_service("y-websocket")
        )
        self._unsent = asyncio.Queue[bytes]()
        self.doc.observe(self._edited)

    async def _greet(self, opening: recloser.Opening) -> None:
        """Tell what we have; the server answers with what we lack, and asks for what it lacks."""
        while not self._unsent.empty():
            self._unsent.get_nowait()  # the exchange of states covers it
        await opening.send(create_sync_message(self.doc))

    def _edited(self, event: TransactionEvent) -> None:
        self._unsent.put_nowait(create_update_message(event.update))

    async def send_edits(self) -> None:
        while True:
            update = await self._unsent.get()
            try:
                await self.ws.send(update)
            except (NotOpen, ConnectionError):
                continue  # the next connection begins with an exchange of states

    async def take_edits(self) -> None:
        async for message in self.ws:
            if isinstance(message, bytes) and message[:1] == bytes([YMessageType.SYNC]):
                reply = handle_sync_message(message[1:], self.doc)
                if reply is not None:
                    await self.ws.send(reply)
                print("connection", self.ws.generation, "text:", self.text)


async def main(url: str, typed: str) -> None:
    shared = SharedText(url)
    async with shared.ws, asyncio.TaskGroup() as tasks:
        tasks.create_task(shared.send_edits())
        tasks.create_task(shared.take_edits())
        shared.text += typed


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
