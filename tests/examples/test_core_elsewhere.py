"""The core drives trio and threads: the examples live through a real server, without asyncio."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trio
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from recloser.fsm import Cause, Close, Context, Phase, Retry, State, StateChange, Stop

EXAMPLES = Path(__file__).parents[2] / "examples"

Told = tuple[list[str], list[StateChange]]


class Soon:
    """At once; a refused upgrade ends it."""

    def decide(self, close: Close, context: Context) -> Retry | Stop:
        return Stop("refused") if context.phase is Phase.DIAL else Retry(0.0, rule="soon")


@dataclass
class Server:
    """Sends the number of each connection, and ends it as its act says."""

    acts: list[Callable[[ServerConnection], None]]
    dials: int = 0
    codes: dict[int, int | None] = field(default_factory=dict)
    """The close code of each connection, by its number; complete when the server has ended."""
    refuse_from: int = 99
    url: str = ""
    threads: list[threading.Thread] = field(default_factory=list)

    def live(self, connection: ServerConnection) -> None:
        self.threads.append(threading.current_thread())
        self.dials += 1
        number = self.dials
        with contextlib.suppress(ConnectionClosed):
            connection.send(f"connection {number}")
            self.acts[number - 1](connection)
        with contextlib.suppress(ConnectionClosed):
            connection.recv()
        self.codes[number] = connection.close_code

    def check(self, connection: ServerConnection, request: object) -> Any:
        return connection.respond(404, "gone") if self.dials >= self.refuse_from else None


def goes_away(connection: ServerConnection) -> None:
    connection.close(1001, "back soon")


def is_cut(connection: ServerConnection) -> None:
    connection.socket.shutdown(2)


def stays(connection: ServerConnection) -> None:
    """Let the client end it."""


@contextlib.contextmanager
def serving(server: Server) -> Iterator[Server]:
    with serve(server.live, "127.0.0.1", 0, process_request=server.check) as listener:
        server.url = f"ws://127.0.0.1:{listener.socket.getsockname()[1]}/"
        thread = threading.Thread(target=listener.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown()
            for each in (thread, *server.threads):
                each.join()


def in_threads(url: str, last: str) -> Told:
    from core_in_threads import Client

    seen: list[str] = []
    changes: list[StateChange] = []

    def take(connection: object, message: str) -> None:
        seen.append(message)
        if message == last:
            client.close()

    client = Client(url, take, Soon(), changes.append)
    client.run()
    return seen, changes


def in_trio(url: str, last: str) -> Told:
    from core_in_trio import Client

    seen: list[str] = []
    changes: list[StateChange] = []

    async def take(connection: object, message: str) -> None:
        seen.append(message)
        if message == last:
            client.close()

    client = Client(url, take, Soon(), changes.append)
    trio.run(client.run)
    return seen, changes


drivers = pytest.mark.parametrize("drive", [in_threads, in_trio])


@pytest.fixture(autouse=True)
def _examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)


@pytest.mark.spec("A1", "A2")
@drivers
def test_it_comes_back_and_not_after_its_own_close(drive: Callable[[str, str], Told]) -> None:
    with serving(Server([goes_away, is_cut, stays])) as server:
        seen, changes = drive(server.url, "connection 3")
        assert seen == ["connection 1", "connection 2", "connection 3"]
        assert [(each.previous, each.current) for each in changes[-2:]] == [
            (State.OPEN, State.CLOSING),
            (State.CLOSING, State.CLOSED),
        ]
        ends = [each.close for each in changes if each.close is not None]
        assert [(each.code, each.reason, each.intentional) for each in ends] == [
            (1001, "back soon", False),
            (1006, "", False),
            (1000, "", True),
        ]
        assert server.dials == 3
    assert server.codes == {1: 1001, 2: 1006, 3: 1000}


@pytest.mark.spec("A3")
@drivers
def test_a_refused_upgrade_reaches_the_policy(drive: Callable[[str, str], Told]) -> None:
    with serving(Server([goes_away], refuse_from=1)) as server:
        _, changes = drive(server.url, "never")
    last = changes[-1]
    assert last.gave_up
    assert last.close is not None
    assert (last.close.status, last.close.body.strip()) == (404, "gone")


@pytest.mark.parametrize("name", ["core_in_threads.py", "core_in_trio.py"])
def test_each_is_under_a_hundred_lines_and_free_of_asyncio(name: str) -> None:
    text = (EXAMPLES / name).read_text()
    assert len(text.splitlines()) < 100
    assert "import asyncio" not in text


@pytest.mark.spec("A3")
@drivers
def test_nobody_listens(drive: Callable[[str, str], Told]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}/"
    _, changes = drive(url, "never")
    assert changes[-1].close is not None
    assert changes[-1].close.cause is Cause.TCP
