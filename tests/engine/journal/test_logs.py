"""The JSON lines that a service's own structlog writes are a timeline, too (I7)."""

import json
from io import BytesIO, StringIO

import pytest
import structlog

from recloser import Close, Hold, Retry, State, Stop
from recloser.change_line import CHANGED
from recloser.journal import Reader, RecordedError
from tests.engine.rig import DOWN, KICKED, REFUSED, UP, Answering, engine, turns, virtual

CAPPED = Close.frame(1013)


@pytest.fixture
def stream():
    """What a service writes that renders JSON."""
    out = StringIO()
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer()],
        logger_factory=structlog.WriteLoggerFactory(file=out),
    )
    yield out
    structlog.reset_defaults()


def entries(text, **options):
    reader = Reader(BytesIO(text.encode()), **options)
    return list(reader), reader


@pytest.mark.spec("I7")
def test_a_service_s_log_is_a_timeline(stream):
    seen = []
    told = Answering(Retry(0.25, rule="soon"), Hold("rest"), ZeroDivisionError("broken"))

    @virtual
    async def story():
        ws, transport = engine(UP, UP, UP, observers=[seen.append], policy=told, fields={"u": "a"})
        for close in (KICKED, CAPPED, REFUSED):
            ws.connect()
            await turns()
            transport.wires[-1].end(close)
            await turns()
        structlog.get_logger().info("cart.paid")
        assert ws.state is State.CLOSED

    story()
    found, reader = entries(stream.getvalue())
    assert len(found) == len(seen) > 6
    assert (reader.foreign, reader.broken) == (1, 0)
    for entry, change in zip(found, seen, strict=True):
        back = entry.change
        for name in ("previous", "current", "trigger", "generation", "attempt", "rule", "delay"):
            assert getattr(back, name) == getattr(change, name)
        assert back.decision == change.decision
        assert (back.close is None) == (change.close is None)
        if change.close is not None:
            assert (back.close.code, back.close.reason) == (change.close.code, change.close.reason)
            assert back.close.status == change.close.status
        assert back.context is None
        assert dict(entry.fields) == {"u": "a"}
    assert isinstance(found[-1].change.error, RecordedError)


def test_an_own_close_and_a_rest_are_told_apart(stream):
    @virtual
    async def story():
        ws, _ = engine(UP, UP)
        ws.connect()
        await turns()
        await ws.suspend()
        ws.connect()
        await turns()
        await ws.close()

    story()
    found, _ = entries(stream.getvalue())
    ends = [entry.change for entry in found if entry.change.close]
    assert [(end.current, end.decision) for end in ends] == [
        (State.PASSIVE, None),
        (State.CLOSED, None),
    ]


@pytest.mark.parametrize("place", ["event", "message", "msg"])
@pytest.mark.parametrize(
    "stamp", ["2023-11-14T22:13:20Z", "2023-11-14T22:13:20", "2023-11-14T23:13:20+01:00", 1.7e9]
)
def test_usual_renderings_are_understood(place, stamp):
    line = {
        place: CHANGED,
        "timestamp": stamp,
        "from": "closed",
        "to": "connecting",
        "trigger": "connect",
        "generation": 1,
        "attempt": 0,
        "session": "s1",
    }
    [entry], _ = entries(json.dumps(line), by="session")
    assert (entry.time, entry.engine) == (1.7e9, "s1")


@pytest.mark.parametrize("to", ["open", "connecting"])
def test_an_end_that_leads_nowhere_is_damage(stream, to):
    @virtual
    async def story():
        ws, _ = engine(DOWN, policy=Answering(Stop("no")))
        ws.connect()
        await turns()

    story()
    line = json.loads(stream.getvalue().splitlines()[-1])
    _, reader = entries(json.dumps({**line, "to": to}))
    assert reader.broken == 1
    _, reader = entries(json.dumps({**line, "to": "backoff", "delay": -1}))
    assert reader.broken == 1
