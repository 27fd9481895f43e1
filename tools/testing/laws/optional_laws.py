"""Laws about single decisions that some services want of theirs, and others do not."""

from typing import Final

from recloser.fsm.closecodes import ABNORMAL, NORMAL
from recloser.fsm.decisions import Context, Retry, Stop
from recloser.fsm.record import Cause, Close, Origin
from recloser.testing.evidence.interview import Interview, brief
from recloser.testing.laws.law import Law


def _named(ask: Interview, close: Close, context: Context) -> str | None:
    if ask(close, context).rule:
        return None
    return "the decision names no rule, so no log and no report can say why"


def _peer_normal_returns(ask: Interview, close: Close, context: Context) -> str | None:
    peers = close.code == NORMAL and close.cause is Cause.CLOSE_FRAME and not close.intentional
    if not peers or close.advice is not None or context.attempt != 1:
        return None
    if isinstance(ask(close, context), Stop):
        return "one 1000 from the peer ends it for good"
    return None


_DOUBT: Final = 600.0
"""Seconds for which a refusal may be doubted where the same address has been open before."""


_NOT_LET_IN: Final = frozenset({Cause.UNAUTHORIZED, Cause.REJECTED})


def _refusals_end(ask: Interview, close: Close, context: Context) -> str | None:
    final = (close.answered and close.status in (401, 403)) or close.cause in _NOT_LET_IN
    if not final or close.intentional or close.advice is not None:
        return None
    if context.been_open and context.denied_for < _DOUBT:
        return None  # a rolling restart answers so, and it passes
    decision = ask(close, context)
    if isinstance(decision, Retry) and not (decision.refresh and not context.refreshed):
        return f"it says {brief(decision)} to a refusal that the same credential meets again"
    return None


_PASSING: Final = frozenset({Cause.DNS, Cause.TCP, Cause.CONNECT_TIMEOUT})


def _never_gives_up(ask: Interview, close: Close, context: Context) -> str | None:
    if close.intentional or close.advice is not None:
        return None
    framed = close.cause is Cause.CLOSE_FRAME and close.code in (1001, 1011, 1012, 1013, 1014)
    broken = close.origin is Origin.NETWORK and close.cause in (Cause.EOF, Cause.RESET)
    busy = close.cause is Cause.REFUSED and close.status in (500, 502, 503, 504)
    natural = close.code == ABNORMAL or framed
    if not natural or not (framed or broken or busy or close.cause in _PASSING):
        return None
    if isinstance(ask(close, context), Stop):
        return "an outage, which passes, ends it for good"
    return None


def _honours_retry_after(ask: Interview, close: Close, context: Context) -> str | None:
    wanted = close.retry_after
    if wanted is None or close.intentional or wanted > 300:  # noqa: PLR2004 - a clamp is fine (D3)
        return None
    decision = ask(close, context)
    if isinstance(decision, Retry) and decision.delay < wanted:
        return f"told to wait {wanted:g} s, it comes back in {decision.delay:.6g} s"
    return None


NAMED: Final = Law(
    name="names-its-rule",
    claim="Every decision names the rule that made it.",
    why="Logs, journals and `recloser explain` show it.",
    optional=True,
    decision=_named,
)
PEER_NORMAL: Final = Law(
    name="peer-normal-returns",
    claim="A 1000 from the peer is not the end.",
    why="Half of the services close with 1000 for a restart, an idle time-out or a kick.",
    incident="phoenix 1.7.14 and robust-websocket take a server's 1000 as final; phoenix 1.8.16 "
    "gave the rule up.",
    optional=True,
    decision=_peer_normal_returns,
)
REFUSALS: Final = Law(
    name="refusals-end",
    claim="401, 403 and a provider without credentials end in closed or passive, ten minutes later "
    "where the address has been open before.",
    why="The same credential meets the same refusal; somebody has to sign in.",
    incident="jetsocket 0.1.0 retries 401 for ever; socketio/socket.io-client #737.",
    optional=True,
    decision=_refusals_end,
)
NEVER: Final = Law(
    name="never-gives-up",
    claim="1001, 1006, 1011-1014, 5xx and dials that find nobody never lead to Stop.",
    why="These pass. An unattended service has to be there when they have passed.",
    incident="robust-websocket stops after three dials, graphql-ws after five.",
    optional=True,
    decision=_never_gives_up,
)
RETRY_AFTER: Final = Law(
    name="honours-retry-after",
    claim="Nobody comes back sooner than a Retry-After of up to five minutes says.",
    why="A server that has no room says when it will; coming sooner takes room from others.",
    incident="Of six Python clients measured only lomond waits (websockets raises on 429).",
    optional=True,
    decision=_honours_retry_after,
)
