"""`check_transport`: does a transport keep the laws? A plain function; no test runner is needed."""

import asyncio
import gc
import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from recloser.testing.transports import dials, endings, messages
from recloser.testing.transports.law import (
    PATIENCE,
    LawBroken,
    MakeTransport,
    Stage,
    TransportLaw,
)
from recloser.testing.verdict.source import policy_source
from recloser.testing.verdict.verdicts import BrokenLaw, Verdict

TRANSPORT_LAWS: Final = (*endings.LAWS, *messages.LAWS, *dials.LAWS)
"""The laws that every transport keeps."""

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

_DESCRIPTORS: Final = Path("/proc/self/fd")
_BOUND: Final = 60.0
"""Seconds after which a law that hangs is broken."""


class MissingExtraError(ImportError):
    """A library of the extra `testing` is not installed; the message says how to get it."""


@dataclass(frozen=True, slots=True)
class TransportReport:
    """A verdict for each law, in the order of the laws."""

    verdicts: tuple[Verdict, ...]

    @property
    def broken(self) -> tuple[Verdict, ...]:
        """The verdicts of the laws that are broken."""
        return tuple(each for each in self.verdicts if each.problem is not None)

    @property
    def sound(self) -> bool:
        """Whether every law holds, as far as was tried."""
        return not self.broken

    def __str__(self) -> str:
        if self.sound:
            return f"{len(self.verdicts)} laws hold, on real sockets"
        return "\n\n".join(str(each) for each in self.broken)


def check_transport(
    make: MakeTransport,
    *,
    laws: Iterable[TransportLaw | str] | None = None,
    loop_factory: LoopFactory | None = None,
    patience: float = 5.0,
) -> TransportReport:
    """Check that a transport keeps the laws; raises `BrokenLaw`, an `AssertionError`, if not.

    make: a class or function that makes the transport. It takes three keywords: `ssl`, an
    `ssl.SSLContext` or True; `max_message_size`, the bytes from which a message is refused;
    `heartbeat`, a `Heartbeat` or None.
    laws: laws, or names of laws; all of `TRANSPORT_LAWS` if None.
    loop_factory: makes the event loop on which each law is tried; asyncio's own if None.
    patience: seconds that the transport may take for one thing that it must do.

    Each law opens its own connections on loopback, in some ten seconds altogether. The message
    of the error tells what was done, step by step. Raises `ValueError` for a name that no law
    has, `RuntimeError` when called while an event loop runs, and `MissingExtraError` without
    trustme, which makes the certificates.
    """
    report = examine_transport(make, laws=laws, loop_factory=loop_factory, patience=patience)
    if not report.sound:
        raise BrokenLaw(report.broken)
    return report


def examine_transport(
    make: MakeTransport,
    *,
    laws: Iterable[TransportLaw | str] | None = None,
    loop_factory: LoopFactory | None = None,
    patience: float = 5.0,
) -> TransportReport:
    """Check as `check_transport` does, but return the report also if laws are broken."""
    if not patience > 0:
        raise ValueError(f"patience must be above 0 seconds, not {patience!r}")
    chosen = _choose(laws)
    contexts = _certificates()
    before = PATIENCE.set(patience)
    try:
        return TransportReport(
            tuple(_try(law, Stage(make, contexts), loop_factory) for law in chosen)
        )
    finally:
        PATIENCE.reset(before)


def _choose(wanted: Iterable[TransportLaw | str] | None) -> tuple[TransportLaw, ...]:
    known = {law.name: law for law in TRANSPORT_LAWS}
    chosen: dict[str, TransportLaw] = {}
    for each in TRANSPORT_LAWS if wanted is None else wanted:
        if isinstance(each, str) and each not in known:
            near = get_close_matches(each, known, n=2, cutoff=0.4)
            hint = f"did you mean {' or '.join(near)}?" if near else f"one of {', '.join(known)}"
            raise ValueError(f"there is no law {each!r}: {hint}")
        law = known[each] if isinstance(each, str) else each
        if not isinstance(law, TransportLaw):
            raise TypeError(f"a law is a TransportLaw or the name of one, not {law!r}")
        chosen[law.name] = law
    if not chosen:
        raise ValueError("no law to check: name one, or leave laws out for all of them")
    return tuple(chosen.values())


def _try(law: TransportLaw, stage: Stage, loop_factory: LoopFactory | None) -> Verdict:
    problem: str | None = None
    reported: list[str] = []
    before = _sockets()

    async def play() -> None:
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: reported.append(str(context.get("exception", context["message"])))
        )
        async with asyncio.timeout(_BOUND):
            await law.check(stage)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:
            raise LawBroken(f"it leaves {len(left)} task(s) behind")

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        try:
            runner.run(play())
        except LawBroken as broken:
            problem = str(broken)
        except ExceptionGroup as group:
            problem = f"it raised {group!r}"
        except Exception as error:  # noqa: BLE001 - whatever a transport raises is its problem
            problem = f"it raised {type(error).__name__}: {error}"
        gc.collect()
    if problem is None and reported:
        problem = f"asyncio reported: {reported[0]}"
    if problem is None and _sockets() - before:
        problem = "it leaves sockets open"
    if problem is None:
        return Verdict(law)
    lines = [*stage.story, problem]
    story = "\n".join(f"{number:3}. {line}" for number, line in enumerate(lines, 1))
    return Verdict(law, problem, story, test=_test(law, stage.make))


def _test(law: TransportLaw, make: MakeTransport) -> str:
    statement, maker = policy_source(make)
    function = "test_" + law.name.replace("-", "_")
    return (
        f"from recloser.testing import check_transport\n\n{statement}\n\n\n"
        f'def {function}():\n    check_transport({maker}, laws=["{law.name}"])\n'
    )


def _sockets() -> set[str]:
    """Name the sockets of this process, where the platform tells."""
    names = set[str]()
    if _DESCRIPTORS.exists():
        for each in _DESCRIPTORS.iterdir():
            with suppress(OSError):
                names.add(str(each.readlink()))
    return {name for name in names if name.startswith("socket:")}


def _certificates() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make the contexts of a server on 127.0.0.1, and of a client that trusts it."""
    if find_spec("trustme") is None:
        raise MissingExtraError("checking a transport needs trustme: pip install trustme")
    import trustme  # noqa: PLC0415 - an extra

    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client
