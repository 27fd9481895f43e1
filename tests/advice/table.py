"""Every piece of advice of the sources, with what follows it."""

import signal
from collections.abc import Callable
from unittest.mock import patch

import yarl

import recloser
from recloser import Acknowledgements, Outbox, State, policies
from recloser.credentials import Credentials, Token, query
from recloser.fsm import IllegalTrigger, Trigger
from recloser.outbox.table import IllegalMove, MessageState, MessageTrigger
from recloser.policies import Rule, RulePolicy, hold, retry, stop, when
from recloser.policies.overlaps import find
from recloser.simulate.scenario import Scenario
from recloser.testing import (
    Fault,
    Law,
    Lose,
    Plan,
    Story,
    parse_script,
    play,
)
from tests.advice import engine as acts
from tests.advice.collect import ROOT
from tests.advice.engine import (
    ACKS,
    LAST,
    RULE,
    adds,
    adds_late,
    adds_one,
    asks,
    broken,
    calling,
    connects,
    discards_itself,
    discards_known,
    discards_two,
    ended_scope,
    fills,
    handled,
    hooked,
    in_state,
    later,
    lending,
    lends_closed,
    looks_first,
    made,
    on_thread,
    receiving,
    replaces_one,
    returns_itself,
    scope_of,
    scripted,
    sending,
    sends,
    sends_inside,
    sends_outside,
    signalled,
    starts_a_task,
    supervised,
    used_twice,
    waits,
)
from tests.advice.follow import Advice, Shown, command
from tests.engine.rig import CUT, REFUSED, URL

SPACE = yarl.URL("ws://feed.example/?q=a b", encoded=True)
CODED = yarl.URL("ws://feed.example/?q=a%20b", encoded=True)
BOX = Outbox(acknowledgements=ACKS)
FILES = "engine/outbox/"
RULE_4000 = Rule("d", when(code=range(4000, 4010)), hold(), "So.")
RULE_4001 = Rule("e", when(code=range(4005, 4020)), stop(), "So.")
BOTH = Rule("f", when(code=range(4005, 4010)), hold(), "Where both hold.")


def raises(error: Callable[[], Exception]) -> Callable[[], None]:
    """Raise an error that a bug of a driver would bring."""

    def act() -> None:
        raise error()

    return act


def in_file(path: str, words: str) -> Callable[[], None]:
    """Look there."""

    def act() -> None:
        assert words in (ROOT / path).read_text(encoding="utf-8")

    return act


def findings(*rules: Rule) -> Callable[[], None]:
    """Look for rules that can never decide, and for those that overlap."""

    def act() -> None:
        found = find(rules)
        assert not found, str(found[0])

    return act


def played(times: int) -> Callable[[], None]:
    """Play a story where six moments are the most."""

    def act() -> None:
        with patch("recloser.testing.evidence.play._MOST", 6):
            play(policies.basic(), Story((Lose(CUT, times=times),)))

    return act


TABLE: dict[tuple[str, str], Advice | Shown] = {
    # -- what is given to connect ------------------------------------------------------------
    ("engine/assembly.py", "give them to your own transport"): Advice(
        scripted(max_message_size=9), scripted()
    ),
    ("engine/checks.py", "strip it"): Advice(
        lambda: recloser.connect(f"{URL}\n"), lambda: recloser.connect(f"{URL}\n".strip())
    ),
    (
        "engine/checks.py",
        "percent-encode each space and each character that is not ASCII in path and query: {}",
    ): Advice(lambda: recloser.connect(SPACE), lambda: recloser.connect(CODED)),
    ("engine/checks.py", "give one of them"): Advice(
        lambda: recloser.connect("ws://a:b@feed.example", headers={"Authorization": "x"}),
        lambda: recloser.connect("ws://feed.example", headers={"Authorization": "x"}),
    ),
    ("engine/checks.py", "leave the second out"): Advice(
        made(subprotocols=["a", "a"]), made(subprotocols=["a"])
    ),
    ("engine/checks.py", "leave it out"): Advice(made(headers={"Upgrade": "x"}), made(headers={})),
    ("engine/checks.py", "leave it out, since no extension is supported"): Advice(
        made(headers={"Sec-WebSocket-Extensions": "x"}), made()
    ),
    ("engine/checks.py", "give subprotocols"): Advice(
        made(headers={"Sec-WebSocket-Protocol": "chat"}), made(subprotocols=["chat"])
    ),
    (
        "engine/checks.py",
        "start a task in it where there is something to await; got {}",
    ): Advice(
        calling(lambda ws: ws.subscribe(later)), calling(lambda ws: ws.subscribe(starts_a_task))
    ),
    ("engine/checks.py", "give a plain function"): Shown(
        "engine/test_bad_input.py::test_a_function_that_turns_out_to_give_a_coroutine_is_told_of"
    ),
    ("engine/admission/aiohttp_admission.py", "call aiohttp_admission once for it"): Shown(
        "engine/admission/test_aiohttp_admission.py::test_an_application_has_one_admission"
    ),
    ("engine/fleet/lease.py", "make one for each engine"): Shown(
        "engine/fleet/test_lease.py::test_a_lease_belongs_to_one_engine"
    ),
    ("engine/fleet/lease.py", "name the connection that there is once"): Shown(
        "engine/fleet/test_lease.py::test_what_cannot_be_a_lease_is_refused"
    ),
    ("engine/fleet/rendezvous.py", "wait until one has joined"): Shown(
        "engine/fleet/test_rendezvous.py::test_nobody_has_nothing"
    ),
    ("engine/fleet/workers.py", "name what it is for"): Shown(
        "engine/fleet/test_workers.py::test_what_cannot_be_a_worker_is_refused"
    ),
    ("engine/fleet/workers.py", "use it in 'async with'"): Shown(
        "engine/fleet/test_workers.py::test_a_worker_is_a_member_in_its_block_alone"
    ),
    ("engine/fleet/workers.py", "make one for each block"): Shown(
        "engine/fleet/test_workers.py::test_a_worker_is_a_member_in_its_block_alone"
    ),
    ("engine/fleet/shared_provider.py", "give a constant to connect()"): Shown(
        "engine/fleet/test_shared_provider.py::test_what_cannot_be_shared_is_refused"
    ),
    ("engine/fleet/shared_provider.py", "give all processes the same"): Shown(
        "engine/fleet/test_shared_provider.py::test_what_leaves_the_process_is_sealed"
    ),
    ("engine/fleet/shared_provider.py", "make one by Fernet.generate_key()"): Shown(
        "engine/fleet/test_shared_provider.py::test_what_cannot_be_shared_is_refused"
    ),
    ("engine/fleet/redis_budget.py", "name what it is for"): Shown(
        "engine/fleet/test_redis_budget.py::test_a_budget_has_a_name"
    ),
    ("engine/fleet/redis_link.py", "see to the replication"): Shown(
        "engine/fleet/test_redis_store.py::test_a_grant_counts_when_the_replicas_have_it"
    ),
    ("engine/budget.py", "give one of them"): Shown(
        "engine/test_budget.py::test_a_store_of_ones_own_takes_the_place_of_the_file"
    ),
    ("engine/budget_file.py", "give the budget a file of its own"): Shown(
        "engine/test_budget.py::test_a_file_of_something_else_is_refused_and_left_as_it_is"
    ),
    ("transport/heartbeat.py", "use heartbeat=None for no pings"): Advice(
        made(heartbeat=0), made(heartbeat=None)
    ),
    ("policies/standard.py", "leave it out, or change a row with policies.override()"): Advice(
        lambda: policies.for_service("discord", peer_normal="hold"),
        lambda: policies.override(policies.for_service("discord"), RULE),
    ),
    (
        "engine/assembly.py",
        "make your own transport with what it needs, and give that",
    ): Shown(
        "transport/test_picows_transport.py::"
        "test_a_class_is_called_and_what_it_cannot_take_is_refused"
    ),
    ("engine/driver/limits.py", "give max_age, too"): Advice(
        made(gapless=True), made(gapless=True, max_age=60.0)
    ),
    ("engine/driver/callers.py", "move again later"): Shown(
        "engine/driver/test_moving.py::test_where_the_successor_fails_the_old_goes_on"
    ),
    ("engine/inspector/inspector.py", "give each a name"): Advice(
        acts.watching("ada", "ada"), acts.watching("ada", "bob")
    ),
    (
        "fsm/decisions.py",
        "give policies.standard() or policies.for_service(...), a name is for commands",
    ): Advice(made(policy="standard"), made(policy=policies.standard())),
    ("fsm/decisions.py", "call it: {}={}()"): Advice(
        made(policy=policies.standard), made(policy=policies.standard())
    ),
    # -- credentials -------------------------------------------------------------------------
    ("engine/credentials/store.py", "give them as they are"): Advice(
        lambda: Credentials(Credentials("x")),
        made(credentials=Credentials("x")),  # type: ignore[arg-type] # the mistake
    ),
    ("engine/credentials/store.py", "leave place out"): Advice(
        lambda: Credentials({"a": "b"}, place=query()), lambda: Credentials({"a": "b"})
    ),
    ("engine/credentials/store.py", "leave ahead out"): Advice(
        lambda: Credentials(str, cache=False, ahead=1.0), lambda: Credentials(str, cache=False)
    ),
    ("engine/credentials/token.py", "strip it"): Advice(
        lambda: Token("x\n"), lambda: Token("x\n".strip())
    ),
    ("engine/credentials/token.py", "raise Unauthorized instead"): Shown(
        "engine/credentials/test_store.py::test_a_provider_that_fails_is_a_failed_dial"
    ),
    # -- the state and the loop --------------------------------------------------------------
    ("transport/errors.py", "call connect(), and await wait_for(State.OPEN)"): Advice(
        in_state(scope_of, "closed"), in_state(connects, "closed")
    ),
    ("transport/errors.py", "await wait_for(State.OPEN), and try again"): Advice(
        calling(acts.loses_it), calling(waits)
    ),
    (
        "transport/errors.py",
        "await wait_for(State.OPEN), or give connect(outbox=recloser.Outbox())",
    ): Advice(in_state(sends, "backoff"), in_state(waits, "backoff")),
    (
        "transport/errors.py",
        "use opening.send() in on_open; elsewhere await wait_for(State.OPEN)",
    ): Advice(hooked(sends_outside), hooked(sends_inside)),
    (
        "transport/errors.py",
        "let one task receive and hand messages on, and give each task an iterator of its own",
    ): Advice(receiving(handing_on=False), receiving(handing_on=True)),
    ("transport/errors.py", "lend an open one that lives as long as the engine"): Advice(
        lends_closed, lending()()
    ),
    ("fsm/errors.py", "call connect(), or use 'async with'"): Advice(
        in_state(waits, "closed"), in_state(connects, "closed")
    ),
    ("fsm/errors.py", "fix it, then connect()"): Advice(broken(fixed=False), broken(fixed=True)),
    ("fsm/errors.py", "see fsm/table.py"): Advice(
        raises(lambda: IllegalTrigger(State.OPEN, Trigger.RETRY)), in_file("fsm/table.py", "OPEN")
    ),
    (
        "engine/driver/loop.py",
        (
            "call the engine from its own event loop; from a thread, use call_soon_threadsafe with "
            "what is not awaited, and run_coroutine_threadsafe with a coroutine function of yours "
            "in which the rest is called and awaited"
        ),
    ): Advice(on_thread(lambda ws, loop: ws.wake()), on_thread(acts.from_thread)),
    ("engine/driver/scope.py", "start tasks in on_open or while open"): Advice(
        ended_scope(lambda scope: scope.create_task(later())),
        calling(lambda ws: ws.scope.create_task(later())),
    ),
    ("engine/driver/scope.py", "register in on_open or while open"): Advice(
        ended_scope(lambda scope: scope.callback(print)),
        calling(lambda ws: ws.scope.callback(len, "")),
    ),
    ("engine/driver/scope.py", "watch in on_open or while open"): Advice(
        ended_scope(lambda scope: scope.watchdog(5.0)),
        calling(lambda ws: ws.scope.watchdog(5.0)),
    ),
    ("engine/queries.py", "choose another"): Advice(
        calling(asks("a", "a")), calling(asks("a", "b"))
    ),
    # -- hints and supervisor ----------------------------------------------------------------
    ("engine/hints/interfaces.py", "call ws.wake() from what your system tells you"): Shown(
        "engine/hints/test_hints.py::test_other_systems_are_told_what_to_do"
    ),
    ("engine/hints/signals.py", "call this there"): Shown(
        "engine/hints/test_hints.py::test_outside_the_main_thread_it_says_where_to_call"
    ),
    ("engine/hints/signals.py", "call wake() there"): Advice(
        handled(), signalled(signal.SIGUSR1, by_hand=True)
    ),
    ("engine/hints/signals.py", "choose another signal"): Advice(
        signalled(signal.SIGKILL), signalled(signal.SIGUSR2)
    ),
    ("engine/supervisor.py", "add engines inside 'async with supervisor'"): Advice(
        supervised(adds, within=False), supervised(adds)
    ),
    ("engine/supervisor.py", "check supervisor.stopping before add"): Advice(
        supervised(adds_late), supervised(looks_first)
    ),
    ("engine/supervisor.py", "replace or discard it"): Advice(
        supervised(adds_one), supervised(replaces_one)
    ),
    ("engine/supervisor.py", "see supervisor.engines for the names"): Advice(
        supervised(discards_two), supervised(discards_known)
    ),
    ("engine/supervisor.py", "discard others alone"): Advice(
        supervised(discards_itself), supervised(returns_itself)
    ),
    ("engine/supervisor.py", "make another"): Advice(
        used_twice(another=False), used_twice(another=True)
    ),
    # -- outbox ------------------------------------------------------------------------------
    ("engine/driver/sender.py", "give connect(outbox=recloser.Outbox())"): Advice(
        calling(sending(ttl=1.0)), calling(sending(ttl=1.0), outbox=Outbox())
    ),
    (
        "engine/driver/sender.py",
        "give connect(outbox=recloser.Outbox(acknowledgements=recloser.Acknowledgements()))",
    ): Advice(calling(sending(id="a")), calling(sending(id="a"), outbox=BOX)),
    ("engine/outbox/view.py", "give connect(outbox=recloser.Outbox())"): Advice(
        calling(lambda ws: ws.outbox), calling(lambda ws: ws.outbox, outbox=Outbox())
    ),
    ("engine/outbox/ledger.py", "give Outbox(acknowledgements=...)"): Advice(
        calling(lambda ws: ws.outbox.ack("a"), outbox=Outbox()),
        calling(lambda ws: ws.outbox.ack("a"), outbox=BOX),
    ),
    (
        "engine/outbox/ledger.py",
        "give Outbox(acknowledgements=recloser.Acknowledgements(...))",
    ): Advice(calling(sending(id="a"), outbox=Outbox()), calling(sending(id="a"), outbox=BOX)),
    ("engine/outbox/acknowledgements.py", "give matcher, too"): Advice(
        lambda: Acknowledgements(pass_on=True),
        lambda: Acknowledgements(pass_on=True, matcher=str),
    ),
    ("engine/outbox/options.py", "give path, too"): Advice(
        lambda: Outbox(fsync=True), lambda: Outbox(fsync=True, path="outbox.db")
    ),
    ("engine/outbox/message.py", "encode it first"): Advice(
        fills(Outbox(), 1), fills(Outbox(), str(1))
    ),
    ("transport/outgoing.py", "encode it first"): Shown(
        "transport/test_outgoing.py::test_what_is_no_message_is_named_and_not_counted"
    ),
    ("engine/outbox/errors.py", "split it, or raise that"): Advice(
        fills(Outbox(max_bytes=3), "long"), fills(Outbox(max_bytes=3), "lo", "ng")
    ),
    ("engine/outbox/errors.py", "wait, or give Outbox other bounds"): Advice(
        fills(Outbox(max_messages=1, when_full="raise"), "a", "b"),
        fills(Outbox(max_messages=2, when_full="raise"), "a", "b"),
    ),
    ("engine/outbox/errors.py", "check the path and its permissions"): Shown(
        f"{FILES}test_file.py::test_a_file_that_may_not_be_used_is_refused"
    ),
    ("engine/outbox/errors.py", "close the other engine, or give each a path of its own"): Shown(
        f"{FILES}test_durable.py::test_one_file_serves_one_engine_at_a_time"
    ),
    ("engine/outbox/errors.py", "give another path, or use the version that wrote it"): Shown(
        f"{FILES}test_file.py::test_what_is_not_ours_is_refused"
    ),
    (
        "engine/outbox/errors.py",
        "save what can be read with 'recloser outbox FILE --salvage NEW', and use NEW",
    ): Shown(f"{FILES}test_damaged.py::test_an_engine_goes_on_with_what_was_saved"),
    (
        "engine/outbox/errors.py",
        "make room on the disk, or check its health; sending again will try again",
    ): Shown(
        f"{FILES}test_durable.py::test_a_full_disk_refuses_what_is_new_and_keeps_what_is_there"
    ),
    ("engine/outbox/file/recovery.py", "name one that is not"): Shown(
        f"{FILES}test_damaged.py::test_nothing_is_made_where_nothing_can_be_saved"
    ),
    ("engine/outbox/table.py", "see outbox/table.py"): Advice(
        raises(lambda: IllegalMove(MessageState.WITHDRAWN, MessageTrigger.HAND_OVER)),
        in_file("engine/outbox/table.py", "HAND_OVER"),
    ),
    # -- closing, policies -------------------------------------------------------------------
    (
        "fsm/closecodes.py",
        "use 1000 to leave for good, or 1000-1003, 1007-1014, 3000-4999 (RFC 6455 section 7.4)",
    ): Advice(calling(lambda ws: ws.close(1005)), calling(lambda ws: ws.close(1000))),
    ("fsm/closecodes.py", "shorten it to {} (RFC 6455 section 5.5)"): Advice(
        calling(lambda ws: ws.close(1000, "x" * 124)),
        calling(lambda ws: ws.close(1000, "x" * 123)),
    ),
    ("fsm/table.py", "give each its own"): Shown(
        "fsm/test_table.py::test_check_catches_each_contradiction"
    ),
    ("policies/actions.py", "give at_least, too"): Advice(
        lambda: retry(unless_told=True), lambda: retry(unless_told=True, at_least=1.0)
    ),
    ("policies/combine.py", "give each its own"): Advice(
        lambda: policies.override(policies.standard(), RULE, RULE),
        lambda: policies.override(policies.standard(), RULE, Rule("c", when(code=1), retry(), "")),
    ),
    ("policies/conditions.py", "leave one of them out"): Advice(
        lambda: when(status=404, refused=False), lambda: when(status=404)
    ),
    ("policies/overlaps.py", "move or drop it"): Advice(findings(LAST, RULE), findings(RULE, LAST)),
    ("policies/overlaps.py", "say which is meant where both hold"): Advice(
        findings(RULE_4000, RULE_4001), findings(BOTH, RULE_4000, RULE_4001)
    ),
    ("policies/rules.py", "end with a rule for when(), which always holds"): Advice(
        lambda: RulePolicy("mine", (RULE,)), lambda: RulePolicy("mine", (RULE, LAST))
    ),
    ("policies/rules.py", "give each its own name"): Advice(
        lambda: RulePolicy("mine", (RULE, RULE, LAST)), lambda: RulePolicy("mine", (RULE, LAST))
    ),
    # -- lent sessions -----------------------------------------------------------------------
    ("transport/aiohttp_transport.py", "leave proxy= out"): Advice(
        lending(trust_env=True)(proxy="http://127.0.0.1:1"), lending(trust_env=True)()
    ),
    (
        "transport/aiohttp_transport.py",
        (
            "leave session= out, or lend one whose connector is an aiohttp_socks.ProxyConnector, "
            "without proxy="
        ),
    ): Shown("transport/test_socks.py::test_a_lent_session_brings_its_own_socks_connector"),
    ("transport/sessions.py", "give its Authorization header to the engine instead"): Shown(
        "transport/test_sessions.py::test_a_lent_session_with_auth_is_refused_with_a_way_out"
    ),
    ("transport/sessions.py", "lend a session without them"): Shown(
        "transport/test_lent_sessions.py::test_a_parameter_is_used_or_refused"
    ),
    # -- the command line --------------------------------------------------------------------
    ("tools/cli/check.py", "say which policy: module:object, standard, or a service"): Shown(
        "tools/cli/test_check.py::test_shipped_policies_go_by_name"
    ),
    ("tools/cli/connect.py", "give a header as 'Name: value'"): Shown(
        "tools/cli/test_connect.py::test_headers_and_subprotocols_go_with_every_dial"
    ),
    ("tools/cli/connect.py", "give seconds: a number of at least 0, or inf"): Shown(
        "tools/cli/test_connect.py::test_the_wait_for_answers_ends_by_itself"
    ),
    ("tools/cli/diagram.py", "give --format too"): Advice(
        command("diagram", "-o", "x.odd"), command("diagram", "--format", "mermaid")
    ),
    ("tools/cli/diagram.py", "give --theme light or dark"): Advice(
        command("diagram", "--format", "dot", "--theme", "auto"),
        command("diagram", "--format", "dot", "--theme", "light"),
    ),
    ("tools/cli/diagram.py", "give -f html, or -o with .html"): Shown(
        "tools/cli/test_diagram.py::test_a_story_is_played_by_html"
    ),
    ("tools/cli/diagram.py", "give -o FILE, or a pipe"): Shown(
        "tools/cli/test_diagram.py::test_svg_and_png_are_drawn_into_files_and_pipes"
    ),
    ("tools/cli/diagram.py", "leave out --theme"): Advice(
        command("diagram", "--format", "text", "--theme", "dark"),
        command("diagram", "--format", "text"),
    ),
    ("tools/cli/diagram.py", "leave out {}"): Advice(
        command("diagram", "outbox", "--highlight", "open"),
        command("diagram", "--highlight", "open"),
    ),
    ("tools/cli/diagram.py", "leave them out"): Advice(
        command("diagram", "--json", "--format", "dot"), command("diagram", "--json")
    ),
    ("tools/diagram/picture.py", "give {}"): Advice(
        command("diagram", "--highlight", "opened"), command("diagram", "--highlight", "open")
    ),
    ("tools/cli/explain.py", "give a CODE, --status, --cause, --server or --all"): Advice(
        command("explain"), command("explain", "1012")
    ),
    ("tools/cli/explain.py", "give CODE or --status"): Advice(
        command("explain", "1012", "--status", "404"), command("explain", "--status", "404")
    ),
    ("tools/cli/explain.py", "leave CODE and the facts out"): Advice(
        command("explain", "1012", "--all"), command("explain", "--all")
    ),
    ("tools/cli/explain.py", "leave CODE and the other facts out"): Advice(
        command("explain", "1012", "--server", "uvicorn", "--event", "stop"),
        command("explain", "--server", "uvicorn", "--event", "stop"),
    ),
    (
        "tools/cli/explain.py",
        "give --server and --event together; recloser field lists them",
    ): Advice(
        command("explain", "--server", "uvicorn"),
        command("explain", "--server", "uvicorn", "--event", "stop"),
    ),
    ("policies/field.py", "give one of {}"): Advice(
        command("field", "uvicorn", "halt"), command("field", "uvicorn", "stop")
    ),
    ("tools/cli/outbox.py", "save first, then show NEW"): Shown(
        "tools/cli/test_outbox.py::test_a_sound_one_can_be_saved_too"
    ),
    ("tools/cli/simulate.py", "leave it out with --sweep"): Shown(
        "tools/cli/test_simulate.py::test_a_sweep"
    ),
    # -- the testing kit ---------------------------------------------------------------------
    ("tools/simulate/scenario.py", "lower it"): Advice(
        lambda: Scenario(engines=1, outage=1.0, capacity=1.0, alone=0.9),
        lambda: Scenario(engines=1, outage=1.0, capacity=1.0, alone=0.1),
    ),
    ("tools/testing/doubles/faults.py", "leave it out, or give {}"): Advice(
        lambda: Fault(do="cut", code=1012), lambda: Fault(do="close", code=1012)
    ),
    ("tools/testing/doubles/faults.py", "send must be a list of texts"): Advice(
        lambda: parse_script("[[fault]]\nsend = [1]"),
        lambda: parse_script('[[fault]]\nsend = ["1"]'),
    ),
    ("tools/testing/doubles/faults.py", "write [[fault]]"): Advice(
        lambda: parse_script("fault = [1]"), lambda: parse_script("[[fault]]")
    ),
    ("tools/testing/doubles/raw_server.py", "give raw_server a context"): Shown(
        "transport/test_tls_ends.py::test_a_close_frame_over_tls"
    ),
    ("tools/testing/doubles/scripted.py", "leave echo_takes out"): Advice(
        lambda: Plan(deaf=True, echo_takes=1.0), lambda: Plan(deaf=True)
    ),
    ("tools/testing/doubles/scripted.py", "leave refused out, or the rest"): Advice(
        lambda: Plan(refused=REFUSED, deaf=True), lambda: Plan(refused=REFUSED)
    ),
    ("tools/testing/evidence/play.py", "make it shorter"): Advice(played(9), played(1)),
    ("tools/testing/laws/groups.py", "name one, or leave laws out for the default ones"): Shown(
        "tools/testing/test_policy_check.py::test_names_of_groups"
    ),
    ("tools/testing/laws/law.py", "give it a check, such as decision= or life="): Advice(
        lambda: Law(name="a", claim="b"), lambda: Law(name="a", claim="b", life=lambda life: None)
    ),
    ("tools/testing/transport_check.py", "name one, or leave laws out for all of them"): Shown(
        "tools/testing/test_transport_check.py::test_ours_keeps_it"
    ),
}
