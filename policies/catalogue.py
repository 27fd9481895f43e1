"""The catalogue: for each service with codes of its own, its rows, its limits and its policy.

The data lie in `data/services.json` and are read when a service is first asked for. A row's
`do` is one word and perhaps a number of seconds: `stop`, which drops the message that a code of
`MESSAGE_REFUSED` refuses; `retry`; `wait N`, a retry after at
least N; `now`, a retry within the first second, then as `retry`; `refresh`, a new credential
once, else stop; `new` and `resume`, retries by which the application begins a new session or
resumes the old one; `standard`, where the code alone does not tell. A `code` or `status` is
one number, several, or a range with both ends included.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, Final

from recloser.fsm.closecodes import MESSAGE_REFUSED
from recloser.fsm.decisions import Phase, Session, Unsent
from recloser.policies.actions import AT_ONCE, refresh_then_retry, retry, stop
from recloser.policies.codes import PeerNormal
from recloser.policies.conditions import when
from recloser.policies.intervals import IntervalSet, numbers
from recloser.policies.refusals import PATIENCE, doubted
from recloser.policies.rules import Rule, RulePolicy
from recloser.policies.standard import with_rows

_DATA: Final = Path(__file__).with_name("data") / "services.json"

_WHY: Final = {
    "stop": "The same connection would be refused again.",
    "retry": "The service expects its clients back.",
    "wait": "The service wants a pause before its clients come back.",
    "now": "The service expects its clients back at once.",
    "refresh": "Another credential is wanted: ask for one, once.",
    "new": "The old session is gone: come back and begin a new one.",
    "resume": "The session lives on for a while: come back and resume it.",
    "standard": "The code alone does not tell: it is judged as the standard policy does.",
}


_SESSIONS: Final = {"new": Session.NEW, "resume": Session.RESUME}


class UnknownServiceError(ValueError):
    """The catalogue has no such service; the message names similar ones."""


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """The meaning of a code, or of the status of a refused upgrade, for a service."""

    fact: str
    """"code" or "status"."""
    numbers: str
    """As written in the data: "4000-4099"."""
    name: str
    do: str
    why: str
    source: str
    date: str
    """The date of the revision that was read, or of the reading if it has none."""
    reason: str | None = None
    """A pattern that the reason must fit; a row of the same code without one comes after."""

    @property
    def number_set(self) -> IntervalSet:
        """The same numbers as a set."""
        parts = [part.split("-") for part in self.numbers.split(",")]
        return numbers([range(int(part[0]), int(part[-1]) + 1) for part in parts])


@dataclass(frozen=True, slots=True)
class Limit:
    """The number of dials that a service allows."""

    dials: int
    seconds: float
    per: str
    """The scope of the count: an IP address, an account."""
    source: str


@dataclass(frozen=True, slots=True)
class Lifetime:
    """The age at which a service ends every connection."""

    seconds: float
    what: str
    """What the service says of it."""
    source: str
    date: str

    @property
    def max_age(self) -> tuple[float, float]:
        """The window for `connect(max_age=...)`: from 85 to 95 % of the lifetime, in seconds."""
        return 0.85 * self.seconds, 0.95 * self.seconds


@dataclass(frozen=True, slots=True)
class InBand:
    """What a service says in a message before it closes, and the word that passes it on."""

    message: str
    """"auth_invalid": the type of the message, or what is in it."""
    word: str
    """The word for `advise`: "stop", "hold", "refresh" or "retry"."""
    why: str
    source: str
    date: str


@dataclass(frozen=True, slots=True)
class Compression:
    """A service that wants its clients to ask for compression: `connect(compression=True)`."""

    why: str
    source: str
    date: str


@dataclass(frozen=True, slots=True)
class Service:
    """One entry of the catalogue."""

    name: str
    title: str
    also: tuple[str, ...]
    """Other names under which it is found."""
    limits: tuple[Limit, ...]
    advice: tuple[InBand, ...]
    """What to pass to `advise`, where the service says in-band what its close does not tell."""
    compression: Compression | None
    """Whether it wants compression; None if it does not say so."""
    lifetime: Lifetime | None
    """The age at which it ends every connection; None if none is known."""
    rows: tuple[ServiceRow, ...]
    """The more special ones first: those of fewer numbers, and of as many those with a reason."""

    def policy(
        self,
        *,
        peer_normal: PeerNormal = "retry",
        patience: float = PATIENCE,
        restart: tuple[float, float] | None = None,
    ) -> RulePolicy:
        """Make the standard policy with this service's rows; see `standard` for the rest."""
        return with_rows(
            self.name,
            (rule for row in self.rows for rule in _rules(self.name, row, patience)),
            peer_normal=peer_normal,
            patience=patience,
            restart=restart,
        )


def services() -> tuple[str, ...]:
    """Return the names of all services, in order."""
    return tuple(_data())


def service(name: str) -> Service:
    """Return one entry; case does not matter, nor does the sign between words.

    Raises `UnknownServiceError`, a `ValueError`.
    """
    known = _names()
    wanted = _plain(name)
    if wanted not in known:
        near = get_close_matches(wanted, known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(sorted({repr(known[each]) for each in near}))}?"
        if not near:
            hint = "policies.services() lists all"
        raise UnknownServiceError(f"unknown service {name!r}: {hint}")
    return _service(known[wanted])


def for_service(
    name: str,
    *,
    peer_normal: PeerNormal = "retry",
    patience: float = PATIENCE,
    restart: tuple[float, float] | None = None,
) -> RulePolicy:
    """Make the policy of a service: its own rows, and the standard policy for the rest (B14).

    The arguments are those of `standard`. Raises `UnknownServiceError`, a `ValueError` that
    names similar services, and `ValueError` for `peer_normal` and `restart` where the service has
    rows of its own for a 1000 or a 1012, so that they would have no effect.
    """
    return service(name).policy(peer_normal=peer_normal, patience=patience, restart=restart)


def _plain(name: str) -> str:
    return "".join(each for each in name.lower() if each.isalnum())


@cache
def _names() -> dict[str, str]:
    return {
        _plain(each): name
        for name, entry in _data().items()
        for each in (name, *entry.get("also", ()))
    }


@cache
def _data() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_DATA.read_text(encoding="utf-8"))
    return found


@cache
def _service(name: str) -> Service:
    entry = _data()[name]
    sources = entry["sources"]
    limits = (
        Limit(each["dials"], each["seconds"], each["per"], sources[each["from"]][0])
        for each in entry.get("limits", ())
    )
    advice = (
        InBand(each["on"], each["pass"], each["why"], *sources[each["from"]])
        for each in entry.get("advice", ())
    )
    wanted = entry.get("compression")
    rows = (_row(each, *sources[each["from"]]) for each in entry["rows"])
    life = entry.get("lifetime")
    return Service(
        name,
        entry["title"],
        tuple(entry.get("also", ())),
        tuple(limits),
        tuple(advice),
        None if wanted is None else Compression(wanted["why"], *sources[wanted["from"]]),
        None if life is None else Lifetime(life["seconds"], life["what"], *sources[life["from"]]),
        tuple(sorted(rows, key=_width)),
    )


def _row(entry: dict[str, Any], source: str, date: str) -> ServiceRow:
    fact = "code" if "code" in entry else "status"
    why = entry.get("why", _WHY[entry["do"].split()[0]])
    reason = entry.get("reason")
    return ServiceRow(fact, entry[fact], entry["name"], entry["do"], why, source, date, reason)


def _width(row: ServiceRow) -> tuple[float, bool]:
    return sum(high - low for low, high in row.number_set.intervals), row.reason is None


def _rules(service: str, row: ServiceRow, patience: float) -> Iterator[Rule]:
    word, _, rest = row.do.partition(" ")
    name = "-".join((service, *row.numbers.split(","), *_slug(row.reason)))
    source = row.source if row.date in row.source else f"{row.source} ({row.date})"
    numbers = [range(int(low), int(high)) for low, high in row.number_set.intervals]

    def rule(suffix: str, action: Any, **more: Any) -> Rule:
        facts = {row.fact: numbers, "reason": row.reason, **more}
        if row.fact == "code":
            facts["refused"] = False
        return Rule(name + suffix, when(**facts), action, f"{row.name}. {row.why}", source)

    if word == "refresh":
        yield rule("-refresh", refresh_then_retry(), can_refresh=True, refreshed=False)
    if word in ("stop", "refresh"):
        if row.fact == "status":
            yield from doubted(name, row.number_set, patience, source)
        refuses = (
            word == "stop" and row.fact == "code" and MESSAGE_REFUSED.issuperset(chain(*numbers))
        )
        yield rule("", stop(unsent=Unsent.DROP_REFUSED if refuses else Unsent.KEEP))
    elif word != "standard":
        session = _SESSIONS.get(word)
        at_once = "now" in (word, rest)
        if at_once:
            yield rule("-now", retry(AT_ONCE, session=session), phase=Phase.OPEN, attempt=1)
        floor = float(rest) if rest and not at_once else 0.0
        yield rule("", retry(at_least=floor, session=session))


def _slug(reason: str | None) -> tuple[str, ...]:
    words = "" if reason is None else reason.split("|")[0].lower().replace(" ", "-")
    return (words,) if words else ()
