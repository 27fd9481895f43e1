"""Many engines in one service, stopped in good order by SIGTERM or Ctrl-C.

python examples/embed_supervisor.py ws://127.0.0.1:8765/ ws://127.0.0.1:8765/
"""

import asyncio
import signal
import sys

import recloser


async def handle(ws: recloser.ReconnectingWebSocket) -> None:
    count = 0
    async for message in ws:
        print(message)
        count += 1
    # The engine has been closed on purpose; there is `deadline` to finish in.
    print(f"handled {count} messages")


async def main(urls: list[str]) -> None:
    async with recloser.Supervisor(
        signals=(signal.SIGTERM, signal.SIGINT),
        code=1001,
        deadline=5.0,
        restart=recloser.policies.standard(),  # a handler that raises runs again, in growing gaps
    ) as supervisor:
        for number, url in enumerate(urls, 1):
            ws = recloser.connect(url, fields={"feed": number})
            supervisor.add(ws, handle, name=f"feed {number}")
        await supervisor.wait()
    for name, error in supervisor.failures.items():
        print(f"{name} failed: {error!r}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
