"""A client of a home automation server: it signs in in-band, and keeps a view of all devices.

    python examples/home_automation.py ws://homeassistant.local:8123/api/websocket TOKEN

The protocol is that of Home Assistant: the server asks for the token, each command has an id, and
events come between the answers.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import recloser
from recloser import policies
from recloser.credentials import Credentials, Provider, in_band

LISTEN, STATES = 1, 2
"""The ids of what is asked for on each connection; those of calls come after."""


def accepted(message: str | bytes) -> bool:
    kind = json.loads(message)["type"]
    if kind == "auth_invalid":
        raise recloser.Unauthorized("the server does not accept the token")
    return bool(kind == "auth_ok")


def answer_to(message: str | bytes) -> int | None:
    found = json.loads(message)
    return found["id"] if found["type"] == "result" else None


class Home:
    def __init__(self, url: str, token: Provider, **options: Any) -> None:
        self.states: dict[str, str] = {}
        self.ids = count(STATES + 1)
        self.ws = recloser.connect(
            url,
            credentials=Credentials(token, place=in_band()),
            policy=policies.for_service("home-assistant"),
            on_open=self.sign_in,
            unread="discard",  # each connection begins with all states
            **options,
        )
        self.queries = recloser.Queries(self.ws, key=answer_to)

    async def sign_in(self, opening: recloser.Opening) -> None:
        self.ids = count(STATES + 1)  # ids grow within one connection
        auth = {"type": "auth", "access_token": opening.credential}
        await opening.ask(json.dumps(auth), accepted)
        listen = {"id": LISTEN, "type": "subscribe_events", "event_type": "state_changed"}
        await opening.ask(json.dumps(listen), lambda message: answer_to(message) == LISTEN)
        await opening.send_json({"id": STATES, "type": "get_states"})

    async def changes(self) -> AsyncIterator[tuple[str, str]]:
        """Give each device whose state has changed, while connected or not."""
        async for text in self.queries:
            match json.loads(text):
                case {"type": "result", "id": 2, "result": states}:
                    self.ws.mark_healthy()
                    news = states
                case {"type": "event", "event": {"data": {"new_state": {**state}}}}:
                    news = [state]
                case _:
                    continue
            for state in news:
                name, value = state["entity_id"], state["state"]
                if self.states.get(name) != value:
                    self.states[name] = value
                    yield name, value

    async def call(self, domain: str, service: str, **data: Any) -> Any:
        """Have the server do something; after `ConnectionError` it may have been done or not."""
        number = next(self.ids)
        call = {"id": number, "type": "call_service", "domain": domain, "service": service}
        answer = await self.queries.ask(json.dumps({**call, "service_data": data}), number)
        found = json.loads(answer)
        if not found["success"]:
            raise ValueError(found["error"]["message"])
        return found["result"]


async def main(url: str, token: str) -> None:
    home = Home(url, token)
    async with home.ws:
        async for name, value in home.changes():
            print(name, value)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
