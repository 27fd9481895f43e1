"""The exported machine in the hands of others: XState and SCION run it, PlantUML draws it.

`make prove` installs them and runs this.
"""

import json
import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from recloser import policies
from recloser.diagram.picture import Picture, parse_highlight, row_name
from recloser.diagram.plantuml import plantuml
from recloser.diagram.scxml import scxml
from recloser.diagram.xstate import xstate
from recloser.explain.transitions import rules_by_transition
from recloser.fsm.errors import IllegalTrigger
from recloser.fsm.machine import fire
from recloser.fsm.states import Guard, State, Trigger
from recloser.fsm.table import TABLE, Row

pytestmark = pytest.mark.prove

ENGINES = {"xstate": xstate, "scxml": scxml}
WALKS, STEPS, SEED = 1000, 60, 20_260_101
Fired = tuple[Trigger, Guard | None]


class Live:
    """What the live machine moves."""

    def __init__(self, state: State = State.CLOSED) -> None:
        self.state = state
        self.guard: Guard | None = None

    def fire(self, trigger: Trigger, guard: Guard | None) -> str:
        """Fire a trigger; what it did: moves, stays, ignored, or none where it is illegal."""
        before, self.guard = self.state, guard
        try:
            taken = fire(self, trigger)
        except IllegalTrigger:
            assert self.state is before
            return "none"
        if not taken:
            return "ignored"
        return "stays" if self.state is before else "moves"


@cache
def paths() -> dict[State, list[Fired]]:
    """A way from the start to every state."""
    found: dict[State, list[Fired]] = {State.CLOSED: []}
    todo = [State.CLOSED]
    for state in todo:
        for trigger, guard in product(Trigger, (None, *Guard)):
            live = Live(state)
            live.fire(trigger, guard)
            if live.state not in found:
                found[live.state] = [*found[state], (trigger, guard)]
                todo.append(live.state)
    assert set(found) == set(State)
    return found


CASES = [(state, *fired) for state in State for fired in product(Trigger, (None, *Guard))]


def walks() -> Iterator[list[Fired]]:
    """Random sequences of triggers and guards; more than half of the steps do something."""
    rng = random.Random(SEED)
    every = list(product(Trigger, (None, *Guard)))
    for _ in range(WALKS):
        live, walk = Live(), list[Fired]()
        for _ in range(STEPS):
            able = [each for each in every if Live(live.state).fire(*each) in ("moves", "stays")]
            walk.append(rng.choice(able if rng.random() < 0.6 else every))
            live.fire(*walk[-1])
        yield walk


def event(fired: Fired) -> dict[str, str | None]:
    trigger, guard = fired
    return {"trigger": trigger.value, "guard": None if guard is None else guard.value}


def run(engine: str, machines: list[str], sequences: list[list[Fired]]) -> list[dict[str, Any]]:
    """Ask another engine for every case and for these walks, on each machine."""
    question = {
        "machines": machines,
        "cases": [
            {"path": [event(each) for each in paths()[state]], **event((trigger, guard))}
            for state, trigger, guard in CASES
        ],
        "walks": [[event(each) for each in walk] for walk in sequences],
    }
    done = subprocess.run(
        ["node", str(Path(__file__).with_name("engines.js")), engine],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def disagreements(
    engine: str, answer: dict[str, Any], sequences: list[list[Fired]] | None = None
) -> list[str]:
    """Where the answer of the other engine and the live machine differ."""
    found = []
    sequences = sequences or []
    for (state, trigger, guard), got in zip(CASES, answer["cases"], strict=True):
        live = Live(state)
        effect = live.fire(trigger, guard)
        if engine == "scxml" and effect in ("stays", "ignored"):
            effect = "keeps"  # it does not say which transition was taken
        if (got["state"], got["effect"]) != (live.state.value, effect):
            found.append(f"{state.value}, {trigger.value}, {guard}: {got}, not {effect}")
    for walk, states in zip(sequences, answer["walks"], strict=True):
        live = Live()
        for step, (fired, state) in enumerate(zip(walk, states, strict=True)):
            live.fire(*fired)
            if state != live.state.value:
                found.append(f"{walk[: step + 1]}: {state}, not {live.state.value}")
                break
    return found


def annotated() -> Picture:
    rules = rules_by_transition(policies.standard(), TABLE)
    marked, path = parse_highlight("open,backoff,connecting", TABLE)
    return Picture(rules=rules, counts=dict.fromkeys(TABLE, 7), marked=marked, path=path)


@pytest.mark.spec("L1.8")
@pytest.mark.parametrize("engine", ENGINES)
def test_another_engine_agrees_in_every_case_and_a_thousand_walks(engine: str) -> None:
    assert len(CASES) == len(State) * len(Trigger) * (len(Guard) + 1)
    sequences = list(walks())
    [answer] = run(engine, [ENGINES[engine](Picture())], sequences)
    assert len(answer["walks"]) == WALKS
    assert not disagreements(engine, answer, sequences)


def test_the_example_in_the_documents_runs(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "diagrams.md").read_text(encoding="utf-8")
    [program] = re.findall(r"```javascript\n(.*?)```", page, re.DOTALL)
    (tmp_path / "machine.json").write_text(xstate(Picture()))
    (tmp_path / "example.mjs").write_text(program)
    (tmp_path / "node_modules").symlink_to(os.environ["NODE_PATH"])
    done = subprocess.run(
        ["node", "example.mjs"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout == "backoff\n", done.stderr


@pytest.mark.parametrize("engine", ENGINES)
def test_notes_change_nothing(engine: str) -> None:
    [answer] = run(engine, [ENGINES[engine](annotated())], [])
    assert not disagreements(engine, answer)


def mutants() -> Iterator[list[Row]]:
    """The table without a row, and with a row that leads elsewhere, for each row."""
    for row in TABLE:
        others = [each for each in TABLE if each is not row]
        target = next(state for state in State if state not in (row.source, row.target))
        yield others
        yield [*others, row._replace(target=target)]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_row_that_is_missing_or_leads_elsewhere_is_noticed(engine: str) -> None:
    machines = [ENGINES[engine](Picture(rows=rows)) for rows in mutants()]
    assert len(machines) == 2 * len(TABLE)
    assert all(disagreements(engine, answer) for answer in run(engine, machines, []))


@pytest.mark.spec("L1.8")
@pytest.mark.parametrize("picture", [Picture(), annotated()], ids=["bare", "annotated"])
def test_plantuml_draws_every_row(picture: Picture) -> None:
    command = shutil.which("plantuml")
    assert command is not None, "install plantuml and graphviz, or run `make prove`"
    done = subprocess.run(
        [command, "-tsvg", "-pipe", "-failfast2", "-charset", "UTF-8"],
        input=plantuml(picture).encode(),
        capture_output=True,
        check=False,
        env={**os.environ, "JAVA_TOOL_OPTIONS": "-Djava.awt.headless=true"},
    )
    assert done.returncode == 0, done.stderr
    texts = [
        "".join(each.itertext()).replace("\N{NO-BREAK SPACE}", " ")
        for each in ET.fromstring(done.stdout).iter("{http://www.w3.org/2000/svg}text")
    ]
    for state in State:
        assert state.value in texts
    for row in picture.rows:
        count = f" \N{MULTIPLICATION SIGN}{picture.counts[row]}" if row in picture.counts else ""
        label = row_name(row) + (" (stays)" if row.target is None else count)
        same = [each for each in picture.rows if row_name(each) == row_name(row)]
        inside = [each for each in same if (each.target is None) is (row.target is None)]
        assert texts.count(label) == len(inside), label
    assert not [each for each in texts if "rror" in each]
