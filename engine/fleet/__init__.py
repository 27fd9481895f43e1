"""Many processes: one connection of a key in the whole fleet, shared work, shared credentials.

See docs/fleet.md. The redis client library loads when `RedisStore` is first used.
"""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from recloser.fleet.core import LeaseState
from recloser.fleet.lease import Lease
from recloser.fleet.memory import MemoryStore
from recloser.fleet.rendezvous import rendezvous
from recloser.fleet.shared_provider import CredentialStore, SharedProvider
from recloser.fleet.store import Grant, LeaseStore, Refusal, StoreUnreachable
from recloser.fleet.workers import MemberStore, Workers

if TYPE_CHECKING:
    from recloser.fleet.redis_store import RedisStore

__all__ = [
    "CredentialStore",
    "Grant",
    "Lease",
    "LeaseState",
    "LeaseStore",
    "MemberStore",
    "MemoryStore",
    "RedisStore",
    "Refusal",
    "SharedProvider",
    "StoreUnreachable",
    "Workers",
    "rendezvous",
]


def __getattr__(name: str) -> Any:
    if name != "RedisStore":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if find_spec("redis") is None:
        raise ImportError("RedisStore needs redis: pip install redis")
    from recloser.fleet.redis_store import RedisStore  # noqa: PLC0415 - an extra

    return RedisStore
