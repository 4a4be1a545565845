"""A venue that exists only here: our orders wait in queues guessed from a real feed (market-making.md 4.1, 4.2).

Orders that cross take what the real book shows, level by level, for the market's taker fee; what was taken of a level
is gone until the feed shows another size there.

Synchronous and clockless: whoever drives it hands in market messages and the time, and gets back events. Nothing ever
leaves the machine and no key is read.
"""

import heapq
from collections.abc import Callable, Iterable
from typing import Final, Literal

import msgspec

from core.actions import Place
from core.errors import MalformedMessage
from core.events import (
    BalancesRead,
    CancelAnswered,
    Event,
    FillSeen,
    ListedOrder,
    MarketMessage,
    OpenOrdersRead,
    OrderAnswered,
    OrderSeen,
    PositionsRead,
    Refusal,
    Taken,
    TradesRead,
)
from core.market.continuity import TrackedBook
from core.market.fees import taker_fee
from core.market.rewards import score_reason, scoring_mid, terms_of
from core.orders.queue_model import RiskAverseQueue
from core.units import MICRO, Grid, Shares, Side, Ticks, UnitError, Usd, parse_micro

ENTRY_SEC: Final = 0.15
"""From our wish to the book, and the same for a cancel."""
ANSWER_SEC: Final = 0.08
"""From the book back to us."""
_EVERY_LEVEL: Final = 1_000_000
_REMEMBERED: Final = 10_000
"""Orders that ended and can still be asked for."""


class _Resting:
    """One order in its queue."""

    __slots__ = ("fills", "grid", "order_id", "place", "queue", "shown", "side", "since_s", "size", "tick")

    def __init__(self, place: Place, order_id: str, grid: Grid, tick: Ticks, shown: Shares, since_s: float) -> None:
        self.fills = 0
        self.grid = grid
        self.place = place
        self.order_id = order_id
        self.size = place.size
        self.side: Side = place.side
        self.tick = tick
        self.shown = shown
        self.since_s = since_s
        self.queue = RiskAverseQueue(shown, place.size)

    @property
    def matched(self) -> Shares:
        """Shares filled so far."""
        return Shares(self.size - self.queue.remaining)


class _Step(msgspec.Struct, frozen=True):
    """Something that happens at the paper venue, or reaches us, at a certain time."""

    kind: Literal["arrive", "cancel", "tell"]
    place: Place | None = None
    order_id: str = ""
    event: Event | None = None


class PaperVenue:
    """Accepts post-only orders and orders that cross, fills the former by ``queue.risk_averse``, answers late."""

    def __init__(self, tracked: Callable[[str], TrackedBook]) -> None:
        """``tracked`` gives the book of a market, kept by whoever handles the feed."""
        self._tracked = tracked
        self._resting: dict[str, dict[str, _Resting]] = {}
        self._market_of: dict[str, str] = {}
        self._steps: list[tuple[float, int, _Step]] = []
        self._count = 0
        self._ended: dict[str, OrderSeen] = {}
        self._fills: list[FillSeen] = []
        self._paid = 0
        """Micro-dollars spent less those earned."""
        self._held: dict[str, int] = {}
        """Micro-shares by token."""
        self._eaten: dict[tuple[str, Side, Ticks], tuple[Shares, int]] = {}
        """What a level showed when orders of ours last took of it, and how much they have taken."""

    def next_due(self) -> float:
        """Monotonic time of the next step; infinity when none waits."""
        return self._steps[0][0] if self._steps else float("inf")

    def submit(self, place: Place, order_id: str, now: float) -> None:
        """An order is on its way."""
        self._market_of[order_id] = place.market
        self._schedule(now + ENTRY_SEC, _Step("arrive", place=place, order_id=order_id))

    def cancel(self, order_id: str, now: float) -> None:
        """A cancel is on its way."""
        self._schedule(now + ENTRY_SEC, _Step("cancel", order_id=order_id))

    def open_order_ids(self) -> list[str]:
        """Orders that rest or are on their way."""
        arriving = [step.order_id for _, _, step in self._steps if step.kind == "arrive"]
        return arriving + [order_id for orders in self._resting.values() for order_id in orders]

    def orders_of(self, market: str) -> list[str]:
        """Orders of one market that rest or are on their way."""
        return [order_id for order_id in self.open_order_ids() if self._market_of[order_id] == market]

    def is_open(self, order_id: str) -> bool:
        """The order rests."""
        return self._order(order_id) is not None

    def _order(self, order_id: str) -> _Resting | None:
        return self._resting.get(self._market_of.get(order_id, ""), {}).get(order_id)

    # What reads of the account tell, complete always: nothing is lost on the way.

    def order_seen(self, order_id: str, now: float) -> OrderSeen:
        """What a read of one order tells."""
        order = self._order(order_id)
        if order is not None:
            return OrderSeen(order_id=order_id, status="live", matched=order.matched, asked_s=now)
        ended = self._ended.get(order_id, OrderSeen(order_id=order_id, status="absent"))
        return msgspec.structs.replace(ended, asked_s=now)

    def open_orders(self, now: float) -> OpenOrdersRead:
        """The open orders; those on their way count, because they will be."""
        arriving = [step for _, _, step in self._steps if step.kind == "arrive"]
        listed = [_listed(step.place, step.order_id, Shares(0)) for step in arriving if step.place is not None]
        resting = (order for orders in self._resting.values() for order in orders.values())
        listed += [_listed(order.place, order.order_id, order.matched) for order in resting]
        return OpenOrdersRead(asked_s=now, orders=tuple(listed), complete=True)

    def trades_since(self, unix: int, now: float) -> TradesRead:
        """The fills since a moment."""
        fills = tuple(fill for fill in self._fills if fill.unix >= unix)
        return TradesRead(asked_s=now, after_unix=unix, fills=fills, complete=True)

    def balances(self, started_with: Usd, tokens: Iterable[str], now: float) -> BalancesRead:
        """Cash and holdings by all fills, of an account that started with so much and without holdings."""
        cash = Usd(started_with - self._paid)
        return BalancesRead(asked_s=now, cash=cash, holdings=self._holdings(tokens), complete=True)

    def positions(self, tokens: Iterable[str], now: float) -> PositionsRead:
        """Holdings by all fills."""
        return PositionsRead(asked_s=now, holdings=self._holdings(tokens), complete=True)

    def _holdings(self, tokens: Iterable[str]) -> tuple[tuple[str, Shares], ...]:
        return tuple((token, Shares(self._held.get(token, 0))) for token in tokens)

    def scoring(self, order_ids: Iterable[str], now: float) -> tuple[tuple[str, bool], ...]:
        """Which of these orders would count for liquidity rewards at ``now``; one that does not rest does not."""
        return tuple((order_id, self._scores(order_id, now)) for order_id in order_ids)

    def _scores(self, order_id: str, now: float) -> bool:
        order = self._order(order_id)
        if order is None:
            return False
        resting = self._resting[self._market_of[order_id]]
        tracked = self._tracked(self._market_of[order_id])
        terms = terms_of(tracked.instrument)
        if terms is None or not tracked.synced:
            return False
        own: dict[Side, dict[Ticks, Shares]] = {"bid": {}, "ask": {}}
        for each in resting.values():
            own[each.side][each.tick] = Shares(own[each.side].get(each.tick, 0) + each.queue.remaining)
        grid, book = tracked.instrument.grid, tracked.book
        bids, asks = (sorted(levels.sizes.items()) for levels in (book.bids, book.asks))
        mid = scoring_mid(bids[::-1], asks, own["bid"], own["ask"], terms.min_size, grid.k)
        if mid is None:
            return False
        distance = abs(grid.dollars(order.tick) - mid) * 100
        return score_reason(distance, order.queue.remaining, now - order.since_s, terms) == "ok"

    def advance(self, now: float) -> list[Event]:
        """Everything that reaches us by ``now``."""
        told: list[Event] = []
        while self._steps and self._steps[0][0] <= now:
            at, _, step = heapq.heappop(self._steps)
            if step.kind == "tell" and step.event is not None:
                told.append(step.event)
            elif step.kind == "arrive" and step.place is not None:
                self._arrive(step.place, step.order_id, at)
            elif step.kind == "cancel":
                self._cancel(step.order_id, at)
        return told

    def see(self, message: MarketMessage, now: float) -> None:
        """Let a market message, already applied to the book, work on the queues; fills are told a little later."""
        orders = self._resting.get(message.market)
        if not orders:
            return
        grid = self._tracked(message.market).instrument.grid
        for order in orders.values():
            if order.grid is not grid:
                order.tick, order.grid = order.grid.onto(grid, order.tick), grid
        if message.event_type == "last_trade_price":
            self._trade(message, orders, now)
        elif message.event_type in ("price_change", "book"):
            self._depth(message, orders, now)

    def _schedule(self, at: float, step: _Step) -> None:
        self._count += 1
        heapq.heappush(self._steps, (at, self._count, step))

    def _tell(self, event: Event, at: float) -> None:
        self._schedule(at + ANSWER_SEC, _Step("tell", event=event))

    def _arrive(self, place: Place, order_id: str, at: float) -> None:
        tracked = self._tracked(place.market)
        grid, book = tracked.instrument.grid, tracked.book
        try:
            price = grid.ticks(place.price_text)
        except UnitError:
            self._refuse(place, order_id, "grid", "price breaks the tick", at)
            return
        tick = price if tracked.instrument.outcome_of(place.token) == "YES" else grid.complement(price)
        if place.crosses and tracked.synced:
            self._take(place, order_id, tick, at)
            return
        if not tracked.synced or book.crosses(place.side, tick):
            if tracked.synced:
                self._refuse(place, order_id, "crossed", "invalid post-only order: order crosses book", at)
            else:
                self._refuse(place, order_id, "not_ready", "the book is not proven", at)
            return
        shown = book.size_at(place.side, tick)
        self._resting.setdefault(place.market, {})[order_id] = _Resting(place, order_id, grid, tick, shown, at)
        self._tell(OrderAnswered(intent=place.intent, outcome="live"), at)

    def _take(self, place: Place, order_id: str, tick: Ticks, at: float) -> None:
        """Take up to the order's price what the book shows; what finds nothing is gone (polymarket-api.md 2.5, FAK)."""
        tracked = self._tracked(place.market)
        instrument, grid = tracked.instrument, tracked.instrument.grid
        is_yes = instrument.outcome_of(place.token) == "YES"
        left, taken = int(place.size), []
        other: Side = "ask" if place.side == "bid" else "bid"
        for level, shown in tracked.book.best_first(other, _EVERY_LEVEL):
            if left <= 0 or (level > tick if place.side == "bid" else level < tick):
                break
            before, gone = self._eaten.get((place.market, other, level), (shown, 0))
            gone = gone if before == shown else 0
            size = Shares(min(left, shown - gone))
            if not size:
                continue
            self._eaten[place.market, other, level] = (shown, gone + size)
            price = level if is_yes else grid.complement(level)
            taken.append(Taken(grid.dollars_of(price), size, grid.notional(price, size)))
            left -= size
        if not taken:
            self._refuse(place, order_id, "missed", "no orders found to match with FAK order", at)
            return
        size = Shares(place.size - left)
        fees = sum(taker_fee(part.price, part.size, instrument.fees) for part in taken) if instrument.fees else 0
        bought = 1 if place.order_side == "BUY" else -1
        self._paid += bought * sum(part.cash for part in taken) + fees
        self._held[place.token] = self._held.get(place.token, 0) + bought * size
        self._end(OrderSeen(order_id=order_id, status="cancelled" if left else "matched", matched=size))
        self._tell(OrderAnswered(intent=place.intent, outcome="matched", matched=size), at)
        unix = tracked.timestamp_ms / 1000
        self._tell_fill(place, order_id, f"paper-{place.intent}-taken", size, unix, at, tuple(taken))

    def _refuse(self, place: Place, order_id: str, refusal: Refusal, detail: str, at: float) -> None:
        del self._market_of[order_id]
        self._tell(OrderAnswered(intent=place.intent, outcome="refused", detail=detail, refusal=refusal), at)

    def _cancel(self, order_id: str, at: float) -> None:
        resting = self._resting.get(self._market_of.get(order_id, ""), {}).pop(order_id, None)
        outcome: Literal["cancelled", "gone"] = "gone" if resting is None else "cancelled"
        if resting is not None:
            seen = OrderSeen(order_id=order_id, status="cancelled", matched=resting.matched)
            self._end(seen)
            self._tell(seen, at)
        self._tell(CancelAnswered(order_id=order_id, outcome=outcome), at)

    def _end(self, seen: OrderSeen) -> None:
        """Remember how an order ended, for those who ask."""
        self._ended[seen.order_id] = seen
        if len(self._ended) > _REMEMBERED:
            forgotten = next(iter(self._ended))
            del self._ended[forgotten], self._market_of[forgotten]

    def _trade(self, message: MarketMessage, orders: dict[str, _Resting], now: float) -> None:
        instrument = self._tracked(message.market).instrument
        grid = instrument.grid
        try:
            price, size = grid.ticks(message.price), Shares(parse_micro(message.size))
        except UnitError as error:
            raise MalformedMessage(str(error)) from error
        tick = price if instrument.outcome_of(message.asset_id) == "YES" else grid.complement(price)
        unix = message.timestamp / 1000
        left = size
        for order in list(orders.values()):
            if tick < order.tick if order.side == "bid" else tick > order.tick:
                self._fill(order, order.queue.sweep(), unix, now)
            elif tick == order.tick:
                filled = order.queue.trade(left)
                left = Shares(left - filled)  # what filled one of our orders cannot fill the next
                self._fill(order, filled, unix, now)

    def _depth(self, message: MarketMessage, orders: dict[str, _Resting], now: float) -> None:
        book = self._tracked(message.market).book
        best_bid, best_ask = book.best_bid or 0, book.best_ask or book.grid.k
        bids, asks = book.bids.sizes, book.asks.sizes
        swept = []
        for order in orders.values():
            tick, is_bid = order.tick, order.side == "bid"
            shown = (bids if is_bid else asks).get(tick, Shares(0))
            if shown != order.shown:
                order.queue.depth(order.shown, shown)
                order.shown = shown
            if tick >= best_ask if is_bid else tick <= best_bid:
                swept.append(order)
        for order in swept:
            self._fill(order, order.queue.sweep(), message.timestamp / 1000, now)

    def _fill(self, order: _Resting, size: Shares, unix: float, now: float) -> None:
        if size <= 0:
            return
        order.fills += 1
        place, cash = order.place, parse_micro(order.place.price_text) * size // MICRO
        bought = 1 if place.order_side == "BUY" else -1
        self._paid += bought * cash
        self._held[place.token] = self._held.get(place.token, 0) + bought * size
        self._tell_fill(place, order.order_id, f"paper-{place.intent}-{order.fills}", size, unix, now)
        if order.queue.remaining == 0:
            del self._resting[place.market][order.order_id]
            self._end(OrderSeen(order_id=order.order_id, status="matched", matched=order.size))

    def _tell_fill(
        self,
        place: Place,
        order_id: str,
        trade_id: str,
        size: Shares,
        unix: float,
        now: float,
        taken: tuple[Taken, ...] = (),
    ) -> None:
        """Remember a fill for those who ask, and tell it; nothing here is ever mined, so it is final at once."""
        fill = FillSeen(
            trade_id=trade_id,
            order_id=order_id,
            size=size,
            settlement="matched",
            unix=unix,
            market=place.market,
            token=place.token,
            order_side=place.order_side,
            price=place.price_text,
            taken=taken,
        )
        confirmed = msgspec.structs.replace(fill, settlement="confirmed")
        self._fills.append(msgspec.structs.replace(confirmed, source="read"))
        self._tell(fill, now)
        self._tell(confirmed, now)


def _listed(place: Place, order_id: str, matched: Shares) -> ListedOrder:
    return ListedOrder(
        order_id=order_id,
        market=place.market,
        token=place.token,
        order_side=place.order_side,
        price=place.price_text,
        size=place.size,
        matched=matched,
    )
