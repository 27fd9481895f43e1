"""Strategies for changes of state as an engine may announce them, and a few fixed ones."""

from hypothesis import strategies as st

from recloser.fsm import Cause, Close, Context, Hold, Origin, Phase, Retry, State, StateChange, Stop
from recloser.fsm.decisions import Session, Unsent
from recloser.fsm.states import Trigger, Wish

seconds = st.floats(0, 1e9)
counts = st.integers(0, 10**9)
rolls = st.floats(0, 1, exclude_max=True)
# Short words: what looks like a credential is redacted, and then is not what it was.
words = st.text(max_size=8).filter(lambda text: ":" not in text and "=" not in text)
rules = words


def maybe(values):
    return st.none() | values


closes = st.builds(
    Close,
    code=st.integers(0, 70000),
    origin=st.sampled_from(Origin),
    cause=st.sampled_from(Cause),
    reason=words,
    sent_code=maybe(st.integers(1000, 4999)),
    intentional=st.booleans(),
    wish=maybe(st.sampled_from(Wish)),
    clean=st.booleans(),
    status=maybe(st.integers(100, 599)),
    headers=st.dictionaries(st.sampled_from(["server", "retry-after", "date"]), words),
    body=words,
    retry_after=maybe(seconds),
    spread=maybe(seconds),
    advice=maybe(words),
    unsent=counts,
)
contexts = st.builds(
    Context,
    phase=st.sampled_from(Phase),
    attempt=counts,
    uptime=maybe(seconds),
    elapsed=seconds,
    since_dial=seconds,
    last_delay=maybe(seconds),
    last_roll=maybe(rolls),
    previous_immediate=st.booleans(),
    busy=counts,
    spread=maybe(seconds),
    streak=counts,
    refusals=counts,
    been_open=st.booleans(),
    denied_for=seconds,
    engines=counts,
    outage=maybe(seconds),
    crowded=st.booleans(),
    refreshed=st.booleans(),
    can_refresh=st.booleans(),
    roll=rolls,
    stable_after=seconds,
    budget_in=seconds,
)
unsents = st.sampled_from(Unsent)
decisions = (
    st.builds(Retry, seconds, st.booleans(), st.just(""), unsents, maybe(st.sampled_from(Session)))
    | st.builds(Hold, st.just(""), unsents)
    | st.builds(Stop, st.just(""), unsents)
)


@st.composite
def changes(draw):
    """Any change; its rule is that of its decision, as the core has it."""
    close = draw(maybe(closes))
    decision = None if close is None else draw(decisions)
    rule = draw(rules) if decision is not None else ""
    if decision is not None:
        object.__setattr__(decision, "rule", rule)
    return StateChange(
        previous=draw(st.sampled_from(State)),
        current=draw(st.sampled_from(State)),
        trigger=draw(st.sampled_from(Trigger)),
        at=draw(seconds),
        generation=draw(counts),
        attempt=draw(counts),
        close=close,
        context=None if close is None else draw(contexts),
        decision=decision,
        rule=rule,
        delay=draw(maybe(seconds)),
        uptime=draw(maybe(seconds)),
        waited=draw(seconds),
        unsent=draw(counts),
        undelivered=draw(counts),
    )


KICKED = Close.frame(1012, "restart")

LOST = StateChange(
    previous=State.OPEN,
    current=State.BACKOFF,
    trigger=Trigger.LOST,
    at=100.5,
    generation=3,
    attempt=1,
    close=KICKED,
    context=Context(phase=Phase.OPEN, attempt=1, uptime=60.25, elapsed=0.0, roll=0.125),
    decision=Retry(2.5, rule="restart"),
    rule="restart",
    delay=2.5,
    uptime=60.25,
)
OPENED = StateChange(
    previous=State.CONNECTING,
    current=State.OPEN,
    trigger=Trigger.OPENED,
    at=40.25,
    generation=3,
    attempt=0,
)
