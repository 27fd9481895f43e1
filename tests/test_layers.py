"""Who imports whom: the rooms of the tree, what each may import, and no circle among them.

Every import statement counts, also one inside a function or for types alone. docs/design.md has
the same table in words.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = {
    "fsm": "recloser.fsm",
    "policies": "recloser.policies",
    "transport": "recloser.transport",
    "engine": "recloser",
    "tools": "recloser",
}
STANDARD = {*sys.stdlib_module_names, "_typeshed"}
"""The standard library, and the types of it that have no other name before Python 3.12."""
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


class Room(NamedTuple):
    """Files that belong together; a file belongs to the room that names it most exactly."""

    files: tuple[str, ...]
    """Folders and single files, from the root of the repository."""
    ours: frozenset[str] = frozenset()
    """Rooms and single modules of recloser that it may import besides itself."""
    others: frozenset[str] = frozenset()
    """Distributions of others that it may import."""
    pure: bool = False
    """No clock, no randomness, no I/O, no concurrency."""


def room(
    *files: str, ours: tuple[str, ...] = (), others: tuple[str, ...] = (), pure: bool = False
) -> Room:
    return Room(files, frozenset(ours), frozenset(others), pure)


def fsm(*names: str) -> tuple[str, ...]:
    return tuple(f"recloser.fsm.{name}" for name in names)


WIRE = tuple(
    f"recloser.transport.{each}"
    for each in ("base", "errors", "heartbeat", "receive_buffer", "wire")
)
"""The contract of a transport: data, errors and protocols, and nothing of aiohttp."""

ROOMS = {
    "fsm": room("fsm", others=("transitions",), pure=True),
    "policies": room(
        "policies",
        ours=fsm(
            *("closecodes", "decisions", "named_tuple", "numbers", "record", "spelling", "states"),
            "value",
        ),
        pure=True,
    ),
    "transport": room(
        "transport",
        ours=fsm("closecodes", "errors", "named_tuple", "numbers", "record", "states", "value"),
        others=("aiohttp", "aiohttp_socks", "multidict", "picows", "yarl"),
    ),
    "engine: ground": room(
        "engine/budget.py",
        "engine/budget_file.py",
        "engine/change_line.py",
        "engine/checks.py",
        "engine/clock.py",
        "engine/closed.py",
        "engine/contract.py",
        "engine/file_thread.py",
        "engine/log.py",
        "engine/private_file.py",
        "engine/providers.py",
        "engine/redact.py",
        "engine/store_contact.py",
        "engine/timer_queue.py",
        "engine/waiter.py",
        ours=("fsm", *WIRE),
        others=("aiohttp", "structlog", "yarl"),
    ),
    "engine/hints": room("engine/hints", ours=("engine: ground", *fsm("numbers"))),
    "engine/credentials": room(
        "engine/credentials", ours=("engine: ground", "fsm", *WIRE), others=("yarl",)
    ),
    "engine/statistics": room(
        "engine/statistics",
        ours=("recloser.checks", "recloser.log", "engine/statistics: detector", "fsm"),
    ),
    "engine/statistics: detector": room(
        *(
            f"engine/statistics/{name}.py"
            for name in ("baseline", "counts", "detector", "kinds", "readings")
        ),
        ours=fsm("change", "decisions", "record"),
        pure=True,
    ),
    "engine/governor: core": room(
        *(
            f"engine/governor/{name}.py"
            for name in (
                "ceiling",
                "core",
                "dial",
                "dial_times",
                "effects",
                "evidence",
                "host",
                "initial_window",
                "intake",
                "limits",
                "news",
                "pace",
                "probe_gap",
                "setbacks",
                "sleepers",
            )
        ),
        ours=fsm("closecodes", "numbers", "record", "states"),
        pure=True,
    ),
    "engine/governor": room(
        "engine/governor", ours=("engine/governor: core", "engine: ground", "fsm", *WIRE)
    ),
    "engine/admission: turns": room("engine/admission/turns.py", pure=True),
    "engine/admission": room(
        "engine/admission",
        ours=("engine/admission: turns", *fsm("closecodes", "numbers")),
        others=("aiohttp",),
    ),
    "engine/inspector": room(
        "engine/inspector",
        ours=(
            *("recloser.client", "recloser.redact", "fsm"),
            *("engine/statistics", "engine/statistics: detector"),
        ),
        others=("aiohttp",),
    ),
    "engine/metrics": room(
        "engine/metrics",
        ours=(
            *("recloser.journal.line_writer", "recloser.redact", "recloser.store_contact"),
            *("engine/statistics: detector", "fsm"),
        ),
        others=("opentelemetry", "prometheus_client"),
    ),
    "engine/journal": room(
        "engine/journal",
        ours=(
            *("recloser.change_line", "recloser.file_thread", "recloser.log"),
            *("recloser.private_file", "recloser.redact"),
            *("engine/statistics: detector", "fsm"),
        ),
    ),
    "engine/fleet: core": room(
        *(f"engine/fleet/{name}.py" for name in ("core", "rendezvous", "store")),
        ours=fsm("errors", "numbers"),
        pure=True,
    ),
    "engine/fleet": room(
        "engine/fleet",
        ours=(
            *("engine/credentials", "engine/fleet: core", "engine/governor: core"),
            *("engine: ground", "fsm", *WIRE),
        ),
        others=("cryptography", "redis"),
    ),
    "engine/driver": room(
        "engine/driver",
        ours=("engine: ground", "engine/credentials", "fsm", *WIRE),
        others=("yarl",),
    ),
    "engine/outbox: core": room(
        *(
            f"engine/outbox/{name}.py"
            for name in (
                *("acknowledgements", "backlog", "core", "dispatch", "effects", "errors"),
                *("events", "holdings", "intake", "ledger", "message", "options", "table"),
                *("trial", "window"),
            )
        ),
        ours=(
            *("recloser.transport.base", "recloser.transport.errors"),
            *fsm("decisions", "errors", "numbers", "spelling", "states"),
        ),
        pure=True,
    ),
    "engine/outbox": room(
        "engine/outbox", ours=("engine/outbox: core", "engine: ground", "fsm", *WIRE)
    ),
    "engine/outbox/file": room(
        "engine/outbox/file",
        ours=("engine/outbox: core", "engine: ground"),
    ),
    "engine: face": room(
        "engine",
        ours=(
            *("engine: ground", "engine/credentials", "engine/driver", "engine/hints"),
            *(
                "engine/fleet",
                "engine/governor",
                "engine/outbox: core",
                "engine/outbox",
                "engine/outbox/file",
            ),
            *("fsm", "policies", "transport"),
        ),
        others=("aiohttp", "yarl"),
    ),
    "tools/diagram": room(
        "tools/diagram", ours=("fsm", "recloser.outbox.table"), others=("pygraphviz",)
    ),
    "tools/simulate": room(
        "tools/simulate",
        ours=("engine/governor: core", "fsm", "policies"),
        others=("matplotlib",),
    ),
    "tools/explain": room("tools/explain", ours=("fsm", "policies")),
    "tools/testing/doubles": room(
        "tools/testing/doubles", ours=("fsm", *WIRE), others=("aiohttp",)
    ),
    "tools/testing/evidence": room("tools/testing/evidence", ours=("fsm", "tools/simulate")),
    "tools/testing: strategies": room(
        "tools/testing/strategies.py",
        ours=("fsm", "tools/testing/doubles", "tools/testing/evidence"),
        others=("hypothesis",),
    ),
    "tools/testing/laws": room(
        "tools/testing/laws",
        ours=(
            *("fsm", "recloser.assembly", "recloser.transport.base"),
            *("tools/simulate", "tools/testing/doubles", "tools/testing/evidence"),
        ),
        others=("structlog",),
    ),
    "tools/testing/verdict": room(
        "tools/testing/verdict",
        ours=("fsm", "tools/testing/evidence"),
    ),
    "tools/testing/search": room(
        "tools/testing/search",
        ours=("fsm", "tools/simulate", "tools/testing/evidence", "tools/testing/laws"),
    ),
    "tools/testing/transports": room(
        "tools/testing/transports",
        ours=("fsm", "tools/testing/doubles", "transport"),
        others=("aiohttp",),
    ),
    "tools/testing": room(
        "tools/testing",
        ours=(
            *("tools/testing/transports", *WIRE),
            *("fsm", "tools/testing: strategies", "tools/testing/doubles"),
            *("tools/testing/evidence", "tools/testing/laws"),
            *("tools/testing/search", "tools/testing/verdict"),
        ),
        others=("pytest", "trustme"),
    ),
    "engine/__main__": room("engine/__main__.py", ours=("recloser.cli",)),
    "tools/cli/terminal": room(
        "tools/cli/terminal",
        ours=(
            "engine: ground",
            "engine: face",
            "engine/journal",
            "fsm",
            "recloser.transport.errors",
        ),
    ),
    "tools/cli": room(
        "tools/cli",
        ours=(
            *("engine: ground", "engine: face", "engine/driver", "engine/hints", "engine/journal"),
            *("engine/outbox: core", "engine/outbox/file", "fsm", "policies"),
            *("engine/inspector", "engine/statistics", "engine/statistics: detector"),
            *("tools/cli/terminal", "tools/diagram", "tools/explain", "tools/simulate"),
            *("tools/testing", "tools/testing/doubles", "tools/testing/evidence"),
            *("tools/testing/laws", "tools/testing/search", "tools/testing/verdict"),
        ),
        others=("aiohttp", "click", "structlog"),
    ),
}

FRONT_DOORS = {
    "recloser": {"recloser.testing"},
    "recloser.outbox": {"recloser.outbox.file.recovery"},
}
"""Faces that name something of a higher room, and load it when it is first used (PEP 562)."""

IMPURE = frozenset(
    {
        *("asyncio", "concurrent", "contextvars", "datetime", "http", "logging"),
        *("multiprocessing", "os", "random", "secrets", "select", "selectors", "signal"),
        *("socket", "ssl", "subprocess", "threading", "time", "urllib"),
    }
)
"""Modules of the standard library that hold a clock, randomness, I/O or concurrency."""

TYPES = {("engine/outbox/options.py", "os")}
"""Imports of such a module for the sake of a type: `os.PathLike`."""

CLIENT_STAGE = "tools/testing/laws/client_stage.py"
ALONE = {
    "recloser.assembly": (
        "engine/__init__.py",
        "tools/cli/connect.py",
        "tools/cli/inspect.py",
        CLIENT_STAGE,
    ),
    "cryptography": ("engine/fleet/shared_provider.py",),
    "redis": ("engine/fleet/redis_link.py", "engine/fleet/redis_store.py"),
    "opentelemetry": ("engine/metrics/opentelemetry.py", "engine/metrics/spans.py"),
    "prometheus_client": ("engine/metrics/prometheus.py",),
    "matplotlib": ("tools/simulate/curves.py",),
    "pygraphviz": ("tools/diagram/graphviz.py",),
    "transitions": ("fsm/machine.py",),
}
"""What only these files may import."""


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module(path: Path) -> str:
    """The dotted name under which a source file is installed."""
    folder, *rest = path.relative_to(ROOT).with_suffix("").parts
    names = [FOLDERS[folder], *rest]
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


MODULES = {module(path): path for path in FILES}


@cache
def imports(path: Path) -> tuple[str, ...]:
    """Every module that a file imports, wherever in it the import stands."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; say the full name"
            assert node.module is not None
            for alias in node.names:
                deeper = f"{node.module}.{alias.name}"
                yield deeper if deeper in MODULES else node.module


@cache
def room_of(path: Path) -> str:
    """The room of a file: that of the longest name that covers it."""
    covers = {
        len(each): key
        for key, found in ROOMS.items()
        for each in found.files
        if name(path) == each or name(path).startswith(f"{each}/")
    }
    return covers[max(covers)]


@cache
def graph() -> dict[str, set[str]]:
    """Which module of ours imports which."""
    return {
        own: {each for each in imports(path) if each in MODULES and each != own}
        for own, path in MODULES.items()
    }


def circles(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """The strongly connected components of more than one node (Tarjan's algorithm)."""
    index: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(node: str) -> None:
        index[node] = lowest[node] = len(index)
        stack.append(node)
        for each in sorted(graph.get(node, ())):
            if each not in index:
                visit(each)
            if each in stack:
                lowest[node] = min(lowest[node], lowest[each])
        if lowest[node] == index[node]:
            place = stack.index(node)
            if len(stack) - place > 1:
                found.append(set(stack[place:]))
            del stack[place:]

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_file_imports_what_its_room_may(path: Path) -> None:
    own, mine = room_of(path), module(path)
    may = ROOMS[own]
    for each in imports(path):
        top = each.partition(".")[0]
        if each in FRONT_DOORS.get(mine, ()):
            continue
        if top == "recloser":
            theirs = room_of(MODULES[each])
            assert theirs == own or theirs in may.ours or each in may.ours, each
        elif top in STANDARD:
            assert not may.pure or top not in IMPURE or (name(path), top) in TYPES, each
        else:
            assert top in may.others, each
        for only in {each, top} & set(ALONE):
            assert name(path) in ALONE[only], each


def test_no_files_import_each_other_in_a_circle() -> None:
    assert circles(graph()) == []


def test_no_rooms_import_each_other_in_a_circle() -> None:
    rooms: dict[str, set[str]] = {key: set() for key in ROOMS}
    for own, found in graph().items():
        doors = FRONT_DOORS.get(own, set())
        here = room_of(MODULES[own])
        rooms[here] |= {room_of(MODULES[each]) for each in found - doors} - {here}
    assert circles(rooms) == []


def test_the_table_names_no_more_than_there_is() -> None:
    used: dict[str, set[str]] = {key: set() for key in ROOMS}
    for path in FILES:
        for each in imports(path):
            found = {each.partition(".")[0], each}
            found |= {room_of(MODULES[each])} if each in MODULES else set()
            used[room_of(path)] |= found
    assert all(any(room_of(path) == key for path in FILES) for key in ROOMS)
    for key, each in ROOMS.items():
        may = {ours for ours in each.ours if not ours.startswith("recloser.")} | each.others
        assert may - used[key] == set(), key
    for door, higher in FRONT_DOORS.items():
        assert higher <= graph()[door]
    assert all(top in set(imports(ROOT / path)) for path, top in TYPES)


def test_a_circle_is_found() -> None:
    graph = {"a": {"b"}, "b": {"c", "d"}, "c": {"a"}, "d": {"e"}, "e": {"d", "f"}, "f": set[str]()}
    assert sorted(map(sorted, circles(graph))) == [["a", "b", "c"], ["d", "e"]]
    assert circles({"a": {"b"}, "b": set(), "c": {"a", "b"}}) == []


def test_the_walk_sees_every_folder() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == set(FOLDERS)
    assert "transitions" in set(imports(ROOT / "fsm" / "machine.py"))
    assert "aiohttp" in {each for path in FILES for each in imports(path)}


def test_an_import_inside_a_function_or_for_types_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "late.py"
    path.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from recloser.fsm.core import Core\n"
        "def f():\n    import time\n    from recloser.fsm import run\n"
    )
    assert list(imports(path)) == ["typing", "recloser.fsm.core", "time", "recloser.fsm.run"]
