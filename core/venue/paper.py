"""A venue that exists only here: our orders wait in queues guessed from a real feed (market-making.md 4.1, 4.2).

Synchronous and clockless: whoever drives it hands in market messages and the time, and gets back events. Nothing ever
leaves the machine and no key is read.
"""

import heapq
from collections.abc import Callable, Iterable
from typing import Final, Literal

import msgspec

from core.actions import Place
from core.errors import MalformedMessage
from core.events import CancelAnswered, Event, FillSeen, MarketMessage, OrderAnswered, OrderSeen
from core.market.continuity import TrackedBook
from core.market.rewards import score_reason, scoring_mid, terms_of
from core.orders.queue_model import RiskAverseQueue
from core.units import Grid, Shares, Side, Ticks, UnitError, parse_micro

ENTRY_SEC: Final = 0.15
"""From our wish to the book, and the same for a cancel."""
ANSWER_SEC: Final = 0.08
"""From the book back to us."""


class _Resting:
    """One order in its queue."""

    __slots__ = ("grid", "intent", "order_id", "queue", "shown", "side", "since_s", "size", "tick")

    def __init__(self, place: Place, order_id: str, grid: Grid, tick: Ticks, shown: Shares, since_s: float) -> None:
        self.grid = grid
        self.intent = place.intent
        self.order_id = order_id
        self.size = place.size
        self.side: Side = place.side
        self.tick = tick
        self.shown = shown
        self.since_s = since_s
        self.queue = RiskAverseQueue(shown, place.size)


class _Step(msgspec.Struct, frozen=True):
    """Something that happens at the paper venue, or reaches us, at a certain time."""

    kind: Literal["arrive", "cancel", "tell"]
    place: Place | None = None
    order_id: str = ""
    event: Event | None = None


class PaperVenue:
    """Accepts post-only orders, fills them by ``queue.risk_averse``, answers late."""

    def __init__(self, tracked: Callable[[str], TrackedBook]) -> None:
        """``tracked`` gives the book of a market, kept by whoever handles the feed."""
        self._tracked = tracked
        self._resting: dict[str, dict[str, _Resting]] = {}
        self._market_of: dict[str, str] = {}
        self._steps: list[tuple[float, int, _Step]] = []
        self._count = 0
        self._trades = 0

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

    def is_open(self, order_id: str) -> bool:
        """The order rests."""
        return order_id in self._resting.get(self._market_of.get(order_id, ""), {})

    def scoring(self, order_ids: Iterable[str], now: float) -> tuple[tuple[str, bool], ...]:
        """Which of these orders would count for liquidity rewards at ``now``; one that does not rest does not."""
        return tuple((order_id, self._scores(order_id, now)) for order_id in order_ids)

    def _scores(self, order_id: str, now: float) -> bool:
        resting = self._resting.get(self._market_of.get(order_id, ""), {})
        order = resting.get(order_id)
        if order is None:
            return False
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
            self._tell(OrderAnswered(intent=place.intent, outcome="refused", detail="price breaks the tick"), at)
            return
        tick = price if tracked.instrument.outcome_of(place.token) == "YES" else grid.complement(price)
        if not tracked.synced or book.crosses(place.side, tick):
            detail = "invalid post-only order: order crosses book" if tracked.synced else "the book is not proven"
            self._tell(OrderAnswered(intent=place.intent, outcome="refused", detail=detail), at)
            return
        shown = book.size_at(place.side, tick)
        self._resting.setdefault(place.market, {})[order_id] = _Resting(place, order_id, grid, tick, shown, at)
        self._tell(OrderAnswered(intent=place.intent, outcome="live"), at)

    def _cancel(self, order_id: str, at: float) -> None:
        resting = self._resting.get(self._market_of.get(order_id, ""), {}).pop(order_id, None)
        outcome: Literal["cancelled", "gone"] = "gone" if resting is None else "cancelled"
        if resting is not None:
            matched = Shares(resting.size - resting.queue.remaining)
            self._tell(OrderSeen(order_id=order_id, status="cancelled", matched=matched), at)
        self._tell(CancelAnswered(order_id=order_id, outcome=outcome), at)

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
        self._trades += 1
        fill = FillSeen(
            trade_id=f"paper-{self._trades}", order_id=order.order_id, size=size, settlement="matched", unix=unix
        )
        self._tell(fill, now)
        self._tell(msgspec.structs.replace(fill, settlement="confirmed"), now)
        if order.queue.remaining == 0:
            del self._resting[self._market_of[order.order_id]][order.order_id]


def seen_of(venue: PaperVenue, order_id: str) -> OrderSeen:
    """What a read of one order would say."""
    return OrderSeen(order_id=order_id, status="live" if venue.is_open(order_id) else "absent")
