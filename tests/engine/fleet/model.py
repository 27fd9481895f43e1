"""Two nodes, one store, one resource: every order of events, with the real core of a lease.

Time goes on in ticks of the store. The clock of a node goes as fast, or slower by as much as the
margin allows. A node runs or does not: what it has to do it does at any later time, as a process
that is stopped. A message between node, store and resource arrives at any later time, or never.
Times are kept as distances from now, cut where they make no difference, and fencing numbers as
their order: so the search ends, and it has seen every reachable situation.
"""

from collections import deque
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace

from recloser.fleet.core import (
    Acquire,
    Answered,
    Campaign,
    Ended,
    Event,
    Instant,
    LeaseCore,
    LeaseState,
    LeaseTimes,
    News,
    Passed,
    Quit,
    Renew,
    Unheard,
)
from recloser.fleet.memory import LeaseRecord
from recloser.fleet.store import Grant, Refusal

Request = Acquire | Renew | None
"""What is on its way to the store; None is a release."""
Answer = Grant | Refusal | bool


TIMES = LeaseTimes(3.0, 1.0)


@dataclass(frozen=True)
class Setting:
    """What the nodes are like, and what is wrong with them."""

    times: LeaseTimes = TIMES
    rates: tuple[float, float] = (1.0, 1.0)
    """How fast the clocks of the nodes go, against that of the store."""
    core: type[LeaseCore] = LeaseCore
    record: type[LeaseRecord] = LeaseRecord
    writes: bool = False
    """Whether nodes write to the resource, and writes may arrive at any later time."""
    fenced: bool = True
    """The resource refuses a number that is lower than one that it has seen."""
    on_their_way: int = 1
    """So many requests of a node may be on their way; those before them are lost."""


@dataclass
class Node:
    core: LeaseCore
    requests: tuple[Request, ...] = ()
    """On their way to the store."""
    answer: tuple[int, Answer] | None = None
    """On its way from the store, with the number of its request."""
    write: int | None = None
    """A write on its way to the resource, with its fencing number."""

    def copy(self) -> "Node":
        return replace(self, core=copy(self.core))


@dataclass
class World:
    setting: Setting
    nodes: tuple[Node, Node]
    record: LeaseRecord
    now: float = 0.0
    accepted: int = 0
    """The highest number that the resource has accepted."""
    wrong: str = ""
    before: "World | None" = None
    what: str = ""
    """What happened since the situation before."""

    @property
    def story(self) -> list[str]:
        """How it came to this."""
        return [] if self.before is None else [*self.before.story, self.what]

    def clock(self, index: int) -> Instant:
        time = self.now * self.setting.rates[index]
        return Instant(time, time)

    def step(self, what: str) -> "World":
        first, second = self.nodes
        return replace(self, nodes=(first.copy(), second.copy()), before=self, what=what)

    def valid(self, index: int) -> bool:
        """Whether a node may have bytes leave, if it runs now."""
        core = self.nodes[index].core
        connected = core.state in (LeaseState.HOLDER, LeaseState.LOST)
        return connected and core.writable(self.clock(index))

    def key(self) -> tuple[object, ...]:
        """The situation, without what makes no difference."""
        tokens = {self.record.token, self.accepted}
        for node in self.nodes:
            tokens |= {node.core.floor}
            tokens |= set[int]() if node.write is None else {node.write}
            tokens |= {each.token for each in node.requests if isinstance(each, Renew)}
            tokens |= {each.floor for each in node.requests if isinstance(each, Acquire)}
            if node.answer is not None and isinstance(node.answer[1], Grant):
                tokens |= {node.answer[1].token}
        rank = {token: place for place, token in enumerate(sorted(tokens))}
        return (
            *(self._node_key(index, rank) for index in range(2)),
            self.record.owner,
            rank[self.record.token],
            round(max(0.0, self.record.until - self.now), 3),
            rank[self.accepted],
        )

    def _node_key(self, index: int, rank: dict[int, int]) -> tuple[object, ...]:
        node, time = self.nodes[index], self.clock(index).monotonic
        core, ttl = node.core, self.setting.times.ttl

        def age(moment: Instant | None) -> float | None:
            return None if moment is None else round(min(ttl, time - moment.monotonic), 3)

        answer: object = None
        if node.answer is not None and core.asking and node.answer[0] == core._number:
            said = node.answer[1]
            answer = rank[said.token] if isinstance(said, Grant) else (type(said), said is True)
        return (
            core.state,
            rank[core.floor],
            age(core._sent),
            age(core._pending),
            tuple(
                each
                if each is None
                else (
                    type(each),
                    each.number == core._number,
                    rank[each.floor if isinstance(each, Acquire) else each.token],
                )
                for each in node.requests
            ),
            answer,
            None if node.write is None else rank[node.write],
        )

    # -- what may happen ----------------------------------------------------------------

    def next(self) -> Iterator["World"]:
        yield self._tick()
        for index in range(2):
            for happens in (self._runs, self._arrives, self._answers, self._writes):
                yield from happens(index)

    def _tick(self) -> "World":
        world = self.step("a tick")
        world.now += 1.0
        return world

    def _handle(self, index: int, event: Event) -> "World":
        world = self.step(f"node {index}: {event}")
        node = world.nodes[index]
        for effect in node.core.handle(event, world.clock(index)):
            if isinstance(effect, Acquire | Renew):
                node.requests = (*node.requests, effect)[-self.setting.on_their_way :]
        return world

    def _runs(self, index: int) -> Iterator["World"]:
        core, clock = self.nodes[index].core, self.clock(index)
        if core.asking:
            yield self._handle(index, Unheard(core._number))
        elif core.state is LeaseState.HOLDER:
            world = self.step("")
            world.nodes[index].core._next = clock.monotonic
            yield world._handle(index, Passed())
        elif core.state is LeaseState.CANDIDATE:
            yield self._handle(index, News())
        if core.state is LeaseState.RELEASED:
            yield self._handle(index, Campaign())
        elif core.state is LeaseState.LOST:
            yield self._handle(index, Ended())
        elif core.state is LeaseState.HOLDER:
            world = self._handle(index, Quit())
            node = world.nodes[index]
            node.requests = (*node.requests, None)[-self.setting.on_their_way :]
            yield world

    def _arrives(self, index: int) -> Iterator["World"]:
        """A request arrives; those before it may have been lost."""
        for place, request in enumerate(self.nodes[index].requests):
            world = self.step(f"store: {request} of node {index}")
            node, owner, ttl = world.nodes[index], str(index), self.setting.times.ttl
            node.requests = node.requests[place + 1 :]
            if request is None:
                world.record = world.record.released(owner) or world.record
            elif isinstance(request, Acquire):
                found = world.record.granted(owner, ttl, request.floor, world.now)
                world.record, answer = found
                node.answer = request.number, answer
            else:
                renewed = world.record.renewed(owner, request.token, ttl, world.now)
                world.record = renewed or world.record
                node.answer = request.number, renewed is not None
            yield world

    def _answers(self, index: int) -> Iterator["World"]:
        answer = self.nodes[index].answer
        if answer is not None:
            world = self._handle(index, Answered(*answer))
            world.nodes[index].answer = None
            yield world

    def _writes(self, index: int) -> Iterator["World"]:
        node = self.nodes[index]
        if not self.setting.writes:
            return
        if node.write is None and node.core.state is LeaseState.HOLDER and self.valid(index):
            world = self.step(f"node {index} writes {node.core.floor}")
            world.nodes[index].write = node.core.floor
            yield world
        elif node.write is not None:
            world = self.step(f"resource: {node.write} of node {index}")
            world.nodes[index].write = None
            if node.write < self.accepted and not self.setting.fenced:
                world.wrong = "a write of an old holder was accepted after one of the next"
            world.accepted = max(self.accepted, node.write)
            yield world


def judge(world: World) -> str:
    """Say what is wrong with a situation; empty for nothing."""
    if world.wrong:
        return world.wrong
    if world.valid(0) and world.valid(1):
        return "two nodes hold valid leases"
    for index, node in enumerate(world.nodes):
        if world.valid(index) and world.record.owner == str(1 - index):
            return "a lease was granted while another was valid"
        if world.record.token < node.core.floor:
            return "a fencing number went back"
    return ""


def start(setting: Setting) -> World:
    """Two nodes that want nothing yet."""
    nodes = Node(setting.core(setting.times)), Node(setting.core(setting.times))
    return World(setting, nodes, setting.record())


def explore(setting: Setting, limit: int = 500_000) -> tuple[int, World | None]:
    """Visit every situation; return how many there are, and the first wrong one."""
    first = start(setting)
    seen, waiting = {first.key()}, deque([first])
    while waiting:
        world = waiting.popleft()
        if judge(world):
            return len(seen), world
        assert len(seen) < limit
        for following in world.next():
            key = following.key()
            if key not in seen:
                seen.add(key)
                waiting.append(following)
    return len(seen), None
