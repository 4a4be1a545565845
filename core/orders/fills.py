"""Our parts of trades, and what becomes of them: an axis of its own beside an order's life (reliability.md 4.2).

A fill is known by its trade and its order, because one trade may fill several of our orders. It counts from the first
word of it; it ends confirmed or failed, and no word after that changes it.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Literal

import msgspec

from core.events import FillSeen, Taken
from core.market.fees import FeeSchedule, taker_fee
from core.orders.order import Order
from core.units import MICRO, Grid, OrderSide, Outcome, Shares, Side, Ticks, Usd

FINAL: Final = frozenset({"confirmed", "failed"})
KEPT_FILLS: Final = 20_000
"""Fills of forgotten orders that are remembered to tell a repetition from news; older ones live in the journal."""

Key = tuple[str, str]
"""Trade id and order id."""
Step = tuple[float, FillSeen]
"""When a word on a fill was heard, monotonic seconds, and the word."""
FillChange = Literal["booked", "confirmed", "void", "moved", "contradicted"]
"""``moved``: a step on the way, which changes no position; ``contradicted``: another end than the one told before."""


class Fill(msgspec.Struct, frozen=True, gc=False):
    """Our part of a trade: a maker's at our own order's price, a taker's at the makers' (polymarket-api.md 6.3)."""

    trade_id: str
    order_id: str
    intent: int
    market: str
    outcome: Outcome
    order_side: OrderSide
    price: Ticks
    """In the frame of the token."""
    yes_price: Ticks
    usd: Usd
    """What a share of the token cost; ticks may be rounded when the grid changes, this is not."""
    side: Side
    size: Shares
    layer: int
    unix: float
    takes: bool = False
    """Our order met what rested: it is filled at the makers' prices and pays the taker's fee."""
    fee: Usd = Usd(0)
    """The taker's, micro-dollars (market-making.md 2.14)."""
    rest: Usd = Usd(0)
    """Of a taker's part: micro-dollars that came in beyond ``size`` times ``usd``; negative when they went out."""

    @property
    def key(self) -> Key:
        """What it is known by."""
        return self.trade_id, self.order_id


class TrackedFill(msgspec.Struct, gc=False):
    """A fill and how far it has come."""

    fill: Fill
    word: FillSeen
    """The venue's latest on it."""
    since_s: float
    """When it was first told, monotonic seconds."""
    sources: set[str]
    """Who told of it: the user channel, reads of trades."""
    is_recovered: bool = False
    """An earlier session has counted it."""
    seq: int = 0
    """Number of its line in the account's book; 0 until it is booked."""

    @property
    def is_final(self) -> bool:
        """It is confirmed or failed."""
        return self.word.settlement in FINAL


class FillBook:
    """Every fill of the session's orders that a repetition may come of."""

    def __init__(self) -> None:
        self._known: dict[Key, TrackedFill] = {}
        self._by_order: dict[str, list[Key]] = {}
        self._past: deque[Key] = deque()
        """Of forgotten orders."""
        self._open: dict[str, dict[Key, TrackedFill]] = {}
        """Not final, by market."""
        self._touched: dict[Key, TrackedFill] = {}
        self._steps: list[Step] = []
        self.versions: dict[str, int] = {}
        """Grow by market with every fill and every step: what was read of the account before may be older than it."""

    def find(self, key: Key) -> TrackedFill | None:
        """A fill by its trade and order."""
        return self._known.get(key)

    def open(self) -> list[TrackedFill]:
        """Fills that may still fail, oldest first."""
        return [known for fills in self._open.values() for known in fills.values()]

    def open_in(self, market: str) -> Iterable[TrackedFill]:
        """Fills of one market that may still fail, oldest first."""
        return self._open.get(market, {}).values()

    def all(self) -> list[TrackedFill]:
        """Every fill that is remembered."""
        return list(self._known.values())

    def book(self, fill: Fill, word: FillSeen, now: float) -> None:
        """Take a fill that was not known."""
        self._step(self.restore(fill, word, now), now)

    def forget(self, order_id: str) -> None:
        """An order is history, with all its fills final; as long as it is none, its fills are no news."""
        self._past.extend(self._by_order.pop(order_id, ()))
        while len(self._past) > KEPT_FILLS:
            del self._known[self._past.popleft()]

    def restore(self, fill: Fill, word: FillSeen, now: float) -> TrackedFill:
        """Take a fill that the journal has."""
        known = TrackedFill(fill, word, now, {word.source})
        self._known[fill.key] = known
        self._by_order.setdefault(fill.order_id, []).append(fill.key)
        if not known.is_final:
            self._open.setdefault(fill.market, {})[fill.key] = known
        return known

    def settle(self, known: TrackedFill, word: FillSeen, now: float) -> FillChange | None:
        """Take another word on a known fill; None when it says nothing new.

        A final word is final: after it, steps on the way are late news, and the other end is a contradiction that
        changes nothing (reliability.md 4.2).
        """
        known.sources.add(word.source)
        before = known.word
        if not word.transaction:
            word = msgspec.structs.replace(word, transaction=before.transaction)
        if before.settlement == word.settlement and word.transaction == before.transaction:
            return None
        if known.is_final and before.settlement != word.settlement:
            return "contradicted" if word.settlement in FINAL else None
        if word.settlement == "matched" != before.settlement:
            return None  # the first of all words, heard late
        known.word = word
        self._step(known, now)
        if before.settlement == word.settlement or not known.is_final:
            return "moved"
        del self._open[known.fill.market][known.fill.key]
        return "confirmed" if word.settlement == "confirmed" else "void"

    def change_grid(self, market: str, retick: Callable[[Ticks], Ticks]) -> None:
        """Tell a market's fills in the ticks of its new grid."""
        for known in self._known.values():
            fill = known.fill
            if fill.market == market:
                price, yes_price = retick(fill.price), retick(fill.yes_price)
                known.fill = msgspec.structs.replace(fill, price=price, yes_price=yes_price)

    def regrid(self, market: str, nearest: Callable[[Usd], Ticks]) -> None:
        """Tell a market's fills in the ticks that are nearest to their dollars."""
        for known in self._known.values():
            fill = known.fill
            if fill.market == market:
                yes_usd = fill.usd if fill.outcome == "YES" else Usd(MICRO - fill.usd)
                known.fill = msgspec.structs.replace(fill, price=nearest(fill.usd), yes_price=nearest(yes_usd))

    def take_touched(self) -> tuple[list[TrackedFill], list[Step]]:
        """Fills and steps since the last call, for the journal."""
        touched, steps = list(self._touched.values()), self._steps
        self._touched, self._steps = {}, []
        return touched, steps

    def put_back(self, fills: list[TrackedFill], steps: list[Step]) -> None:
        """The journal could not take these; the next call of :meth:`take_touched` gives them again."""
        self._touched = {known.fill.key: known for known in fills} | self._touched
        self._steps = steps + self._steps

    def _step(self, known: TrackedFill, now: float) -> None:
        market = known.fill.market
        self.versions[market] = self.versions.get(market, 0) + 1
        self._touched[known.fill.key] = known
        self._steps.append((now, known.word))


def fill_of(order: Order, event: FillSeen, fees: FeeSchedule | None = None) -> Fill:
    """The fill that the venue tells of one of our orders; ``fees`` are its market's, None when nobody told them."""
    fill = _made(order, event)
    if not event.taken:
        return fill
    grid, cash = order.grid, sum(part.cash for part in event.taken)
    usd = Usd(cash * MICRO // event.size)
    price = _nearest(grid, usd)
    beyond = Usd((cash * MICRO - usd * event.size + MICRO // 2) // MICRO)
    return msgspec.structs.replace(
        fill,
        usd=usd,
        price=price,
        yes_price=price if order.outcome == "YES" else grid.complement(price),
        takes=True,
        fee=fee_of(event.taken, grid, fees),
        rest=beyond if order.order_side == "SELL" else Usd(-beyond),
    )


def fee_of(taken: Iterable[Taken], grid: Grid, fees: FeeSchedule | None) -> Usd:
    """What taking cost, micro-dollars: each maker's part at its own price, which is one of the grid (2.14)."""
    if fees is None:
        return Usd(0)
    return Usd(sum(taker_fee(grid.dollars_of(_nearest(grid, part.price)), part.size, fees) for part in taken))


def _nearest(grid: Grid, usd: Usd) -> Ticks:
    return Ticks((usd + grid.tick_usd // 2) // grid.tick_usd)


def _made(order: Order, event: FillSeen) -> Fill:
    return Fill(
        trade_id=event.trade_id,
        order_id=event.order_id,
        intent=order.intent,
        market=order.market,
        outcome=order.outcome,
        order_side=order.order_side,
        price=order.price,
        yes_price=order.yes_price,
        usd=order.usd,
        side=order.side,
        size=event.size,
        layer=order.layer,
        unix=event.unix,
    )
