"""A charging station's server of the library ocpp: python ocpp_server.py PORT. Prints "running"."""

import asyncio
import signal
import sys

from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result
from websockets.asyncio.server import ServerConnection, serve


class Station(ChargePoint):
    """Accepts every station that boots."""

    @on("BootNotification")
    def boots(self, **facts: object) -> call_result.BootNotification:
        """Answer with the current time and an interval."""
        return call_result.BootNotification("2026-01-01T00:00:00Z", 10, "Accepted")


async def connected(connection: ServerConnection) -> None:
    """Serve one station, named by the path, until it leaves."""
    await Station((connection.request.path if connection.request else "/")[1:], connection).start()


async def main(port: int) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with serve(connected, "127.0.0.1", port, subprotocols=["ocpp1.6"]):
        print("running", flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
