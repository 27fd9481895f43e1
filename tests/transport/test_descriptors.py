"""A process without a file descriptor says so, harms nothing that is open, and recovers (E8)."""

import asyncio
import errno
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from recloser.transport.descriptors import descriptors_spent

LIMIT = 60

CLIENT = """
import asyncio, json, os, resource, sys
import recloser

async def main(url, limit):
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, most))
    failures = []
    def see(change):
        if change.previous is recloser.State.CONNECTING and change.close is not None:
            failures.append((change.close, change.delay))
    engines = [recloser.connect(url, observers=[see]) for _ in range(limit)]
    for ws in engines:
        ws.connect()
    lone = engines[0]
    await lone.wait_for(recloser.State.OPEN)
    while not failures:
        await asyncio.sleep(0)
    await lone.send("still there")
    echo = await lone.receive()
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    await asyncio.gather(*(ws.wait_for(recloser.State.OPEN) for ws in engines))
    print(json.dumps({
        "errors": sorted({str(close.error) for close, _ in failures}),
        "kinds": sorted({(close.origin.value, close.cause.value) for close, _ in failures}),
        "delays": [delay for _, delay in failures],
        "echo": echo,
        "generations": lone.generation,
    }))
    await asyncio.gather(*(ws.close() for ws in engines))

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""

FULL = """
import asyncio, errno, os
import recloser

async def main():
    ws = recloser.connect("ws://127.0.0.1:9/")
    held = []
    while True:
        try:
            held.append(os.open(os.devnull, os.O_RDONLY))
        except OSError as error:
            assert error.errno == errno.EMFILE
            break
    ws.connect()
    await ws.wait_for(recloser.State.BACKOFF)
    for each in held:
        os.close(each)
    print(ws.last_close.error)
    await ws.close()

asyncio.run(main())
"""

LIFE = """
import asyncio, sys
import recloser

class Soon:
    standard = recloser.policies.standard()

    def decide(self, close, context):
        self.standard.decide(close, context)
        return recloser.Retry(0.01)

async def main(url):
    ws = recloser.connect(url, policy=Soon())
    loaded = set(sys.modules)
    async with ws:
        await ws.send("go away")
        await ws.wait_for(recloser.State.BACKOFF)
        await ws.wait_for(recloser.State.OPEN)
        assert ws.generation == 2 and ws.statistics().opens == 2
    print(sorted(set(sys.modules) - loaded))

asyncio.run(main(sys.argv[1]))
"""
"""A life from the first dial to the end: it prints the modules that were loaded meanwhile."""


async def _echo(request: web.Request) -> web.WebSocketResponse:
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    async for message in ws:
        await ws.send_str(message.data)
    return ws


async def _printed(
    serve: Callable[[web.Request], Awaitable[web.WebSocketResponse]], program: str, *more: str
) -> bytes:
    """What a program prints that is given the URL of this server; it must end well."""
    app = web.Application()
    app.router.add_get("/", serve)
    async with TestServer(app) as server:
        client = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program, f"ws://127.0.0.1:{server.port}/", *more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, err = await client.communicate()
    assert client.returncode == 0, err.decode()
    return out


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no RLIMIT_NOFILE")
@pytest.mark.spec("E8")
async def test_a_process_at_its_limit_names_it_and_opens_the_rest_once_it_is_raised() -> None:
    told = json.loads(await _printed(_echo, CLIENT, str(LIMIT)))
    (error,) = told["errors"]
    assert error == (
        f"[Errno {errno.EMFILE}] this process has no file descriptor left: its limit of {LIMIT} is "
        "RLIMIT_NOFILE (`ulimit -n`); raise the limit, or hold fewer connections in one process"
    )
    assert told["kinds"] == [["engine", "dial"]]
    assert all(delay > 0 for delay in told["delays"])
    assert (told["echo"], told["generations"]) == ("still there", 1)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no RLIMIT_NOFILE")
@pytest.mark.spec("E8")
def test_the_limit_is_named_where_no_descriptor_is_left_to_load_a_module() -> None:
    command = ("sh", "-c", f'ulimit -n {LIMIT}; exec "$@"', "sh", sys.executable, "-c", FULL)
    client = subprocess.run(command, capture_output=True, text=True, check=False)
    assert client.returncode == 0, client.stderr
    assert f"its limit of {LIMIT} is RLIMIT_NOFILE" in client.stdout


@pytest.mark.spec("E8")
async def test_what_a_life_needs_is_loaded_before_its_first_dial() -> None:
    async def leave(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for message in ws:
            await ws.close(code=1012, message=message.data.encode())
        return ws

    assert (await _printed(leave, LIFE)).strip() == b"[]"


@pytest.mark.spec("E8")
def test_the_limit_of_the_machine_is_another_one() -> None:
    error = RuntimeError()
    error.__cause__ = OSError(errno.ENFILE, "Too many open files in system")
    spent = descriptors_spent(error)
    assert spent is not None
    assert spent.errno == errno.ENFILE
    assert "fs.file-max" in str(spent)


@pytest.mark.spec("E8")
@pytest.mark.parametrize("error", [OSError(errno.ECONNREFUSED, "refused"), ValueError("no")])
def test_other_errors_are_not_touched(error: Exception) -> None:
    assert descriptors_spent(error) is None
