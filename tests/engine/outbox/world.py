"""A world around the real core of an outbox: application, connection, peer and disk, without I/O.

Everything that a sender, a wire, a peer and a file can do is a step here, and after each step the
clauses G1, G2, G3, G5, G6 and G7 are held against what an onlooker knows. Messages are named by
numbers in the order in which they were offered.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from recloser import ConnectionClosed, Delivery, Outbox, OutboxNotSaved
from recloser.fsm.decisions import Unsent
from recloser.fsm.states import State, Wish
from recloser.outbox import effects, events
from recloser.outbox.core import OutboxCore
from recloser.outbox.file.stored_message import StoredMessage
from recloser.outbox.file.writer import Batch
from recloser.outbox.message import Entry, Message, Reason, make_message
from recloser.outbox.table import FINAL, IllegalMove, MessageState
from recloser.outbox.window import ReadWindow

MakeCore = Callable[..., OutboxCore]

FATES = {"keep": Unsent.KEEP, "drop": Unsent.DROP, "refused": Unsent.DROP_REFUSED}
BEFORE_THE_REFUSAL = ("taken", "flush", "flow", "commit")
"""What happens between the arrival of a message and the close frame that refuses it."""
OPENING = "opening"
"""The name of what `on_open` sent."""


class BrokenPromise(AssertionError):
    """The core broke a clause; `path` are the steps that lead there."""

    def __init__(self, problem: str, path: tuple["Step", ...]) -> None:
        super().__init__(problem, path)
        self.problem = problem
        self.path = path

    def __str__(self) -> str:
        steps = "\n".join(f"{number:3}. {step}" for number, step in enumerate(self.path, start=1))
        return f"{self.problem}\n{steps}"


class Step(NamedTuple):
    """Something that happens; `which` and `how` say to what, and in which way."""

    name: str
    which: Any = None
    how: Any = None

    def __str__(self) -> str:
        return " ".join(str(each) for each in self if each is not None)


@dataclass(frozen=True)
class Setting:
    """What a world is made with, and what may happen in it."""

    outbox: Outbox
    messages: int = 2
    """How many are offered at most."""
    crashes: int = 0
    """How often the process is killed at most."""
    failures: int = 0
    """How often the disk refuses at most."""
    poison: str | None = None
    """The message that the peer refuses; "opening" is what `on_open` sends."""
    options: tuple[dict[str, Any], ...] = ({},)
    """What may be said about a message; the first may be offered at any time."""
    without: frozenset[str] = frozenset()
    """Steps that do not happen."""
    make_core: MakeCore = OutboxCore
    window: int | None = None
    """How many of the messages in the file are read at a time; None: more than there are."""

    @property
    def read_window(self) -> ReadWindow:
        if self.window is None:
            return ReadWindow()
        return ReadWindow(messages=self.window, ahead=self.window, most=self.window)

    @property
    def durable(self) -> bool:
        return self.outbox.path is not None

    @property
    def acknowledged(self) -> bool:
        return self.outbox.acknowledgements is not None


def closed() -> Exception:
    return ConnectionClosed(None)


class World:
    """One engine's outbox and all that it meets."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.path: tuple[Step, ...] = ()
        self.now = 0.0
        self.file: dict[int, StoredMessage] = {}
        """What is on the disk, by number, as it would be read."""
        self.spent = 0
        """The highest number that the file knows."""
        self.offered = self.crashes = self.failures = 0
        self.answers: dict[str, Delivery] = {}
        """What `send` gave."""
        self.refused: set[str] = set()
        self.peer: list[tuple[str, bool]] = []
        """What has arrived, in order, and whether it was marked as redelivered."""
        self.acknowledged: set[str] = set()
        self.dropped: set[str] = set()
        self.taken: set[str] = set()
        self.lost: set[str] = set()
        """What nobody promised to keep, and a crash took."""
        self.excused: set[str] = set()
        """What went out while the disk refused: its file knows less of it."""
        self.unmarked: set[str] = set()
        """What had gone out so when the process was killed: no mark can be in its file."""
        self.owed_again: set[str] = set()
        """What was settled, and a crash brought back: younger ones may have left before that."""
        self.arrived_before: set[str] = set()
        """What the peer had when the process was killed."""
        self.accepted_before: set[str] = set()
        """What was handed over once, or was read from the file: it may exceed the bounds."""
        self.fleeting: set[str] = set()
        """What was meant for one generation."""
        self.generation = 0
        self._begin()

    def _begin(self) -> None:
        """Begin a process: what is on the disk is all that there is."""
        self.core = self.setting.make_core(
            self.setting.outbox, closed=closed, window=self.setting.read_window
        )
        self.reading: effects.Survey | effects.Read | None = None
        """What the thread of the file is to read."""
        self.outdated = False
        """Whether that was read by another way: what it finds is told, and changes nothing."""
        self.doomed: set[str] = set()
        """What the policy dropped, and nobody has read yet."""
        self.state, self.wish = State.BACKOFF, Wish.CONNECT
        self.buffer: list[Entry | str] = []
        """What was handed over, and has not left the process; of what went by the connection's
        own `send` the outbox knows nothing yet."""
        self.direct = False
        """Whether `send` is that of the connection."""
        self.deaf = False
        """Whether the connection has ended, and nobody was told."""
        self.leaving = False
        """Whether the open generation is being left."""
        self.flush: Entry | str | None = None
        """What the flush waits for: the connection, the disk or its turn."""
        self.arrived: set[str] = set()
        """What the peer has read on this connection."""
        self.carriers: dict[str, int] = {}
        """The generation to whose connection each `send` handed its message."""
        self.senders: dict[str, str] = {}
        """What each `send` waits for: room, the connection or the disk."""
        self.entries: dict[str, Entry] = {}
        self.batch = Batch()
        """What the disk has not got yet."""
        if self.setting.durable:
            numbered = self.setting.acknowledged
            count = self.setting.read_window.messages
            rows = [_message(self.file[number], numbered) for number in sorted(self.file)]
            highest = rows[-1].number if len(rows) > count else None
            self.accepted_before |= {str(row.data) for row in rows}
            self.tell(events.Restored(rows[:count], self.spent, highest=highest))
            self._meet()

    def _meet(self) -> None:
        """Know what is in memory now."""
        self.entries |= {self.name(entry): entry for entry in self.core.entries()}

    def unread(self) -> list[str]:
        """What waits in the file alone, in order."""
        after = self.core.after
        if after is None:
            return []
        here = {entry.message.number for entry in self.core.entries()} | self.batch.removed
        return [
            str(self.file[number].data)
            for number in sorted(self.file)
            if number > after and number not in here
        ]

    def held(self) -> list[str]:
        """What is held, in memory and in the file alone."""
        return [*map(self.name, self.core.entries()), *self.unread()]

    # -- what a sender does ---------------------------------------------------------------

    def tell(self, event: events.Event) -> None:
        """Give the core an event, and perform what it says."""
        for effect in self.core.handle(event, self.now):
            self._perform(effect)

    def _perform(self, effect: effects.Effect) -> None:
        match effect:
            case effects.Answer(entry, outcome) if entry is not None:
                name = self.name(entry)
                self.senders.pop(name, None)
                if isinstance(outcome, Delivery):
                    self.answers[name] = outcome
                else:
                    self.refused.add(name)
            case effects.Save(None):
                self.flush = "disk"
            case effects.Save(entry) if entry is not None:
                self.senders[self.name(entry)] = "disk"
            case effects.Send(entry):
                self._hand_over(entry)
            case effects.Flush():
                self.flush, self.direct = "turn", False
            case effects.Direct():
                self.direct = True
            case effects.Look():
                self.tell(events.Looked(list(self.buffer)))
            case effects.Survey() | effects.Read():
                self.hold(self.reading is None or self.outdated, "two readings at a time")
                self.reading, self.outdated = effect, False
            case effects.Dropped(messages, reason):
                for message in messages:
                    blamed = reason is Reason.REFUSED and message.data != self.setting.poison
                    self.hold(not blamed, "G5.5: dropped for another one's fault")
                    self.hold(str(message.data) not in self.dropped, "G1.2: dropped twice")
                    self.dropped.add(str(message.data))
            case _ if isinstance(effect, effects.Change):
                self._note(effect)

    def _hand_over(self, entry: Entry) -> None:
        """The connection has a message as soon as it is handed over; its `send` returns later."""
        name = self.name(entry)
        self.accepted_before.add(name)
        self.hold(entry.state is MessageState.HANDED_OVER, "a message that goes has that state")
        self.hold(name not in self.doomed, "G5.1: what the policy dropped is sent")
        direct = self.senders.get(name) == "call"
        if self.setting.durable and not direct and name not in self.excused | self.fleeting:
            row = self.file.get(entry.message.number)
            marked = row is not None and row.deliveries > 0
            self.hold(marked, "G6: handed over before it was marked in the file")
        if self.deaf:
            self.flush = None if not direct else self.flush
            self._bounce(entry)
        else:
            if direct:
                self.senders[name], self.carriers[name] = "connection", self.generation
            else:
                self.flush = entry
            self.buffer.append(entry)

    def _bounce(self, entry: Entry) -> None:
        self.direct = False
        self.tell(events.Bounced(entry, self.state, self.wish, self.generation))
        if self.senders.get(self.name(entry)) == "call":
            self.senders[self.name(entry)] = "room"

    def name(self, entry: Entry | str) -> str:
        return entry if isinstance(entry, str) else str(entry.message.data)

    def hold(self, holds: object, clause: str) -> None:
        """Raise `BrokenPromise` unless it holds."""
        if not holds:
            raise BrokenPromise(clause, self.path)

    # -- what can happen ------------------------------------------------------------------

    def steps(self) -> list[Step]:
        """Everything that can happen next."""
        without = self.setting.without
        if self._refusing():
            meanwhile = [each for each in self._steps() if each.name in BEFORE_THE_REFUSAL]
            return [*meanwhile, Step("end", "refused")]
        return [each for each in self._steps() if not {each.name, str(each)} & without]

    def _steps(self) -> Iterator[Step]:
        setting = self.setting
        if self.offered < setting.messages:
            yield from (Step("offer", options) for options in range(len(setting.options)))
            if setting.durable and self.buffer:
                yield from (
                    Step("offer", each, "congested") for each in range(len(setting.options))
                )
        if self.state is State.BACKOFF:
            yield Step("open")
            if setting.poison:
                yield Step("open", "used")
            yield Step("rest")
        elif self.state is State.OPEN:
            if not self.leaving:
                yield Step("leave")
                if not self.deaf:
                    yield Step("deafen")
            yield from (Step("end", fate) for fate in ("keep", "drop"))
            if self.buffer and self.name(self.buffer[0]) == setting.poison:
                yield Step("end", "refused")  # the beginning of it was enough
        else:
            yield Step("wake")
        if self.flush == "turn":
            yield Step("flush")
        if isinstance(self.flush, Entry):
            yield Step("taken", "flush")
        for name, what in self.senders.items():
            if what == "connection":
                yield Step("taken", name)
            elif what == "room":
                yield Step("cancel", name)
        if self.buffer and self.state is State.OPEN and not self.deaf:
            yield Step("flow")
        if self.batch or self.flush == "disk" or "disk" in self.senders.values():
            yield Step("commit")
            if self.failures < setting.failures and self.batch:
                yield Step("commit", "fails")
        if self.reading is not None:
            yield Step("read")
        if setting.acknowledged:
            yield from (Step("acknowledge", name) for name in self._acknowledgeable())
        if self.core.deadline is not None:
            yield Step("due")
        if any("ttl" in each for each in setting.options):
            yield Step("wait")
        if self.core.held:
            yield Step("clear")
        if self.crashes < setting.crashes:
            yield Step("crash")

    def _acknowledgeable(self) -> Iterable[str]:
        """What the peer may acknowledge: where it refuses one, on this connection alone."""
        if self.setting.poison is None:
            return dict(self.peer)
        if self.state is not State.OPEN or self._refusing():
            return ()
        return sorted(self.arrived - {OPENING})

    def take(self, step: Step, *, known: bool = False) -> None:
        """Have it happen; raises `BrokenPromise` unless it is `known` to break no clause."""
        self.path += (step,)
        try:
            getattr(self, f"_{step.name}")(*(each for each in step[1:] if each is not None))
        except IllegalMove as error:
            raise BrokenPromise(str(error), self.path) from error
        if not known:
            self.check()

    def _offer(self, which: int, how: str = "") -> None:
        options = self.setting.options[which]
        name = f"{self.offered:02}"
        self.offered += 1
        if self.direct and not options:
            self._send_directly(name)
            return
        generation = self.generation if options.get("this_generation") else None
        ttl, key = options.get("ttl"), options.get("key")
        message = make_message(name, now=self.now, ttl=ttl, key=key, generation=generation)
        if generation is not None:
            self.fleeting.add(name)
        entry = self.entries[name] = Entry(message)
        self.senders[name] = "call"
        congested = bool(how)
        self.tell(events.Offered(entry, self.state, self.wish, options.get("id"), congested))
        if self.senders.get(name) == "call":
            self.senders[name] = "room"

    def _send_directly(self, name: str) -> None:
        """The connection's own `send`: the outbox hears of it if it fails."""
        if self.deaf:
            entry = self.entries[name] = Entry(make_message(name))
            self.senders[name] = "call"
            self._bounce(entry)
        else:
            self.buffer.append(name)
            self.answers[name] = Delivery.SENT

    def _deafen(self) -> None:
        self.deaf = True

    def _cancel(self, name: str) -> None:
        del self.senders[name]
        self.tell(events.Cancelled(self.entries[name]))
        self.refused.add(name)

    def _open(self, used: str = "") -> None:
        self.generation += 1
        self.state, self.leaving, self.deaf = State.OPEN, False, False
        self.arrived = {OPENING} if used else set()
        self.tell(events.Connected(self.generation, bool(used)))

    def _refusing(self) -> bool:
        """Whether the peer has read what it refuses."""
        return self.state is State.OPEN and self.setting.poison in self.arrived

    def _leave(self) -> None:
        self.leaving = True
        self.flush, self.direct = None, False  # its task is cancelled
        self.tell(events.Disconnecting())

    def _end(self, drop: str) -> None:
        if not self.leaving:
            self._leave()
        held = {self.name(each) for each in self.core.entries()}
        unread = self.unread()
        returned = [self._returned(each) for each in self.buffer]
        self.buffer = []
        back = {self.name(each) for each in returned if each.state not in FINAL}
        self.state = State.BACKOFF
        began, earlier = min(1, len(returned)), bool(self.arrived)
        fate = FATES[drop]
        self.tell(events.Disconnected(self.generation, self.state, returned, fate, began, earlier))
        kept = {self.name(each) for each in self.core.entries()}
        if drop == "drop":
            self.doomed |= set(unread)
            self.hold(not kept - self._admitted(), "G5: what the policy drops is kept")
            self.hold((held | back) <= self.dropped, "G5: what the policy drops is not reported")
        else:
            gone = (held | back) - kept - self.dropped
            self.hold(not gone, f"G5: what the policy keeps is gone: {sorted(gone)}")

    def _returned(self, item: Entry | str) -> Entry:
        if not isinstance(item, str):
            return item
        self.accepted_before.add(item)
        entry = self.entries[item] = Entry(make_message(item))
        return entry

    def _admitted(self) -> set[str]:
        """What waited for room, and has found some."""
        return {name for name, what in self.senders.items() if what == "disk"} | set(self.answers)

    def _rest(self) -> None:
        self.state = State.PASSIVE
        self.tell(events.Stopped(self.state))

    def _wake(self) -> None:
        self.state = State.BACKOFF

    def _flush(self) -> None:
        self.flush = None
        self.tell(events.Ready(self.generation))

    def _taken(self, who: str) -> None:
        """The connection's `send` returns."""
        entry = self.flush if who == "flush" else self.entries[who]
        assert isinstance(entry, Entry)
        if who == "flush":
            self.flush = None
            self.tell(events.Flushed(entry, Delivery.SENT, self.generation))
        elif self.state is State.OPEN and self.carriers[who] == self.generation:
            unsent = self.setting.durable and entry in self.buffer
            self.tell(events.Sent(entry, Delivery.SENT, unsent))
        else:  # its connection has ended: the message came back, or had left
            self.tell(events.Sent(entry, Delivery.QUEUED))

    def _flow(self) -> None:
        """The first message in the write buffer arrives."""
        item = self.buffer.pop(0)
        self.arrived.add(self.name(item))
        redelivered = not isinstance(item, str) and item.message.redelivered
        self.peer.append((self.name(item), redelivered))

    def _commit(self, how: str = "well") -> None:
        """The disk has written what was noted, or it refuses."""
        waiting = [name for name, what in self.senders.items() if what == "disk"]
        if how == "well":
            batch, self.batch = self.batch, Batch()
            self._write(batch)
        else:
            self.failures += 1
            self.excused |= {self.name(each) for each in self.core.entries()} | set(waiting)
        for name in waiting:
            entry = self.entries[name]
            self.tell(
                events.Saved(entry)
                if how == "well"
                else events.NotSaved(entry, OutboxNotSaved("outbox.db", "is full"))
            )
        if self.flush == "disk":
            self.flush = None
            self.tell(events.Ready(self.generation))

    def _note(self, change: effects.Change) -> None:
        """Do what the writer does with a change, in its own batch."""
        match change:
            case effects.Note(message):
                row = StoredMessage(
                    *(message.number, message.id, message.key, message.data, None),
                    message.deliveries,
                    int(message.suspect),
                )
                self.batch.note(row)
            case effects.Mark(deliveries):
                self.batch.marked.update(deliveries)
            case effects.Forget(numbers) | effects.Hide(numbers):
                self.batch.forget(numbers)

    def _write(self, batch: Batch) -> None:
        """Do what SQLite does with a batch."""
        for number, row in batch.put.items():
            there = self.file.get(number, row)
            self.file[number] = there._replace(deliveries=row.deliveries, suspect=row.suspect)
            self.spent = max(self.spent, number)
        for number, times in batch.marked.items():
            if number in self.file:
                self.file[number] = self.file[number]._replace(deliveries=times)
        for number in batch.removed:
            self.file.pop(number, None)
            self.spent = max(self.spent, number)

    def _read(self) -> None:
        """The thread has read what it was asked for."""
        request, self.reading, self.outdated = self.reading, None, False
        assert request is not None
        self._tell_read(request)

    def _tell_read(self, request: effects.Survey | effects.Read) -> None:
        behind = [
            _message(self.file[number], self.setting.acknowledged)
            for number in sorted(self.file)
            if number > request.after
        ]
        gone = self.batch.removed
        plain = [each for each in behind if _is_plain(each)]
        if isinstance(request, effects.Survey):
            others = [each for each in behind if not _is_plain(each)]
            others = [each for each in others if each.number not in gone]
            for each in others:
                self.tell(events.Known([each]))
            self.tell(events.Surveyed(len(plain), sum(each.size for each in plain)))
        else:
            count = len(plain) if request.bounds is None else request.bounds.messages
            last = plain[count - 1].number if len(plain) > count else None
            there = [each for each in plain[:count] if each.number not in gone]
            self.tell(events.Window(request.after, there, last))
        self._meet()
        self.doomed -= self.dropped

    def _read_all(self) -> None:
        """Do what the view does before all messages are shown or taken."""
        after = self.core.after
        if after is not None:
            self.reading = None
            if not self.core.counted:
                self._tell_read(effects.Survey(after))
            self._tell_read(effects.Read(after, None))
            self.outdated = self.reading is not None

    def _acknowledge(self, name: str) -> None:
        entry = self.entries.get(name)
        identity = None if entry is None else entry.message.id
        if identity is not None:
            found = self.core.named(identity, up_to=False)
            self.acknowledged |= {self.name(each) for each in found}
            if found:
                self.tell(events.Acknowledged(found))

    def _due(self) -> None:
        deadline = self.core.deadline
        assert deadline is not None
        self.now = max(self.now, deadline)
        self.tell(events.Due(deadline, list(self.buffer)))

    def _wait(self) -> None:
        self.now += 2.0

    def _clear(self) -> None:
        self._read_all()
        self.tell(events.Shown())
        self.taken |= {self.name(each) for each in self.core.entries()}
        self.tell(events.Cleared())

    def _crash(self) -> None:
        """The process is killed, and another begins with what the disk has."""
        self.crashes += 1
        self.lost |= {f"{number:02}" for number in range(self.offered)} - self._promised()
        there = {str(row.data) for row in self.file.values()}
        for gone in (self.acknowledged, self.dropped, self.taken, self.lost):
            self.owed_again |= gone & there
            gone.difference_update(there)  # the disk was not told yet
        self.unmarked |= self.excused
        self.arrived_before = set(dict(self.peer))
        self.buffer, self.excused = [], set()
        self._begin()

    def _promised(self) -> set[str]:
        """What must outlive the process: accepted by way of the file, and not settled."""
        if not self.setting.durable:
            return set()
        queued = {name for name, answer in self.answers.items() if answer is Delivery.QUEUED}
        return queued - self._settled() - self.fleeting - self.excused

    # -- what must hold -------------------------------------------------------------------

    def _settled(self) -> set[str]:
        """What nobody owes anything any more."""
        arrived = set() if self.setting.acknowledged else set(dict(self.peer))
        return arrived | self.acknowledged | self.dropped | self.taken | self.lost | self.refused

    def check(self) -> None:
        """Hold what must hold in every situation."""
        held = self.held()
        if self.core.counted and not self.failures:
            self.hold(self.core.held == len(held), "G2.1: a wrong number of messages is counted")
        self.hold(len(held) == len(set(held)), "G1.2: a message is held twice")
        gone = self.acknowledged | self.dropped | self.taken | self.refused
        self.hold(not gone & set(held), "G1.2: what is settled is held again")
        accepted = set(self.answers)
        there = set(held) | {self.name(each) for each in self.buffer} | set(dict(self.peer))
        lost = accepted - there - self._settled()
        self.hold(not lost, f"G1.2: accepted and gone: {sorted(lost)}")
        self._check_order(held)
        self._check_marks()
        waiting = [each for each in self.core.entries() if each.state is MessageState.WAITING]
        fresh = {self.name(each) for each in waiting} | set(self.unread())
        fresh -= self.accepted_before
        bound = self.setting.outbox.max_messages
        self.hold(len(fresh) <= bound, f"G2.1: {len(fresh)} wait where {bound} may")
        if self.setting.durable:
            written = {str(row.data) for row in self.file.values()}
            missing = self._promised() - written
            self.hold(not missing, f"G6: accepted, and not in the file: {sorted(missing)}")
        if self.setting.acknowledged and not self.crashes:
            owed = accepted - gone - self.lost - self.fleeting
            self.hold(owed <= set(held), "G7.1: accepted, and not held until acknowledged")

    def _check_order(self, held: list[str]) -> None:
        first = list(dict.fromkeys(name for name, _ in self.peer))
        ordered = [name for name in first if name not in self.fleeting]
        before = [name for name in ordered if name in self.arrived_before]
        after = ordered[len(before) :]
        self.hold(before == sorted(before) and after == sorted(after), f"G3: out of order: {first}")
        late = {name for name in after if before and name < before[-1]}
        self.hold(late <= self.owed_again, f"G3: out of order: {first}")
        waiting = [
            self.name(each)
            for each in self.core.entries()
            if each.state is MessageState.WAITING and each.message.generation is None
        ]
        if self.core.unacknowledged == 0 and self.core.after is None:
            self.hold(waiting == sorted(waiting), f"G3: waiting out of order: {waiting}")
        if self.core.after is not None:
            near = [*map(self.name, self.core._held.backlog.order)]
            behind = [name for name in near if any(name > each for each in self.unread())]
            behind = [name for name in behind if name not in self.fleeting]
            self.hold(not behind, f"G3: unread messages are passed by {behind}")
        if not self.setting.acknowledged and not self.crashes:
            times = Counter(name for name, _ in self.peer)
            self.hold(max(times.values(), default=0) <= 1, "G3: what had left was sent again")

    def _check_marks(self) -> None:
        seen: set[str] = set()
        for name, redelivered in self.peer:
            known = name in self.excused | self.unmarked
            known = known or (not self.setting.acknowledged and not self.crashes)
            self.hold(
                name not in seen or redelivered or known, "G7.4: redelivered without the mark"
            )
            seen.add(name)

    # -- the end, and comparing -----------------------------------------------------------

    def finish(self) -> None:
        """Help on whatever waits: everything accepted is settled in the end, and nothing stays."""
        for _ in range(200):
            step = self._help()
            if step is None:
                break
            self.take(step)
        self.hold(self.core.held == 0, "G1: something is held for ever")
        self.hold(self.core.blank, "J1: something is remembered for ever")
        self.hold(not self.senders, "G1: a `send` never returns")
        if self.setting.durable:
            self.hold(not self.file, "G6: something stays in the file for ever")

    def _help(self) -> Step | None:
        """What brings everything nearer to its end."""
        if self._refusing():
            return self.steps()[0]
        if (self.leaving or self.deaf) and self.state is State.OPEN:
            return Step("end", "keep")
        held = {self.name(each) for each in self.core.entries() if each.message.deliveries}
        steps = [
            step
            for step in self._steps()
            if step.name in ("taken", "flush", "flow", "open", "read", "wake", "due")
            or step == Step("commit")
            or (step.name == "acknowledge" and step.which in held)
        ]
        order = ("taken", "commit", "read", "flush", "flow", "acknowledge", "open", "wake", "due")
        return min(steps, key=lambda step: order.index(step.name), default=None)

    def key(self) -> tuple[object, ...]:
        """All that can make a difference to what follows."""
        held, dispatch = self.core._held, self.core._dispatch
        trial = dispatch.trial
        numbers = {entry.message.number: name for name, entry in self.entries.items()}
        return (
            *(self.offered, self.crashes, self.failures, self.state, self.leaving),
            *(self.direct, self.deaf),
            self.flush if not isinstance(self.flush, Entry) else f"has {self.name(self.flush)}",
            tuple(
                (name, what, self.carriers.get(name) == self.generation)
                for name, what in sorted(self.senders.items())
            ),
            tuple(self._about(name) for name in sorted(self.entries)),
            tuple(map(self.name, held.backlog.order)),
            tuple(map(self.name, held.backlog.later.values())),
            tuple(map(self.name, held.backlog.line)),
            (tuple(self.unread()), held.backlog.unread, held.backlog.counted, self.core.after),
            (type(self.reading), self.outdated, frozenset(self.doomed), held.backlog.reading),
            tuple(map(self.name, held.ledger.sent_at)),
            frozenset(map(self.name, held.ledger.leaving)),
            tuple(map(self.name, self.buffer)),
            tuple(dict.fromkeys(self.peer)),
            frozenset(
                (row.data, min(row.deliveries, 2), row.suspect) for row in self.file.values()
            ),
            frozenset(
                (row.data, min(row.deliveries, 2), row.suspect) for row in self.batch.put.values()
            ),
            frozenset((numbers.get(n), min(t, 2)) for n, t in self.batch.marked.items()),
            frozenset(numbers.get(number) for number in self.batch.removed),
            frozenset(numbers.get(number) for number in dispatch._marked),
            frozenset(numbers.get(number) for number in dispatch._marking),
            (self.core.deadline is None, dispatch.connection is None, dispatch.flushing),
            (self._ahead(trial.quiet_until), self._ahead(trial._unwatched_until)),
            frozenset(self.arrived),
            tuple(map(self.name, held.suspects)),
            None if trial.on_trial is None else self.name(trial.on_trial),
            None if dispatch._flushed is None else self.name(dispatch._flushed),
            frozenset(self.answers.items()),
            *map(frozenset, (self.refused, self.acknowledged, self.dropped, self.taken)),
            *map(frozenset, (self.lost, self.excused, self.unmarked, self.owed_again)),
            frozenset(self.arrived_before),
        )

    def _ahead(self, moment: float | None) -> float | None:
        """In how many seconds it comes; None where no message is refused."""
        if moment is None or self.setting.poison is None:
            return None
        return max(0.0, moment - self.now)

    def _about(self, name: str) -> tuple[object, ...]:
        entry = self.entries[name]
        return name, entry.state, entry.delivery, min(entry.message.deliveries, 2)


def _is_plain(message: Message) -> bool:
    own = message.id not in (None, message.number)
    return not (own or message.suspect or message.key is not None)


def _message(row: StoredMessage, numbered: bool) -> Message:
    identity = row.number if numbered and row.id is None else row.id
    return Message(
        row.data,
        row.size,
        row.key,
        number=row.number,
        id=identity,
        deliveries=row.deliveries,
        suspect=bool(row.suspect),
    )


def replayed(setting: Setting, steps: Iterable[Step]) -> World:
    """The world after these steps."""
    world = World(setting)
    for step in steps:
        world.take(step, known=True)
    return world
