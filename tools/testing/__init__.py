"""The testing kit: laws for everyone's policies, and doubles for whoever embeds the engine.

    from recloser.testing import check_policy

    def test_my_policy():
        check_policy(MyPolicy)

Names load when they are used (PEP 562): the doubles need no Hypothesis, the laws no network.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recloser.testing import gallery, strategies
    from recloser.testing.breach import problem_of
    from recloser.testing.checking import assert_law, check_policy, examine
    from recloser.testing.extra import MissingExtraError
    from recloser.testing.faults import Fault, ScriptError, load_script, parse_script
    from recloser.testing.fleets import Fleet
    from recloser.testing.hand_clock import HandClock
    from recloser.testing.law import Law, Life
    from recloser.testing.laws import LAWS, OPTIONAL_LAWS
    from recloser.testing.lives import fair
    from recloser.testing.playing import Moment, Trace, play
    from recloser.testing.rawserver import RawPeer, RawServer, raw_server
    from recloser.testing.report import BrokenLaw, Report, Verdict
    from recloser.testing.scripted import Plan, ScriptedTransport, ScriptedWire
    from recloser.testing.server import ScriptedServer
    from recloser.testing.stories import (
        Ask,
        Call,
        Lose,
        Open,
        Question,
        Story,
        Tell,
        Wait,
    )
    from recloser.testing.timeline import Entry, Timeline
    from recloser.testing.virtual_time import VirtualTimeLoop, run
    from recloser.testing.walking import Walk, walk

_HOMES = {
    "Ask": "stories",
    "BrokenLaw": "report",
    "Call": "stories",
    "Entry": "timeline",
    "Fault": "faults",
    "Fleet": "fleets",
    "HandClock": "hand_clock",
    "LAWS": "laws",
    "Law": "law",
    "Life": "law",
    "Lose": "stories",
    "MissingExtraError": "extra",
    "Moment": "playing",
    "OPTIONAL_LAWS": "laws",
    "Open": "stories",
    "Plan": "scripted",
    "Question": "stories",
    "RawPeer": "rawserver",
    "RawServer": "rawserver",
    "Report": "report",
    "ScriptError": "faults",
    "ScriptedServer": "server",
    "ScriptedTransport": "scripted",
    "ScriptedWire": "scripted",
    "Story": "stories",
    "Tell": "stories",
    "Timeline": "timeline",
    "Trace": "playing",
    "Verdict": "report",
    "VirtualTimeLoop": "virtual_time",
    "Wait": "stories",
    "Walk": "walking",
    "assert_law": "checking",
    "check_policy": "checking",
    "examine": "checking",
    "fair": "lives",
    "load_script": "faults",
    "parse_script": "faults",
    "play": "playing",
    "problem_of": "breach",
    "raw_server": "rawserver",
    "run": "virtual_time",
    "walk": "walking",
}
_MODULES = ("gallery", "strategies")

__all__ = [
    "LAWS",
    "OPTIONAL_LAWS",
    "Ask",
    "BrokenLaw",
    "Call",
    "Entry",
    "Fault",
    "Fleet",
    "HandClock",
    "Law",
    "Life",
    "Lose",
    "MissingExtraError",
    "Moment",
    "Open",
    "Plan",
    "Question",
    "RawPeer",
    "RawServer",
    "Report",
    "ScriptError",
    "ScriptedServer",
    "ScriptedTransport",
    "ScriptedWire",
    "Story",
    "Tell",
    "Timeline",
    "Trace",
    "Verdict",
    "VirtualTimeLoop",
    "Wait",
    "Walk",
    "assert_law",
    "check_policy",
    "examine",
    "fair",
    "gallery",
    "load_script",
    "parse_script",
    "play",
    "problem_of",
    "raw_server",
    "run",
    "strategies",
    "walk",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"recloser.testing.{_HOMES[name]}"), name)
    if name in _MODULES:
        return import_module(f"recloser.testing.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
