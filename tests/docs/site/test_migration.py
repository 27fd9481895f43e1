"""docs/migration.md: each client runs, before and after, against a server that restarts."""

import asyncio
import inspect
import re
import shutil
from importlib.metadata import version
from pathlib import Path

import pytest

import recloser
from recloser.testing import Fault, ScriptedServer
from tests.docs.blocks import blocks, page, run

pytestmark = pytest.mark.site

RESTARTS = [
    Fault(do="close", code=1012, reason="restart", after=0.1, send=("a",)),
    Fault(do="serve", send=("b",)),
]
PYTHON = blocks("migration.md")
AROUND = """
const url = process.argv[2];
const refresh = async () => "t2";
const handle = (message) => { console.log(message); return message === "b"; };
"""


async def lives(block: str, script: list[Fault]) -> list[str]:
    """Run the `feed` of a block until it has got a "b"; returns what it got."""
    feed = run("migration.md", block)["feed"]
    got: list[str] = []

    def handle(message: str) -> bool:
        got.append(message)
        return message == "b"

    async def handle_soon(message: str) -> bool:
        return handle(message)

    async def refresh() -> str:
        return "token"

    async with ScriptedServer(script) as server:
        if not inspect.iscoroutinefunction(feed):
            await asyncio.to_thread(feed, server.url, handle)
        elif "refresh" in inspect.signature(feed).parameters:
            await feed(server.url, handle_soon, refresh)
        else:
            await feed(server.url, handle_soon)
        await left_behind()
    return got


async def left_behind() -> None:
    """Wait for what a client leaves: websockets closes a connection after its loop was left."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*left, return_exceptions=True)


@pytest.mark.parametrize("block", PYTHON, ids=range(1, len(PYTHON) + 1))
async def test_a_client_lives_through_a_restart(block: str) -> None:
    assert await lives(block, RESTARTS) == ["a", "b"]


async def test_the_rule_for_a_spent_token_asks_for_a_new_one() -> None:
    spent = [
        Fault(do="close", code=1000, reason="Token expired", after=0.1, send=("a",)),
        Fault(do="serve", send=("b",)),
    ]
    assert await lives(PYTHON[-1], spent) == ["a", "b"]


async def test_the_engine_that_gives_up_raises() -> None:
    """As the section of the decorators says: with the same limit, after a refusal for good."""
    [block] = [block for block in PYTHON if "limit(" in block]
    with pytest.raises(recloser.ConnectionClosed):
        await lives(block, [Fault(do="refuse", status=403, times=0)])


async def test_the_handler_of_a_browser_lives_through_a_restart(tmp_path: Path) -> None:
    """In Node.js, whose WebSocket is that of WHATWG; in version 20 it has to be asked for."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no Node.js: install it to run the handler of docs/migration.md")
    [handler] = blocks("migration.md", "javascript")
    script = tmp_path / "handler.js"
    script.write_text(f'{AROUND}\n{handler}\nopen("t1");\n')
    spent = Fault(do="close", code=1000, reason="Token expired", after=0.1, send=("a",))
    async with ScriptedServer([spent, *RESTARTS]) as server:
        process = await asyncio.create_subprocess_exec(
            node,
            "--experimental-websocket",
            str(script),
            server.url.removesuffix("/"),
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await process.communicate()
    assert process.returncode == 0
    lines = printed.decode().splitlines()
    assert lines == ["a", "1000 Token expired", "a", "1012 restart", "b", "1000 no reason"]


def test_the_versions_are_those_that_run() -> None:
    text = " ".join(page("migration.md").split())
    for name in ("aiohttp", "websockets", "websocket-client", "tenacity", "stamina"):
        assert re.search(rf"\b{name} {re.escape(version(name))}\b", text), name


def test_an_option_of_theirs_that_is_named_exists() -> None:
    import websocket
    from websockets.asyncio.client import connect

    text = page("migration.md")
    theirs = {
        "`async for ws in connect()`": inspect.signature(connect.__init__),
        "`run_forever(reconnect=1)`": inspect.signature(websocket.WebSocketApp.run_forever),
    }
    ours = set(inspect.signature(recloser.connect).parameters)
    for head, signature in theirs.items():
        table = text.split(f"| {head}")[1].split("\n\n")[0]
        for row in table.splitlines()[2:]:
            left, right = row.strip("| ").split(" | ")
            assert set(re.findall(r"\b([a-z_]+)=", left)) <= set(signature.parameters), row
            assert set(re.findall(r"\b([a-z_]+)=", right)) <= ours | {"interval", "timeout"}, row
