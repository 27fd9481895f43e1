"""Changes, decisions, durations and moments as text for people."""

from datetime import UTC, datetime
from typing import Final

from recloser import redact
from recloser.fsm import closecodes
from recloser.fsm.change import StateChange
from recloser.fsm.closecodes import TLS_HANDSHAKE
from recloser.fsm.decisions import Decision, Hold, Retry
from recloser.fsm.record import Cause, Close
from recloser.journal.lines import RecordedError

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"))


def duration(seconds: float) -> str:
    """Return a duration in at most two units.

    >>> duration(0.25), duration(62.4), duration(7500)
    ('0.25 s', '1 min 2 s', '2 h 5 min')
    """
    if seconds < 60:  # noqa: PLR2004 - seconds of a minute
        return f"{round(seconds, 2):g} s"
    names = [*_UNITS, (1, "s")]
    whole = round(seconds)
    place = next(index for index, (size, _) in enumerate(names) if whole >= size)
    (size, name), (next_size, next_name) = names[place], names[place + 1]
    rest = whole % size // next_size
    return f"{whole // size} {name}" + (f" {rest} {next_name}" if rest else "")


def moment(time: float) -> str:
    """Return a time stamp, in UTC to the millisecond; `time` in seconds since the epoch."""
    stamp = datetime.fromtimestamp(time, UTC).isoformat(sep=" ", timespec="milliseconds")
    return stamp.replace("+00:00", "Z")


def describe_close(close: Close) -> str:
    """Describe the end of a connection or a dial, and its origin."""
    what = f"{close.code} {closecodes.name(close.code)}"
    if close.status is not None:
        proxy = " from the proxy" if close.cause is Cause.PROXY else ""
        what = f"HTTP {close.status}{proxy}"
        if close.retry_after is not None:
            what += f", Retry-After {duration(close.retry_after)}"
    reason = f' "{redact.line(close.reason)}"' if close.reason else ""
    if close.body:
        reason += f' "{redact.line(close.body)}"'
    asked = ", asked for" if close.intentional else ""
    error = f": {_error_text(close.error)}" if close.error is not None else ""
    return f"{what}{reason} ({close.origin.value}, {close.cause.value}{asked}){error}"


def _error_text(error: BaseException) -> str:
    name = "" if isinstance(error, RecordedError) else f"{type(error).__name__}: "
    return redact.line(f"{name}{error}")


_PLAIN: Final = {
    Cause.DNS: "no host of this name was found",
    Cause.TCP: "nobody accepted the connection: is the server running, and the port right?",
    Cause.CONNECT_TIMEOUT: "there was no answer in time",
    Cause.TLS: "the server does not speak TLS here, or no version of it that is safe",
    Cause.VALIDITY: "the certificate has expired, or is not valid yet",
    Cause.PROTOCOL: "what answers there is no WebSocket server, or breaks the protocol",
    Cause.PROXY: "the proxy would not connect to the server, or could not",
    Cause.TOO_BIG: "the server sent a message that is too large",
}
_UNTRUSTED: Final = (
    "the certificate is not trusted: --cacert FILE names its issuer, --insecure takes any"
)
_STATUSES: Final = {
    401: "the server wants a credential: see --token-command and --header",
    403: "the server wants another credential: see --token-command and --header",
    404: "the server has no WebSocket at this path",
}


def plain_words(close: Close) -> str | None:
    """Say in plain words what was wrong, and what may help; None where the facts say enough."""
    if close.cause is Cause.TLS and close.code == TLS_HANDSHAKE:
        return _UNTRUSTED
    if close.answered and close.status in _STATUSES:
        return _STATUSES[close.status]
    return _PLAIN.get(close.cause)


def describe_decision(decision: Decision) -> str:
    """Describe a decision in a few words."""
    if isinstance(decision, Retry):
        when = f"dial in {duration(decision.delay)}" if decision.delay else "dial at once"
        return f"{when} with a new credential" if decision.refresh else when
    return "rest" if isinstance(decision, Hold) else "stop"


def describe_states(change: StateChange) -> str:
    """Describe a change by its two states."""
    return f"{change.previous.value} -> {change.current.value}"


def describe_change(change: StateChange) -> str:
    """Describe the cause of a change of state, and the decision."""
    close = change.close
    words = [change.trigger.value if close is None else describe_close(close)]
    if change.uptime is not None:
        words.append(f"open for {duration(change.uptime)}")
    if change.rule:
        words.append(f"rule {redact.printable(change.rule)}")
    if change.delay is not None:
        words.append(f"next dial in {duration(change.delay)}")
    if change.unsent:
        words.append(f"{change.unsent} unsent")
    if change.undelivered:
        words.append(f"{change.undelivered} undelivered")
    if change.error is not None:
        words.append(redact.line(str(change.error)))
    return "; ".join(words)
