"""recloser: the reconnection engine for WebSockets in asyncio services.

    async with recloser.connect("wss://feed.example/v1") as ws:
        async for message in ws:
            await handle(message)

A name loads when it is first used (PEP 562): a program that needs no network loads none.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recloser import fsm, hints, outbox, policies, testing, transport
    from recloser.assembly import connect
    from recloser.budget import Budget
    from recloser.client import ReconnectingWebSocket
    from recloser.credentials import Credentials
    from recloser.distinct import Distinct
    from recloser.driver.callers import MoveFailed
    from recloser.driver.loop import WrongLoop
    from recloser.driver.message_records import MessageRecord
    from recloser.driver.opening import Opening, OpeningFailed
    from recloser.driver.watchdog import Watchdog
    from recloser.fsm.change import StateChange
    from recloser.fsm.decisions import Context, Hold, Policy, Retry, Session, Stop
    from recloser.fsm.errors import ConnectionClosed, IllegalTrigger, PolicyError, RecloserError
    from recloser.fsm.record import Close
    from recloser.fsm.states import State
    from recloser.fsm.timeouts import Timeouts
    from recloser.governor import Governor
    from recloser.outbox import (
        Acknowledgements,
        Drop,
        Outbox,
        OutboxDamaged,
        OutboxForeign,
        OutboxFull,
        OutboxInUse,
        OutboxNotSaved,
        OutboxUnusable,
    )
    from recloser.providers import Unauthorized
    from recloser.queries import Queries
    from recloser.settled import Settled, Status
    from recloser.supervisor import Supervisor
    from recloser.transport import Delivery, Heartbeat, ResumingContext
    from recloser.transport.errors import (
        ConcurrentReceive,
        NotOpen,
        ProxyUnusable,
        SessionClosed,
        UnsupportedAiohttp,
    )

_HOMES = {
    "Acknowledgements": "recloser.outbox",
    "Budget": "recloser.budget",
    "Close": "recloser.fsm.record",
    "ConcurrentReceive": "recloser.transport.errors",
    "ConnectionClosed": "recloser.fsm.errors",
    "Context": "recloser.fsm.decisions",
    "Credentials": "recloser.credentials",
    "Delivery": "recloser.transport",
    "Distinct": "recloser.distinct",
    "Drop": "recloser.outbox",
    "Governor": "recloser.governor",
    "Heartbeat": "recloser.transport",
    "Hold": "recloser.fsm.decisions",
    "IllegalTrigger": "recloser.fsm.errors",
    "MessageRecord": "recloser.driver.message_records",
    "MoveFailed": "recloser.driver.callers",
    "NotOpen": "recloser.transport.errors",
    "Opening": "recloser.driver.opening",
    "OpeningFailed": "recloser.driver.opening",
    "Outbox": "recloser.outbox",
    "OutboxDamaged": "recloser.outbox.errors",
    "OutboxForeign": "recloser.outbox.errors",
    "OutboxFull": "recloser.outbox.errors",
    "OutboxInUse": "recloser.outbox.errors",
    "OutboxNotSaved": "recloser.outbox.errors",
    "OutboxUnusable": "recloser.outbox.errors",
    "Policy": "recloser.fsm.decisions",
    "PolicyError": "recloser.fsm.errors",
    "ProxyUnusable": "recloser.transport.errors",
    "Queries": "recloser.queries",
    "RecloserError": "recloser.fsm.errors",
    "ReconnectingWebSocket": "recloser.client",
    "ResumingContext": "recloser.transport",
    "Retry": "recloser.fsm.decisions",
    "Session": "recloser.fsm.decisions",
    "SessionClosed": "recloser.transport.errors",
    "Settled": "recloser.settled",
    "State": "recloser.fsm.states",
    "StateChange": "recloser.fsm.change",
    "Status": "recloser.settled",
    "Stop": "recloser.fsm.decisions",
    "Supervisor": "recloser.supervisor",
    "Timeouts": "recloser.fsm.timeouts",
    "Unauthorized": "recloser.providers",
    "UnsupportedAiohttp": "recloser.transport.errors",
    "Watchdog": "recloser.driver.watchdog",
    "WrongLoop": "recloser.driver.loop",
    "connect": "recloser.assembly",
}
_MODULES = ("fsm", "hints", "outbox", "policies", "testing", "transport")

__all__ = [
    "Acknowledgements",
    "Budget",
    "Close",
    "ConcurrentReceive",
    "ConnectionClosed",
    "Context",
    "Credentials",
    "Delivery",
    "Distinct",
    "Drop",
    "Governor",
    "Heartbeat",
    "Hold",
    "IllegalTrigger",
    "MessageRecord",
    "MoveFailed",
    "NotOpen",
    "Opening",
    "OpeningFailed",
    "Outbox",
    "OutboxDamaged",
    "OutboxForeign",
    "OutboxFull",
    "OutboxInUse",
    "OutboxNotSaved",
    "OutboxUnusable",
    "Policy",
    "PolicyError",
    "ProxyUnusable",
    "Queries",
    "RecloserError",
    "ReconnectingWebSocket",
    "ResumingContext",
    "Retry",
    "Session",
    "SessionClosed",
    "Settled",
    "State",
    "StateChange",
    "Status",
    "Stop",
    "Supervisor",
    "Timeouts",
    "Unauthorized",
    "UnsupportedAiohttp",
    "Watchdog",
    "WrongLoop",
    "connect",
    "fsm",
    "hints",
    "outbox",
    "policies",
    "testing",
    "transport",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    elif name in _MODULES:
        value = import_module(f"recloser.{name}")
    else:
        from recloser.fsm.spelling import UnknownName  # noqa: PLC0415 - a mistake needs it

        raise UnknownName("recloser", name, __all__)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
