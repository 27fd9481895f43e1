"""Ten thousand engines and a thousand changes a second: figures, and pictures of the page.

`python benchmarks/crowd.py [ENGINES] [FOLDER]` prints what docs/inspector.md says, and
writes two screenshots into the folder if one is given. It needs playwright and chromium.
"""

import asyncio
import random
import shutil
import sys
import time
from pathlib import Path

from aiohttp import web
from playwright.async_api import async_playwright

from recloser.fsm import Close, Context, Phase, State, StateChange, Trigger
from recloser.inspector import Inspector, aiohttp_app
from recloser.statistics import CloseStatistics

STATES = [State.OPEN] * 80 + [State.BACKOFF] * 9 + [State.CONNECTING] * 5
STATES += [State.PASSIVE] * 3 + [State.CLOSED] * 2 + [State.CLOSING]
CLOSES = [
    (Close.frame(1012, "server restart"), "restart"),
    (Close.frame(1000, "bye"), "many-1000s"),
    (Close.frame(4401, "token expired"), "token-expired"),
    (Close.refused(503, body="busy"), "busy"),
    (Close.cut(), "lost"),
]
FRAMES = """new Promise((done) => {
  let frames = 0; const start = performance.now();
  const step = (now) => { frames += 1;
    if (now - start > 5000) done(frames / ((now - start) / 1000));
    else requestAnimationFrame(step); };
  requestAnimationFrame(step); })"""


class Crowd:
    """Engines that change at random, without sockets."""

    def __init__(self, count: int) -> None:
        self.source = random.Random(1)
        self.ahead = 0.0
        self.closes = CloseStatistics(clock=lambda: time.monotonic() + self.ahead)
        self.inspector = Inspector(closes=self.closes)
        self.observers = [self.inspector.bind(f"feed-{number:05d}") for number in range(count)]
        self.generation = 1
        for minute in range(60):
            for _ in range(60 + 5 * (minute % 7) + (400 if minute == 41 else 0)):
                self.change(self.source.randrange(count))
            self.ahead += 60
        for index in range(count):
            self.change(index)

    def change(self, index: int) -> None:
        state = self.source.choice(STATES)
        close, rule, delay = None, "", None
        if state in {State.BACKOFF, State.PASSIVE, State.CLOSED}:
            close, rule = self.source.choice(CLOSES)
            delay = self.source.uniform(1, 60) if state is State.BACKOFF else None
        change = StateChange(
            previous=State.CONNECTING if close is None else State.OPEN,
            current=state,
            trigger=Trigger.OPENED if close is None else Trigger.LOST,
            at=time.monotonic(),
            generation=self.generation,
            attempt=0 if close is None else self.source.randint(1, 4),
            peer="feed.example:443",
            close=close,
            context=None if close is None else Context(phase=Phase.OPEN, attempt=1),
            rule=rule,
            delay=delay,
        )
        self.closes(change)
        self.observers[index](change)

    async def run(self, a_second: int) -> None:
        every = 0.05
        while True:
            self.generation += 1
            for _ in range(int(a_second * every)):
                self.change(self.source.randrange(len(self.observers)))
            await asyncio.sleep(every)


async def cost(crowd: Crowd, a_second: int, *, pages: int) -> float:
    """The share of a core that changes and pages cost, over five seconds."""

    async def read() -> None:
        async for _ in crowd.inspector.stream():
            pass

    tasks = [asyncio.ensure_future(read()) for _ in range(pages)]
    tasks.append(asyncio.ensure_future(crowd.run(a_second)))
    await asyncio.sleep(0.2)
    began = time.process_time()
    await asyncio.sleep(5)
    spent = time.process_time() - began
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return spent / 5


async def figures(crowd: Crowd, a_second: int) -> None:
    """Print what the engines cost without a page and with one."""
    without = await cost(crowd, a_second, pages=0)
    one = await cost(crowd, a_second, pages=1)
    print(
        f"{len(crowd.observers)} engines, {a_second} changes a second: "
        f"{without:.1%} of a core without a page, {one:.1%} with one, "
        "the making of the changes included"
    )


async def main(count: int = 10_000, folder: Path | None = None) -> None:
    crowd, a_second = Crowd(count), 1000
    if folder is None:
        await figures(crowd, a_second)
    app = web.Application()
    app.add_subapp("/recloser/", aiohttp_app(crowd.inspector))
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    running = asyncio.ensure_future(crowd.run(a_second if folder is None else 20))
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for scheme in ("light", "dark"):
            page = await browser.new_page(
                color_scheme=scheme, viewport={"width": 1200, "height": 1180}
            )
            await page.goto(f"http://127.0.0.1:{runner.addresses[0][1]}/recloser/")
            await page.wait_for_selector("tr[data-engine]")
            frames = await page.evaluate(FRAMES)
            heap = await page.evaluate("performance.memory.usedJSHeapSize / 1e6")
            print(f"{scheme}: {frames:.0f} frames a second, {heap:.0f} MB")
            if folder is not None:
                await page.screenshot(path=folder / f"inspector-{scheme}.png")
            await page.close()
        await browser.close()
    running.cancel()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:2]), *map(Path, sys.argv[2:3])))
