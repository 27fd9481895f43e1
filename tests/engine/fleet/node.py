"""One process of a fleet: an engine with a lease, which sends as long as it may.

python node.py WEBSOCKET-URL REDIS-URL TTL REPLICAS
"""

import asyncio
import signal
import sys
from contextlib import suppress

import recloser
from recloser.fleet import Lease, RedisStore
from tests.engine.rig import pass_time

PAUSE = 0.02


async def send_for_ever(ws: recloser.ReconnectingWebSocket, lease: Lease) -> None:
    count = 0
    while True:
        with suppress(recloser.NotOpen, ConnectionError):
            await ws.send(f"{lease.token} {count}")
            count += 1
        await pass_time(PAUSE)


async def main(url: str, server: str, ttl: str, replicas: str) -> None:
    left = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, left.set)
    async with RedisStore(server, replicas=int(replicas)) as store:
        lease = Lease(store, "prices", ttl=float(ttl))
        ws = recloser.connect(
            url,
            lease=lease,
            headers=lambda: {"X-Fencing": str(lease.token)},
            policy=recloser.policies.standard(),
            heartbeat=0.5,
        )
        ws.subscribe(lambda change: print(change.current.value, lease.token, flush=True))
        ws.connect()
        sender = asyncio.create_task(send_for_ever(ws, lease))
        await left.wait()
        sender.cancel()
        await ws.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
