"""A market feed whose service ends each connection after 24 hours: every trade once, in order.

    python examples/market_feed.py BTCUSDT ETHUSDT

The protocol is that of Binance's market streams: aggregate trades have consecutive numbers, and
those that a connection missed can be asked for over HTTP.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp

import recloser
from recloser import policies

STREAM = "wss://stream.binance.com:9443/stream"
HISTORY = "https://api.binance.com/api/v3/aggTrades"
SERVICE = policies.service("binance")
LIFETIME = SERVICE.lifetime
assert LIFETIME is not None
Trade = dict[str, Any]
Missed = Callable[[str, int], Awaitable[list[Trade]]]


async def history(symbol: str, number: int) -> list[Trade]:
    """Give the trades of a symbol from this number on, as many as the service gives at once."""
    asked = {"symbol": symbol, "fromId": str(number)}
    async with aiohttp.ClientSession() as session, session.get(HISTORY, params=asked) as answer:
        found: list[Trade] = await answer.json()
    return found


class Feed:
    def __init__(
        self, symbols: list[str], missed: Missed = history, stream: str = STREAM, **options: Any
    ) -> None:
        streams = "/".join(f"{symbol.lower()}@aggTrade" for symbol in symbols)
        self.missed = missed
        self.expected: dict[str, int] = {}
        self.ws = recloser.connect(
            f"{stream}?streams={streams}",
            policy=SERVICE.policy(),
            stale_after=300.0,
            max_age=LIFETIME.max_age,  # the next connection is there before this one is left
            gapless=True,
            budget=recloser.Budget(*SERVICE.limits),
            **options,
        )

    async def move(self) -> None:
        try:
            await self.ws.move()
        except (recloser.MoveFailed, recloser.NotOpen) as error:
            print(f"{error}: the end of the connection will be a gap, and filled")

    async def trades(self) -> AsyncIterator[tuple[str, Trade]]:
        """Give every trade of each symbol once, in order, from the first one that is seen."""
        async for text in self.ws:
            match json.loads(text):
                case {"data": {"e": "aggTrade", "s": str(symbol), "a": int(number)} as trade}:
                    expected = self.expected.setdefault(symbol, number)
                    while expected < number:  # a gap: nobody was connected
                        for each in await self.missed(symbol, expected):
                            if each["a"] == expected < number:
                                yield symbol, each
                                expected += 1
                    if expected == number:
                        yield symbol, trade
                        self.expected[symbol] = number + 1
                case {"e": "serverShutdown"}:
                    await self.move()


async def main(symbols: list[str]) -> None:
    feed = Feed(symbols)
    async with feed.ws:
        async for symbol, trade in feed.trades():
            print(symbol, trade["a"], trade["p"], trade["q"])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
