"""Settings of every test: Hypothesis profiles, `--clause`, a runner for coroutines, no leaks.

Warnings are errors (pyproject.toml). What asyncio only logs, such as a task destroyed while
pending or an exception that nobody retrieved, is made a failure here.
"""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Iterator
from inspect import iscoroutinefunction
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, Verbosity, settings

from tests.clauses import belongs, clauses, near

# No test meets a public certificate. aiohttp reads all authorities of the system when it is
# imported, and so would the processes that tests start.
os.environ["SSL_CERT_FILE"] = os.devnull

# What stands in that folder is not there for the processes that tests start.
_ABSENT = str(Path(__file__).parent / "absent")
_PATHS = os.environ.get("PYTHONPATH", "").split(os.pathsep)
os.environ["PYTHONPATH"] = os.pathsep.join(
    [_ABSENT, *(p for p in _PATHS if p not in ("", _ABSENT))]
)

_FIRST = ("tests/examples/", "tests/test_benchmarks.py")
"""Tests that wait for processes longer than they compute: at the end, nobody would compute."""

settings.register_profile("dev", deadline=None, print_blob=True, max_examples=50)
settings.register_profile(
    "ci", parent=settings.get_profile("dev"), derandomize=True, database=None, max_examples=100
)
settings.register_profile(
    "slow",
    parent=settings.get_profile("dev"),
    max_examples=3000,
    suppress_health_check=[HealthCheck.too_slow],
    verbosity=Verbosity.normal,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--clause`."""
    parser.addoption(
        "--clause",
        action="append",
        default=[],
        metavar="NUMBER",
        help="run the tests of this clause of docs/spec.md alone (repeat it for several)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse the number of a clause that is not there, before anything is collected.

    A shell has its background jobs ignore SIGINT, and so would the processes that tests start.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    known = {each.number: each for each in clauses()}
    for number in config.getoption("--clause"):
        if number not in known:
            meant = ", ".join(near(number, known)) or "none"
            raise pytest.UsageError(f"docs/spec.md has no clause {number}; near it: {meant}")
        if mark := known[number].mark:
            raise pytest.UsageError(f"clause {number} has no test: docs/spec.md says {mark}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with those that wait; keep those that cite a clause asked for, or a sub-clause."""
    items.sort(key=lambda item: not item.nodeid.startswith(_FIRST))
    asked = config.getoption("--clause")
    if not asked:
        return
    kept = [item for item in items if any(belongs(c, a) for c in _cited(item) for a in asked)]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept


def _cited(item: pytest.Item) -> list[str]:
    return [number for mark in item.iter_markers("spec") for number in mark.args]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Import all tests without looking for garbage among them, and leave them out of it later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Let pytest's own last collection see everything once more."""
    gc.unfreeze()


def _collect() -> None:
    """Collect garbage; what survives is not looked at again until the end."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run `async def` tests, each on a loop of its own, and fail those that leave tasks."""
    if not iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}

    async def run() -> None:
        await pyfuncitem.obj(**arguments)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"the test leaves tasks: {left}"

    asyncio.run(run())
    return True


class _Errors(logging.Handler):
    """Keeps what asyncio logs as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(self.format(record))


@pytest.fixture
def quick_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wires that nobody reads are looked after a hundred times a second, and not twice."""
    monkeypatch.setattr("recloser.transport.ticker.TICK", 0.01)


@pytest.fixture(autouse=True)
def no_leaks() -> Iterator[None]:
    """Collect garbage after each test, so that what it left behind fails it and no other."""
    errors = _Errors()
    logger = logging.getLogger("asyncio")
    logger.addHandler(errors)
    configured = structlog.is_configured()
    yield
    if structlog.is_configured() and not configured:
        structlog.reset_defaults()  # `capture_logs` puts back what was not set before
    _collect()
    logger.removeHandler(errors)
    assert not errors.found, "asyncio reported:\n" + "\n".join(errors.found)
