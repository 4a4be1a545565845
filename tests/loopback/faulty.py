"""An exchange with faults in it, seen through raw sockets; nothing waits: the test moves the clock."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import websockets

from core.exchange.faults.director import Director
from core.exchange.faults.script import read_toml
from tests.loopback.venue import PATIENCE_S, Trader, Venue, trader_of, venue_running

QUIET_S = 0.1
"""How long silence is listened to where not even a PONG can prove it."""


class Wire:
    """One socket, message by message."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self.socket = socket

    async def send(self, message: Any) -> None:
        await self.socket.send(message if isinstance(message, str) else json.dumps(message))

    async def text(self) -> str:
        async with asyncio.timeout(PATIENCE_S):
            heard = await self.socket.recv()
        assert isinstance(heard, str)
        return heard

    async def hear(self) -> Any:
        return json.loads(await self.text())

    async def pending(self) -> list[Any]:
        """Everything sent so far: what comes before the answer to a PING."""
        await self.send("PING")
        heard: list[Any] = []
        while (text := await self.text()) != "PONG":
            heard.append(json.loads(text))
        return heard

    async def kinds(self) -> list[str]:
        """The kinds of the events sent so far."""
        return [event["event_type"] for event in await self.pending()]

    async def dead_quiet(self) -> bool:
        """Whether nothing at all comes, not even an end."""
        try:
            async with asyncio.timeout(QUIET_S):
                await self.socket.recv()
        except TimeoutError:
            return True
        return False


class Stage:
    """A venue, a trader with an order history, and faults given in the script's words."""

    def __init__(self, venue: Venue, trader: Trader) -> None:
        self.venue = venue
        self.trader = trader
        self.exchange = venue.exchange
        self.yes, self.no, self.market = venue.yes, venue.no, venue.market

    @property
    def director(self) -> Director:
        return self.venue.running.host.director

    def arm(self, *faults: str) -> None:
        """Add faults, each the lines of one table; without a trigger they set in at once."""
        text = "".join(f"[[fault]]\n{fault}\n" for fault in faults)
        self.director.arm(read_toml(text, "test", at_once=True), from_now=True)
        self.pass_time(0)

    def pass_time(self, seconds: float) -> None:
        self.venue.pass_time(seconds)

    def happened(self, do: str) -> list[str]:
        """What the log says of one verb."""
        return [line.what for line in self.director.log if line.do == do]

    @asynccontextmanager
    async def market_wire(self, *tokens: str, custom: bool = False, dump: bool = True) -> AsyncIterator[Wire]:
        """A socket on the market channel whose first books were read; by default both tokens of the first market."""
        wanted = list(tokens or (self.yes, self.no))
        async with websockets.connect(self.venue.urls["ws_market_url"]) as socket:
            wire = Wire(socket)
            first = {"type": "market", "assets_ids": wanted, "custom_feature_enabled": custom}
            await wire.send(first)
            if dump:
                assert len(await wire.hear()) == len(wanted)
            yield wire

    @asynccontextmanager
    async def user_wire(self) -> AsyncIterator[Wire]:
        """A subscribed socket on the user channel."""
        async with websockets.connect(self.venue.urls["ws_user_url"]) as socket:
            wire = Wire(socket)
            await wire.send({"type": "user", "auth": self.trader.keys.wire()})
            assert await wire.pending() == []
            yield wire

    async def post(self, cents: int = 1, token: str = "", shares: int = 10, **other: Any) -> httpx.Response:
        """Place a bid."""
        return await self.trader.send("POST", "/order", self.trader.bid(token or self.yes, cents, shares, **other))

    async def place(self, cents: int = 1, token: str = "", shares: int = 10) -> str:
        """Place a bid that must rest; returns its id."""
        answer = await self.post(cents, token, shares)
        assert answer.status_code == 200 and answer.json()["errorMsg"] == "", answer.text
        return str(answer.json()["orderID"])

    async def fill(self, shares: int = 10) -> str:
        """Have a bid of ours at the top filled; returns its id."""
        bid, _ = self.exchange.faces[self.market].top("YES")
        order_id = await self.place(int(bid or 0) + 1, shares=shares)
        await self.venue.take("YES", "SELL", shares)
        return order_id

    async def get(self, path: str, **params: Any) -> httpx.Response:
        """A public read."""
        return await self.venue.http.get(self.venue.urls["clob_url"] + path, params=params)

    async def open_ids(self) -> list[str]:
        answer = await self.trader.send("GET", "/data/orders")
        return [order["id"] for order in answer.json()["data"]]


@asynccontextmanager
async def stage_running() -> AsyncIterator[Stage]:
    """Two quiet markets and one trader."""
    async with venue_running(markets=2) as venue:
        yield Stage(venue, trader_of(venue))
