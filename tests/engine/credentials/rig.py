"""A provider whose answers are counted and can be held back, and a clock set by hand."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from recloser.clock import Timer
from recloser.credentials import Credential
from recloser.fsm.record import Close
from recloser.testing import ScriptedWire

SPENT = Close.frame(1000, "Token expired")
NOT_LET_IN = Close.refused(401)


class Asked:
    """Gives its answers in turn and the last one for ever; waits for `gate` if there is one."""

    def __init__(self, *answers: Any, gate: asyncio.Event | None = None) -> None:
        self.answers = list(answers) or [f"token-{number}" for number in range(1, 100)]
        self.gate = gate
        self.calls = 0
        self.running = 0
        self.cancelled = 0

    async def __call__(self) -> Credential:
        self.calls += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.running += 1
        try:
            if self.gate is not None:
                await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        if isinstance(answer, BaseException):
            raise answer
        return answer  # type: ignore[no-any-return] # nonsense among them, on purpose


class HandClock:
    """Both times are set by hand; timers are the loop's."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.epoch = 1_700_000_000.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.epoch

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        return asyncio.get_running_loop().call_later(max(0.0, when - self.now), callback)

    def tick(self, seconds: float) -> None:
        self.now += seconds
        self.epoch += seconds


def bearer(wire: ScriptedWire) -> str:
    """The token of the dial that made this wire."""
    return bearer_of(wire.request.headers)


def bearer_of(headers: Mapping[str, str]) -> str:
    scheme, _, token = headers["Authorization"].partition(" ")
    assert scheme == "Bearer"
    return token
