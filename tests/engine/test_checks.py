"""What can be dialled, and what can be called: the checks of what an application gives."""

from functools import partial
from typing import Any

import pytest

from recloser.checks import check_plain_function, refuse_coroutine


async def later(*_: object) -> None:
    """Nobody would await this."""


class Later:
    async def __call__(self, *_: object) -> None:
        """Nor this."""


class Plain:
    def __call__(self, *_: object) -> None:
        """This can be called."""


@pytest.mark.spec("I3.5")
@pytest.mark.parametrize(
    "given", [later, partial(later, 1), partial(partial(later), 1), Later()], ids=range(4)
)
def test_a_coroutine_function_is_no_plain_function(given: object) -> None:
    with pytest.raises(TypeError, match=r"key must be a plain function.*start a task"):
        check_plain_function("key", "one message", given)


@pytest.mark.parametrize("given", [None, 1, "len", [len]], ids=str)
def test_what_cannot_be_called_is_no_function(given: object) -> None:
    with pytest.raises(TypeError, match="key must be a function of one message, not"):
        check_plain_function("key", "one message", given)


@pytest.mark.parametrize(
    "given", [len, partial(len), Plain(), Plain, print, [].append], ids=range(6)
)
def test_a_plain_function_passes(given: object) -> None:
    check_plain_function("key", "one message", given)


@pytest.mark.spec("I3.5")
def test_a_coroutine_is_refused_and_closed() -> None:
    coroutine: Any = later()
    with pytest.raises(TypeError, match="nobody awaits"):
        refuse_coroutine(coroutine)
    assert coroutine.cr_frame is None
    refuse_coroutine(None)
