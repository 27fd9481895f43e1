"""The parameters of the testing kit and of the pictures."""

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from recloser import testing
from recloser.diagram import Picture
from recloser.fsm import Close, Retry, State, Stop
from recloser.fsm.decisions import Phase as EndPhase
from recloser.policies import standard
from recloser.simulate.scenario import Scenario
from recloser.testing import (
    Call,
    Fleet,
    HandClock,
    Invoke,
    Law,
    Lose,
    Open,
    Plan,
    Question,
    Report,
    ScriptedServer,
    ScriptedTransport,
    Story,
    Tell,
    Timeline,
    TimelineEntry,
    TransportExhibit,
    TransportLaw,
    TransportReport,
    Verdict,
    Wait,
    strategies,
)
from recloser.testing.evidence.fleets import fleet_dials
from recloser.testing.evidence.literals import Literals
from tests.engine.rig import CUT, DEAF, KICKED, REFUSED, UP, Answering, opened, pass_time, turns
from tests.parameters.lives import life, tries
from tests.parameters.rows import Kept, Probe, Table, kept, made_by, probes, shown
from tests.policies.rig import after, received

# -- doubles ----------------------------------------------------------------------------------


def clock(*, jumps: float = 0.0, when: float = 5.0, seconds: float = 9.0, **start: float) -> object:
    told: list[object] = []
    made = HandClock(**start)
    made.call_at(when, lambda: told.append(made.monotonic()))
    made.advance(seconds)
    made.jump(jumps)
    return made.monotonic(), made.wall(), told


def called(*, callback: Callable[[list[str]], Callable[[], object]]) -> object:
    told: list[str] = []
    made = HandClock()
    made.call_at(1.0, callback(told))
    made.advance(2.0)
    return told


async def entries(
    *,
    what: tuple[str, ...] = ("sent",),
    connection: int | None = None,
    added: str = "sent",
    on_entry: Any = None,
) -> object:
    told: list[object] = []
    timeline = Timeline(None if on_entry is None else told.append)
    timeline.add(TimelineEntry(1.0, 1, added))
    timeline.add(TimelineEntry(2.0, 2, "closed"))
    timeline.add(TimelineEntry(3.0, 2, "sent"))
    return timeline.of(*what, connection=connection), len(told)


async def until(*, what: str = "sent", times: int = 1, within: float = 5.0) -> object:
    timeline = Timeline()
    later = asyncio.get_running_loop().call_later
    for at in (1.0, 7.0):
        later(at, timeline.add, TimelineEntry(at, 1, "sent"))
    try:
        found: object = (await timeline.until(what, times=times, within=within)).at
    except TimeoutError as error:
        found = str(error)
    return found, asyncio.get_running_loop().time()


async def noted(*, connection: int = 1, what: str = "sent", detail: str = "x") -> object:
    server = ScriptedServer()
    server.note(connection, what, detail)
    return [(each.connection, each.what, each.detail) for each in server.timeline]


async def planned(**fate: Any) -> object:
    """A dial of this fate; nobody consumes what its peer says."""

    async def play(ws: Any, transport: ScriptedTransport) -> object:
        await tries(ws, transport)
        return [wire.unread for wire in transport.wires]

    return await life(play, Plan(**fate))()


async def played_by_peer(*, message: str = "x", count: int = 1, close: Close = CUT) -> object:
    """A peer that says something, reads some of what it is sent, and ends."""
    ws, wire, _ = await opened(UP, UP)
    wire.deliver(message)
    received = await ws.receive()
    wire.stall()
    sending = [asyncio.ensure_future(ws.send(each)) for each in "ab"]
    await turns()
    wire.flow(count)
    wire.end(close)
    await asyncio.gather(*sending, return_exceptions=True)
    found = received, wire.sent, ws.last_close
    await ws.close()
    return found


def script(text: str) -> object:
    return testing.parse_script(text)


def loaded(*, path: str) -> object:
    with tempfile.TemporaryDirectory() as folder:
        for name, deed in (("a", "cut"), ("b", "reset")):
            Path(folder, name).write_text(f'[[fault]]\ndo = "{deed}"\n', encoding="utf-8")
        return testing.load_script(Path(folder, path))


async def sleeps(seconds: float) -> float:
    await pass_time(seconds)
    return asyncio.get_running_loop().time()


def ran(*, seconds: float) -> object:
    return testing.run(sleeps(seconds))


def advanced(*, seconds: float) -> object:
    loop = testing.VirtualTimeLoop()
    loop.advance(seconds)
    loop.close()
    return loop.time()


def says(word: str) -> Callable[[list[str]], Callable[[], object]]:
    return lambda told: lambda: told.append(word)


SERVER = "tools/testing/doubles/test_scripted_server.py::"
DEEDS = f"{SERVER}test_each_deed_is_recorded_as_what_it_was"
DOUBLES: Table = {
    **probes("HandClock", clock, {"monotonic": 2.0, "wall": 100.0}),
    **probes("HandClock.advance", clock, {"seconds": 4.0}),
    **probes("HandClock.call_at", clock, {"when": 7.0}),
    **probes("HandClock.call_at", called, {"callback": says("two")}, callback=says("one")),
    ("HandClock.jump", "seconds"): Probe(clock, {}, {"jumps": 3.0}),
    **probes("Timeline", entries, {"on_entry": True}),
    ("Timeline.add", "entry"): Probe(entries, {}, {"added": "closed"}),
    **probes("Timeline.of", entries, {"what": ("closed",), "connection": 2}),
    **probes("Timeline.until", until, {"what": "closed", "times": 2, "within": 0.5}),
    **probes("ScriptedServer.note", noted, {"connection": 2, "what": "cut", "detail": "y"}),
    **probes("ScriptedServer.url_for", lambda client: ScriptedServer().url_for(client),
             {"client": "b"}, client="a"),
    **shown(
        "ScriptedServer",
        script=DEEDS,
        port=f"{SERVER}test_a_taken_port_is_an_error_at_once",
        repeat=f"{SERVER}test_a_script_can_start_over",
        on_entry="tools/cli/test_serve.py::test_it_plays_its_script_and_ends_on_ctrl_c",
    ),
    **shown(
        "Fault",
        do=DEEDS,
        code=DEEDS,
        reason=DEEDS,
        status=DEEDS,
        headers=DEEDS,
        after=DEEDS,
        delay=DEEDS,
        send=DEEDS,
        duplicate=DEEDS,
        pongs=f"{SERVER}test_silence_and_pings_without_answer",
        count=f"{SERVER}test_a_flood_and_a_dial_that_hangs",
        size=f"{SERVER}test_a_flood_and_a_dial_that_hangs",
        times=f"{SERVER}test_a_script_can_start_over",
        client=f"{SERVER}test_faults_for_one_client_meet_no_other",
    ),
    **probes("Plan", planned, {
        "takes": 3.0,
        "refused": REFUSED,
        "deaf": True,
        "echo_takes": 2.0,
        "messages": ("hello",),
    }),
    **probes("ScriptedTransport", lambda plans: next(ScriptedTransport(plans)._plans), {
        "plans": (DEAF,),
    }, plans=(UP,)),
    **made_by("connect", "ScriptedTransport.dial", "request", "ended"),
    **made_by("connect", "ScriptedWire", "plan", "request", "ended"),
    **shown("ScriptedWire.restrict", allowed="engine/fleet/test_lease.py::"
            "test_who_wakes_too_late_sends_nothing"),
    **made_by("connect", "ScriptedWire.send", "message", "item"),
    **made_by("connect", "ScriptedWire.close", "code", "reason"),
    **made_by("connect", "ScriptedWire.connection_lost", "error"),
    **made_by("connect", "ScriptedWire.control_received", "frame"),
    **probes("ScriptedWire.deliver", played_by_peer, {"message": "y"}),
    **probes("ScriptedWire.end", played_by_peer, {"close": KICKED}),
    **probes("ScriptedWire.flow", played_by_peer, {"count": 2}),
    **probes("parse_script", script, {"text": '[[fault]]\ndo = "cut"'}, text="[[fault]]\n"),
    **probes("load_script", loaded, {"path": "b"}, path="a"),
    **probes("run", ran, {"seconds": 2.0}, seconds=1.0),
    ("run", "main"): Probe(ran, {"seconds": 1.0}, {"seconds": 2.0}),
    **probes("VirtualTimeLoop.advance", advanced, {"seconds": 2.0}, seconds=1.0),
    **made_by("raw_server", "RawPeer", "sock", "tls"),
    **made_by("raw_server", "RawServer", "sock", "tls"),
    **shown("RawPeer.send", data="transport/test_peer_ends.py::"
            "test_a_valid_code_is_recorded_with_its_reason_and_echoed"),
    **shown("RawPeer.upgrade",
            tail="transport/test_peer_ends.py::test_what_comes_with_the_upgrade_is_not_lost",
            headers="transport/test_peer_ends.py::test_the_answer_to_the_upgrade_can_be_read"),
    **shown("raw_server",
            tls="transport/test_tls_ends.py::test_a_close_frame_over_tls",
            receive_buffer="transport/test_outgoing.py::"
            "test_messages_in_the_write_buffer_are_counted_until_they_have_left"),
}  # fmt: skip
del DOUBLES["run", "seconds"]


# -- laws and evidence ------------------------------------------------------------------------


class Hasty:
    """Breaks `bounded`: each delay is more than a day."""

    def decide(self, close: Close, context: Any, /) -> Any:
        return Stop() if close.intentional else Retry(90_000.0)


def one_law(**arguments: Any) -> object:
    question = Question(received(1012), after(1))
    options = {"law": "bounded", "make_policy": Hasty, "evidence": question, **arguments}
    try:
        return testing.assert_law(**options)
    except testing.BrokenLaw as broken:
        return str(broken)


def problem(**arguments: Any) -> object:
    [bounded] = [law for law in testing.LAWS if law.name == "bounded"]
    question = Question(received(1012), after(1))
    return testing.problem_of(
        **{"law": bounded, "make_policy": Hasty, "evidence": question, **arguments}
    )


def held_against(**checks: Any) -> object:
    """What a law with this check says of each kind of evidence."""
    law = Law(name="mine", claim="claims", **(checks or {"life": lambda life: None}))
    pieces = (
        Question(received(1012), after(1)),
        Story((Lose(received(1012)),)),
        Fleet(parting=KICKED, engines=3, depth=1),
        Scenario(engines=3, outage=1.0, capacity=9.0),
    )
    return [testing.problem_of(law, standard, each) for each in pieces]


def complains(*evidence: object) -> str:
    return "it is asked"


def story(
    *, acts: tuple[Any, ...] = (Lose(CUT), Lose(CUT)), policy: Any = standard, **options: Any
) -> object:
    trace = testing.play(policy(), Story(acts, **options))
    return [(each.at, each.event) for each in trace.moments], trace.asked, trace.state


KICK = Lose(KICKED)


def acted(make: Callable[..., Any], *, then: Any = KICK) -> Callable[..., Any]:
    return lambda **arguments: story(acts=(Open(), make(**arguments), then))


def fleet(**options: Any) -> object:
    options = {"parting": KICKED, "engines": 4, "depth": 2, **options}
    return fleet_dials(standard().decide, Fleet(**options))


POLICY = "tools/testing/test_policy_check.py::"
SEARCH = {
    "laws": f"{POLICY}test_names_of_groups",
    "examples": f"{POLICY}test_the_report_tells_every_law_and_what_was_tried",
    "quick": "tools/testing/test_gallery.py::test_a_quick_check_catches_it_too",
    "seed": f"{POLICY}test_the_same_seed_tells_the_same_story",
    "max_delay": f"{POLICY}test_max_delay_is_the_callers",
    "progress": f"{POLICY}test_progress_is_told_and_ends_with_all",
}
LAWS: Table = {
    **shown("check_policy", make_policy=f"{POLICY}test_a_class_an_object_and_a_function_serve",
            **SEARCH),
    **shown("examine", make_policy=f"{POLICY}test_a_class_an_object_and_a_function_serve",
            source="tools/cli/test_check.py::"
            "test_the_test_that_is_printed_fails_until_the_flaw_is_gone",
            processes="tools/testing/search/test_fork.py::"
            "test_a_sound_policy_is_searched_by_two_processes_with_one_report", **SEARCH),
    **probes("assert_law", one_law, {
        "law": "total", "make_policy": standard, "max_delay": 900_000.0,
        "evidence": Question(received(1000), after(1)),
    }),
    **probes("problem_of", problem, {
        "law": testing.LAWS[0], "make_policy": standard, "max_delay": 900_000.0,
        "evidence": Fleet(parting=KICKED),
    }),
    **probes("Law", held_against, {
        "decision": complains, "life": complains, "client": complains, "fleet": complains,
        "storm": complains,
    }),
    **shown("Law", memory="tools/testing/test_gallery.py::"
            "test_it_is_caught_by_the_law_that_it_breaks",
            concerns=f"{POLICY}test_the_finite_part_asks_a_law_about_what_concerns_it"),
    **{
        ("Law", name): Kept(Law, name, {"name": "mine", "claim": "claims", "life": complains})
        for name in ("name", "claim", "why", "incident", "optional")
    },
    **probes("Story", story, {
        "acts": (Open(), Lose(CUT)), "can_refresh": True, "roll": 0.9, "takes": 3.0,
    }, roll=0.1),
    **probes("play", story, {"policy": Answering, "acts": (Open(), Lose(CUT))}),
    ("play", "story"): Probe(story, {}, {"acts": (Open(), Lose(CUT))}),
    **probes("Invoke", acted(Invoke), {"call": Call.CLOSE}, call=Call.SUSPEND),
    **probes("Lose", acted(Lose), {"close": CUT, "uptime": 60.0, "times": 3}, close=KICKED),
    **probes("Tell", acted(Tell), {
        "advice": "stop", "retry_after": 9.0, "spread": 50.0,
    }, advice="retry"),
    **probes("Wait", acted(Wait), {"seconds": 3.0}, seconds=1.0),
    **kept(Question),
    **probes("Fleet", fleet, {
        "parting": received(1000), "dials": REFUSED, "before": 2, "engines": 3, "depth": 1,
        "seed": 5,
    }),
    **probes("fair", testing.fair, {"number": 2}, number=1),
    **shown(
        "walk",
        answers="fsm/test_walk.py::test_fewer_answers_lead_to_fewer_places",
        make_core="fsm/test_walk.py::"
        "test_a_core_that_breaks_a_clause_is_found_by_the_shortest_way",
    ),
    **kept(testing.BrokenLaw),
    **kept(testing.Life),
    **kept(testing.Line),
    **kept(testing.Moment),
    **kept(Report),
    **kept(TimelineEntry),
    **kept(testing.Trace),
    **kept(TransportExhibit),
    **kept(TransportLaw),
    **kept(TransportReport),
    **kept(Verdict),
    **kept(testing.Walk),
    **kept(testing.Stage),
}  # fmt: skip
del LAWS["play", "acts"]


# -- transports, strategies, pictures ---------------------------------------------------------

CHECK = "tools/testing/test_transport_check.py::"
STAGE = f"{CHECK}test_ours_keeps_it"
TRANSPORTS: Table = {
    **shown(
        "check_transport",
        make=f"{CHECK}test_a_bad_transport_is_caught_by_the_law_that_it_breaks",
        laws=f"{CHECK}test_a_law_that_is_none",
        loop_factory=STAGE,
        patience=f"{CHECK}test_no_patience_is_none",
    ),
    **shown(
        "examine_transport",
        make=f"{CHECK}test_a_bad_transport_is_caught_by_the_law_that_it_breaks",
        laws=f"{CHECK}test_a_law_that_is_none",
        loop_factory=STAGE,
        patience=f"{CHECK}test_no_patience_is_none",
    ),
    **shown("Stage.line", secure=STAGE, receive_buffer=STAGE, tail=STAGE, headers=STAGE,
            max_message_size=STAGE, heartbeat=STAGE, request=STAGE),
    **shown("Stage.transport", secure=STAGE, max_message_size=STAGE, heartbeat=STAGE),
    **shown("Stage.server", secure=STAGE, receive_buffer=STAGE),
    **shown("Stage.note", what=f"{CHECK}test_a_law_of_ones_own_and_what_it_leaves_behind"),
}  # fmt: skip


def drawn(make: Callable[..., st.SearchStrategy[Any]]) -> Callable[..., Any]:
    """An observer: what a strategy gives in fifteen examples, the same ones each time."""

    def observe(**arguments: Any) -> object:
        found: list[str] = []

        @settings(
            max_examples=15,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            deadline=None,
        )
        @given(make(**arguments))
        def draw(value: object) -> None:
            found.append(repr(value))

        draw()
        return found

    return observe


KNOWN = Literals((4321, 0.123), ("a word of mine",))
STRATEGIES: Table = {
    row: probe
    for name in ("rolls", "seconds", "reasons", "codes", "ends", "closes", "contexts", "acts",
                 "stories")
    for row, probe in probes(name, drawn(getattr(strategies, name)), {"known": KNOWN}).items()
} | {
    **probes("seconds", drawn(strategies.seconds), {"most": 3.0}),
    **probes("contexts", drawn(strategies.contexts), {"phase": EndPhase.DIAL}),
    **probes("schedules", drawn(strategies.schedules), {"most": 2}),
    **probes("stories", drawn(strategies.stories), {"most": 2}),
    **probes("fault_scripts", drawn(strategies.fault_scripts), {"most": 1}),
}  # fmt: skip


def inside(*, state: State) -> object:
    return Picture().inside(state)


PICTURES: Table = {
    **kept(Picture),
    **probes("Picture.inside", inside, {"state": State.PASSIVE}, state=State.CLOSING),
}

TABLE: Table = DOUBLES | LAWS | TRANSPORTS | STRATEGIES | PICTURES
