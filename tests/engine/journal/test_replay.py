"""Another policy is asked about every recorded end, and what it would cost is added up (L5)."""

from io import BytesIO, StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser import policies
from recloser.fsm import Cause, Close, Hold, Origin, Phase, Retry, State, Stop, Unsent
from recloser.fsm.states import Trigger
from recloser.journal import Journal, Reader
from recloser.journal.replay import Replay
from recloser.testing import Plan
from tests.engine.journal.entries import BUSY, CUT, GONE, LEFT, Telling
from tests.engine.rig import UP, engine, pass_time, turns, virtual


class Always:
    """A policy with one answer."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def decide(self, close: Close, context: object) -> object:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def replayed(answer: object, *tellings: Telling) -> tuple[Replay, list]:
    found = Replay(Always(answer))
    entries = sorted((e for t in tellings for e in t.entries), key=lambda entry: entry.time)
    differences = [found.add(entry) for entry in entries]
    found.finish()
    return found, [each for each in differences if each is not None]


def codes(code: int, reason: str) -> Close:
    return Close(
        code=code, origin=Origin.PEER, cause=Cause.CLOSE_FRAME, clean=True, reason=reason, spread=9
    )


ends = st.sampled_from([CUT, GONE, BUSY]) | st.builds(
    codes, st.sampled_from([1001, 1012, 1013, 3000, 4000, 4401]), st.sampled_from(["", "restart"])
)


@pytest.mark.spec("I7", "L5")
@pytest.mark.parametrize("name", ["standard", "basic"])
@given(st.lists(st.tuples(ends, st.booleans(), st.floats(0, 100)), max_size=12))
def test_the_policy_that_wrote_a_journal_agrees_with_all_of_it(name, story):
    policy = getattr(policies, name)()
    stream = StringIO()

    @virtual
    async def live():
        plans = [UP if up else Plan(refused=close) for close, up, _ in story]
        ws, transport = engine(*plans, policy=policy, observers=[journal])
        for close, up, uptime in story:
            ws.connect()
            await turns()
            if up and ws.state is State.OPEN:
                await pass_time(uptime)
                transport.wires[-1].end(close)
                await turns()
        await ws.close()

    with Journal(stream) as journal:
        live()
    reader, found = Reader(BytesIO(stream.getvalue().encode())), Replay(policy)
    assert not [entry for entry in reader if found.add(entry)]
    assert (reader.broken, found.without) == (0, 0)
    assert found.judged >= len(story)


def one(decision: object, close: Close = CUT, **facts: object) -> Telling:
    return Telling().connect().open(1).lost(close, decision, 60, **facts)


@pytest.mark.spec("L5")
@pytest.mark.parametrize(
    ("then", "now", "differs"),
    [
        (Retry(5, rule="a"), Retry(5, rule="b"), False),
        (Retry(5), Retry(5 + 1e-9), False),
        (Retry(5), Retry(5.1), True),
        (Retry(5), Retry(5, refresh=True), True),
        (Retry(5), Retry(5, unsent=Unsent.DROP), True),
        (Retry(5), Hold(), True),
        (Hold("a"), Hold("b"), False),
        (Hold(), Stop(), True),
        (Stop("a"), Stop("b"), False),
        (Stop(), Stop(unsent=Unsent.DROP), True),
    ],
)
def test_what_counts_as_another_decision(then, now, differs):
    found, differences = replayed(now, one(then))
    assert found.judged == 1
    assert bool(differences) is differs
    if differs:
        assert (differences[0].then, differences[0].now.unsent) == (then, now.unsent)
        assert differences[0].context.phase is Phase.OPEN
        assert differences[0].close == CUT


def test_an_own_end_differs_by_its_messages_alone():
    assert not replayed(Hold(), one(Stop(), LEFT))[1]
    assert replayed(Stop(unsent=Unsent.DROP), one(Stop(), LEFT))[1]
    _, [failed] = replayed(Retry(1), one(Stop(), LEFT))
    assert "although the application ended" in failed.problem.problem


@pytest.mark.parametrize("answer", [ZeroDivisionError("broken"), "no decision"])
def test_a_policy_that_fails_would_have_stopped(answer):
    _, [failed] = replayed(answer, one(Retry(5)))
    assert isinstance(failed.now, Stop)
    assert failed.problem is not None
    _, differences = replayed(answer, one(Stop(), error=ValueError("failed then, too")))
    assert not differences


def test_ends_without_a_context_are_counted_and_not_asked_about():
    found, differences = replayed(Stop(), one(Retry(5), context=None))
    assert (found.judged, found.without, differences) == (0, 1, [])


def test_another_delay_adds_or_saves_that_time():
    ada = one(Retry(5)).retry(5).open(1)
    assert replayed(Retry(15), ada)[0].downtime == 10
    assert replayed(Retry(1), ada)[0].downtime == -4
    assert replayed(Retry(1), ada)[0].dials == 0


@pytest.mark.parametrize("trigger", [Trigger.WAKE, Trigger.CONNECT])
def test_a_wait_that_was_cut_short_would_have_been_cut_short(trigger):
    ada = one(Retry(50)).connect(10, trigger).open(1)
    assert replayed(Retry(500), ada)[0].downtime == 0
    assert replayed(Retry(4), ada)[0].downtime == -6


def test_a_stop_saves_the_dials_and_loses_the_time_until_the_application_connects():
    ada = one(Retry(5)).retry(5).lost(BUSY, Retry(5), 1).retry(5).open(1).lost(CUT, Hold(), 30)
    ada.connect(5, Trigger.WAKE).open(1).lost(CUT, Stop(), 20).connect(9).open(1)
    stopped, differences = replayed(Stop(), ada)
    assert (stopped.dials, stopped.downtime) == (-3, 30 + 20)
    assert [each.reached for each in differences] == [True, False, False]
    assert stopped.unreached == 2
    held, _ = replayed(Hold(), ada)
    assert (held.dials, held.downtime) == (-2, 30)


def test_a_stop_in_the_place_of_a_rest_cannot_be_woken():
    ada = one(Hold()).connect(5, Trigger.WAKE).open(1).lost(CUT, Hold(), 20)
    found, _ = replayed(Stop(), ada)
    assert (found.dials, found.downtime) == (-1, 20)


def test_what_is_open_at_the_end_counts_until_the_last_line_of_the_file():
    ada = one(Retry(5)).retry(5).open(1)
    bob = Telling("bob", ada.now + 100).connect()
    assert replayed(Stop(), ada, bob)[0].downtime == 100


def test_a_dial_in_the_place_of_a_stop_is_a_chance_and_no_more():
    ada = one(Stop()).connect(60)
    found, _ = replayed(Retry(4), ada)
    assert (found.dials, found.downtime, found.chance) == (1, 0, 56)
    bob = Telling("bob", ada.now + 100).connect()
    assert replayed(Retry(4), one(Hold()), bob)[0].chance == 156


def test_engines_do_not_disturb_each_other():
    ada = one(Retry(5)).retry(5).open(1)
    bob = Telling("bob", ada.now - 0.5).connect().open(1)
    assert replayed(Retry(7), ada, bob)[0].downtime == 2
