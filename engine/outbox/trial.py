"""Finds the message that the peer refused: the suspects go out alone, one after the other."""

from collections.abc import Container, Iterable
from math import inf
from typing import Final

from recloser.outbox.events import Disconnected
from recloser.outbox.holdings import Holdings
from recloser.outbox.message import Entry, Reason
from recloser.outbox.table import MessageState

TRIAL: Final = 2.0
"""Seconds for which a connection lives on after a message that its peer does not refuse."""

_OUT: Final = (
    MessageState.HANDED_OVER,
    MessageState.ON_THE_WIRE,
    MessageState.UNACKNOWLEDGED,
)


class Trial:
    """Knows what the peer of the present connection may refuse yet.

    A peer that refuses a message closes with a code that does not say which. If only one can be
    meant, that one is dropped. If it may be one of several, all of them are suspects: none is
    dropped, and the next connection sends them one at a time. The next one goes when the one
    before is acknowledged or, where it is not to be acknowledged, when the connection has lived
    on for a while.
    """

    __slots__ = ("_alone", "_held", "_unwatched_until", "_used", "quiet_until")

    def __init__(self, held: Holdings) -> None:
        self._held = held
        self._alone: Entry | None = None
        self._used = False
        self.quiet_until: float | None = None
        """The moment before which no suspect goes; None: it has passed."""
        self._unwatched_until = -inf
        """The moment from which the peer refuses no message but one that is held or on trial."""

    def connect(self, now: float, *, used: bool) -> None:
        """Begin with a new connection, which `on_open` may have `used`."""
        self._alone, self._used = None, used
        self.quiet_until = now + TRIAL if used else None
        self._unwatched_until = now + TRIAL if used else -inf

    @property
    def on_trial(self) -> Entry | None:
        """The suspect that went out alone, as long as the peer may refuse it."""
        alone = self._alone
        if alone is not None and alone.state not in _OUT:
            alone = self._alone = None
        return alone

    def keeps_back(self, entry: Entry) -> bool:
        """Whether a waiting message has to wait for what the peer says to another one."""
        if self.on_trial is not None:
            return True
        return entry.message.suspect and self.quiet_until is not None

    def handed_over(self, entry: Entry, now: float) -> None:
        """Watch a message that goes to the connection while there are suspects."""
        if entry.message.suspect:
            self._alone = entry
            self.quiet_until = None if entry.awaits else now + TRIAL
        elif not entry.awaits:
            self._unwatched_until = max(self._unwatched_until, now + TRIAL)

    def lose_sight(self) -> None:
        """Messages go by from now on that nobody counts."""
        self._unwatched_until = inf

    def judge(self, unsent: Container[object], now: float) -> None:
        """Absolve the suspect after which the connection has lived on, unless it is acknowledged.

        One that has not left yet gets more time.
        """
        if self.quiet_until is None or now < self.quiet_until:
            return
        self.quiet_until = None
        alone = self.on_trial
        if alone is not None and not alone.awaits:
            if alone in unsent or alone.state is MessageState.HANDED_OVER:
                self.quiet_until = now + TRIAL
            else:
                self._held.absolve(alone)
                self._alone = None

    def take_back(self, event: Disconnected, now: float) -> None:
        """Take back the unsent messages, of which the peer refused one; drop it if it is known.

        It went out on this connection, has left at least in part, and was not acknowledged.
        """
        held, returned = self._held, [*event.returned]
        begun, untouched = returned[: event.begun], returned[event.begun :]
        found = self._refusable(begun, untouched)
        refused = found[0] if len(found) == 1 else None
        if refused is None or not (
            (refused in begun and not (event.earlier or self._used)) or self._known(refused, now)
        ):
            held.take_back(returned)
            held.suspect(found)
            return
        if not refused.awaits and refused not in returned:
            returned.append(refused)  # it has left, and went out alone
        held.take_back(returned)
        if refused.state is MessageState.WAITING:
            held.backlog.remove(refused)
            held.drop([refused], Reason.REFUSED)

    def end(self) -> None:
        """Forget the suspect that went out alone, if it has left with the connection."""
        alone, self._alone = self._alone, None
        if alone is not None and alone.state is not MessageState.WAITING:
            self._held.suspects.pop(alone, None)

    def _refusable(self, begun: Iterable[Entry], untouched: Container[Entry]) -> list[Entry]:
        """Find the messages that the peer may have refused, of those that are not forgotten.

        Of the unsent ones some have left in part, `begun`, and some not at all.
        """
        found = dict.fromkeys(each for each in begun if not each.awaits)
        for entry in self._held.ledger.sent_at:
            if entry not in untouched:
                found[entry] = None
        alone = self.on_trial
        if alone is not None and alone not in untouched:
            found[alone] = None
        return list(found)

    def _known(self, refused: Entry, now: float) -> bool:
        """Whether the peer can have refused no message that has left and is forgotten."""
        watched = refused.awaits or refused is self.on_trial
        return watched and now >= self._unwatched_until
