"""One process of a group of workers, which says how many keys it has, and which the first are.

python worker_node.py REDIS-URL NAME TTL COUNT
"""

import asyncio
import signal
import sys

from recloser.fleet import RedisStore, Workers


async def main(server: str, name: str, ttl: str, count: str) -> None:
    keys = [f"subscription/{number}" for number in range(int(count))]
    async with (
        RedisStore(server) as store,
        Workers(store, "feeds", name=name, ttl=float(ttl)) as workers,
    ):

        async def report() -> None:
            async for mine in workers.shares(keys):
                print(len(mine), *sorted(workers.members), flush=True)

        reporting = asyncio.create_task(report())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, reporting.cancel)
        await asyncio.wait((reporting,))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
