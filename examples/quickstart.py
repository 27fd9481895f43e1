import asyncio

import recloser


async def main() -> None:
    async with recloser.connect("ws://127.0.0.1:8765/") as ws:
        ws.subscribe(lambda change: print(change.previous.value, "->", change.current.value))
        await ws.send("hello")
        async for message in ws:  # goes on across reconnections
            print(message)


asyncio.run(main())
