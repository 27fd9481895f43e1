"""The HTML picture in a real Chromium: `make browser` installs what it needs and runs these."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from recloser.cli import main

pytestmark = pytest.mark.slow
playwright = pytest.importorskip("playwright.async_api", reason="say make browser")
CHROMIUM = shutil.which("chromium")
FEED = Path(__file__).parents[3] / "examples" / "feed.jsonl"


@asynccontextmanager
async def opened(path: Path, *options: str) -> AsyncIterator[Any]:
    """Draw the file, and open it; nothing may go wrong on the page, or be asked of a network."""
    result = CliRunner().invoke(main, ["diagram", "-o", str(path), *options])
    assert result.exit_code == 0, result.output
    wrong: list[str] = []
    asked: list[str] = []
    async with playwright.async_playwright() as tool:
        browser = await tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = await browser.new_page()
        tab.on("console", lambda message: wrong.append(message.text))
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("request", lambda request: asked.append(request.url))
        await tab.goto(path.as_uri())
        try:
            yield tab
        finally:
            await browser.close()
    assert wrong == []
    assert asked == [path.as_uri()]


async def events(tab: Any) -> list[str]:
    found: list[str] = await tab.locator("#rows td:first-child").all_inner_texts()
    return [each.splitlines()[0] for each in found]


async def walk(path: Path) -> None:
    async with opened(path, "--policy", "standard") as tab:
        assert await tab.inner_text("#state") == "closed"
        assert await events(tab) == ["connect"]
        await tab.click("#rows button")
        assert await tab.inner_text("#state") == "connecting"
        await tab.click("#events button:text-is('opened')")
        assert await tab.inner_text("#state") == "open"
        await tab.click("#events button:text-is('lost')")
        assert await tab.inner_text("#state") == "open"
        answer = await tab.inner_text("#answer")
        for part in (
            "lost [retry]: to backoff",
            "lost [hold]: to passive",
            "lost [stop]: to closed",
        ):
            assert part in answer
        await tab.click("#events button:text-is('retry')")
        assert "the machine refuses it" in await tab.inner_text("#answer")
        await tab.click("figure .node:has(title:text-is('passive')) >> nth=0")
        assert await tab.inner_text("#state") == "passive"
        assert not await tab.is_visible("#player")


async def played(path: Path) -> None:
    async with opened(path, "--journal", str(FEED)) as tab:
        assert await tab.inner_text("#place") == "0 of 37"
        await tab.click("#next")
        assert await tab.inner_text("#state") == "connecting"
        await tab.click("#next")
        await tab.click("#back")
        assert await tab.inner_text("#place") == "1 of 37"
        assert await tab.locator("#steps li[aria-current]").count() == 1
        await tab.locator("#steps li").nth(36).click()
        assert await tab.inner_text("#place") == "37 of 37"
        await tab.click("#first")
        assert await tab.inner_text("#state") == "closed"


@pytest.mark.spec("L1.10")
def test_states_and_events_are_clicked(tmp_path: Path) -> None:
    asyncio.run(walk(tmp_path / "machine.html"))


@pytest.mark.spec("L1.10")
def test_a_journal_is_played(tmp_path: Path) -> None:
    asyncio.run(played(tmp_path / "machine.html"))
