"""A gallery of bad policies: each with the law that it breaks, and with who shipped it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from recloser.fsm.decisions import Policy
from recloser.testing import bad_policies as bad


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A bad policy, the law that it breaks, and who shipped it."""

    make: Callable[[], Policy]
    law: str
    seen: str


GALLERY: Final = (
    Exhibit(bad.RedialsAfterLogout, "intentional-stops", "websockets 17.4; phoenix #1841, #2187"),
    Exhibit(bad.OwnCloseByCode, "intentional-stops", "phoenix 1.7; robust-websocket 1.0.0"),
    Exhibit(bad.PeerNormalIsFinal, "peer-normal-returns", "phoenix 1.7.14, graphql-ws #446"),
    Exhibit(bad.ResetOnOpen, "eventually-settles", "websockets, Twisted, y-websocket #74, #195"),
    Exhibit(bad.NoJitter, "spreads-a-fleet", "six of ten clients measured; phoenix #4045, #5942"),
    Exhibit(bad.CapAfterJitter, "spreads-a-fleet", "socket.io-client 4.8.4"),
    Exhibit(bad.Overflows, "total", "stamina before 26.1, past attempt 1024"),
    Exhibit(bad.NeverCapped, "bounded", "graphql-ws 6.4.2"),
    Exhibit(bad.ComparesText, "codes-are-integers", "range rules of private codes, written twice"),
    Exhibit(bad.ConvertsToEnum, "codes-are-integers", "code that trusts aiohttp's WSCloseCode"),
    Exhibit(bad.KnocksForEver, "eventually-settles", "websocket-client 1.9.2, jetsocket 0.1.0"),
    Exhibit(bad.RefreshesForEver, "refresh-once", "ably-js #203, #311; realtime-js #246"),
    Exhibit(
        bad.StopsAtFirstRefusal, "survives-the-storm", "websockets: 401 on a redial ends the loop"
    ),
    Exhibit(bad.AtOnceOnUnknown, "no-hot-loop", "websockex: no backoff at all; signalr 10.0.11"),
    Exhibit(bad.NeedsReason, "reason-optional", "centrifuge-js 5.8.0, code 3500"),
    Exhibit(
        bad.CaseSensitive, "reason-optional", "joewalnes/reconnecting-websocket #127 and its like"
    ),
    Exhibit(bad.DrawsItsOwn, "pure", "stamina and backoff read the global random"),
    Exhibit(bad.CountsItself, "pure", "pysignalr: a retry budget that is never restored"),
    Exhibit(bad.TrustsTheServer, "bounded", "the first version of every Retry-After patch"),
    Exhibit(bad.ForgetsDials, "total", "aspnetcore #24957: the first dial is not thought of"),
    Exhibit(bad.LogOfZero, "total", "exponential jitter by inversion, in any language"),
    Exhibit(
        bad.HoldsOwnClose, "intentional-stops", "graphql-ws and SignalR, stopped while dialling"
    ),
)
"""All exhibits; the tests hold each against its law, and docs/testing.md shows the stories."""
