"""The dials, openings and final states of one part of a simulated population."""

from array import array

from recloser.fsm.core import Core
from recloser.fsm.decisions import Host
from recloser.fsm.events import Ask, Expired, Opened
from recloser.fsm.states import State, Wish
from recloser.simulate.outcome import Group
from recloser.simulate.scenario import UPTIME


class Tally:
    """Counts what becomes of `engines` engines."""

    __slots__ = ("dials", "ends", "engines", "opened")

    def __init__(self, engines: int) -> None:
        self.engines = engines
        self.dials = array("d")
        self.opened = array("d")
        self.ends = {State.PASSIVE: 0, State.CLOSED: 0}

    def group(self) -> Group:
        """Return the moments, which are in order."""
        return Group(
            engines=self.engines,
            dials=self.dials,
            opened=self.opened,
            held=self.ends[State.PASSIVE],
            stopped=self.ends[State.CLOSED],
        )


def steady(core: Core, host: Host) -> Core:
    """Bring a new core to a stable open state, among the engines of `host`."""
    core.host = host
    core.handle(Ask(Wish.CONNECT), -UPTIME)
    core.handle(Opened(core.generation), -UPTIME)
    if core.deadline is not None:
        core.handle(Expired(core.deadline), core.deadline)
    return core
