"""The store of one event loop keeps to the contract."""

from collections.abc import Awaitable, Callable

import pytest

from recloser.fleet import LeaseStore, MemoryStore
from tests.engine.fleet.contract import CONTRACT, Wait
from tests.engine.rig import pass_time, virtual


@pytest.mark.spec("O3.1")
@pytest.mark.parametrize("check", CONTRACT)
@virtual
async def test_it_keeps_to_the_contract(
    check: Callable[[LeaseStore, Wait], Awaitable[None]],
) -> None:
    await check(MemoryStore(), pass_time)
