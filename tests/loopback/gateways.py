"""The three gateways on their venues, driven alike: what a contract test needs to know of neither."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Literal, Protocol, TypeVar

from core.actions import Place, SignedPlace
from core.clock import Clock, SystemClock
from core.config import Settings
from core.events import CancelAnswered, Event, OrderAnswered
from core.exchange.faults.script import read_toml
from core.market.continuity import TrackedBook
from core.market.instrument import Instrument
from core.risk.gate import Cleared
from core.units import MICRO, OrderSide, Outcome, Shares
from core.venue.credentials import Secret, Wallet
from core.venue.gateway import Gateway, Sign
from core.venue.gateway_clob import ClobGateway
from core.venue.gateway_clob_v2 import ClobV2Gateway
from core.venue.gateway_paper import PaperGateway
from core.venue.gateway_polymarket import PolymarketGateway
from core.venue.paper import PaperVenue
from core.venue.resolutions import Resolutions
from core.venue.wallets import wallets_of
from tests.builders import VenueBook, a_market
from tests.loopback.venue import CASH, EOA, KEY, PATIENCE_S, Venue

Client = Literal["polymarket-client", "py-clob-client-v2"]
CLIENTS: Final[dict[Client, Callable[..., ClobGateway]]] = {
    "polymarket-client": PolymarketGateway,
    "py-clob-client-v2": ClobV2Gateway,
}
ABSENT: Final = "0x" + "77" * 32
Answered = TypeVar("Answered", OrderAnswered, CancelAnswered)


def place(
    instrument: Instrument,
    intent: int,
    tick: int,
    *,
    outcome: Outcome = "YES",
    side: OrderSide = "BUY",
    size: float = 20,
    crosses: bool = False,
) -> Place:
    """A wish for so many shares; ``tick`` is in the frame of its token."""
    price = instrument.grid.ticks(instrument.grid.text(tick))
    return Place(
        intent=intent,
        market=instrument.market,
        token=instrument.token_of(outcome),
        order_side=side,
        price=price,
        price_text=instrument.grid.text(price),
        size=Shares(round(size * MICRO)),
        side="bid" if (side == "BUY") == (outcome == "YES") else "ask",
        layer=0,
        reason="test",
        crosses=crosses,
    )


async def posted(gateway: Gateway, signed: Sequence[SignedPlace]) -> list[OrderAnswered]:
    """Send orders as if a gate had looked at them."""
    return await gateway.post([Cleared(each) for each in signed])


class Bench(Protocol):
    """A gateway, two markets, and the other side of the venue."""

    @property
    def gateway(self) -> Gateway:
        """Open."""
        ...

    @property
    def instruments(self) -> Sequence[Instrument]:
        """Two, of a tick of 0.01 the first."""
        ...

    def resting(self) -> set[str]:
        """Our orders by the venue's own books."""
        ...

    def best_bid(self) -> int:
        """Of the first market's YES token, ticks."""
        ...

    async def sell_into(self, tick: int, size: int) -> None:
        """A stranger sells whole YES shares of the first market into the bid at ``tick``."""
        ...

    async def told(self, answers: Sequence[Answered], count: int) -> list[Answered]:
        """So many answers, those that come as events included."""
        ...


class ClobBench:
    """One of the two real clients against the exchange."""

    def __init__(self, venue: Venue, gateway: ClobGateway, signs: list[Sign]) -> None:
        self.venue = venue
        self.gateway = gateway
        self.signs = signs
        self.instruments = (venue.instrument("plain"), venue.instrument("neg-risk"))

    def resting(self) -> set[str]:
        owner, orders = self.gateway.credentials.key.reveal(), self.venue.exchange.engine.orders
        return {name for name, order in orders.items() if order.status == "LIVE" and order.new.owner == owner}

    def best_bid(self) -> int:
        bid, _ = self.venue.exchange.faces[self.instruments[0].market].top("YES")
        return int(bid or 0)

    async def sell_into(self, tick: int, size: int) -> None:
        await self.venue.take("YES", "SELL", size, self.instruments[0].market)
        self.venue.pass_time(10)

    async def told(self, answers: Sequence[Answered], count: int) -> list[Answered]:
        return list(answers)

    def arm(self, *faults: str) -> None:
        """Add faults in the script's words, each the lines of one table."""
        text = "".join(f"[[fault]]\n{fault}\n" for fault in faults)
        self.venue.running.host.director.arm(read_toml(text, "test", at_once=True), from_now=True)
        self.venue.pass_time(0)


class PaperBench:
    """The paper venue over two books that move only when told."""

    def __init__(self) -> None:
        other = a_market(market="0x" + "cd" * 32, yes="3" * 77, no="4" * 77)
        self._books = {each.market: VenueBook(each) for each in (a_market(), other)}
        self.instruments = tuple(book.instrument for book in self._books.values())
        clock = SystemClock()
        self._tracked = {market: TrackedBook(book.instrument) for market, book in self._books.items()}
        for market, book in self._books.items():
            self._tracked[market].apply_book(book.book(), clock.monotonic())
        self._venue = PaperVenue(lambda market: self._tracked[market])
        self._heard: asyncio.Queue[Event] = asyncio.Queue()
        nobody = Resolutions("http://127.0.0.1:9", None)
        self.gateway = PaperGateway(self._venue, CASH, clock, self._heard.put_nowait, nobody)

    def resting(self) -> set[str]:
        return set(self._venue.open_order_ids())

    def best_bid(self) -> int:
        return 45

    async def sell_into(self, tick: int, size: int) -> None:
        book = self._books[self.instruments[0].market]
        price = self.instruments[0].grid.text(tick)
        self.gateway.see(book.trade(price, str(size), side="SELL"))

    async def told(self, answers: Sequence[Answered], count: int) -> list[Answered]:
        told: list[Any] = list(answers)
        async with asyncio.timeout(PATIENCE_S):
            while len(told) < count:
                event = await self._heard.get()
                if isinstance(event, OrderAnswered | CancelAnswered):
                    told.append(event)
        return told


@asynccontextmanager
async def clob_bench(
    venue: Venue, client: Client, *, kind: int = 0, clock: Clock | None = None, key: str = KEY
) -> AsyncIterator[ClobBench]:
    """A gateway of one kind of wallet, open."""
    signs: list[Sign] = []
    settings = Settings(mode="live", **{name: url for name, url in venue.urls.items() if name.endswith("_url")})
    wallet = Wallet(Secret(key), wallets_of(EOA, kind)[0])
    gateway = CLIENTS[client](settings, wallet, clock or SystemClock(), signs.append)
    try:
        await gateway.open()
        yield ClobBench(venue, gateway, signs)
    finally:
        await gateway.close()
