"""The life of one close event: the hops it takes, each with the code that does it.

A test runs a real close through a real engine and holds the hops against the calls.
"""

from typing import Final, NamedTuple


class Hop(NamedTuple):
    """One step; the next one is given `gives`."""

    name: str
    place: str
    """The module, and the function or class in it: `recloser.fsm.core:Core.handle`."""
    does: str
    gives: str
    """What goes on to the next hop."""


HOPS: Final = (
    Hop(
        "transport reader",
        "recloser.transport.wire:AiohttpWire.control",
        "sees the frame, the end of the stream or the silence",
        "close frame, or error",
    ),
    Hop(
        "classification",
        "recloser.transport.classify:close_frame",
        "keeps code, origin, cause and cleanness apart",
        "Close",
    ),
    Hop(
        "driver",
        "recloser.driver.driver:Driver.feed",
        "puts it into the engine's one inbox, takes it with the time",
        "Lost(generation, Close)",
    ),
    Hop(
        "core",
        "recloser.fsm.core:Core.handle",
        "drops old generations, adds intent, wish, advice and context",
        "Close, Context",
    ),
    Hop(
        "policy",
        "recloser.policies.rules:RulePolicy.decide",
        "decides; it is asked once",
        "Retry, Hold or Stop",
    ),
    Hop(
        "machine",
        "recloser.fsm.machine:fire",
        "moves the state by trigger and guard, or raises",
        "the new state",
    ),
    Hop(
        "effects",
        "recloser.fsm.effects:Announce",
        "say what is to be done, as data; the deadline is set",
        "list of effects",
    ),
    Hop(
        "driver",
        "recloser.driver.driver:Driver._perform",
        "performs them in order: one log line, one call of each observer",
        "",
    ),
)
