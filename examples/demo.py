"""`make demo`: one engine lives through everything a server can do to it, in under a minute.

The server is real (examples/server.py) and on loopback; the delays are a tenth of what the
standard policy would wait, so that the show ends.
"""

import asyncio
import logging
from dataclasses import replace

import click
import structlog
from server import ACTS, Server

import recloser
from recloser import Close, Context, Hold, Retry, State, StateChange, policies
from recloser.fsm import closecodes

COLOURS = {
    State.CONNECTING: "cyan",
    State.OPEN: "green",
    State.CLOSING: "magenta",
    State.CLOSED: "white",
    State.BACKOFF: "yellow",
    State.PASSIVE: "blue",
}


class Hurried:
    """The standard policy with a tenth of its delays, and a rest when the peer says 4000."""

    def __init__(self) -> None:
        self.standard = policies.standard()

    def decide(self, close: Close, context: Context) -> recloser.fsm.Decision:
        """Answer as `standard`, but sooner."""
        if close.code == 4000 and not close.intentional:
            return Hold(rule="maintenance: rest until woken")
        decision = self.standard.decide(close, context)
        if isinstance(decision, Retry):
            return replace(decision, delay=decision.delay / 10)
        return decision


class Show:
    """Prints what happens, and keeps what the summary needs."""

    def __init__(self) -> None:
        self.started = asyncio.get_running_loop().time()
        self.seen: dict[State, int] = {}
        self.messages = 0
        self.connections: list[str] = []

    def line(self, text: str, left: str = "", colour: str | None = None) -> None:
        """Print one line with the time since the start."""
        now = asyncio.get_running_loop().time() - self.started
        click.echo(f"{now:6.2f} s  {click.style(f'{left:<24}', fg=colour)} {text}")

    def change(self, change: StateChange) -> None:
        """Print one change of state."""
        self.seen[change.current] = self.seen.get(change.current, 0) + 1
        text = [change.trigger.value]
        close = change.close
        if close is not None:
            what = f"{close.code} {closecodes.name(close.code)}"
            if close.status is not None:
                what = f"HTTP {close.status}, Retry-After {close.retry_after:g} s"
            reason = f" {close.reason!r}" if close.reason else ""
            text.append(f"{what}{reason} ({close.origin.value}, {close.cause.value})")
        if change.rule:
            text.append(f"rule {change.rule}")
        if change.delay is not None:
            text.append(f"next dial in {change.delay:.2f} s")
        states = f"{change.previous.value} -> {change.current.value}"
        self.line("; ".join(text), states, COLOURS[change.current])

    def message(self, message: str | bytes) -> None:
        """Count a message, and check that none comes late from an old connection."""
        self.messages += 1
        words = str(message).split()
        if words[0] != "connection":
            return
        if not self.connections or self.connections[-1] != words[1]:
            if words[1] in self.connections:
                raise SystemExit(f"a message of an old connection came late: {message!r}")
            self.connections.append(words[1])
            self.line(f"messages flow: {message!r}")


async def consume(ws: recloser.ReconnectingWebSocket, show: Show) -> None:
    """Take every message, across all connections."""
    async for message in ws:
        show.message(message)
    show.line("the iteration ended quietly: the application closed")


async def live(ws: recloser.ReconnectingWebSocket, server: Server, show: Show) -> None:
    """Live through all acts of the server, and leave on purpose."""
    async with ws, asyncio.TaskGroup() as tasks:
        tasks.create_task(consume(ws, show))
        await ws.wait_for(State.PASSIVE)
        await asyncio.sleep(1.0)
        show.line("resting: no socket, no timer; now a hint from outside wakes it")
        changes = ws.changes()
        ws.wake()
        async for change in changes:
            if change.current is State.OPEN and server.dials > len(ACTS):
                break
        await asyncio.sleep(0.5)
        show.line("close(1000): the application leaves on purpose")
        await ws.close()


def summarize(ws: recloser.ReconnectingWebSocket, show: Show, dials_after: int) -> None:
    """Print the figures; fails if the show did not show everything."""
    figures = ws.statistics()
    click.echo(f"\nTwo seconds later: {dials_after} further dials reached the server.")
    click.echo(f"{figures.dials} dials, {figures.opens} opens, {show.messages} messages,")
    click.echo("none of an old connection after a new one opened.")
    for (code, origin, intentional), count in sorted(figures.closes.items()):
        own = ", intentional" if intentional else ""
        click.echo(f"  {count:2} x {code} {closecodes.name(code)} ({origin}{own})")
    missing = [state.value for state in State if state not in show.seen]
    if missing or dials_after:
        raise SystemExit(f"the show failed: states not seen: {missing}, dials: {dials_after}")
    click.echo("All six states were seen.")


async def main() -> None:
    """Run the show, for 50 seconds at most."""
    # The engine's log lines would say the same again; a service keeps them.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    show = Show()
    server = Server(on_act=lambda title: show.line(title, "the server", "red"))
    await server.start()
    click.echo(
        f"A server on ws://127.0.0.1:{server.port}/ misbehaves. "
        "Delays are a tenth of the usual, so that this ends.\n"
    )
    ws = recloser.connect(
        f"ws://127.0.0.1:{server.port}/",
        policy=Hurried(),
        heartbeat=0.5,
        timeouts=recloser.Timeouts(connect=2.0, close=1.0, stable=0.5),
        observers=[show.change],
        on_open=lambda opening: opening.send("hello"),
        fields={"session": "demo"},
    )
    try:
        async with asyncio.timeout(50.0):
            await live(ws, server, show)
        dials = server.dials
        await asyncio.sleep(2.0)
        summarize(ws, show, server.dials - dials)
    finally:
        await server.stop()


if __name__ == "__main__":
    asyncio.run(main())
