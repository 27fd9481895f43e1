"""The live page in a real Chromium: `make browser` installs what it needs and runs these."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

import recloser
from recloser import Close, Retry, State
from recloser.inspector import Inspector, aiohttp_app
from recloser.statistics import CloseAlarm, EndKind
from recloser.testing import Plan, ScriptedTransport

pytestmark = pytest.mark.slow
playwright = pytest.importorskip("playwright.async_api", reason="say make browser")
CHROMIUM = shutil.which("chromium")
TOKEN = "a token of this test"
MARKUP = "<img src=x onerror=alert(1)> & <b>bye</b>"


class Patient:
    """A policy that waits for as long as the test does."""

    def decide(self, close: Close, context: recloser.Context) -> recloser.fsm.Decision:
        return recloser.Stop("left") if close.intentional else Retry(600.0, rule="patient")


class Service:
    """A service with three engines, and the page mounted in it."""

    def __init__(self) -> None:
        self.inspector = Inspector()
        self.port = 0
        self.engines: dict[str, recloser.ReconnectingWebSocket] = {}
        self.transports: dict[str, ScriptedTransport] = {}

    async def start(self) -> None:
        app = web.Application()
        app.add_subapp("/recloser/", aiohttp_app(self.inspector, token=TOKEN))
        self.runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", self.port).start()
        self.port = self.runner.addresses[0][1]

    async def connect(self, *names: str) -> None:
        for name in names:
            transport = self.transports[name] = ScriptedTransport([Plan()] * 9)
            ws = self.engines[name] = recloser.connect(
                "ws://feed.example/v1", transport=transport, policy=Patient()
            )
            self.inspector.watch(name, ws)
            ws.connect()
            await ws.wait_for(State.OPEN)

    def lose(self, name: str, reason: str = "") -> None:
        self.transports[name].wires[-1].end(Close.frame(1012, reason))

    async def stop(self) -> None:
        for ws in self.engines.values():
            await ws.close()
        await self.runner.cleanup()


@asynccontextmanager
async def opened(**look: Any) -> AsyncIterator[tuple[Service, Any]]:
    """A running service, and its page in a browser; no error may be in the browser's console."""
    if CHROMIUM is None:
        pytest.skip("no chromium: say make browser")
    service = Service()
    await service.start()
    await service.connect("ada", "bob", "cyd")
    said: list[str] = []
    async with asyncio.timeout(120), playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await browser.new_page(**look)
        page.on("console", lambda each: said.append(f"{each.type}: {each.text}"))
        page.on("pageerror", lambda each: said.append(str(each)))
        try:
            await page.goto(f"http://127.0.0.1:{service.port}/recloser/")
            await page.wait_for_selector('#link[data-state="open"]')
            yield service, page
            expected = ("ERR_", "401", "verbose: ")  # a service that is away, a wrong token, advice
            assert not [line for line in said if not any(word in line for word in expected)]
        finally:
            await browser.close()
            await service.stop()


async def shows(page: Any, selector: str, text: str) -> None:
    """Wait until an element has this text."""
    await page.wait_for_function(
        "([at, text]) => document.querySelector(at)?.textContent.includes(text)",
        arg=[selector, text],
    )


@pytest.mark.spec("I9.6", "I9.1")
async def test_states_move_counts_agree_and_markup_is_text() -> None:
    async with opened() as (service, page):
        await shows(page, "#summary", "3 open")
        service.lose("bob", MARKUP)
        await shows(page, "#summary", "2 open, 1 backoff")
        await shows(page, '.state[data-state="backoff"] .count', "1")
        await shows(page, 'tr[data-engine="bob"] .reason', MARKUP)
        await shows(page, 'tr[data-engine="bob"]', "in 9 min")
        await shows(page, "#rules tbody", "patient")
        await shows(page, "#legend", "1012: 1")
        await page.click('tr[data-engine="bob"]')
        await shows(page, "#timeline li", MARKUP)
        service.engines["bob"].wake()
        await shows(page, "#timeline li", "connecting → open")
        assert await page.locator("#timeline img, #engines img, #engines b").count() == 0


@pytest.mark.spec("I9.6")
async def test_a_page_that_lost_its_service_comes_back() -> None:
    async with opened() as (service, page):
        await service.runner.cleanup()
        await page.wait_for_selector('#link[data-state="backoff"]')
        service.lose("ada")
        await service.start()
        await page.wait_for_selector('#link[data-state="open"]')
        await shows(page, "#summary", "2 open, 1 backoff")


@pytest.mark.spec("I9.6", "I9.1")
async def test_alarms_are_shown_and_go() -> None:
    async with opened() as (service, page):
        kind = EndKind(1000, None, "peer", intentional=False)
        alarm = CloseAlarm(
            kind=kind, reading="<i>sessions</i> expire", since=0.0, count=90, usual=30, window=600.0
        )
        series = service.inspector._closes._detector
        series.add(kind, 0.0)
        series._series[kind].alarm = alarm
        await shows(page, "#alarm-list", "1000 by peer: 90 where 30 are usual; <i>sessions</i>")
        assert await page.locator("#alarms").is_visible()
        series._series[kind].alarm = None
        await page.wait_for_selector("#alarms", state="hidden")


@pytest.mark.spec("I9.6")
async def test_it_is_used_by_the_keyboard() -> None:
    async with opened(reduced_motion="reduce", color_scheme="dark") as (service, page):
        await page.locator('.state[data-state="backoff"]').focus()
        await page.keyboard.press("Enter")
        await shows(page, "#shown", "no engine matches")
        service.lose("cyd")
        await shows(page, "#shown", "1 to 1 of 1")
        await page.keyboard.press("Enter")
        await shows(page, "#shown", "1 to 3 of 3")
        await page.locator("#find").fill("1012 patient")
        await shows(page, "#shown", "1 to 1 of 1")
        await page.locator("#engines tbody tr").first.focus()
        await page.keyboard.press("Enter")
        await shows(page, "#timeline-title", "Timeline of cyd")
        moving = await page.evaluate("document.querySelectorAll('[aria-sort=ascending]').length")
        assert moving == 1


@pytest.mark.spec("I9.6", "I9.5")
async def test_a_button_needs_the_token() -> None:
    async with opened() as (service, page):
        await page.click('tr[data-engine="ada"]')
        await page.click('[data-action="close"]')
        await shows(page, "#outcome", "the token is another one")
        assert service.engines["ada"].state is State.OPEN
        await page.fill("#token", TOKEN)
        await page.click('[data-action="suspend"]')
        await shows(page, "#outcome", "now passive")
        await page.click('[data-action="close"]')
        await shows(page, "#outcome", "now closed")
        assert service.engines["ada"].state is State.CLOSED
        await shows(page, "#summary", "1 closed, 2 open")
