"""The examples of docs/credentials.md run against a real server."""

import asyncio
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import recloser
from tests.engine.credentials.test_end_to_end import TokenServer, serving

PAGE = (Path(__file__).parents[3] / "docs" / "credentials.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


class Open(TokenServer):
    """Greets whoever brings a token; the first of `/expiring` is told that it has expired."""

    def __init__(self) -> None:
        super().__init__(lambda ws: None)
        self.expired = False

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(self.token_of(request) or request.query.get("token"))
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await ws.send_str("hello again" if self.expired else "hello")
        if "expiring" in request.query and not self.expired:
            self.expired = True
            await ws.close(code=1000, message=b"Token expired")
        else:
            await ws.receive()
        return ws


@pytest.mark.spec("E1", "E3", "E4")
async def test_the_examples_run() -> None:
    server, printed = Open(), list[tuple[str, ...]]()
    async with serving(server):
        names: dict[str, Any] = {
            "recloser": recloser,
            "print": lambda *words: printed.append(words),
            "URL": server.url,
            "EXPIRING_URL": f"{server.url}?expiring",
        }
        for block in BLOCKS:
            source = f"async def example():\n    global {', '.join(sorted(defined(block)))}\n"
            exec(source + textwrap.indent(block, "    "), names)
            async with asyncio.timeout(120):
                await names["example"]()
    assert server.seen == [
        "a token that is good today", "abc", "abc", "abc", "abc", "abc",
    ]  # fmt: skip
    assert printed == [
        ("hello",), ("hello", "hello"), ("hello",), ("hello again",), ("hello again",),
    ]  # fmt: skip


def defined(block: str) -> set[str]:
    """The names that a block leaves to the ones after it."""
    found = set(re.findall(r"^(?:async )?(?:def|class) (\w+)|^(\w+) = ", block, re.MULTILINE))
    names = {name for pair in found for name in pair if name} | {"_"}
    for imported in re.findall(r"^from [\w.]+ import (.+)$", block, re.MULTILINE):
        names |= set(imported.split(", "))
    return names
