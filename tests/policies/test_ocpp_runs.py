"""OCPP, by the library ocpp of the Open Charge Alliance's tutorial: what its server really says."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.policies.running import Server, free_port, running, says

MODULES = Path(sys.prefix) / "services"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.spec("B14.5"),
    pytest.mark.skipif(not MODULES.is_dir(), reason="needs the library ocpp: make services"),
]

SERVER = Path(__file__).parent / "ocpp_server.py"
STATION = "/station-7"
OCPP = ("ocpp1.6",)
FACTS = {"chargePointModel": "M", "chargePointVendor": "V"}


@asynccontextmanager
async def ocpp() -> AsyncIterator[Server]:
    port = free_port()
    command = (sys.executable, str(SERVER), str(port))
    environment = {"PYTHONPATH": str(MODULES)}
    async with running(*command, port=port, environment=environment) as server:
        yield server


async def test_it_refuses_a_subprotocol_by_400_and_answers_nonsense_in_band() -> None:
    boot = json.dumps([2, "1", "BootNotification", FACTS])
    unknown = json.dumps([2, "2", "NoSuchAction", {}])
    async with ocpp() as server:
        none, _ = await server.end(path=STATION)
        other, _ = await server.end(path=STATION, subprotocols=("ocpp9.9",))
        gone, heard = await server.end(
            "no json",
            unknown,
            boot,
            path=STATION,
            subprotocols=OCPP,
            then=server.stop,
            until=lambda message: "Accepted" in str(message),
        )
    for refused in (none, other):
        assert (refused.status, says("ocpp", refused)) == (400, "ocpp-400")
        assert "subprotocol" in refused.body
    error, accepted = map(json.loads, map(str, heard))  # what is no JSON gets no answer
    assert error[:3] == [4, "2", "NotSupported"]
    assert accepted[:2] == [3, "1"]
    assert (gone.code, says("ocpp", gone)) == (1001, "retry")
