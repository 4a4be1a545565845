"""The paper venue behind the gateway protocol: real time, simulated fills, no key, no request."""

import asyncio
from collections.abc import Callable, Sequence

from core.actions import Place
from core.clock import Clock
from core.events import (
    AccountSeen,
    CancelAnswered,
    Event,
    FillSeen,
    MarketMessage,
    OrderAnswered,
    OrderSeen,
    ScoringSeen,
)
from core.units import Shares, Usd
from core.venue.gateway import OpenOrder, SignedPlace
from core.venue.paper import PaperVenue, seen_of


class PaperGateway:
    """The :class:`core.venue.gateway.Gateway` of paper mode. Answers arrive as events, later, like fills."""

    def __init__(self, venue: PaperVenue, cash: Usd, clock: Clock, emit: Callable[[Event], None]) -> None:
        self._venue = venue
        self._cash = cash
        self._clock = clock
        self._emit = emit
        self._orders = 0
        self._pump: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Nothing to connect to."""

    async def sign(self, place: Place, neg_risk: bool) -> SignedPlace:
        """Give the order a name."""
        self._orders += 1
        return SignedPlace(place=place, order_id=f"paper-order-{self._orders}", payload=None)

    async def post(self, batch: Sequence[SignedPlace]) -> list[OrderAnswered]:
        """Send the orders on their way; the answers come as events."""
        for signed in batch:
            self._venue.submit(signed.place, signed.order_id, self._clock.monotonic())
        self._schedule()
        return []

    async def cancel(self, order_ids: Sequence[str]) -> list[CancelAnswered]:
        """Send cancels on their way."""
        for order_id in order_ids:
            self._venue.cancel(order_id, self._clock.monotonic())
        self._schedule()
        return []

    async def cancel_all(self) -> list[CancelAnswered]:
        """Cancel what rests or is on its way."""
        return await self.cancel(self._venue.open_order_ids())

    async def open_orders(self) -> list[OpenOrder]:
        """What rests or is on its way."""
        return [OpenOrder(order_id=order, market="", matched=Shares(0)) for order in self._venue.open_order_ids()]

    async def fills_since(self, unix: int) -> list[FillSeen]:
        """Nothing: paper fills are events that cannot be lost on the way."""
        return []

    async def read_order(self, order_id: str) -> OrderSeen | None:
        """Whether an order rests."""
        return seen_of(self._venue, order_id)

    async def read_scoring(self, order_ids: Sequence[str]) -> ScoringSeen:
        """Which orders would score, by our own reckoning."""
        return ScoringSeen(scoring=self._venue.scoring(order_ids, self._clock.monotonic()))

    async def account(self, tokens: Sequence[str]) -> AccountSeen:
        """The paper account's cash; it starts without holdings."""
        return AccountSeen(cash=self._cash, holdings=())

    def see(self, message: MarketMessage) -> None:
        """Let a market message work on the queues."""
        self._venue.see(message, self._clock.monotonic())
        self._schedule()

    async def close(self) -> None:
        """Stop telling."""
        if self._pump is not None:
            self._pump.cancel()

    def _schedule(self) -> None:
        if self._pump is not None:
            self._pump.cancel()
            self._pump = None
        due = self._venue.next_due()
        if due < float("inf"):
            self._pump = asyncio.get_running_loop().call_later(max(0.0, due - self._clock.monotonic()), self._tell)

    def _tell(self) -> None:
        self._pump = None
        for event in self._venue.advance(self._clock.monotonic()):
            self._emit(event)
        self._schedule()
