"""An engine beside other tasks in a plain asyncio.TaskGroup; ends after some messages.

python examples/embed_taskgroup.py ws://127.0.0.1:8765/ 20
"""

import asyncio
import sys

import recloser


async def consume(ws: recloser.ReconnectingWebSocket, count: int) -> None:
    async for message in ws:
        print(message)
        count -= 1
        if not count:
            await ws.close()  # ends the iteration of the other task
            break


async def report(ws: recloser.ReconnectingWebSocket) -> None:
    async for change in ws.changes():
        print(change.previous.value, "->", change.current.value)


async def main(url: str, count: int) -> None:
    async with recloser.connect(url) as ws, asyncio.TaskGroup() as tasks:
        tasks.create_task(report(ws))
        tasks.create_task(consume(ws, count))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
