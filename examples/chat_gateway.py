"""A chat gateway whose server dictates the heartbeat, and whose sessions are resumed.

    python examples/chat_gateway.py TOKEN

The protocol is that of Discord's gateway: Hello names the interval of the heartbeat, Identify
begins a session, Resume goes on with one, and each event has a sequence number.
"""

import asyncio
import json
import random
import sys
from collections.abc import AsyncIterator
from typing import Any

import recloser
from recloser import policies

URL = "wss://gateway.discord.gg/?v=10&encoding=json"
INTENTS = 1 << 9  # messages of guilds
HEARTBEAT, IDENTIFY, RESUME = 1, 2, 6

SERVICE = policies.service("discord")
OVER = [row.number_set for row in SERVICE.rows if row.do.startswith("new")]
"""Close codes after which there is no session to resume."""


class Gateway:
    def __init__(self, token: str, url: str = URL, **options: Any) -> None:
        self.token = token
        self.resume: dict[str, Any] | None = None
        self.resume_url = url
        self.sequence: int | None = None
        self.acknowledged = True
        self.ws = recloser.connect(
            lambda: self.resume_url if self.resume else url,
            policy=SERVICE.policy(),
            on_open=self.begin,
            observers=[self.changed],
            **options,
        )

    async def begin(self, opening: recloser.Opening) -> None:
        hello = await opening.receive_json()
        if self.resume is None:
            request: dict[str, Any] = {"op": IDENTIFY, "d": {"token": self.token}}
            request["d"] |= {"intents": INTENTS, "properties": {}}
        else:
            request = {"op": RESUME, "d": {**self.resume, "seq": self.sequence}}
        await opening.send_json(request)
        opening.scope.create_task(self.beat(opening, hello["d"]["heartbeat_interval"] / 1000))

    async def beat(self, opening: recloser.Opening, interval: float) -> None:
        """Send heartbeats; the task ends with its connection."""
        self.acknowledged = True
        await asyncio.sleep(interval * random.random())
        while self.acknowledged:
            self.acknowledged = False
            await opening.send_json({"op": HEARTBEAT, "d": self.sequence})
            await asyncio.sleep(interval)
        # The line is dead. 1000 would end the session, another code keeps it.
        self.ws.fail("retry", code=4000, reason="no answer", generation=opening.generation)

    def changed(self, change: recloser.StateChange) -> None:
        if change.close is not None and any(change.close.code in codes for codes in OVER):
            self.resume = None

    async def events(self) -> AsyncIterator[tuple[str, Any]]:
        """Give each event once, across all connections of a session."""
        async for text in self.ws:
            match json.loads(text):
                case {"op": 0, "t": kind, "s": number, "d": data}:
                    self.sequence = number
                    if kind == "READY":
                        self.resume = {"token": self.token, "session_id": data["session_id"]}
                        self.resume_url = data["resume_gateway_url"]
                    if kind in ("READY", "RESUMED"):
                        self.ws.mark_healthy()
                    yield kind, data
                case {"op": 1}:
                    await self.ws.send_json({"op": HEARTBEAT, "d": self.sequence})
                case {"op": 7}:
                    self.ws.fail("retry", code=4000, reason="asked to reconnect")
                case {"op": 9, "d": resumable}:
                    if not resumable:
                        self.resume = None
                    self.ws.fail("retry", code=4000, retry_after=1.0, spread=4.0)
                case {"op": 11}:
                    self.acknowledged = True


async def main(token: str) -> None:
    gateway = Gateway(token, budget=recloser.Budget((1000, 86_400.0), path="dials.db"))
    async with gateway.ws:
        async for kind, data in gateway.events():
            print(kind, data.get("content", ""))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
