"""A charging station: calls that are confirmed one at a time, and meter values that are never lost.

    python examples/charging_station.py ws://csms.example/ocpp/CP1 PASSWORD

The protocol is OCPP-J 1.6: [2, id, action, payload] calls, [3, id, payload] confirms, [4, id, ...]
refuses, and each side has at most one call of its own under way.
"""

import asyncio
import base64
import json
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any

import recloser
from recloser import State, policies

CALL, RESULT, REFUSAL = 2, 3, 4
Handler = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]


def answered(message: str | bytes) -> str | None:
    kind, number, *_ = json.loads(message)
    return number if kind in (RESULT, REFUSAL) else None


class Refused(Exception):
    """The central system answers a call with an error."""


class Station:
    def __init__(self, url: str, password: str, handler: Handler, **options: Any) -> None:
        name = url.rstrip("/").rpartition("/")[2]
        secret = base64.b64encode(f"{name}:{password}".encode()).decode()
        self.handler = handler
        self.ids = map(str, count(1))
        self.one = asyncio.Lock()
        self.facts = deque[tuple[str, str, dict[str, Any]]]()
        self.news = asyncio.Event()
        self.ws = recloser.connect(
            url,
            headers={"Authorization": f"Basic {secret}"},
            subprotocols=["ocpp1.6"],
            policy=policies.for_service("ocpp"),
            on_open=self.boot,
            **options,
        )
        self.queries = recloser.Queries(self.ws, key=answered)

    async def boot(self, opening: recloser.Opening) -> None:
        payload = {"chargePointModel": "example", "chargePointVendor": "recloser"}
        number = next(self.ids)
        call = json.dumps([CALL, number, "BootNotification", payload])
        answer = json.loads(await opening.ask(call, lambda message: answered(message) == number))
        if answer[0] != RESULT or answer[2]["status"] != "Accepted":
            interval = answer[2]["interval"] if answer[0] == RESULT else 60
            opening.advise("retry", retry_after=interval)
            raise recloser.OpeningFailed(1000, "not accepted yet")
        opening.scope.create_task(self.beat(answer[2]["interval"]))

    async def beat(self, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            await self.call("Heartbeat", {})

    async def call(self, action: str, payload: dict[str, Any], number: str = "") -> dict[str, Any]:
        """Have a call confirmed; the next one waits until then."""
        async with self.one:
            number = number or next(self.ids)
            message = json.dumps([CALL, number, action, payload])
            kind, _, *rest = json.loads(await self.queries.ask(message, number, within=30.0))
        if kind == REFUSAL:
            raise Refused(*rest)
        result: dict[str, Any] = rest[0]
        return result

    def report(self, action: str, **payload: Any) -> None:
        """Have the central system know a fact: in order, and as often as it takes."""
        payload["timestamp"] = datetime.now(UTC).isoformat()
        self.facts.append((next(self.ids), action, payload))
        self.news.set()

    async def deliver(self) -> None:
        while True:
            await self.news.wait()
            while self.facts:
                await self.ws.wait_for(State.OPEN)
                number, action, payload = self.facts[0]
                try:
                    await self.call(action, payload, number)
                except Refused as refusal:
                    print(f"{action} is refused: {refusal}")
                except (recloser.NotOpen, ConnectionError, TimeoutError):
                    continue  # it may have arrived: the same id goes out again
                self.facts.popleft()
            self.news.clear()

    async def run(self) -> None:
        """Answer the calls of the central system, until the engine is closed."""
        delivering = asyncio.create_task(self.deliver())
        try:
            async for text in self.queries:
                match json.loads(text):
                    case [2, number, action, payload]:
                        answer = [RESULT, number, await self.handler(action, payload)]
                        await self.ws.send(json.dumps(answer), this_generation=True)
        finally:
            delivering.cancel()


async def main(url: str, password: str) -> None:
    async def handler(action: str, payload: dict[str, Any]) -> dict[str, Any]:
        print(action, payload)
        return {"status": "Accepted"}

    station = Station(url, password, handler)
    async with station.ws:
        station.report("StatusNotification", connectorId=1, errorCode="NoError", status="Available")
        await station.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
