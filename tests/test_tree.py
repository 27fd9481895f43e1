"""The tests mirror the sources, and tests/README.md says what is where."""

import asyncio
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent
README = (TESTS / "README.md").read_text(encoding="utf-8")
SOURCES = ("engine", "fsm", "policies", "tools", "transport")
CROSS_CUTTING = (
    "absent",
    "advice",
    "autobahn",
    "examples",
    "faults",
    "field",
    "fuzz",
    "mutants",
    "parameters",
    "proof",
    "soak",
    "stories",
    "typing",
)
"""Folders of tests that mirror no folder of sources."""

LIMIT = 100
"""A source file of more lines has a test file of its name, or stands in `ELSEWHERE`."""

ELSEWHERE = {
    "engine/assembly.py": ("engine/test_bad_input.py", "engine/test_client.py"),
    "engine/contract.py": ("engine/test_client.py", "engine/outbox/test_holding.py"),
    "engine/budget_file.py": ("engine/test_budget.py",),
    "engine/governor/desk.py": ("engine/governor/test_governor.py",),
    "engine/driver/terms.py": ("engine/governor/test_governor.py", "engine/test_budget.py"),
    "engine/driver/callers.py": ("engine/driver/test_moving.py", "engine/driver/test_closing.py"),
    "engine/driver/driver.py": (
        "engine/driver/test_closing.py",
        "engine/driver/test_loop.py",
        "engine/driver/test_policy_errors.py",
    ),
    "engine/driver/generation.py": ("engine/driver/test_dial.py", "engine/driver/test_scope.py"),
    "engine/driver/sender.py": ("engine/test_client.py", "engine/outbox/test_holding.py"),
    "engine/fleet/redis_link.py": (
        "engine/fleet/test_redis_store.py",
        "engine/fleet/test_redis_governor.py",
    ),
    "fsm/events.py": ("fsm/test_core_fail.py", "fsm/test_core.py", "fsm/test_core_intent.py"),
    "engine/hints/signals.py": ("engine/hints/test_hints.py",),
    "engine/journal/destinations.py": ("engine/journal/test_writer.py",),
    "engine/journal/facts.py": ("engine/journal/test_lines.py",),
    "engine/outbox/file": (
        "engine/outbox/test_damaged.py",
        "engine/outbox/test_durable.py",
        "engine/outbox/test_file.py",
    ),
    "engine/outbox": ("engine/outbox/test_holding.py", "engine/outbox/test_damaged.py"),
    "policies/actions.py": ("policies/test_rules.py",),
    "policies/refusals.py": ("policies/test_standard.py",),
    "tools/cli/terminal/display.py": ("tools/cli/test_connect_terminal.py",),
    "tools/cli/terminal/lines.py": ("tools/cli/test_connect.py",),
    "tools/cli/overview.py": ("tools/cli/test_top.py",),
    "tools/diagram/canvas.py": ("tools/diagram/test_terminal.py",),
    "tools/explain": ("tools/cli/test_explain.py",),
    "tools/simulate/curves.py": ("tools/simulate/test_report.py",),
    "tools/simulate/scenario.py": ("tools/simulate/test_storm.py",),
    "tools/testing/core_walk.py": ("fsm/test_walk.py",),
    "tools/testing/doubles/raw_server.py": (
        "transport/test_peer_ends.py",
        "tools/testing/doubles/test_scripted_server.py",
    ),
    "tools/testing/evidence": ("tools/testing/evidence/test_stories.py",),
    "tools/testing/laws": (
        "tools/testing/laws/test_sound.py",
        "tools/testing/laws/test_subtle.py",
        "tools/testing/test_gallery.py",
    ),
    "tools/testing/search": ("tools/testing/test_policy_check.py",),
    "tools/testing/strategies.py": ("tools/testing/evidence/test_stories.py",),
    "tools/testing/transports": ("tools/testing/test_transport_check.py",),
    "tools/testing/verdict": (
        "tools/testing/test_policy_check.py",
        "tools/testing/evidence/test_stories.py",
    ),
    "transport/aiohttp_transport.py": (
        "transport/test_dialling.py",
        "transport/test_cancelling.py",
    ),
    "transport/aiohttp_wire.py": ("transport/test_receiving.py", "transport/test_resumption.py"),
    "transport/picows_frames.py": ("transport/test_picows_transport.py",),
    "transport/picows_upgrade.py": ("transport/test_picows_transport.py",),
    "transport/socket_wire.py": ("transport/test_own_close.py", "transport/test_peer_ends.py"),
    "transport/upgrade.py": ("transport/test_contract.py", "transport/test_handshake.py"),
    "transport/base.py": ("transport/test_classify.py", "engine/driver/test_inputs.py"),
}
"""Where the other source files, or all of a folder, are tested: paths beneath `tests`."""

FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in SOURCES
    for path in (ROOT / folder).rglob("*.py")
    if path.name != "__init__.py"
)


def folders() -> list[str]:
    """Every folder of tests with a file in it, beneath `tests`."""
    found = {path.parent.relative_to(TESTS).as_posix() for path in TESTS.rglob("*.py")}
    return sorted(found - {"."})


def mirrored(source: str) -> Path:
    """Where the tests of a source file are expected."""
    path = TESTS / source
    return path.with_name(f"test_{path.name}")


def elsewhere(source: str) -> bool:
    """Whether the table says where a file, or a folder above it, is tested."""
    return any(source == each or source.startswith(f"{each}/") for each in ELSEWHERE)


@pytest.mark.parametrize("folder", folders())
def test_a_folder_of_tests_mirrors_a_folder_of_sources(folder: str) -> None:
    top = folder.partition("/")[0]
    assert top in CROSS_CUTTING or (ROOT / folder).is_dir()


@pytest.mark.parametrize("source", FILES)
def test_a_source_file_of_some_length_has_a_test_file(source: str) -> None:
    lines = len((ROOT / source).read_text(encoding="utf-8").splitlines())
    if mirrored(source).is_file():
        assert source not in ELSEWHERE, "it has a test file of its name: take it out of the table"
    else:
        assert lines <= LIMIT or elsewhere(source), f"add {mirrored(source)}, or say where else"


@pytest.mark.parametrize("source", ELSEWHERE)
def test_the_table_names_what_is_there(source: str) -> None:
    assert source in FILES or any(each.startswith(f"{source}/") for each in FILES)
    for name in ELSEWHERE[source]:
        assert (TESTS / name).is_file(), name


def test_every_folder_stands_on_the_page() -> None:
    table, _, _ = README.partition("The files at the top")
    said = {name.rstrip("/") for name in re.findall(r"`([\w/]+/)`", table)}
    missing = [each for each in folders() if not any(each.startswith(name) for name in said)]
    assert not missing
    assert all((TESTS / name).is_dir() for name in said)


def test_every_rig_and_file_that_the_page_names_is_there() -> None:
    named = re.findall(r"^\| `([\w/]+\.py)` \|", README, re.MULTILINE)
    assert len(named) >= 10
    assert not [name for name in named if not (TESTS / name).is_file()]
    top = re.findall(r"`(test_\w+\.py)`", README)
    assert not [name for name in top if not list(TESTS.rglob(name))]


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_the_examples_of_the_page_pass(block: str) -> None:
    space: dict[str, Any] = {"__name__": "example"}
    exec(compile(block, "tests/README.md", "exec"), space)
    [test] = [value for name, value in space.items() if name.startswith("test_")]
    marks = {mark.name: mark for mark in test.pytestmark}
    assert marks["spec"].args
    cases = marks["parametrize"].args[1] if "parametrize" in marks else [None]
    for case in cases:
        outcome = test() if case is None else test(case)
        if inspect.iscoroutine(outcome):
            asyncio.run(outcome)
