"""Every reachable combination of a few messages, a connection, a disk and a crash, walked.

The core is the real one. `world.py` plays all that surrounds it, and holds the clauses after every
step; every situation must also lead to an end in which nothing is held, remembered or written.
"""

from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from recloser import Acknowledgements, Delivery, Outbox
from recloser.fsm import Unsent
from recloser.outbox import effects, events
from recloser.outbox.core import OutboxCore
from recloser.outbox.message import Entry
from recloser.outbox.table import TABLE, Kind, MessageState, MessageTrigger
from recloser.outbox.trial import Trial
from tests.engine.outbox.world import BrokenPromise, Setting, Step, World, replayed

Walk = dict[tuple[object, ...], tuple[Step, ...]]

WINDOW = Acknowledgements(window=1)
MEMORY = Outbox(max_messages=1, in_passive=True)
FILE = Outbox(path="outbox.db", in_passive=True)
ACKNOWLEDGED = Outbox(in_passive=True, acknowledgements=WINDOW)
BOTH = replace(FILE, acknowledgements=WINDOW)
PLAIN = frozenset({"rest", "clear", "cancel", "leave", "due", "deafen"})
"""What is left out where there are two messages: it matters to one as it does to two."""
SHORT = PLAIN | {"wake", "end drop"}
TWO = replace(ACKNOWLEDGED, acknowledgements=Acknowledgements(window=2))
"""Two messages may be unacknowledged, and the peer refuses one of them."""


def walk(setting: Setting) -> Walk:
    """Visit every situation once, by the shortest way, and take every step out of each."""
    first = World(setting)
    seen: Walk = {first.key(): ()}
    todo = deque([first])
    while todo:
        here = todo.popleft()
        for step in here.steps():
            there = replayed(setting, here.path)
            there.take(step)
            key = there.key()
            if key not in seen:
                seen[key] = there.path
                todo.append(there)
        here.finish()
    return seen


SETTINGS = {
    "memory": Setting(MEMORY, messages=1),
    "memory, two": Setting(MEMORY, without=frozenset({"rest", "leave"})),
    "memory, oldest": Setting(replace(MEMORY, when_full="drop-oldest"), without=PLAIN),
    "memory, newest": Setting(replace(MEMORY, when_full="drop-newest"), without=PLAIN),
    "memory, raise": Setting(replace(MEMORY, when_full="raise"), without=PLAIN),
    "acknowledged": Setting(ACKNOWLEDGED, messages=1),
    "acknowledged, the first is refused": Setting(
        TWO, poison="00", without=SHORT | {"open used", "end keep"}
    ),
    "acknowledged, the second is refused": Setting(
        TWO, poison="01", without=SHORT | {"open used", "end keep"}
    ),
    "memory, one is refused": Setting(replace(MEMORY, max_messages=2), poison="00", without=PLAIN),
    "file": Setting(FILE, messages=1),
    "file, a crash": Setting(FILE, messages=1, crashes=1, without=frozenset({"rest", "deafen"})),
    "file, a full disk": Setting(
        FILE, messages=1, failures=1, without=frozenset({"rest", "deafen"})
    ),
    "file, acknowledged, a crash": Setting(BOTH, messages=1, crashes=1, without=PLAIN),
    "file, a window of one": Setting(FILE, messages=3, window=1, without=SHORT | {"end keep"}),
    "file, a window of one, a crash": Setting(
        FILE, window=1, crashes=1, without=SHORT | {"end keep"}
    ),
}
LARGER = {
    "memory, three": Setting(replace(MEMORY, max_messages=2), messages=3),
    "acknowledged, two": Setting(ACKNOWLEDGED, without=PLAIN),
    "file, two": Setting(FILE, without=PLAIN),
    "file, two, a crash": Setting(FILE, crashes=1, without=SHORT),
    "acknowledged, two, one is refused": Setting(TWO, poison="00", without=PLAIN),
    "file, one is refused, a crash": Setting(FILE, poison="00", crashes=1, without=SHORT),
    "both, one is refused, a crash": Setting(
        replace(FILE, acknowledgements=TWO.acknowledgements),
        poison="00",
        crashes=1,
        without=SHORT | {"end keep"},
    ),
    "file, acknowledged, two": Setting(BOTH, without=PLAIN),
    "file, a window of one, ends": Setting(FILE, window=1, without=SHORT),
    "file, a window of one, a decision": Setting(FILE, window=1, without=PLAIN),
    "file, a window of one, two ends": Setting(FILE, window=1, crashes=1, without=SHORT),
    "both, a window of one, a crash": Setting(BOTH, window=1, crashes=1, without=SHORT),
    "file, acknowledged, all": Setting(BOTH, messages=1, crashes=1, failures=1),
}


EVERY_ROW = ("memory, newest", "memory, raise", "acknowledged", "file, a window of one, a crash")
"""The cheapest settings whose walks take every row of the table together."""
NEVER = (MessageState.HANDED_OVER, MessageTrigger.DROP)
"""A message that cannot be rendered, which no walk meets: `render` is the application's."""

Moves = frozenset[tuple[MessageState, MessageTrigger]]


@pytest.fixture(scope="module")
def walked() -> Iterator[Callable[[str], tuple[Walk, Moves]]]:
    """Walks a setting once in this process: the situations, and the moves that messages made."""
    found = set()
    move = Entry.move

    def noted(self: Entry, trigger: MessageTrigger, kind: Kind = Kind.PLAIN) -> bool:
        found.add((self.state, trigger))
        return move(self, trigger, kind)

    @cache
    def walks(name: str) -> tuple[Walk, Moves]:
        found.clear()
        return walk(SETTINGS[name]), frozenset(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Entry, "move", noted)
        yield walks


@pytest.mark.spec("G1.2", "G2.1", "G3", "G5", "G6", "G7.1", "G7.4", "J1")
@pytest.mark.parametrize("name", SETTINGS)
def test_every_reachable_combination(
    name: str, walked: Callable[[str], tuple[Walk, Moves]]
) -> None:
    situations, moves = walked(name)
    assert len(situations) > 100
    assert NEVER not in moves


@pytest.mark.spec("G1.2")
def test_the_walks_took_every_row_of_the_table(
    walked: Callable[[str], tuple[Walk, Moves]],
) -> None:
    taken = {each for name in EVERY_ROW for each in walked(name)[1]}
    assert {(row.source, row.trigger) for row in TABLE} - taken == {NEVER}


@pytest.mark.slow
@pytest.mark.spec("G1.2", "G2.1", "G3", "G5", "G6", "G7.1", "G7.4", "J1")
@pytest.mark.parametrize("name", LARGER)
def test_every_reachable_combination_of_more(name: str) -> None:
    walked = walk(LARGER[name])
    assert len(walked) > 3000


class AcceptsEarly(OutboxCore):
    """Says that a message is accepted before it is in the file."""

    def handle(self, event: events.Event, now: float) -> list[effects.Effect]:
        return [
            effects.Answer(each.entry, Delivery.QUEUED)
            if isinstance(each, effects.Save) and each.entry is not None
            else each
            for each in super().handle(event, now)
        ]


class MarksNothing(OutboxCore):
    """Hands messages over without a word to the file."""

    def handle(self, event: events.Event, now: float) -> list[effects.Effect]:
        return [each for each in super().handle(event, now) if not isinstance(each, effects.Mark)]


class ForgetsTheBuffer(OutboxCore):
    """Takes nothing back from a connection that has ended."""

    def handle(self, event: events.Event, now: float) -> list[effects.Effect]:
        if isinstance(event, events.Disconnected):
            event = replace(event, returned=())
        return super().handle(event, now)


class TurnsTheOrder(OutboxCore):
    """Takes back in the wrong order what a connection had."""

    def handle(self, event: events.Event, now: float) -> list[effects.Effect]:
        if isinstance(event, events.Disconnected):
            event = replace(event, returned=[*event.returned][::-1])
        return super().handle(event, now)


class HearsNothing(OutboxCore):
    """Takes no acknowledgement."""

    def handle(self, event: events.Event, now: float) -> list[effects.Effect]:
        return [] if isinstance(event, events.Acknowledged) else super().handle(event, now)


class CountsNothing(OutboxCore):
    """Hands every message over as if for the first time."""

    def handle(self, event: events.Event, now: float) -> list[effects.Effect]:
        found = super().handle(event, now)
        for each in found:
            if isinstance(each, effects.Send):
                message = each.entry.message
                each.entry.message = message.delivered(1 - message.deliveries)
        return found


class KeepsTheRow(OutboxCore):
    """Never takes a message out of the file."""

    def handle(self, event: events.Event, now: float) -> list[effects.Effect]:
        return [each for each in super().handle(event, now) if not isinstance(each, effects.Forget)]


class SuspectsNobody(OutboxCore):
    """Sends all again that the peer may have refused."""

    def handle(self, event: events.Event, now: float) -> list[effects.Effect]:
        if isinstance(event, events.Disconnected):
            event = replace(event, fate=Unsent.KEEP)
        return super().handle(event, now)


class BlamesTheFirst(Trial):
    """Takes the first message that the peer had for the one that it refused."""

    def _refusable(self, begun: Iterable[Entry], untouched: Container[Entry]) -> list[Entry]:
        return super()._refusable(begun, untouched)[:1]


class Blaming(OutboxCore):
    """Blames the wrong message."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._dispatch.trial = BlamesTheFirst(self._held)


class SkipsAWindow(OutboxCore):
    """Takes none of the messages in that were read from the file."""

    def handle(self, event: events.Event, now: float) -> list[effects.Effect]:
        if isinstance(event, events.Window):
            event = replace(event, messages=())
        return super().handle(event, now)


BROKEN: list[tuple[type[OutboxCore], Outbox, str]] = [
    (SuspectsNobody, TWO, "G1: something is held for ever"),
    (Blaming, TWO, "G5.5: dropped for another one's fault"),
    (AcceptsEarly, FILE, "G6: accepted, and not in the file"),
    (MarksNothing, FILE, "G6: handed over before it was marked"),
    (ForgetsTheBuffer, MEMORY, "G5: what the policy keeps is gone"),
    (TurnsTheOrder, MEMORY, "G3: waiting out of order"),
    (HearsNothing, ACKNOWLEDGED, "what is settled is held again"),
    (CountsNothing, ACKNOWLEDGED, "G7.4: redelivered without the mark"),
    (KeepsTheRow, FILE, "G6: something stays in the file"),
    (SkipsAWindow, FILE, "G1.2: accepted and gone"),
]


@pytest.mark.spec("G3", "G5", "G6", "G7.4")
@pytest.mark.parametrize(("core", "outbox", "clause"), BROKEN)
def test_a_core_that_breaks_a_clause_is_found_by_the_shortest_way(
    core: Any, outbox: Outbox, clause: str
) -> None:
    poison = "01" if outbox is TWO else None
    window = 1 if core is SkipsAWindow else None
    setting = Setting(outbox, make_core=core, poison=poison, window=window)
    with pytest.raises(BrokenPromise, match=clause) as failure:
        walk(setting)
    endless = core is SuspectsNobody  # the same connection comes again and again
    assert 1 <= len(failure.value.path) <= 12 or endless
    assert str(failure.value).startswith(f"{failure.value.problem}\n  1. ")
