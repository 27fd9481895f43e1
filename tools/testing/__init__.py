"""The testing kit: laws for policies, and doubles for the tests of a service.

    from recloser.testing import check_policy

    def test_my_policy():
        check_policy(MyPolicy)

A name loads when it is first used (PEP 562): doubles need no Hypothesis, laws no network.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recloser.testing import gallery, strategies
    from recloser.testing.core_walk import Walk, walk
    from recloser.testing.doubles.faults import Fault, ScriptError, load_script, parse_script
    from recloser.testing.doubles.hand_clock import HandClock
    from recloser.testing.doubles.raw_server import RawPeer, RawServer, raw_server
    from recloser.testing.doubles.scripted import Plan, ScriptedTransport, ScriptedWire
    from recloser.testing.doubles.scripted_server import ScriptedServer
    from recloser.testing.doubles.timeline import Timeline, TimelineEntry
    from recloser.testing.doubles.virtual_time import VirtualTimeLoop, run
    from recloser.testing.evidence.fleets import Fleet
    from recloser.testing.evidence.lives import Life, fair
    from recloser.testing.evidence.play import Moment, Trace, play
    from recloser.testing.evidence.stories import (
        Call,
        Invoke,
        Lose,
        Open,
        Question,
        Story,
        Tell,
        Wait,
    )
    from recloser.testing.laws.groups import LAWS, OPTIONAL_LAWS
    from recloser.testing.laws.law import Law
    from recloser.testing.policy_check import assert_law, check_policy, examine
    from recloser.testing.search.breach import problem_of
    from recloser.testing.transport_check import (
        TRANSPORT_LAWS,
        MissingExtraError,
        TransportReport,
        check_transport,
        examine_transport,
    )
    from recloser.testing.transports.gallery import TRANSPORT_GALLERY, TransportExhibit
    from recloser.testing.transports.law import LawBroken, Line, Stage, TransportLaw
    from recloser.testing.verdict.verdicts import BrokenLaw, Report, Verdict

_HOMES = {
    "BrokenLaw": "verdict.verdicts",
    "Call": "evidence.stories",
    "Fault": "doubles.faults",
    "Fleet": "evidence.fleets",
    "HandClock": "doubles.hand_clock",
    "Invoke": "evidence.stories",
    "LAWS": "laws.groups",
    "Law": "laws.law",
    "LawBroken": "transports.law",
    "Life": "evidence.lives",
    "Line": "transports.law",
    "Lose": "evidence.stories",
    "MissingExtraError": "transport_check",
    "Moment": "evidence.play",
    "OPTIONAL_LAWS": "laws.groups",
    "Open": "evidence.stories",
    "Plan": "doubles.scripted",
    "Question": "evidence.stories",
    "RawPeer": "doubles.raw_server",
    "RawServer": "doubles.raw_server",
    "Report": "verdict.verdicts",
    "ScriptError": "doubles.faults",
    "ScriptedServer": "doubles.scripted_server",
    "ScriptedTransport": "doubles.scripted",
    "ScriptedWire": "doubles.scripted",
    "Stage": "transports.law",
    "Story": "evidence.stories",
    "TRANSPORT_GALLERY": "transports.gallery",
    "TRANSPORT_LAWS": "transport_check",
    "Tell": "evidence.stories",
    "Timeline": "doubles.timeline",
    "TimelineEntry": "doubles.timeline",
    "Trace": "evidence.play",
    "TransportExhibit": "transports.gallery",
    "TransportLaw": "transports.law",
    "TransportReport": "transport_check",
    "Verdict": "verdict.verdicts",
    "VirtualTimeLoop": "doubles.virtual_time",
    "Wait": "evidence.stories",
    "Walk": "core_walk",
    "assert_law": "policy_check",
    "check_policy": "policy_check",
    "check_transport": "transport_check",
    "examine": "policy_check",
    "examine_transport": "transport_check",
    "fair": "evidence.lives",
    "load_script": "doubles.faults",
    "parse_script": "doubles.faults",
    "play": "evidence.play",
    "problem_of": "search.breach",
    "raw_server": "doubles.raw_server",
    "run": "doubles.virtual_time",
    "walk": "core_walk",
}
_MODULES = ("gallery", "strategies")

__all__ = [
    "LAWS",
    "OPTIONAL_LAWS",
    "TRANSPORT_GALLERY",
    "TRANSPORT_LAWS",
    "BrokenLaw",
    "Call",
    "Fault",
    "Fleet",
    "HandClock",
    "Invoke",
    "Law",
    "LawBroken",
    "Life",
    "Line",
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
    "Stage",
    "Story",
    "Tell",
    "Timeline",
    "TimelineEntry",
    "Trace",
    "TransportExhibit",
    "TransportLaw",
    "TransportReport",
    "Verdict",
    "VirtualTimeLoop",
    "Wait",
    "Walk",
    "assert_law",
    "check_policy",
    "check_transport",
    "examine",
    "examine_transport",
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
    from recloser.fsm.spelling import UnknownName  # noqa: PLC0415 - a mistake needs it

    raise UnknownName(__name__, name, __all__)
