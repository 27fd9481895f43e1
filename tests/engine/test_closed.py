"""`ConnectionClosed` tells why: what the hook, the provider, the transport or the peer said."""

import pickle
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

import recloser
from recloser import Close, ConnectionClosed, PolicyError, State
from recloser.closed import closed_error
from recloser.testing import Fault, ScriptedServer
from tests.engine.journal.changes import LOST

SECRET = "the token=hush-4711 is spent"


async def reconnecting(ws: recloser.ReconnectingWebSocket) -> None:
    ws.reconnect()


CALLS: dict[str, Callable[[recloser.ReconnectingWebSocket], Awaitable[object]]] = {
    "wait_for": lambda ws: ws.wait_for(State.OPEN),
    "receive": lambda ws: ws.receive(),
    "iteration": anext,
    "send": lambda ws: ws.send("x"),
    "send_json": lambda ws: ws.send_json(1),
    "reconnect": reconnecting,
}


async def hook(opening: recloser.Opening) -> None:
    raise recloser.Unauthorized(SECRET)


def provider() -> Any:
    raise recloser.Unauthorized(SECRET)


async def bug(opening: recloser.Opening) -> None:
    raise KeyError("greeting")


class Giving:
    """Ends the engine at the first end."""

    def decide(self, close: recloser.Close, context: recloser.Context, /) -> recloser.Stop:
        return recloser.Stop("once")


OPTIONS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "on_open": ({"on_open": hook}, recloser.Unauthorized, "the token=*** is spent"),
    "on_open, a bug": ({"on_open": bug}, KeyError, "KeyError: 'greeting'"),
    "headers": ({"headers": provider}, recloser.Unauthorized, "the token=*** is spent"),
    "credentials": ({"credentials": provider}, recloser.Unauthorized, "the token=*** is spent"),
}


@pytest.mark.spec("I4.3", "I2")
@pytest.mark.parametrize("outbox", [False, True])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
async def test_every_call_in_closed_tells_what_was_raised(
    options: tuple[dict[str, Any], type[Exception], str], *, outbox: bool
) -> None:
    given, kind, text = options
    box = recloser.Outbox() if outbox else None
    async with ScriptedServer([Fault(do="serve", times=0)]) as server:
        ws = recloser.connect(server.url, policy=Giving(), outbox=box, **given)
        found = dict[str, ConnectionClosed]()
        with pytest.raises(ConnectionClosed) as opened:
            async with ws:
                pass
        found["async with"] = opened.value
        for name, call in CALLS.items():
            with pytest.raises(ConnectionClosed) as caught:
                await call(ws)
            found[name] = caught.value
    for error in found.values():
        assert type(error.__cause__) is kind
        assert text in str(error)
        assert "hush" not in str(error)
        assert error.close is ws.last_close
        assert error.close is not None
        assert error.code == error.close.code == 1006
        assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.spec("I4.3")
async def test_the_failure_of_a_supervised_engine_has_its_cause() -> None:
    async with ScriptedServer([Fault(do="serve", times=0)]) as server:
        async with recloser.Supervisor() as supervisor:
            ws = recloser.connect(server.url, policy=Giving(), on_open=bug)
            supervisor.add(ws, lambda ws: ws.receive(), name="one")
            await supervisor.wait()
        failure = supervisor.failures["one"]
    assert isinstance(failure, ConnectionClosed)
    assert isinstance(failure.__cause__, KeyError)


@pytest.mark.spec("I4.3")
@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Fault(do="close", code=4401, reason="token=hush-4711 expired"), "'token=*** expired'"),
        (Fault(do="refuse", status=403), "UpgradeRefused: 403"),
    ],
    ids=["reason", "refused"],
)
async def test_what_the_peer_said_is_in_the_text(fault: Fault, text: str) -> None:
    async with ScriptedServer([fault]) as server:
        ws = recloser.connect(server.url, policy=Giving())
        ws.connect()
        with pytest.raises(ConnectionClosed) as caught:
            await ws.receive()
    assert text in str(caught.value)
    assert "hush" not in str(caught.value)


@pytest.mark.spec("I2.1", "I2.2")
def test_neither_traceback_nor_repr_shows_a_secret() -> None:
    close = replace(
        Close.frame(4401, "token=hush has expired\r\nforged"), body="key=hush", error=OSError("no")
    )
    ended = LOST._replace(current=State.CLOSED, close=close)
    failed = PolicyError(close, LOST.context, None, "raised ValueError")
    for error in (closed_error(ended), closed_error(ended._replace(error=failed))):
        shown = ["".join(traceback.format_exception(error)), repr(error), str(error)]
        assert not any("hush" in each for each in shown)
        assert not any("\r" in each for each in shown)
        assert type(error).__name__ in repr(error)
