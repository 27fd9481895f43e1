"""Sound policies from the literature and from services, none of which the check may accuse."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from recloser.fsm.decisions import Context, Decision, Hold, Phase, Policy, Retry, Session, Stop
from recloser.fsm.record import Close

_HUGE: Final = 60
"""Doublings after which every cap here has been reached, and no float is full yet."""


def doubled(context: Context, base: float, cap: float) -> float:
    """Return `base` seconds, doubled for each failure of the run after the first, up to `cap`."""
    return min(cap, base * 2.0 ** min(context.attempt - 1, _HUGE))


class FullJitter:
    """Draws from everything below an exponential."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop("asked")
        return Retry(doubled(context, 1.0, 60.0) * context.roll)


class EqualJitter:
    """Keeps half of an exponential, and draws the other half."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop("asked")
        return Retry(doubled(context, 1.0, 60.0) * (0.5 + context.roll / 2))


class DecorrelatedJitter:
    """Draws up to three times the last delay, with a cap."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop("asked")
        most = 3.0 * (context.last_delay or 1.0)
        return Retry(min(60.0, 1.0 + (most - 1.0) * context.roll))


class ConnectionBackoff:
    """Grows by 1.6 up to two minutes, a fifth more or less."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop("asked")
        delay = min(120.0, 1.6 ** min(context.attempt - 1, _HUGE))
        return Retry(delay * (0.8 + 0.4 * context.roll))


class Reflector:
    """Doubles 0.8 s up to 30 s, and adds up to as much again after the cap."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop("asked")
        return Retry(doubled(context, 0.8, 30.0) * (1.0 + context.roll))


class FixedWait:
    """Waits two to three seconds whatever happens, and gives up after sixty failures."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop("asked")
        if context.attempt > 60:
            return Stop("sixty failures")
        return Retry(2.0 + context.roll)


class FibonacciWait:
    """Grows as Fibonacci's numbers up to a minute, half of it drawn."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop("asked")
        delay, following = 1.0, 2.0
        for _ in range(min(context.attempt - 1, _HUGE)):
            delay, following = following, delay + following
        return Retry(min(60.0, delay) * (0.5 + context.roll / 2))


class Polynomial:
    """Waits the fourth power of the failures, with a share that grows with them, up to an hour."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop("asked")
        failures = min(context.attempt, _HUGE)
        return Retry(min(3600.0, failures**4 + 15.0) * (1.0 + context.roll / 4))


class LinearWait:
    """Five seconds more after each failure, up to a minute, a half more or less."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop("asked")
        return Retry(5.0 * min(context.attempt, 12) * (0.5 + context.roll))


class Steps:
    """A short table of delays, of which the last one stays, each up to half longer."""

    TABLE: Final = (1.0, 2.0, 5.0, 10.0, 30.0)

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop("asked")
        step = self.TABLE[min(context.attempt, len(self.TABLE)) - 1]
        return Retry(step * (1.0 + context.roll / 2))


class Deadline:
    """Backs off for ten minutes, then tells whoever waits for it."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop("asked")
        if context.attempt > 3 and context.elapsed > 600.0:
            return Stop("ten minutes")
        return Retry(doubled(context, 1.0, 60.0) * (0.5 + context.roll / 2))


class Breaker:
    """Rests after eight failures, until somebody says that it is worth while to try."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop("asked")
        if context.attempt > 8:
            return Hold("breaker open")
        return Retry(doubled(context, 1.0, 30.0) * (0.5 + context.roll / 2))


class AsTheServerSays:
    """Waits as long as a busy server asks for, up to an hour, and a part of it longer."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop("asked")
        own = doubled(context, 1.0, 60.0) * (0.5 + context.roll / 2)
        if close.retry_after is None:
            return Retry(own)
        told = min(3600.0, close.retry_after)
        return Retry(max(own, told + max(5.0, told / 4) * context.roll))


class TokenOnce:
    """Asks for a new token once where one was refused, and ends when that one is, too."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop("asked")
        if close.status == 401 or close.code in (3000, 4401):
            if context.refreshed or not context.can_refresh:
                return Stop("refused")
            return Retry(1.0 + context.roll, refresh=True)
        return Retry(doubled(context, 1.0, 60.0) * (0.5 + context.roll / 2))


class Resumes:
    """Resumes its session soon after a connection broke; some codes are final, some lose it."""

    FINAL: Final = (4004, 4010, 4011, 4012, 4013, 4014)
    LOST: Final = (4007, 4009)

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop("asked")
        if close.code in self.FINAL:
            return Stop("refused")
        delay = doubled(context, 1.0, 60.0) * (0.5 + context.roll / 2)
        return Retry(delay, session=Session.NEW if close.code in self.LOST else Session.RESUME)


class RestartWindow:
    """Spreads itself over the seconds that a server takes for a restart, and backs off else."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop("asked")
        if close.code == 1012 and context.phase is Phase.OPEN and context.attempt == 1:
            return Retry((close.spread or 30.0) * context.roll)
        return Retry(doubled(context, 1.0, 60.0) * (0.5 + context.roll / 2))


@dataclass(frozen=True, slots=True)
class SoundPolicy:
    """A policy that nothing is wrong with, and where it comes from."""

    make: Callable[[], Policy]
    source: str

    @property
    def name(self) -> str:
        """The name of its class."""
        return self.make().__class__.__name__


SOUND: Final = (
    SoundPolicy(FullJitter, "Brooker, Exponential Backoff And Jitter, 2015"),
    SoundPolicy(EqualJitter, "Brooker 2015"),
    SoundPolicy(DecorrelatedJitter, "Brooker 2015"),
    SoundPolicy(ConnectionBackoff, "gRPC, connection-backoff.md"),
    SoundPolicy(Reflector, "Kubernetes, client-go's reflector"),
    SoundPolicy(FixedWait, "nats.go over TLS: ReconnectWait, ReconnectJitterTLS, MaxReconnect"),
    SoundPolicy(FibonacciWait, "the Rust crate tokio-retry and others, with jitter"),
    SoundPolicy(Polynomial, "Sidekiq's retries, capped"),
    SoundPolicy(LinearWait, "the linear back-off of many brokers' clients, with jitter"),
    SoundPolicy(Steps, "the tables of SignalR and phoenix.js, with jitter"),
    SoundPolicy(Deadline, "google-api-core's Retry with a timeout"),
    SoundPolicy(Breaker, "Nygard, Release It!, 2007: the circuit breaker"),
    SoundPolicy(AsTheServerSays, "RFC 9110 section 10.2.3"),
    SoundPolicy(TokenOnce, "RFC 6750 section 3.1: a refused token is asked for anew"),
    SoundPolicy(Resumes, "Discord's gateway"),
    SoundPolicy(RestartWindow, "RFC 6455's registry: 1012 with 5 to 30 s"),
)
"""All of them; the tests hold each against every law, and docs/sound-policies.md shows them."""
