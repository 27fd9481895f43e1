"""The examples of docs/fleet.md run against a real server."""

import asyncio
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import recloser
from recloser import fleet
from tests.engine.served import serving, upgraded

PAGE = (Path(__file__).parents[3] / "docs" / "fleet.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.spec("O3.1")
def test_the_user_of_the_page_may_call_what_the_scripts_call() -> None:
    rule = re.search(r"^ACL SETUSER .*?^```", PAGE, re.MULTILINE | re.DOTALL)
    assert rule is not None
    allowed = {each.removeprefix("+") for each in rule[0].split() if each.startswith("+")}
    scripts = [
        each.read_text(encoding="utf-8") for each in Path(fleet.__path__[0]).glob("redis_*.py")
    ]
    called = set(re.findall(r"redis\.call\('(\w+)'", "".join(scripts)))
    assert len(called) > 10
    assert {each.lower() for each in called} <= allowed


@pytest.mark.spec("O1.1", "O1.3", "O3.2")
async def test_the_examples_run() -> None:
    numbers: list[str] = []
    printed: list[tuple[object, ...]] = []

    async def serve(request: web.Request) -> web.StreamResponse:
        numbers.append(request.headers["X-Fencing"])
        ws = await upgraded(request)
        await ws.receive()
        return ws

    assert BLOCKS
    async with serving(serve) as url:
        names: dict[str, Any] = {
            "recloser": recloser,
            "print": lambda *words: printed.append(words),
            "URL": url,
        }
        for block in BLOCKS:
            source = f"async def example():\n    global store\n{textwrap.indent(block, '    ')}"
            exec(source, names)
            async with asyncio.timeout(120):
                await names["example"]()
    assert (printed, numbers) == ([("open", "passive"), (True, True), (["abc"] * 3,)], ["1", "2"])
