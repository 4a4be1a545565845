"""The paper venue behind the gateway protocol: real time, simulated fills, no key; only resolutions are asked for."""

import asyncio
from collections.abc import Callable, Sequence

from core.actions import Place, SignedPlace
from core.clock import Clock
from core.events import (
    ActivityRead,
    BalancesRead,
    CancelAnswered,
    ChainRead,
    Event,
    IndexedTradesRead,
    MarketMessage,
    OpenOrdersRead,
    OrderAnswered,
    OrderSeen,
    PayoutSeen,
    PositionsRead,
    ScoringSeen,
    TradesRead,
)
from core.risk.gate import Cleared
from core.units import Usd
from core.venue.gateway import HeartbeatAnswer
from core.venue.paper import PaperVenue
from core.venue.resolutions import Resolutions


class PaperGateway:
    """The :class:`core.venue.gateway.Gateway` of paper mode. Answers arrive as events, later, like fills."""

    def __init__(
        self,
        venue: PaperVenue,
        cash: Usd,
        clock: Clock,
        emit: Callable[[Event], None],
        resolutions: Resolutions,
    ) -> None:
        """Nothing rests yet.

        Args:
            venue: that is only here.
            cash: which the account begins with.
            clock: real time.
            emit: takes answers and fills.
            resolutions: of the real questions that paper orders are about.
        """
        self._venue = venue
        self._cash = cash
        self._clock = clock
        self._emit = emit
        self._resolutions = resolutions
        self._beats = 0
        self._pump: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Nothing to connect to."""

    async def sign(self, place: Place, neg_risk: bool) -> SignedPlace:
        """Give the order a name, one that no other session gives."""
        return SignedPlace(place=place, order_id=f"paper-order-{place.intent}", payload=None)

    async def post(self, batch: Sequence[Cleared]) -> list[OrderAnswered]:
        """Send the orders on their way; the answers come as events."""
        for cleared in batch:
            self._venue.submit(cleared.signed.place, cleared.signed.order_id, self._clock.monotonic())
        self._schedule()
        return []

    async def cancel(self, order_ids: Sequence[str]) -> list[CancelAnswered]:
        """Send cancels on their way."""
        for order_id in order_ids:
            self._venue.cancel(order_id, self._clock.monotonic())
        self._schedule()
        return []

    async def cancel_market(self, market: str) -> list[CancelAnswered]:
        """Cancel what rests or is on its way in one market."""
        return await self.cancel(self._venue.orders_of(market))

    async def cancel_all(self) -> list[CancelAnswered]:
        """Cancel what rests or is on its way."""
        return await self.cancel(self._venue.open_order_ids())

    async def open_orders(self) -> OpenOrdersRead:
        """What rests or is on its way."""
        return self._venue.open_orders(self._clock.monotonic())

    async def trades_since(self, unix: int) -> TradesRead:
        """The fills since a moment."""
        return self._venue.trades_since(unix, self._clock.monotonic())

    async def read_order(self, order_id: str) -> OrderSeen | None:
        """What became of an order."""
        return self._venue.order_seen(order_id, self._clock.monotonic())

    async def read_scoring(self, order_ids: Sequence[str]) -> ScoringSeen | None:
        """Which orders would score, by our own reckoning."""
        return ScoringSeen(scoring=self._venue.scoring(order_ids, self._clock.monotonic()))

    async def balances(self, tokens: Sequence[str]) -> BalancesRead:
        """The paper account's cash and holdings; it starts without holdings."""
        return self._venue.balances(self._cash, tokens, self._clock.monotonic())

    async def positions(self, tokens: Sequence[str]) -> PositionsRead:
        """The same holdings: nothing lags here."""
        return self._venue.positions(tokens, self._clock.monotonic())

    async def indexed_trades(self, unix: int) -> IndexedTradesRead:
        """Nothing: no paper trade is ever settled on a chain."""
        return IndexedTradesRead(asked_s=self._clock.monotonic(), after_unix=unix, complete=True)

    async def activity(self, unix: int) -> ActivityRead:
        """Nothing: no money comes from outside."""
        return ActivityRead(asked_s=self._clock.monotonic(), after_unix=unix, complete=True)

    async def chain(self, tokens: Sequence[str]) -> ChainRead | None:
        """None: paper is on no chain."""
        return None

    async def payouts(self, markets: Sequence[str]) -> list[PayoutSeen]:
        """What the real questions pay, by the catalogue."""
        return await self._resolutions.read(markets)

    async def heartbeat(self, heartbeat_id: str) -> HeartbeatAnswer:
        """Answer as the venue does; nobody dies here when it stays away."""
        expected = f"paper-beat-{self._beats}" if self._beats else ""
        if heartbeat_id != expected:
            return HeartbeatAnswer(status="mismatch", heartbeat_id=expected)
        self._beats += 1
        return HeartbeatAnswer(status="ok", heartbeat_id=f"paper-beat-{self._beats}")

    async def check_credentials(self) -> None:
        """There are none."""

    def see(self, message: MarketMessage) -> None:
        """Let a market message work on the queues."""
        self._venue.see(message, self._clock.monotonic())
        self._schedule()

    async def close(self) -> None:
        """Stop telling, and release the connections."""
        if self._pump is not None:
            self._pump.cancel()
        await self._resolutions.close()

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
