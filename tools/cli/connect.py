"""`recloser connect`: a terminal client that stays connected as an engine does."""

import asyncio
import os
import signal
import ssl
import termios
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
import structlog

from recloser import redact
from recloser.assembly import connect
from recloser.change_line import CHANGED, POLICY_FAILED
from recloser.cli.policy_argument import POLICY_HELP, load_policy
from recloser.cli.terminal.conversation import Conversation
from recloser.cli.terminal.display import Display
from recloser.cli.terminal.lines import Typed, piped
from recloser.cli.terminal.token_command import headers_from
from recloser.client import ReconnectingWebSocket
from recloser.driver.inputs import Headers
from recloser.journal import Journal
from recloser.journal.destinations import PathDestination
from recloser.journal.line_writer import LineWriter

_STDIN: Final = 0
_STDOUT: Final = 1
_STDERR: Final = 2
_LINGER: Final = 1.0
_FILE: Final = click.Path(dir_okay=False, path_type=Path)


def _headers(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> dict[str, str]:
    headers = {}
    for each in value:
        name, colon, text = each.partition(":")
        if not colon or not name.strip():
            raise click.BadParameter("give a header as 'Name: value'", ctx, param)
        headers[name.strip()] = text.strip()
    return headers


def _seconds(ctx: click.Context, param: click.Parameter, value: float) -> float:
    if not value >= 0:
        raise click.BadParameter("give seconds: a number of at least 0, or inf", ctx, param)
    return value


@click.command()
@click.argument("url")
@click.option("-s", "--subprotocol", "subprotocols", multiple=True, help="Ask for it; repeat.")
@click.option(
    "-H",
    "--header",
    "headers",
    multiple=True,
    callback=_headers,
    metavar="'NAME: VALUE'",
    help="Send it with every dial; repeat.",
)
@click.option(
    "--token-command",
    metavar="COMMAND",
    help="Run before every dial; what it prints goes into 'Authorization: Bearer'.",
)
@click.option(
    "-p",
    "--policy",
    "policy_name",
    default="standard",
    show_default=True,
    help=POLICY_HELP,
)
@click.option("--binary", is_flag=True, help="Send lines, and print messages, as bytes.")
@click.option("--json", "pretty", is_flag=True, help="Print messages that are JSON indented.")
@click.option(
    "--linger",
    type=float,
    callback=_seconds,
    default=_LINGER,
    show_default=True,
    help="Seconds for answers after the last line of a pipe; inf: until Ctrl-C.",
)
@click.option(
    "--cacert",
    type=_FILE,
    help="Trust the certificates of this file (PEM), and no others.",
)
@click.option(
    "--insecure",
    is_flag=True,
    help="Accept any certificate: whoever is in between can read and change all.",
)
@click.option("--log", "log_file", type=_FILE, help="Append the log of the engine, as JSON lines.")
@click.option("--journal", "journal_file", type=_FILE, help="Append a journal, for replay.")
def command(
    *,
    url: str,
    subprotocols: tuple[str, ...],
    headers: dict[str, str],
    token_command: str | None,
    policy_name: str,
    binary: bool,
    pretty: bool,
    linger: float,
    cacert: Path | None,
    insecure: bool,
    log_file: Path | None,
    journal_file: Path | None,
) -> int:
    """Talk to a WebSocket server: a line in is a message out, and the other way round.

    Messages go to stdout, states to stderr. Lines of a pipe are held until they can be sent;
    after the last one, --linger seconds are left for answers. On a terminal, an empty line
    ends a wait, and Ctrl-D leaves. Ctrl-C leaves anywhere. Both leave with an intentional
    1000 and exit status 0; status 1: the policy gave up.
    """
    trust = _trust(url, cacert, insecure=insecure)
    typed = _typed()
    with ExitStack() as stack:
        observers = []
        if journal_file is not None:
            with _openable("--journal"):
                journal = Journal(journal_file, fields={"url": redact.url(url)})
            observers.append(stack.enter_context(journal))
        log_lines = None
        if log_file is not None:
            with _openable("--log"):
                log_lines = LineWriter(PathDestination(log_file), {})
            stack.callback(log_lines.close)
        try:
            ws = connect(
                url,
                policy=load_policy(policy_name),
                headers=_with_token(token_command, headers),
                subprotocols=subprotocols,
                ssl=trust,
                observers=observers,
            )
        except (TypeError, ValueError) as error:
            raise click.UsageError(str(error), click.get_current_context()) from error
        display = Display(
            out=_STDOUT,
            err=_STDERR,
            pretty=pretty,
            raw_bytes=binary,
            prompt=None if typed is None else typed.current,
        )
        _configure_log(log_lines, display)
        stack.callback(structlog.reset_defaults)
        conversation = Conversation(
            ws,
            piped(_STDIN) if typed is None else typed.lines(),
            display,
            interactive=os.isatty(_STDIN),
            binary=binary,
            linger=linger,
        )
        stack.enter_context(_terminal_restored(typed))
        return asyncio.run(_run(ws, conversation, display))


async def _run(ws: ReconnectingWebSocket, conversation: Conversation, display: Display) -> int:
    loop, conversing = asyncio.get_running_loop(), asyncio.ensure_future(conversation.run())

    def leave() -> None:
        conversation.leave()
        # A second request means: do not wait for the peer. Then it is an interruption.
        loop.add_signal_handler(signal.SIGINT, conversing.cancel)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, leave)
    display.watch(ws)
    try:
        return await conversing
    except asyncio.CancelledError:
        raise click.Abort from None
    finally:
        display.leave()


def _trust(url: str, cacert: Path | None, *, insecure: bool) -> ssl.SSLContext | bool:
    """Return whom to trust, as `connect(ssl=...)` takes it."""
    if cacert is None and not insecure:
        return True
    option = "--insecure" if insecure else "--cacert"
    if cacert is not None and insecure:
        raise click.UsageError(
            "--cacert and --insecure exclude each other", click.get_current_context()
        )
    if not url.lower().startswith("wss:"):
        raise click.BadParameter("only a wss URL has a certificate to look at", param_hint=option)
    if cacert is None:
        return False
    try:
        return ssl.create_default_context(cafile=cacert)
    except ssl.SSLError as error:
        raise click.BadParameter(
            f"{cacert} has no certificate in PEM form", param_hint=option
        ) from error
    except OSError as error:
        raise click.BadParameter(f"{cacert}: {error.strerror}", param_hint=option) from error


def _typed() -> Typed | None:
    """Return line editing if stdin and stdout are terminals and Python has `readline`."""
    if not (os.isatty(_STDIN) and os.isatty(_STDOUT)):
        return None
    try:
        import readline  # noqa: PLC0415 - where there is no terminal it would write to stdout
    except ImportError:
        return None
    return Typed(readline)


@contextmanager
def _terminal_restored(typed: Typed | None) -> Iterator[None]:
    """Restore the modes of the terminal at the end, and erase a prompt without an answer."""
    if not os.isatty(_STDIN):
        yield
        return
    modes = termios.tcgetattr(_STDIN)
    try:
        yield
    finally:
        termios.tcsetattr(_STDIN, termios.TCSANOW, modes)
        if typed is not None and typed.current():
            os.write(_STDOUT, b"\r\x1b[K")


@contextmanager
def _openable(option: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        text = f"{error.filename}: {error.strerror}"
        raise click.BadParameter(text, param_hint=option) from error


def _with_token(token_command: str | None, headers: Mapping[str, str]) -> Headers:
    return headers if token_command is None else headers_from(token_command, headers)


class _LogFile:
    """Takes the lines that structlog has made, for a thread that writes them."""

    def __init__(self, writer: LineWriter) -> None:
        self._writer = writer

    def msg(self, line: str) -> None:
        """Write a line."""
        self._writer.write(f"{line}\n", datetime.now(UTC).isoformat(timespec="microseconds"))

    info = warning = error = msg


def _configure_log(writer: LineWriter | None, display: Display) -> None:
    """Write the engine's log to a file if one is given; show events that are no changes."""

    def show(logger: object, method: str, line: MutableMapping[str, Any]) -> Mapping[str, Any]:
        del logger, method
        if line["event"] not in (CHANGED, POLICY_FAILED):
            display.note(" ".join(f"{name}={value}" for name, value in line.items()))
        if writer is None:
            raise structlog.DropEvent
        return line

    structlog.configure(
        processors=[show, structlog.processors.add_log_level, structlog.processors.JSONRenderer()],
        logger_factory=None if writer is None else lambda _: _LogFile(writer),
    )
