"""One structlog event a change, with every fact, no secret, and no way to stop the machine."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from recloser import Close, ConnectionClosed, Hold, Retry, State, Stop, log
from recloser.fsm import Cause, Decision, Origin
from tests.engine.rig import (
    CUT,
    DOWN,
    KICKED,
    UP,
    URL,
    Answering,
    Rig,
    ended,
    engine,
    opened,
    pass_time,
    turns,
    virtual,
)

NAMES = (
    "event log_level timestamp from to trigger rule code code_name reason intentional origin cause "
    "clean attempt peer delay generation uptime unsent undelivered"
)
FIELDS = frozenset(NAMES.split())
SECRET = "hunter2"


async def story(**options: Any) -> list[dict[str, Any]]:
    """What is logged on a way through every state."""
    policy = Answering(Retry(2.0, rule="again"), Hold("rest"), Retry(1.0), Stop("enough"))
    ws, transport = engine(DOWN, UP, UP, UP, UP, policy=policy, **options)
    with capture_logs() as logs:
        ws.connect()
        await ws.wait_for(State.OPEN)
        transport.wires[-1].end(KICKED)
        await turns()
        ws.wake()
        await ws.wait_for(State.OPEN)
        await ws.suspend(3001, "pause")
        ws.connect()
        await ws.wait_for(State.OPEN)
        transport.wires[-1].end(CUT)
        await ws.wait_for(State.OPEN)
        transport.wires[-1].end(KICKED)
        await turns()
        ws.connect()
        await ws.close()
    return list(logs)


@pytest.mark.spec("I1.1", "I1.2", "I4.1", "B10")
@virtual
async def test_one_event_a_change_with_every_field() -> None:
    seen: list[Any] = []
    logs = await story(fields={"session": "s-1", "user": 7}, observers=[seen.append])
    assert len(logs) == len(seen)
    for line, change in zip(logs, seen, strict=True):
        assert line["event"] == "websocket.state_changed"
        assert set(line) - {"sent_code", "status", "error"} == FIELDS | {"session", "user"}
        assert (line["from"], line["to"]) == (change.previous.value, change.current.value)
        assert (line["trigger"], line["rule"]) == (change.trigger.value, change.rule)
        assert (line["generation"], line["attempt"]) == (change.generation, change.attempt)
        assert (line["delay"], line["unsent"]) == (change.delay, change.unsent)
        assert (line["session"], line["user"]) == ("s-1", 7)
        assert line["timestamp"].endswith("+00:00")
        close = change.close
        if close is None:
            assert line["code"] is line["reason"] is line["intentional"] is line["origin"] is None
            continue
        assert (line["code"], line["intentional"]) == (close.code, close.intentional)
        assert (line["origin"], line["cause"]) == (close.origin.value, close.cause.value)
        assert line["clean"] is close.clean
        assert line["reason"] == close.reason
    names = {(line["code"], line["code_name"]) for line in logs if line["code"] is not None}
    assert {(1012, "Service Restart"), (1006, "Abnormal Closure")} <= names


@pytest.mark.spec("I1.6", "I4.1")
@virtual
async def test_levels_tell_what_needs_a_look() -> None:
    logs = await story()
    for line in logs:
        if line["intentional"] is not False:
            assert line["log_level"] == "info"
        else:
            assert line["log_level"] == ("error" if line["to"] == "closed" else "warning")
    assert {line["log_level"] for line in logs} == {"info", "warning", "error"}


@pytest.mark.spec("I1.6")
@pytest.mark.parametrize(
    ("uptime", "answer", "level"),
    [
        (9.0, Retry(1.0), "warning"),
        (11.0, Retry(1.0), "info"),
        (11.0, Hold("rest"), "warning"),
        (11.0, Stop("enough"), "error"),
    ],
)
@virtual
async def test_a_stable_connection_that_ends_and_comes_back_is_quiet(
    uptime: float, answer: Decision, level: str
) -> None:
    ws, wire, _ = await opened(UP, UP, policy=Answering(answer))
    await pass_time(uptime)
    with capture_logs() as logs:
        wire.end(KICKED)
        await turns()
    assert logs[0]["log_level"] == level
    await ws.close()


@pytest.mark.spec("I8")
@virtual
async def test_a_policy_that_raises_is_told_with_its_traceback() -> None:
    def broken() -> None:
        raise ValueError(f"no rule for token={SECRET}")

    class Failing(Answering):
        def decide(self, close: Close, context: Any) -> Any:
            broken()

    ws, wire, _ = await opened(policy=Failing())
    with capture_logs() as logs:
        wire.end(KICKED)
        await turns()
    [line] = logs
    assert (line["event"], line["log_level"]) == ("websocket.policy_failed", "error")
    assert "in broken\n" in line["exception"]
    assert SECRET not in line["exception"]
    await ws.close()


@pytest.mark.spec("I1.1")
@virtual
async def test_details_appear_where_there_are_any() -> None:
    close = Close(
        code=1006,
        origin=Origin.PEER,
        cause=Cause.REFUSED,
        status=429,
        retry_after=12.0,
        sent_code=1002,
        error=OSError(28, "no space"),
    )
    ws, wire, _ = await opened(policy=Answering(Retry(1.23456)))
    ws.advise("slow down")
    with capture_logs() as logs:
        wire.end(close)
    line = logs[0]
    assert (line["status"], line["retry_after"], line["sent_code"]) == (429, 12.0, 1002)
    assert line["advice"] == "slow down"
    assert line["error"] == "OSError: [Errno 28] no space"
    assert line["delay"] == 1.235
    await ws.close()


@pytest.mark.spec("I2")
@virtual
async def test_no_secret_is_logged() -> None:
    close = Close(
        code=4401,
        origin=Origin.PEER,
        cause=Cause.CLOSE_FRAME,
        reason=f"token={SECRET} expired",
        headers={"set-cookie": SECRET, "authorization": SECRET},
        error=ValueError(f"cannot reach wss://me:{SECRET}@feed.example/?key={SECRET}"),
    )

    class Leaky(Answering):
        def decide(self, close: Close, context: Any) -> Any:
            raise ValueError(f"Authorization: Bearer {SECRET}")

    ws, wire, _ = await opened(
        url=f"ws://feed.example/v1?token={SECRET}",
        headers={"Authorization": f"Bearer {SECRET}"},
        subprotocols=[f"token.{SECRET}"],
        policy=Leaky(),
    )
    ws.advise(f"password: {SECRET}")
    with capture_logs() as logs:
        wire.end(close)
    assert len(logs) == 1
    assert logs[0]["reason"] == "token=*** expired"
    assert SECRET not in repr(logs)
    assert SECRET not in repr(ws)
    assert SECRET not in str(await ended(ws.receive()))


@pytest.mark.spec("I1.2")
@virtual
async def test_the_facts_of_the_engine_win_over_fields_of_the_same_name() -> None:
    logs = await story(fields={"code": "mine", "to": "mine", "timestamp": "mine", "extra": 1})
    assert all(line["code"] != "mine" and line["to"] != "mine" for line in logs)
    assert all(line["timestamp"] != "mine" and line["extra"] == 1 for line in logs)


@pytest.mark.spec("I1.2")
@virtual
async def test_fields_are_read_at_each_line() -> None:
    fields = {"session": "none"}
    ws, _ = engine(UP, fields=fields)
    with capture_logs() as logs:
        ws.connect()
        fields["session"] = "s-2"
        await ws.wait_for(State.OPEN)
        await ws.close()
    assert [line["session"] for line in logs] == ["none", "s-2", "s-2", "s-2"]


@pytest.mark.spec("I1.2")
@virtual
async def test_context_variables_are_those_of_the_task_that_caused_the_line() -> None:
    lines: list[tuple[str, object]] = []

    def keep(logger: Any, method: str, line: Any) -> Any:
        lines.append((line["to"], line.get("request")))
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, keep])
    try:
        ws, _, _ = await opened(UP, UP)

        async def request() -> None:
            structlog.contextvars.bind_contextvars(request=1)
            ws.reconnect()

        await asyncio.create_task(request())
        await ws.wait_for(State.CONNECTING)
        await ws.wait_for(State.OPEN)
        await ws.close()
    finally:
        structlog.configure(**before)
    assert lines == [
        *(("connecting", None), ("open", None), ("closing", 1), ("connecting", 1), ("open", 1)),
        *(("closing", None), ("closed", None)),
    ]


class Moody(Mapping[str, object]):
    """Raises when it is read."""

    def __getitem__(self, name: str) -> object:
        raise LookupError("no context here")

    def __iter__(self) -> Iterator[str]:
        return iter(["session"])

    def __len__(self) -> int:
        return 1


def broken_disk(*_: Any) -> Any:
    raise OSError(28, "No space left on device")


@pytest.mark.spec("I1.4", "I3.2")
@pytest.mark.parametrize("what", ["fields", "disk", "logger"])
@virtual
async def test_a_line_that_cannot_be_written_does_not_stop_the_machine(what: str) -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, told: reported.append(told))
    ws, transport = engine(UP, UP, fields=Moody() if what == "fields" else {})
    ws.subscribe(lambda change: 1 / 0)
    before = structlog.get_config()
    structlog.configure()
    if what == "disk":
        structlog.configure(processors=[broken_disk])
    if what == "logger":
        structlog.configure(logger_factory=broken_disk)
    try:
        ws.connect()
        await ws.wait_for(State.OPEN)
        transport.wires[-1].end(CUT)
        await ws.wait_for(State.OPEN)
        await ws.close()
    finally:
        structlog.configure(**before)
    assert len(reported) == 2 * 7  # a change, and a listener that fails, seven times
    assert {type(told["exception"]) for told in reported} == {
        LookupError if what == "fields" else OSError
    }
    assert "recloser could not log websocket.state_changed" in {
        told["message"] for told in reported
    }


@pytest.mark.spec("I1.3")
@virtual
async def test_what_an_application_configures_is_used_and_nothing_is_configured_by_us() -> None:
    out = io.StringIO()
    before = structlog.get_config()
    try:
        structlog.configure(
            processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer()],
            logger_factory=structlog.PrintLoggerFactory(out),
        )
        async with Rig("open") as rig:
            await rig.ws.close()
    finally:
        structlog.configure(**before)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["to"] for line in lines] == ["connecting", "open", "closing", "closed"]
    assert log.LOGGER is not None


@pytest.mark.spec("I1.3")
@virtual
async def test_what_the_level_leaves_out_is_not_even_read() -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, told: reported.append(told))
    before = structlog.get_config()
    try:
        for level, expected in ((logging.INFO, 4), (logging.WARNING, 0)):
            structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(level))
            ws, _ = engine(UP, fields=Moody())
            ws.connect()
            await ws.wait_for(State.OPEN)
            await ws.close()
            assert len(reported) == expected
            reported.clear()
    finally:
        structlog.configure(**before)


@pytest.mark.spec("I1.3")
@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR])
@virtual
async def test_a_line_comes_from_its_level_on(level: int) -> None:
    everything = await story()
    before = structlog.get_config()
    try:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(level))
        lines = await story()
    finally:
        structlog.configure(**before)
    levels = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
    wanted = [line["to"] for line in everything if levels[line["log_level"]] >= level]
    assert [line["to"] for line in lines] == wanted


@pytest.mark.spec("I1.3")
@virtual
async def test_processors_see_what_the_logging_of_the_standard_library_drops() -> None:
    everything = await story()
    before = structlog.get_config()
    try:
        structlog.configure(
            wrapper_class=structlog.stdlib.BoundLogger,
            logger_factory=structlog.stdlib.LoggerFactory(),
        )
        assert not logging.getLogger("recloser").isEnabledFor(logging.INFO)
        lines = await story()
    finally:
        structlog.configure(**before)
    assert [line["to"] for line in lines] == [line["to"] for line in everything]


@pytest.fixture
def plain() -> Iterator[None]:
    """A service that has not configured structlog."""
    before, configured = structlog.get_config(), structlog.is_configured()
    structlog.reset_defaults()
    yield
    if configured:
        structlog.configure(**before)


@pytest.mark.spec("I8")
@pytest.mark.usefixtures("plain")
@virtual
async def test_without_structlog_configured_lines_are_records_of_the_standard_library(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO, "recloser")
    ws, wire, _ = await opened(
        UP, UP, policy=Answering(Retry(1.0, rule="again")), fields={"user": "ada", "name": "x"}
    )
    wire.end(CUT)
    await ws.wait_for(State.OPEN)
    await ws.close()
    records = [each for each in caplog.records if each.name == "recloser"]
    lines: list[dict[str, Any]] = [each.__dict__["recloser"] for each in records]
    assert [line["to"] for line in lines] == [
        *("connecting", "open", "backoff", "connecting", "open", "closing", "closed")
    ]
    assert [each.levelname for each in records].count("WARNING") == 1
    [lost] = [each for each in records if each.levelname == "WARNING"]
    assert lost.getMessage().startswith("websocket.state_changed user=ada name=x from=open")
    assert "rule=again" in lost.getMessage()
    assert "reason=" not in lost.getMessage()  # none was given, and none is invented
    assert capsys.readouterr().out == ""


@pytest.mark.spec("I2.2")
@pytest.mark.usefixtures("plain")
@virtual
async def test_what_others_say_begins_no_line_and_steers_no_terminal(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A reason, advice, a name of the application's, and the text of an exception."""
    caplog.set_level(logging.INFO, "recloser")
    forged = "bye\r\nERROR all is lost\x1b[2J\u202e"
    fields = {"user": f"ada{forged}"}
    ws, wire, transport = await opened(UP, UP, policy=Answering(Retry(1.0), Stop()), fields=fields)
    ws.advise(forged)
    wire.end(Close.frame(4000, forged))
    await ws.wait_for(State.OPEN)
    transport.wires[-1].end(replace(CUT, error=OSError(forged)))
    with pytest.raises(ConnectionClosed) as closed:
        await ws.wait_for(State.OPEN)
    told = [each.getMessage() for each in caplog.records if each.name == "recloser"]
    assert sum("all is lost" in line for line in told) == len(told)
    for text in (*told, str(closed.value)):
        assert text.isprintable()


@pytest.mark.spec("I8")
@pytest.mark.usefixtures("plain")
@virtual
async def test_what_the_standard_library_leaves_out_is_not_even_read() -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, told: reported.append(told))
    ws, _ = engine(UP, fields=Moody())
    ws.connect()
    await ws.wait_for(State.OPEN)
    await ws.close()
    assert reported == []  # nothing below WARNING is asked for


@pytest.mark.spec("I2", "I8")
@pytest.mark.parametrize("route", ["structlog", "standard"])
@virtual
async def test_code_that_fails_is_told_with_its_traceback_and_without_its_secrets(
    route: str, caplog: pytest.LogCaptureFixture
) -> None:
    def listen(change: object) -> None:
        raise LookupError(f"no account for token={SECRET}")

    caplog.set_level(logging.INFO, "recloser")  # a command may have set another one
    before, configured = structlog.get_config(), structlog.is_configured()
    structlog.reset_defaults()
    try:
        with capture_logs() if route == "structlog" else nullcontext([]) as logs:
            ws, _ = engine(UP)
            ws.subscribe(listen)
            ws.connect()
            await ws.close()
    finally:
        structlog.configure(**before) if configured else structlog.reset_defaults()
    told = [dict(line) for line in logs]
    told += [each.__dict__["recloser"] for each in caplog.records if each.name == "recloser"]
    lines = [line for line in told if line.get("who", "").endswith("listen")]
    assert lines
    for line in lines:
        assert line["exception"].startswith("Traceback (most recent call last):")
        assert "in listen" in line["exception"]
        assert SECRET not in repr(line)


@pytest.mark.spec("I4.1")
@virtual
async def test_waiting_resting_giving_up_and_leaving_are_told_apart_by_one_record() -> None:
    def kind(line: dict[str, Any]) -> str:
        if line["to"] == "backoff":
            return "waiting"
        if line["to"] == "passive":
            return "resting"
        if line["to"] == "closed":
            return "left" if line["trigger"] == "close" or line["intentional"] else "gave up"
        return ""

    kinds = [kind(line) for line in await story()]
    assert [each for each in kinds if each] == [
        *("waiting", "resting", "resting", "waiting", "gave up", "left")
    ]
    async with Rig("backoff") as rig:
        with capture_logs() as logs:
            await rig.ws.close()
    assert [kind(line) for line in logs] == ["left"]


@virtual
async def test_no_line_holds_the_url() -> None:
    assert URL not in repr(await story())
