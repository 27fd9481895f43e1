"""Trying changes: each in a fork of a process that has collected the tests without it.

A change inside a function is put into the function objects that exist (`__code__`), and only the
tests that run its statement are run. A change of what runs at import needs a process that has
imported nothing of recloser yet. In both, the tests that noticed a change of the same file before
come first, then the cheap ones; the first failure ends the fork.
"""

import gc
import importlib.machinery
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import zip_longest
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import Phase, settings

from tests.mutants.change import Change
from tests.mutants.lines import Lines, caches

OPTIONS = (
    *("-q", "--tb=line", "--no-header", "-p", "no:cacheprovider"),
    "--assert=plain",  # pytest's own finder of modules would come before the one with the change
)
SHARE = 5.0
"""A test that needs so many times what it needs without a change does not end."""
LEAST = 2.0
"""Seconds of the processor that each test has."""
IMPORT = 20.0
"""Seconds of the processor in which everything is imported: a change may make that endless."""
EXAMPLES = 30
"""Of each property."""
MEMORY = 4 << 30
"""Bytes of a fork: a change may make a list grow for ever."""


class Session:
    """Plugin of pytest: instead of running the tests, `work` gets what was collected."""

    answer = "import"

    def __init__(self, work: Callable[[list[pytest.Item]], str]) -> None:
        self._work = work
        self.error: Exception | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Let properties look for a failure, and not for the smallest one."""
        settings.register_profile(
            "mutants",
            parent=settings.get_profile("ci"),
            phases=[Phase.explicit, Phase.generate],
            max_examples=EXAMPLES,
            print_blob=False,
        )
        settings.load_profile("mutants")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Do the work."""
        if not session.testsfailed:
            try:
                self.answer = self._work(session.items)
            except Exception as error:  # noqa: BLE001 - it is raised again, outside of pytest
                self.error = error
        return True


def collect(tests: Sequence[str], work: Callable[[list[pytest.Item]], str]) -> str:
    """Collect tests, do the work, and give its answer; "import" if something is not collected.

    What a test has left that failed may be told when pytest ends: it changes no answer.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    session = Session(work)
    with suppress(pytest.PytestUnraisableExceptionWarning):
        pytest.main([*OPTIONS, *tests], plugins=[session])
    if session.error is not None:
        raise session.error
    return session.answer


def run(items: Sequence[pytest.Item], lines: Lines) -> str:
    """Run tests in this order until one fails, and give its name, or "survived"."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for item, following in zip_longest(items, items[1:]):
        limit = max(LEAST, SHARE * lines.seconds.get(item.nodeid, 0.0))
        signal.setitimer(signal.ITIMER_PROF, limit)
        signal.setitimer(signal.ITIMER_REAL, 30 * limit)
        if any(each.failed for each in runtestprotocol(item, log=False, nextitem=following)):
            return item.nodeid
    return "survived"


class Functions:
    """Every function object of some files."""

    def __init__(self, sources: Sequence[Path]) -> None:
        wanted = set(map(str, sources))
        self._found: dict[str, list[FunctionType]] = {}
        gc.unfreeze()
        for each in gc.get_objects():
            if isinstance(each, FunctionType):
                path = os.path.realpath(each.__code__.co_filename)
                if path in wanted:
                    self._found.setdefault(path, []).append(each)
        self._caches = caches()
        gc.collect()
        gc.freeze()

    def change(self, change: Change) -> bool:
        """Put the changed code into its functions; whether there was one."""
        functions = self._found.get(str(change.path), [])
        if not functions:
            return False
        module = compile(change.source(), functions[0].__code__.co_filename, "exec")
        new = {(each.co_qualname, each.co_firstlineno): each for each in _codes(module)}
        done = False
        for each in functions:
            code = new.get((each.__code__.co_qualname, each.__code__.co_firstlineno))
            if code is not None and code != each.__code__:
                each.__code__ = code
                done = True
        for each in self._caches:
            each.cache_clear()
        return done


def _codes(code: CodeType) -> Iterator[CodeType]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from _codes(each)


class Changed(importlib.machinery.PathFinder):
    """Finds the changed file in place of its source: put it into `sys.meta_path`."""

    def __init__(self, change: Change) -> None:
        self._change = change

    def find_spec(  # type: ignore[override] # an object finds it, since each has its change
        self,
        name: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of a module whose file is the changed one; none for others."""
        if not name.startswith("recloser."):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or spec.origin is None:
            return None
        if os.path.realpath(spec.origin) != str(self._change.path):
            return None
        spec.loader = _Loader(name, spec.origin, self._change)
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, origin: str, change: Change) -> None:
        super().__init__(name, origin)
        self._change = change

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._change.source(), self.path, "exec", dont_inherit=True)


def install(change: Change) -> None:
    """Let the import of the file have the change; it ends this process if it does not end."""
    signal.setitimer(signal.ITIMER_PROF, IMPORT)
    sys.meta_path.insert(0, Changed(change))  # type: ignore[arg-type] # it is asked as an object


def installed(change: Change) -> bool:
    """Whether the file has been imported with the change, and never without it."""
    found = [
        isinstance(module.__loader__, _Loader)
        for name, module in list(sys.modules.items())
        if name.startswith("recloser.")
        and os.path.realpath(getattr(module, "__file__", None) or "") == str(change.path)
    ]
    return bool(found) and all(found)
