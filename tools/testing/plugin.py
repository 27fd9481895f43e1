"""A pytest plugin: the doubles of the kit as fixtures, known to pytest once recloser is installed.

A module is imported when a fixture asks for it, so the plugin does not slow the start of pytest.
"""

from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from recloser.testing import HandClock, Plan, ScriptedServer, ScriptedTransport


@pytest.fixture
def hand_clock() -> "Iterator[HandClock]":
    """Return a clock that stands still until `advance`; the test fails if it leaves a timer set."""
    from recloser.testing import HandClock  # noqa: PLC0415 - pytest must start without it

    clock = HandClock()
    yield clock
    left = clock.timers
    if left:
        pytest.fail(f"the test leaves {left} timers set: close() the engine", pytrace=False)


@pytest.fixture
def virtual_time() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a coroutine in virtual time: `virtual_time(story())`; hours pass in milliseconds."""
    from recloser.testing import run  # noqa: PLC0415 - as above

    return run


@pytest.fixture
def scripted_transport() -> "Callable[..., ScriptedTransport]":
    """Return a maker of transports that play plans: `scripted_transport(Plan(deaf=True))`."""
    from recloser.testing import ScriptedTransport  # noqa: PLC0415 - as above

    def make(*plans: "Plan") -> ScriptedTransport:
        return ScriptedTransport(plans)

    return make


@pytest.fixture
def scripted_server() -> "Callable[..., ScriptedServer]":
    """Return a maker of real servers on loopback, each with its faults; use it in `async with`."""
    from recloser.testing import ScriptedServer  # noqa: PLC0415 - as above

    def make(*script: Any, **options: Any) -> ScriptedServer:
        return ScriptedServer(script, **options)

    return make


@pytest.fixture
def check_policy() -> Callable[..., Any]:
    """Return `recloser.testing.check_policy`, for a test that needs only this."""
    from recloser.testing import check_policy as check  # noqa: PLC0415 - as above

    return check
