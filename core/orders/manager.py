"""Every order of the session, by intent and by venue id, and what they tie up.

Owns order states and the set of fills already booked. Knows no prices but its orders' own and decides nothing about
quotes: it turns wishes into orders and the venue's words into states.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, Literal

import msgspec

from core.actions import Cancel, Place, ReadOrder
from core.errors import InvariantBroken
from core.events import CancelAnswered, FillSeen, OrderAnswered, OrderSeen, OrderSigned
from core.market.instrument import Instrument
from core.orders.order import IN_BOOK, TERMINAL, Order, OrderEvent, State
from core.quoting.explain import LayerExplanation
from core.units import Grid, OrderSide, Outcome, Shares, Side, Ticks, Usd

UNKNOWN_READ_SEC: Final = 2.0
"""Time between reads of an order of unknown outcome; two absences this far apart settle it (reliability.md 4.3)."""
RECENT_GUARD_SEC: Final = 5.0
"""An order younger than this is never judged absent (reliability.md 2.0)."""
CANCEL_RETRY_SEC: Final = 2.0
CANCEL_HOLD_SEC: Final = 1.0
"""How long a cancelled order still counts when only the cancel's answer told of it: a fill may have been faster."""
SENDING_DEADLINE_SEC: Final = 20.0
"""An unanswered placement becomes UNKNOWN after this; the transport's own deadline is shorter."""
KEPT_FILLS: Final = 20_000
"""Fills remembered to tell a repetition from news; older ones live in the journal."""
KEPT_TERMINAL: Final = 2_000
"""Ended orders kept in memory for late fills; older ones live in the journal."""


_RESTLESS: Final = frozenset({State.SENDING, State.CANCEL_SENT, State.UNKNOWN})
"""States that may want a repetition or a question as time passes."""

FillChange = Literal["booked", "confirmed", "void"]


class Fill(msgspec.Struct, frozen=True, gc=False):
    """Our part of a trade, at our own order's price (polymarket-api.md 6.3)."""

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


class Counts(msgspec.Struct):
    """Totals since the start."""

    placed: int = 0
    cancelled: int = 0
    rejects: int = 0
    fills: int = 0
    foreign: int = 0
    """Messages about orders that are not ours."""
    filled: int = 0
    """Micro-shares of fills whose trades did not fail."""
    cancels: int = 0
    """Orders whose cancel was sent, whatever became of it."""
    requotes: dict[str, int] = msgspec.field(default_factory=dict)
    """Cancels that a plan wanted, by the rule of the decision table."""


class OrderManager:
    """The orders of one session."""

    def __init__(self) -> None:
        self._by_intent: dict[int, Order] = {}
        self._by_id: dict[str, Order] = {}
        self._ended: deque[int] = deque()
        self._per_market: dict[str, dict[int, Order]] = {}
        self._settlements: dict[tuple[str, str], tuple[Fill, str]] = {}
        self._touched: dict[int, Order] = {}
        self._restless: dict[int, Order] = {}
        self._held: dict[int, Order] = {}
        self._touched_fills: dict[tuple[str, str], tuple[Fill, str]] = {}
        self._reserved: dict[str, int] = {}
        self._reserved_all = 0
        self._changed: set[str] = set()
        """Markets whose part of what is reserved has to be summed anew."""
        self._next_intent = 1
        self.version = 0
        """Grows with every change of what rests in a book."""
        self.counts = Counts()
        self.cancelled: dict[str, int] = {}
        """Cancels sent, by market."""
        self.last_reject_s: float | None = None

    # What we have

    def at_risk(self, market: str) -> list[Order]:
        """Orders of a market that may be filled, oldest first."""
        return list(self._per_market.get(market, {}).values())

    def all_at_risk(self) -> Iterator[Order]:
        """Orders of all markets that may be filled."""
        for orders in self._per_market.values():
            yield from orders.values()

    def in_doubt(self) -> int:
        """Orders of which nobody knows whether the venue has them."""
        return sum(1 for order in self.all_at_risk() if order.state not in TERMINAL and order.unknown_s is not None)

    def find(self, order_id: str) -> Order | None:
        """The order with a venue id; None for a stranger's."""
        return self._by_id.get(order_id)

    def resting_at(self, market: str, side: Side) -> dict[Ticks, Shares]:
        """Our size the venue's book shows, by YES tick."""
        sizes: dict[Ticks, Shares] = {}
        for order in self._per_market.get(market, {}).values():
            if order.side == side and order.state in IN_BOOK:
                sizes[order.yes_price] = Shares(sizes.get(order.yes_price, 0) + order.remaining)
        return sizes

    def reserved_shares(self, market: str, outcome: Outcome) -> Shares:
        """Shares of a token that our open sells hold."""
        orders = self._per_market.get(market, {}).values()
        return Shares(sum(o.remaining for o in orders if o.order_side == "SELL" and o.outcome == outcome))

    def reserved_cash(self) -> Usd:
        """Micro-dollars that all open buys would spend."""
        for market in self._changed:
            before, orders = self._reserved.get(market, 0), self._per_market.get(market, {}).values()
            self._reserved[market] = sum(order.reserves for order in orders)
            self._reserved_all += self._reserved[market] - before
        self._changed.clear()
        return Usd(self._reserved_all)

    def planned_cash(self, market: str, is_pending: Callable[[Order], bool]) -> Usd:
        """Micro-dollars that the buys of one market would spend, those left out that a plan does not replace."""
        return Usd(sum(order.reserves for order in self.at_risk(market) if not is_pending(order)))

    def is_wanted(self, intent: int) -> bool:
        """Nothing has asked for the cancel of an order that is not sent yet."""
        return not self._by_intent[intent].cancel_wanted

    def by_intent(self, intent: int) -> Order:
        """The order of an intent."""
        return self._by_intent[intent]

    def take_touched(self) -> tuple[list[Order], list[tuple[Fill, str]]]:
        """Orders and fills (with their settlement) that changed since the last call, for the journal."""
        orders, fills = list(self._touched.values()), list(self._touched_fills.values())
        self._touched.clear()
        self._touched_fills.clear()
        return orders, fills

    def put_back(self, orders: list[Order], fills: list[tuple[Fill, str]]) -> None:
        """The journal could not take these; the next call of :meth:`take_touched` gives them again."""
        self._touched = {order.intent: order for order in orders} | self._touched
        self._touched_fills = {(f.trade_id, f.order_id): (f, s) for f, s in fills} | self._touched_fills

    # What we wish

    def place(
        self,
        instrument: Instrument,
        *,
        outcome: Outcome,
        order_side: OrderSide,
        price: Ticks,
        size: Shares,
        side: Side,
        layer: int,
        reason: str,
        now: float,
        explanation: LayerExplanation | None = None,
    ) -> Place:
        """Create an intent and the action that carries it out. ``price`` is in the frame of the token."""
        grid = instrument.grid
        order = Order(
            intent=self._next_intent,
            market=instrument.market,
            token=instrument.token_of(outcome),
            outcome=outcome,
            order_side=order_side,
            grid=grid,
            price=price,
            yes_price=price if outcome == "YES" else grid.complement(price),
            size=size,
            side=side,
            layer=layer,
            reason=reason,
            now=now,
        )
        self._next_intent += 1
        self._by_intent[order.intent] = order
        self._touch(order)
        self._per_market.setdefault(order.market, {})[order.intent] = order
        return Place(
            intent=order.intent,
            market=order.market,
            token=order.token,
            order_side=order_side,
            price=price,
            price_text=grid.text(price),
            size=size,
            side=side,
            layer=layer,
            reason=reason,
            explanation=explanation,
        )

    def cancel(self, order: Order, reason: str, now: float) -> list[Cancel]:
        """Cancel an order now, or as soon as its placement has been answered."""
        if order.state in TERMINAL:
            return []
        if order.state in (State.INTENT, State.SENDING):
            order.cancel_wanted = reason
            return []
        if order.state is State.CANCEL_SENT and now - order.cancel_sent_s < CANCEL_RETRY_SEC:
            return []
        if order.state is not State.CANCEL_SENT:
            self.counts.cancels += 1
            self.cancelled[order.market] = self.cancelled.get(order.market, 0) + 1
        self._advance(order, "cancel_sent", now)
        order.cancel_sent_s = now
        order.reason = reason
        return [Cancel(order_id=order.order_id, market=order.market, reason=reason)]

    def chase(self, now: float) -> list[Cancel | ReadOrder]:
        """Repeat cancels that were not answered and read orders whose outcome is unknown."""
        actions: list[Cancel | ReadOrder] = []
        for order in list(self._held.values()):
            if now - order.since_s >= CANCEL_HOLD_SEC:
                self._release(order)
        for order in list(self._restless.values()):
            if order.state is State.SENDING and now - order.since_s > SENDING_DEADLINE_SEC:
                self._advance(order, "unknown", now)
            elif order.state is State.CANCEL_SENT and now - order.cancel_sent_s >= CANCEL_RETRY_SEC:
                actions.append(ReadOrder(order_id=order.order_id))
                actions += self.cancel(order, order.reason, now)
            elif order.state is State.UNKNOWN and now - order.last_read_s >= UNKNOWN_READ_SEC:
                order.last_read_s = now
                actions.append(Cancel(order_id=order.order_id, market=order.market, reason="outcome unknown"))
                actions.append(ReadOrder(order_id=order.order_id))
        return actions

    def change_grid(self, market: str, old: Grid, new: Grid) -> None:
        """Tell a market's orders and fills in the nearest ticks of its new grid; their dollars stay what they are."""
        self.version += 1
        self._changed.add(market)
        for order in self._by_intent.values():
            if order.market == market:
                order.grid = new
                order.price, order.yes_price = old.onto(new, order.price), old.onto(new, order.yes_price)
        for known in (self._settlements, self._touched_fills):
            for key, (fill, settlement) in known.items():
                if fill.market == market:
                    price, yes_price = old.onto(new, fill.price), old.onto(new, fill.yes_price)
                    known[key] = (msgspec.structs.replace(fill, price=price, yes_price=yes_price), settlement)

    # What the venue says

    def signed(self, event: OrderSigned, now: float) -> None:
        """An intent has its venue id."""
        order = self._by_intent[event.intent]
        order.order_id = event.order_id
        self._by_id[event.order_id] = order
        self._advance(order, "signed", now)

    def answered(self, event: OrderAnswered, now: float) -> list[Cancel]:
        """Take the answer to a placement. Returns the cancel that was waiting for it."""
        order = self._by_intent[event.intent]
        self._touch(order)
        order.detail = event.detail
        if event.outcome == "matched":
            self._note_matched(order, order.size)
        if event.outcome == "live" and order.filled:
            self._advance(order, "partial", now)
        else:
            self._advance(order, event.outcome, now)
        if event.outcome in ("live", "matched", "delayed"):
            self.counts.placed += 1
        elif event.outcome == "refused":
            self.counts.rejects += 1
            self.last_reject_s = now
        self._retire(order)
        if order.cancel_wanted and order.at_risk and order.state is not State.UNKNOWN:
            return self.cancel(order, order.cancel_wanted, now)
        return []

    def cancel_answered(self, event: CancelAnswered, now: float) -> list[ReadOrder]:
        """Take the answer to a cancel. ``gone`` asks for a read: it may have been filled or never have landed."""
        order = self._by_id.get(event.order_id)
        if order is None or order.state in TERMINAL:
            return []
        order.detail = event.detail
        self._touch(order)
        if event.outcome == "cancelled":
            order.held = Shares(max(0, order.size - order.filled))
            self._held[order.intent] = order
            self._end_cancelled(order, now)
            return []
        return [ReadOrder(order_id=event.order_id)] if event.outcome == "gone" else []

    def seen(self, event: OrderSeen, now: float) -> Order | None:
        """Take the venue's word on one order. Returns it when it is ours."""
        order = self._by_id.get(event.order_id)
        if order is None:
            self.counts.foreign += 1
            return None
        if event.status in ("cancelled", "matched"):
            self._release(order)
        if event.status != "absent":
            order.unknown_s, order.absences = None, 0
            is_whole = event.status == "matched" and not event.matched
            self._note_matched(order, order.size if is_whole else event.matched or Shares(0))
        if order.state in TERMINAL or order.state is State.INTENT:
            return order
        self._touch(order)
        if event.status == "absent":
            self._absent(order, now)
        elif event.status == "cancelled":
            self._end_cancelled(order, now)
        elif event.status == "matched":
            self._advance(order, "matched", now)
        else:
            self._advance(order, "partial" if event.matched or order.filled else "live", now)
        self._retire(order)
        return order

    def filled(self, event: FillSeen, now: float) -> tuple[Fill, FillChange] | None:
        """Take a fill or its settlement.

        Returns:
            The fill and what became of it; None when nothing changes: a repetition, a settlement step on the way, or a
            stranger's order.
        """
        key = (event.trade_id, event.order_id)
        known = self._settlements.get(key)
        if known is None:
            fill = self._new_fill(event, now)
            if fill is not None:
                self._remember(key, fill, event.settlement)
            return None if fill is None or event.settlement == "failed" else (fill, "booked")
        fill, settlement = known
        if settlement in ("confirmed", "failed") or settlement == event.settlement:
            return None
        self._remember(key, fill, event.settlement)
        if event.settlement == "failed":
            self.counts.filled -= fill.size
            return fill, "void"
        return (fill, "confirmed") if event.settlement == "confirmed" else None

    def _remember(self, key: tuple[str, str], fill: Fill, settlement: str) -> None:
        self._settlements[key] = self._touched_fills[key] = (fill, settlement)
        if len(self._settlements) > KEPT_FILLS:
            del self._settlements[next(iter(self._settlements))]

    def _new_fill(self, event: FillSeen, now: float) -> Fill | None:
        order = self._by_id.get(event.order_id)
        if order is None:
            self.counts.foreign += 1
            return None
        if event.size <= 0:
            raise InvariantBroken(f"fill of {event.size} micro-shares in trade {event.trade_id}")
        self._touch(order)
        self.version += 1
        order.filled = Shares(order.filled + event.size)
        order.held = Shares(max(0, order.held - event.size))
        if event.settlement != "failed":
            self.counts.fills += 1
            self.counts.filled += event.size
        if order.state not in TERMINAL and order.remaining == 0:
            self._advance(order, "matched", now)
        elif order.state not in TERMINAL and order.state is not State.SENDING:
            self._advance(order, "partial", now)
        self._retire(order)
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

    def _touch(self, order: Order) -> None:
        """Something of an order changes: for the journal, and for the sums."""
        self._touched[order.intent] = order
        self._changed.add(order.market)

    def _advance(self, order: Order, event: OrderEvent, now: float) -> bool:
        """Move an order along its table and note it for the journal; True when its state changed."""
        self._touch(order)
        self.version += 1
        changed = order.advance(event, now)
        if order.state in _RESTLESS:
            self._restless[order.intent] = order
        else:
            self._restless.pop(order.intent, None)
        return changed

    def _absent(self, order: Order, now: float) -> None:
        """Two absences, late enough and far enough apart, prove that an order is not there; fewer prove nothing."""
        if order.state not in (State.CANCEL_SENT, State.UNKNOWN) or now - order.created_s <= RECENT_GUARD_SEC:
            return
        if now - order.absent_s < UNKNOWN_READ_SEC:
            return
        order.absences, order.absent_s = order.absences + 1, now
        if order.absences < 2:
            return
        if order.state is State.CANCEL_SENT:
            self._end_cancelled(order, now)
        else:
            self._advance(order, "absent", now)

    def _release(self, order: Order) -> None:
        """The size matched before a cancel is known, or has had time enough to be told."""
        order.held = Shares(0)
        self._changed.add(order.market)
        self._held.pop(order.intent, None)
        self._retire(order)

    def _note_matched(self, order: Order, told: Shares) -> None:
        """Note what the venue says is matched: until its fills are told, the order stays at risk even when ended."""
        if told > order.matched:
            order.matched = told
            self._changed.add(order.market)
            if order.at_risk:
                self._per_market[order.market][order.intent] = order

    def _end_cancelled(self, order: Order, now: float) -> None:
        if self._advance(order, "cancelled", now):
            self.counts.cancelled += 1
        self._retire(order)

    def _retire(self, order: Order) -> None:
        """Move an ended order out of the living ones, and forget the oldest ended."""
        if order.at_risk or self._per_market[order.market].pop(order.intent, None) is None:
            return
        self._ended.append(order.intent)
        if len(self._ended) > KEPT_TERMINAL:
            old = self._by_intent.pop(self._ended.popleft(), None)
            if old is not None:
                self._by_id.pop(old.order_id, None)
