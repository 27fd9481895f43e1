"""Doubles for tests: virtual time, and a transport that plays a script."""

from recloser.testing.scripted import Plan, ScriptedTransport, ScriptedWire
from recloser.testing.virtual_time import VirtualTimeLoop, run

__all__ = ["Plan", "ScriptedTransport", "ScriptedWire", "VirtualTimeLoop", "run"]
