"""examples/market_feed.py against a service that cuts each connection after 24 hours."""

import asyncio
from typing import Any

import pytest
from aiohttp import web

from examples import market_feed
from examples.market_feed import Feed
from recloser import Close
from recloser.fsm import Cause
from tests.engine.rig import now, pass_time, virtual
from tests.engine.served import serving
from tests.examples.service import Client, Service

DAY = 86_400.0
EVERY = 120.0
"""Seconds between two trades of a symbol."""
BURST = 3
"""Trades at the very moment at which a client has gone."""
SYMBOLS = ["BTCUSDT", "ETHUSDT"]


class Binance(Service):
    """Trades have consecutive numbers; a connection has them as they happen, HTTP has all."""

    def __init__(self) -> None:
        super().__init__()
        self.book: dict[str, list[dict[str, Any]]] = {symbol: [] for symbol in SYMBOLS}
        self.ages: list[float] = []
        self.asked = 0
        """Requests over HTTP."""
        self.limited = 0
        """Connections that were cut because they were a day old."""

    async def serve(self, client: Client) -> None:
        assert client.request.url.endswith("btcusdt@aggTrade/ethusdt@aggTrade")
        begin = now()
        try:
            async with asyncio.timeout(DAY):
                await client.receive()  # the example sends nothing
        except TimeoutError:
            self.limited += 1
            client.cut(Close.cut(Cause.EOF))
        finally:
            self.ages.append(now() - begin)
            for _ in range(BURST):
                self.happen()

    def happen(self) -> None:
        for symbol, trades in self.book.items():
            trade = {"e": "aggTrade", "s": symbol, "a": 1000 + len(trades), "p": "1", "q": "2"}
            trades.append(trade)
            for client in self.clients:
                if not client.gone:
                    client.send({"stream": f"{symbol.lower()}@aggTrade", "data": trade})

    async def history(self, symbol: str, number: int) -> list[dict[str, Any]]:
        """Two trades at a time, as the real one gives a thousand; they have no symbol."""
        self.asked += 1
        found = self.book[symbol][number - 1000 : number - 998]
        return [{"a": trade["a"], "p": trade["p"], "q": trade["q"]} for trade in found]


class Life:
    """The feed of the example at work, for so many seconds."""

    def __init__(self) -> None:
        self.service = Binance()
        self.feed = Feed(
            SYMBOLS,
            self.service.history,
            "wss://stream.example/stream",
            transport=self.service,
            seed=1,
        )
        self.seen: dict[str, list[int]] = {symbol: [] for symbol in SYMBOLS}

    async def consume(self) -> None:
        async for symbol, trade in self.feed.trades():
            self.seen[symbol].append(trade["a"])

    async def live(self, seconds: float, *, at: dict[float, Any] | None = None) -> None:
        consuming = asyncio.create_task(self.consume())
        self.feed.ws.connect()
        acts = sorted((at or {}).items())
        while now() < seconds:
            await pass_time(EVERY)
            self.service.happen()
            while acts and acts[0][0] <= now():
                acts.pop(0)[1]()
        await pass_time(5.0)
        self.service.happen()
        await pass_time(5.0)
        await self.feed.ws.close()
        await consuming

    def complete(self) -> bool:
        """Whether each trade was seen once, in order."""
        return all(
            numbers == [trade["a"] for trade in self.service.book[symbol]][: len(numbers)]
            and len(numbers) >= len(self.service.book[symbol]) - BURST
            for symbol, numbers in self.seen.items()
        )


@pytest.mark.spec("C3.9", "D10.6")
@virtual
async def test_three_days_without_a_gap_and_without_being_cut() -> None:
    life = Life()
    await life.live(3.3 * DAY)
    assert life.complete()
    assert len(life.service.ages) == 4
    assert all(0.85 * DAY <= age <= 0.951 * DAY for age in life.service.ages[:3])
    assert life.service.limited == 0
    assert life.service.asked == 0, "there was no gap to fill"


@virtual
async def test_no_trade_is_lost_or_doubled_whatever_ends_a_connection() -> None:
    life = Life()
    service = life.service
    await life.live(
        3_600.0,
        at={
            600.0: lambda: service.clients[-1].cut(Close.cut(Cause.RESET)),
            1_200.0: lambda: service.clients[-1].close(1001),
            1_800.0: lambda: service.clients[-1].send({"e": "serverShutdown", "E": 0}),
            2_400.0: lambda: service.clients[-1].send(
                {"data": {"e": "aggTrade", "s": "BTCUSDT", "a": 1001, "p": "1", "q": "2"}}
            ),
        },
    )
    assert life.complete()
    assert len(service.clients) == 4
    assert service.asked > 0, "what happened while nobody was connected was asked for"


async def test_the_history_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answers(request: web.Request) -> web.Response:
        return web.json_response(
            [{"a": int(request.query["fromId"]), "p": request.query["symbol"]}]
        )

    async with serving(answers) as url:
        monkeypatch.setattr(market_feed, "HISTORY", url.replace("ws:", "http:"))
        assert await market_feed.history("BTCUSDT", 7) == [{"a": 7, "p": "BTCUSDT"}]
