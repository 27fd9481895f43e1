"""Stories make log lines by the thousand, which are not what they are about."""

from collections.abc import Iterator
from typing import NoReturn

import pytest
import structlog


def _drop(_logger: object, _event: str, _line: object) -> NoReturn:
    raise structlog.DropEvent


@pytest.fixture(scope="module")
def quiet() -> Iterator[None]:
    """Log lines are made, and dropped before they are rendered."""
    structlog.configure(processors=[_drop])
    yield
    structlog.reset_defaults()
