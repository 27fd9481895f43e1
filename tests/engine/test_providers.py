"""What a provider raises becomes the record of a failed dial."""

import asyncio
import pickle

import pytest

from recloser import RecloserError, Unauthorized
from recloser.fsm import Cause, Close
from recloser.providers import dial_failure, resolve
from recloser.transport.base import DialFailed
from tests.engine.rig import virtual


async def value() -> str:
    return "a"


@pytest.mark.spec("E1")
@pytest.mark.parametrize("given", ["a", lambda: "a", value], ids=["value", "function", "coroutine"])
@virtual
async def test_a_value_a_function_and_a_coroutine_function_serve(given: object) -> None:
    assert await resolve(given) == "a"


@pytest.mark.spec("E2.1")
@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (OSError("gone"), Cause.CREDENTIALS),
        (Unauthorized("no such user"), Cause.UNAUTHORIZED),
        (asyncio.CancelledError(), Cause.CREDENTIALS),
    ],
    ids=["error", "unauthorized", "cancelled"],
)
@virtual
async def test_an_exception_is_a_failed_dial(error: BaseException, cause: Cause) -> None:
    with pytest.raises(DialFailed) as failed, dial_failure(Cause.CREDENTIALS):
        raise error
    assert failed.value.close == Close.by_engine(cause)
    assert failed.value.close.error is error


@virtual
async def test_a_failed_dial_passes() -> None:
    failed = DialFailed(Close.cut())
    with pytest.raises(DialFailed) as seen, dial_failure(Cause.HOOK):
        raise failed
    assert seen.value is failed


def test_unauthorized_is_an_error_of_ours_with_a_text_of_the_applications() -> None:
    error = pickle.loads(pickle.dumps(Unauthorized("no such user")))
    assert isinstance(error, RecloserError)
    assert str(error) == "no such user"
