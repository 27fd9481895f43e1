"""The wall clock of a real process is set, while its monotonic clock goes on."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.lab import PATIENCE, Lab

pytestmark = pytest.mark.faults

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


@pytest.mark.spec("F6.1", "F6.2", "D7.3", "D9.5")
async def test_the_clock_goes_forward_an_hour_back_two_and_is_right_again(
    lab: Lab, tmp_path: Path
) -> None:
    """No step ends a connection, expires a message, or spends a budget of dials."""
    if not LIBRARIES:
        pytest.skip("no libfaketime: apt-get install libfaketime")
    await lab.serve()
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.stepped", str(tmp_path)),
        cwd=Path(__file__).parents[2],
        env={
            **os.environ,
            "LD_PRELOAD": str(LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert (process.returncode, out) == (0, b"well\n"), err.decode()[-2000:]
    lab.end()
    assert lab.received == list(range(1, 21))
