"""The examples of docs/admission.md run, and its snippets are what the proxies take (M4)."""

import asyncio
import shutil
import socket
from pathlib import Path

import pytest
from aiohttp import ClientConnectionError, ClientSession, web

from recloser.admission import Admission, aiohttp_admission
from tests.docs.blocks import blocks, run

NAME = "admission.md"


@pytest.mark.spec("M4.3")
def test_the_aiohttp_example_serves() -> None:
    async def story() -> None:
        runner = web.AppRunner(run("admission.md", blocks(NAME)[0])["make_app"]())
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/feed"
        async with ClientSession() as session, session.ws_connect(url) as ws:
            await ws.send_str("hello")
            assert await ws.receive_str() == "hello"
        await runner.cleanup()

    asyncio.run(story())


def test_the_asgi_example_guards() -> None:
    async def story() -> None:
        names = run(NAME, blocks(NAME)[1])
        arrivals: asyncio.Queue[dict[str, object]] = asyncio.Queue()
        said: asyncio.Queue[dict[str, object]] = asyncio.Queue()
        arrivals.put_nowait({"type": "websocket.connect"})
        task = asyncio.create_task(names["guarded"]({"type": "websocket"}, arrivals.get, said.put))
        assert await said.get() == {"type": "websocket.accept"}
        await names["admission"].drain()
        await task

    asyncio.run(story())


def test_the_signal_handler_is_one() -> None:
    assert callable(run(NAME, blocks(NAME)[2])["drain_at_sigterm"])


SNIPPETS = {"nginx": "nginx", "haproxy": "text"}
"""The language of the first block of each: nothing colours that of haproxy."""


def configured(program: str, app: int, front: int, folder: Path) -> list[str]:
    """Write the snippet of a proxy with these ports; return the command that runs it."""
    text = blocks(NAME, SNIPPETS[program])[0]
    text = text.replace("127.0.0.1:8081", f"127.0.0.1:{app}")
    text = text.replace("127.0.0.1:8080", f"127.0.0.1:{front}")
    file = folder / program
    if program == "nginx":
        here = f"daemon off; pid {folder}/pid; error_log {folder}/log;"
        file.write_text(f"{here} events {{}} http {{ access_log off; {text} }}", encoding="utf-8")
        return ["-p", str(folder), "-c", str(file)]
    times = "".join(f" timeout {each} 5s\n" for each in ("client", "server", "connect"))
    file.write_text(f"defaults\n mode http\n{times}{text}", encoding="utf-8")
    return ["-db", "-f", str(file)]


async def refusal(url: str) -> tuple[int, int]:
    """Ask for an upgrade until the proxy answers; the status and the figure."""
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
               "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}  # fmt: skip
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(60), ClientSession() as session:
        while True:
            try:
                async with session.get(url, headers=headers) as answer:
                    if "Retry-After" in answer.headers:
                        return answer.status, int(answer.headers["Retry-After"])
            except ClientConnectionError:
                pass
            turn = loop.create_future()
            loop.call_later(0.05, turn.set_result, None)
            await turn


@pytest.mark.slow
@pytest.mark.spec("M4.3")
@pytest.mark.parametrize("program", ["nginx", "haproxy"])
def test_a_proxy_passes_the_figure_and_draws_one_while_the_application_is_away(
    program: str, tmp_path: Path
) -> None:
    found = shutil.which(program, path="/usr/sbin:/usr/bin")
    if found is None:
        pytest.skip(f"apt-get install {program}")

    async def story() -> None:
        app = web.Application()
        admission = Admission(1.0, window=500.0, roll=lambda: 0.5)
        aiohttp_admission(app, admission)
        await admission.drain()
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        with socket.create_server(("127.0.0.1", 0)) as free:
            front = free.getsockname()[1]
        command = configured(program, runner.addresses[0][1], front, tmp_path)
        proxy = await asyncio.create_subprocess_exec(found, *command)
        try:
            while (told := await refusal(f"http://127.0.0.1:{front}/")) != (503, 251):
                assert program == "haproxy", told  # until its first check has passed
            await runner.cleanup()
            while (told := await refusal(f"http://127.0.0.1:{front}/")) == (503, 251):
                pass  # a proxy may have a connection open
            assert told[0] == 503
            assert 2 <= told[1] <= 10
        finally:
            proxy.terminate()
            await proxy.wait()

    asyncio.run(story())
