"""Bad policies, each as some client really shipped it: for reading, and for tests. Not for use."""

import itertools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from recloser.fsm.decisions import Context, Decision, Hold, Policy, Retry, Stop
from recloser.fsm.record import Cause, Close


def _jittered(context: Context, base: float = 1.0, cap: float = 60.0) -> float:
    """Draw from the upper half of an exponential: what is right in the policies below."""
    return min(cap, base * 2.0 ** min(context.attempt - 1, 10)) * (0.5 + context.roll / 2)


class RedialsAfterLogout:
    """Asks only for the code, and forgets that the application had closed."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.code == 1008:
            return Stop("refused")
        return Retry(_jittered(context) if context.attempt else 1.0)


class OwnCloseByCode:
    """Takes 1000 as the sign of an own close, whoever sent it and whatever came back."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.code == 1000:
            return Stop("normal")
        return Retry(_jittered(context) if context.attempt else 1.0)


class PeerNormalIsFinal:
    """Takes a 1000 from the server as the end of everything."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional or close.code == 1000:
            return Stop("normal")
        return Retry(_jittered(context))


class ResetOnOpen:
    """Forgets its failures as soon as a socket opens."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop("asked")
        if context.uptime is not None:
            return Retry(0.5 + context.roll / 2)
        return Retry(_jittered(context))


class NoJitter:
    """Doubles its delay to the second, as all its siblings do."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop("asked")
        return Retry(min(60.0, 2.0 ** min(context.attempt, 10)))


class CapAfterJitter:
    """Caps what it has jittered: from the fourth attempt on all wait 5 s exactly."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop("asked")
        raw = 2.0 ** min(context.attempt - 1, 20)
        return Retry(min(5.0, raw * (0.5 + context.roll)))


class Overflows:
    """Raises at attempt 1025, when a float has no room left for the power."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop("asked")
        return Retry(min(60.0, 0.5 * 2.0 ** (context.attempt - 1)) * (0.5 + context.roll / 2))


class NeverCapped:
    """Doubles for ever: after a day of outage it waits for weeks."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop("asked")
        return Retry(2.0 ** min(context.attempt, 1000) * (0.5 + context.roll / 2))


class ComparesText:
    """Looks at the first digit of the code."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional or str(close.code).startswith("4"):
            return Stop("private")
        return Retry(_jittered(context))


class _Known(IntEnum):
    NORMAL = 1000
    AWAY = 1001
    ABNORMAL = 1006
    RESTART = 1012


class ConvertsToEnum:
    """Turns the code into an enum, which knows four of them."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop("asked")
        if _Known(close.code) is _Known.RESTART:
            return Retry(5.0 + 25.0 * context.roll)
        return Retry(_jittered(context))


class KnocksForEver:
    """Meets every 401 with another dial three seconds later."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop("asked")
        if close.status == 401:
            return Retry(2.0 + 2.0 * context.roll)
        return Retry(_jittered(context))


class RefreshesForEver:
    """Asks for a new token each time one is refused."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop("asked")
        if close.status == 401 or close.code in (3000, 4401):
            return Retry(1.0 + context.roll, refresh=True)
        return Retry(_jittered(context))


class StopsAtFirstRefusal:
    """Redials once, and takes the first dial that fails for the end of the service."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional or context.uptime is None:
            return Stop("refused")
        return Retry(_jittered(context))


class AtOnceOnUnknown:
    """Has a table of codes, and dials at once for whatever is not in it."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop("asked")
        known = range(1000, 1016)
        return Retry(_jittered(context) if close.code in known else 0.0)


class NeedsReason:
    """Takes a close without a text for a network failure, and the same code with one as final."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop("asked")
        if 3500 <= close.code < 4000 and close.reason:
            return Stop("terminal")
        return Retry(_jittered(context))


class CaseSensitive:
    """Knows "token expired" and not "Token expired"."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop("asked")
        if "token expired" in close.reason and not context.refreshed:
            return Retry(1.0 + context.roll, refresh=True)
        return Retry(_jittered(context))


class DrawsItsOwn:
    """Calls random() where it was given a roll."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop("asked")
        return Retry(_jittered(context) * random.uniform(0.5, 1.0))  # noqa: S311 - the flaw


class CountsItself:
    """Counts its retries over all connections and never forgets them."""

    def __init__(self) -> None:
        self._retries = itertools.count(1)

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional or next(self._retries) > 5:
            return Stop("budget")
        return Retry(_jittered(context))


class TrustsTheServer:
    """Waits for as long as a Retry-After says, were it for a hundred years."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop("asked")
        if close.retry_after is not None:
            return Retry(close.retry_after + 5.0 * context.roll)
        return Retry(_jittered(context))


class ForgetsDials:
    """Looks at the uptime, which a dial that failed has none of."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop("asked")
        if context.uptime < 5.0:  # type: ignore[operator] # the flaw
            return Retry(_jittered(context))
        return Retry(_jittered(context, base=0.5))


class LogOfZero:
    """Draws exponential jitter with a logarithm, which the smallest roll does not have."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop("asked")
        return Retry(min(120.0, 5.0 + 5.0 * -math.log(context.roll)))


class HoldsOwnClose:
    """Rests instead of ending when the application closes with a dial under way."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Hold("rest") if close.cause is Cause.CANCELLED else Stop("asked")
        return Retry(_jittered(context))


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A bad policy, the law that it breaks, and who shipped it."""

    make: Callable[[], Policy]
    law: str
    seen: str


GALLERY: Final = (
    Exhibit(RedialsAfterLogout, "intentional-stops", "websockets 17.4; phoenix #1841, #2187"),
    Exhibit(OwnCloseByCode, "intentional-stops", "phoenix 1.7; robust-websocket 1.0.0"),
    Exhibit(PeerNormalIsFinal, "peer-normal-returns", "phoenix 1.7.14, graphql-ws #446"),
    Exhibit(ResetOnOpen, "eventually-settles", "websockets, Twisted, y-websocket #74, #195"),
    Exhibit(NoJitter, "spreads-a-fleet", "six of ten clients measured; phoenix #4045, #5942"),
    Exhibit(CapAfterJitter, "spreads-a-fleet", "socket.io-client 4.8.4"),
    Exhibit(Overflows, "total", "stamina before 26.1, past attempt 1024"),
    Exhibit(NeverCapped, "bounded", "graphql-ws 6.4.2"),
    Exhibit(ComparesText, "codes-are-integers", "range rules of private codes, written twice"),
    Exhibit(ConvertsToEnum, "codes-are-integers", "code that trusts aiohttp's WSCloseCode"),
    Exhibit(KnocksForEver, "eventually-settles", "websocket-client 1.9.2, jetsocket 0.1.0"),
    Exhibit(RefreshesForEver, "refresh-once", "ably-js #203, #311; realtime-js #246"),
    Exhibit(StopsAtFirstRefusal, "survives-the-storm", "websockets: 401 on a redial ends the loop"),
    Exhibit(AtOnceOnUnknown, "no-hot-loop", "websockex: no backoff at all; signalr 10.0.11"),
    Exhibit(NeedsReason, "reason-optional", "centrifuge-js 5.8.0, code 3500"),
    Exhibit(CaseSensitive, "reason-optional", "joewalnes/reconnecting-websocket #127 and its like"),
    Exhibit(DrawsItsOwn, "pure", "stamina and backoff read the global random"),
    Exhibit(CountsItself, "pure", "pysignalr: a retry budget that is never restored"),
    Exhibit(TrustsTheServer, "bounded", "the first version of every Retry-After patch"),
    Exhibit(ForgetsDials, "total", "aspnetcore #24957: the first dial is not thought of"),
    Exhibit(LogOfZero, "total", "exponential jitter by inversion, in any language"),
    Exhibit(HoldsOwnClose, "intentional-stops", "graphql-ws and SignalR, stopped while dialling"),
)
"""All exhibits; the tests hold each against its law, and docs/testing.md shows the stories."""
