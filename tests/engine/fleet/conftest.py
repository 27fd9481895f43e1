"""The tests of a store's server run once for each that they can speak to: Redis and Valkey."""

import shutil

import pytest

SERVERS = ("redis-server", "valkey-server")


@pytest.fixture(params=SERVERS)
def program(request: pytest.FixtureRequest) -> str:
    """The server that the test starts; a test of one that is not installed is skipped."""
    name = str(request.param)
    if shutil.which(name) is None:
        pytest.skip(f"no {name} in PATH: install the package {name}, or say make fleet")
    return name
