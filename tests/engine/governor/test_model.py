"""Random engines at a governor: no permit is lost, none is granted twice, nobody is forgotten."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recloser.fsm.record import Cause, Close
from recloser.governor.effects import Effect, Grant, Share, Wake
from recloser.governor.news import News, Reading
from tests.engine.governor.rig import FULL, NOBODY, Town

ENGINES = range(6)
KEYS = ("a:443", "b:443")
ENDS = st.sampled_from(
    [
        None,
        NOBODY,
        FULL,
        Close.refused(503, retry_after=7.0),
        Close.frame(1012, spread=9.0),
        Close.refused(401),
        Close.by_engine(Cause.CONNECT_TIMEOUT),
        Close(code=1015, origin=NOBODY.origin, cause=Cause.TLS),
    ]
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.sampled_from(ENGINES), st.sampled_from(KEYS), st.booleans()),
        st.tuples(st.just("end"), st.sampled_from(ENGINES), ENDS),
        st.tuples(st.just("sleep"), st.sampled_from(ENGINES), st.sampled_from(KEYS), ENDS),
        st.tuples(st.just("leave"), st.sampled_from(ENGINES)),
        st.tuples(
            st.just("hear"),
            st.sampled_from(KEYS),
            st.sampled_from((Reading.UP, Reading.DOWN, Reading.BUSY)),
        ),
        st.tuples(st.just("pass"), st.floats(0.01, 40.0)),
    ),
    max_size=60,
)


class Model:
    """What every engine is, by what it has said and been told."""

    def __init__(self, town: Town, at_once: int | None) -> None:
        self.town = town
        self.at_once = at_once
        self.waiting: dict[int, str] = {}
        self.dialling: dict[int, str] = {}
        self.woken: set[int] = set()
        self.sleeping: dict[int, str] = {}
        self.told: dict[int, tuple[str, Close]] = {}
        """Those who took the record of another, and have not said what comes next."""
        self.starts: dict[str, list[float]] = {key: [] for key in KEYS}

    def do(self, effects: list[Effect]) -> None:
        for effect in effects:
            self.see(effect)

    def see(self, effect: Effect) -> None:
        match effect:
            case Grant(engine):
                self.start(engine, self.waiting.pop(engine))
            case Share(engine, close):
                self.told[engine] = self.waiting.pop(engine), close
            case Wake(engine):
                self.woken.add(engine)
                self.start(engine, self.sleeping.pop(engine))

    def start(self, engine: int, key: str) -> None:
        assert engine not in self.dialling
        self.dialling[engine] = key
        self.starts[key].append(self.town.now)
        if self.at_once is not None:
            assert max(Counter(self.dialling.values()).values()) <= self.at_once

    def until(self, when: float) -> None:
        while (due := self.town.core.deadline) is not None and due <= when:
            self.town.now = max(self.town.now, due)
            self.do(self.town.core.pass_time(self.town.now))
            assert self.town.core.deadline is None or self.town.core.deadline > self.town.now
        self.town.now = when

    def idle(self, engine: int) -> bool:
        known = (self.waiting, self.dialling, self.sleeping, self.told)
        return not any(engine in each for each in known)

    def step(self, step: tuple[object, ...]) -> None:
        core, now = self.town.core, self.town.now
        match step:
            case ("ask", int(engine), str(key), bool(intentional)) if (
                self.idle(engine) or engine in self.sleeping
            ):
                self.sleeping.pop(engine, None)
                self.waiting[engine] = key
                found = core.ask(engine, key, now, route=key, intentional=intentional)
                assert found is not None
                self.do(found)
            case ("end", int(engine), Close() | None as close) if (
                engine in self.dialling and engine not in self.woken
            ):
                key = self.dialling.pop(engine)
                if close is not None:
                    self.sleeping[engine] = key
                if close is None:
                    self.do(core.opened(engine, now))
                else:
                    self.do(core.failed(engine, close, now))
                if close is not None and engine in self.sleeping:
                    self.do(core.sleep(engine, key, close, now))
            case ("end", int(engine), _) if engine in self.told:
                key, close = self.told.pop(engine)
                self.do(core.failed(engine, close, now))
                self.sleeping[engine] = key
                self.do(core.sleep(engine, key, close, now))
            case ("sleep", int(engine), str(key), Close() as close) if self.idle(engine):
                self.sleeping[engine] = key
                self.do(core.sleep(engine, key, close, now))
            case ("leave", int(engine)):
                if engine in self.told:
                    self.do(core.failed(engine, self.told.pop(engine)[1], now))
                for known in (self.waiting, self.dialling, self.sleeping):
                    known.pop(engine, None)
                self.woken.discard(engine)
                self.do(core.leave(engine, now))
            case ("hear", str(key), Reading() as reading):
                self.do(core.hear(News(key, reading), now))
            case ("pass", float(seconds)):
                self.until(self.town.now + seconds)

    def answer_the_woken(self) -> None:
        for engine in sorted(self.woken):
            if engine % 2:  # it may ask, and need not
                assert self.town.core.ask(engine, self.dialling[engine], self.town.now) is None
            self.woken.discard(engine)


@pytest.mark.spec("M1.1", "M1.5")
@settings(deadline=None)
@given(
    steps=STEPS,
    rate=st.sampled_from([None, 0.5, 4.0]),
    at_once=st.sampled_from([None, 1, 2]),
)
def test_no_permit_is_lost_or_granted_twice_and_nobody_is_forgotten(
    steps: list[tuple[object, ...]], rate: float | None, at_once: int | None
) -> None:
    town = Town(rate=rate, at_once=at_once)
    model = Model(town, at_once)
    for step in steps:
        model.step(step)
        model.answer_the_woken()
    for _ in range(1000):
        if not (model.waiting or model.dialling or model.told):
            break
        for engine in (*model.dialling, *model.told):
            model.step(("end", engine, None))
            model.answer_the_woken()
        model.until(town.now + 30.0)
        model.answer_the_woken()
    assert not model.waiting
    if rate is not None:
        for starts in model.starts.values():
            for count in range(1, len(starts)):
                assert starts[count] - starts[count - 1] >= 1 / rate - 1e-6
    for engine in ENGINES:
        model.step(("leave", engine))
    model.until(town.now + 1000.0)
    assert town.core.hosts == 0
    assert town.core.deadline is None
