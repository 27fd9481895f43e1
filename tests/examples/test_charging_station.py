"""examples/charging_station.py against a central system that allows one call at a time."""

import asyncio
import base64
from itertools import pairwise
from typing import Any, Self

import pytest

from examples.charging_station import Refused, Station
from recloser import Close, State
from recloser.fsm import Cause
from recloser.transport import Request
from tests.engine.rig import now, pass_time, virtual
from tests.examples.service import Client, Service

INTERVAL = 300.0


class CentralSystem(Service):
    """OCPP-J 1.6: who has two calls under way, or calls before it is accepted, is in the wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.pending = 0
        """BootNotifications that are answered with Pending."""
        self.takes = 0.0
        """Seconds until a call is confirmed."""
        self.under_way = 0
        self.boots: list[float] = []
        self.beats: list[float] = []
        self.facts: list[tuple[str, str, dict[str, Any]]] = []
        """Ids, actions and payloads, in the order in which they came, repeated ones included."""
        self.refuses = set[str]()
        self.cuts = 0
        """Calls after which the connection breaks before they are confirmed."""
        self.answers: list[Any] = []

    def admit(self, request: Request) -> Close | None:
        wanted = base64.b64encode(b"CP1:secret").decode()
        assert request.subprotocols == ("ocpp1.6",)
        right = request.headers["Authorization"] == f"Basic {wanted}"
        return None if right else Close.refused(401)

    async def serve(self, client: Client) -> None:
        self.under_way = 0
        accepted = False
        async with asyncio.TaskGroup() as confirming:
            while True:
                message = await client.receive()
                if message[0] != 2:
                    self.answers.append(message)
                    continue
                _, number, action, payload = message
                assert self.under_way == 0, "a second call is under way"
                assert accepted or action == "BootNotification"
                self.under_way += 1
                accepted = accepted or not self.pending
                confirming.create_task(self.confirm(client, number, action, payload))

    async def confirm(self, client: Client, number: str, action: str, payload: Any) -> None:
        result: dict[str, Any] = {}
        if action == "BootNotification":
            self.boots.append(now())
            status = "Pending" if self.pending else "Accepted"
            self.pending = max(0, self.pending - 1)
            result = {"status": status, "interval": INTERVAL, "currentTime": "2026-11-28T00:00:00Z"}
        elif action == "Heartbeat":
            self.beats.append(now())
        else:
            self.facts.append((number, action, payload))
            if self.cuts:
                self.cuts -= 1
                client.cut(Close.cut(Cause.RESET))
                return
        await pass_time(self.takes)
        self.under_way -= 1
        if action in self.refuses:
            client.send([4, number, "NotSupported", "no", {}])
        else:
            client.send([3, number, result])

    @property
    def known(self) -> list[int]:
        """The values that are known, each once."""
        found = {number: payload["value"] for number, _, payload in self.facts}
        return list(found.values())


class Life:
    """The station of the example at work."""

    def __init__(self, password: str = "secret") -> None:
        self.system = CentralSystem()
        url = "ws://csms.example/ocpp/CP1"
        self.asked: list[str] = []
        self.station = Station(url, password, self.handle, transport=self.system, seed=1)

    async def handle(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(action)
        return {"status": "Accepted"}

    async def __aenter__(self) -> Self:
        self.station.ws.connect()
        self._task = asyncio.create_task(self.station.run())
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.station.ws.close()
        await asyncio.wait((self._task,))

    def meter(self, *values: int) -> None:
        for value in values:
            self.station.report("MeterValues", connectorId=1, value=value)


@pytest.mark.spec("G10.1", "G10.3")
@virtual
async def test_calls_are_confirmed_one_at_a_time_and_in_order() -> None:
    async with Life() as life:
        life.system.takes = 2.0
        life.meter(1, 2, 3)
        await pass_time(5.0)
        assert life.system.known == [1, 2], "the third waits for the second"
        await pass_time(5.0)
        assert life.system.known == [1, 2, 3]
        begin = now()
        calls = (life.station.call("DataTransfer", {"value": value}) for value in (4, 5))
        await asyncio.gather(*calls)
        assert now() - begin == pytest.approx(4.0), "whoever calls"


@virtual
async def test_no_fact_is_lost_to_outages_and_each_keeps_its_id() -> None:
    async with Life() as life:
        await pass_time(1.0)
        life.system.cuts = 2
        life.meter(1, 2)
        await pass_time(60.0)
        life.system.clients[-1].close(1001)
        life.meter(3)
        await pass_time(60.0)
        numbers = [number for number, _, _ in life.system.facts]
        assert life.system.known == [1, 2, 3]
        assert numbers == sorted(numbers, key=int), "the order is kept"
        assert len(numbers) == 5, "what was not confirmed came again"
        assert not life.station.facts


@virtual
async def test_the_central_system_dictates_the_heartbeat() -> None:
    async with Life() as life:
        await pass_time(3.5 * INTERVAL)
        assert [round(later - former) for former, later in pairwise(life.system.beats)] == [300] * 2
        assert life.system.beats[0] == pytest.approx(INTERVAL)


@virtual
async def test_a_station_that_is_not_accepted_yet_comes_back_when_it_was_told_to() -> None:
    async with Life() as life:
        life.system.pending = 2
        life.meter(1)
        await pass_time(10 * INTERVAL)
        gaps = [later - former for former, later in pairwise(life.system.boots)]
        assert len(gaps) == 2
        assert all(INTERVAL <= gap < 2 * INTERVAL for gap in gaps)
        assert life.system.known == [1]


@virtual
async def test_calls_of_the_central_system_are_answered_beside() -> None:
    async with Life() as life:
        await pass_time(1.0)
        life.system.takes = 5.0
        life.meter(1)
        await pass_time(1.0)
        life.system.clients[-1].send([2, "r1", "Reset", {"type": "Soft"}])
        await pass_time(1.0)
        assert life.system.answers == [[3, "r1", {"status": "Accepted"}]]
        assert life.asked == ["Reset"]
        await pass_time(5.0)
        life.system.refuses.add("DataTransfer")
        with pytest.raises(Refused, match="NotSupported"):
            await life.station.call("DataTransfer", {"value": 0})


@virtual
async def test_a_wrong_password_ends_it() -> None:
    life = Life("wrong")
    life.station.ws.connect()
    await pass_time(3600.0)
    assert life.station.ws.state is State.CLOSED
    await life.station.ws.close()
