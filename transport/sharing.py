"""Sessions that many transports dial through: one a loop and kind, ended by the last of them."""

import asyncio
import warnings
from weakref import WeakValueDictionary, finalize

from aiohttp import ClientSession

from recloser.transport import sessions

_Key = tuple[asyncio.AbstractEventLoop, ClientSession | bool]


class _Shared:
    """One session and how many have a part in it; lives no longer than they do."""

    __slots__ = ("__weakref__", "key", "parts", "session")

    def __init__(self, key: _Key, session: ClientSession) -> None:
        self.key = key
        self.session = session
        self.parts = 0
        # aiohttp warns of each session that is forgotten; we warn of whoever forgot it (J2).
        finalize(self, session.detach)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self.key[0]

    @property
    def ours(self) -> bool:
        return isinstance(self.key[1], bool)

    def drop(self) -> bool:
        """Count one part less; whether that was the last, so that nobody finds this any more."""
        self.parts -= 1
        if self.parts:
            return False
        if _known.get(self.key) is self:
            del _known[self.key]
        return True

    def desert(self) -> None:
        """Drop a part that nobody can wait for; with the last, let go of what is idle anyway."""
        if self.drop():
            self.session.detach()


_known: WeakValueDictionary[_Key, _Shared] = WeakValueDictionary()


class Part:
    """The part of one transport in a session, from `take` until `give_back`."""

    __slots__ = ("_held", "_shared")

    def __init__(self, shared: _Shared) -> None:
        shared.parts += 1
        self._shared = shared
        self._held = True

    @property
    def session(self) -> ClientSession:
        """The session."""
        return self._shared.session

    def serves(self) -> bool:
        """Whether it can be dialled with: it is not closed, and of the running loop."""
        return not self.session.closed and self._shared.loop is asyncio.get_running_loop()

    async def give_back(self) -> None:
        """Give the part back, once; the last one closes the session, but no lent connector."""
        self._held = False
        if self._shared.loop is not asyncio.get_running_loop():
            _desert(self._shared)
        elif self._shared.drop():
            await self._shared.session.close()

    def __del__(self) -> None:
        if self._held and _desert(self._shared) and self._shared.ours:
            warnings.warn(
                "a transport was forgotten with its part in a session: await aclose()",
                ResourceWarning,
                source=self,
                stacklevel=2,
            )


def take(lent: ClientSession | None, *, trust_env: bool) -> Part:
    """Take part in the session for a lent one, or in our own; both are made when first asked for.

    Raises `SessionClosed` if the lent one is closed.
    """
    key = asyncio.get_running_loop(), trust_env if lent is None else lent
    found = _known.get(key)
    if found is None or found.session.closed:
        made = sessions.make(trust_env=trust_env) if lent is None else sessions.over(lent)
        found = _known[key] = _Shared(key, made)
    return Part(found)


def _desert(shared: _Shared) -> bool:
    """Have the loop of a session drop a part, from anywhere; False if that loop is closed."""
    try:
        shared.loop.call_soon_threadsafe(shared.desert)
    except RuntimeError:
        return False
    return True
