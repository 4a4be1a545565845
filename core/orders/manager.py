"""Every order of the session, by intent and by venue id, and what they tie up.

Owns order states and the set of fills already booked. Knows no prices but its orders' own and decides nothing about
quotes: it turns wishes into orders and the venue's words into states.
"""

from collections.abc import Callable, Iterator, Mapping, Set
from functools import partial
from typing import Final

import msgspec

from core.actions import Cancel, Place, ReadOrder
from core.errors import InvariantBroken
from core.events import (
    CancelAnswered,
    FillSeen,
    OpenOrdersRead,
    OrderAnswered,
    OrderSeen,
    OrderSigned,
    Recovered,
)
from core.market.fees import FeeSchedule
from core.market.instrument import Instrument
from core.orders.doubts import MOST_CANCELS, READ_SEC, Doubts, asked_for, wants_cancel
from core.orders.evidence import RECENT_GUARD_SEC
from core.orders.fills import FINAL, Fill, FillBook, FillChange, Step, TrackedFill, fill_of
from core.orders.order import IN_BOOK, TERMINAL, Order, OrderEvent, State
from core.orders.restored import nearest, restored
from core.quoting.explain import LayerExplanation
from core.units import MICRO, SIZE_QUANTUM, Grid, OrderSide, Outcome, Shares, Side, Ticks, Usd, parse_micro

CANCEL_HOLD_SEC: Final = 1.0
"""How long a cancelled order still counts when only the cancel's answer told of it: a fill may have been faster."""
SENDING_DEADLINE_SEC: Final = 20.0
"""An unanswered placement becomes UNKNOWN after this; the transport's own deadline is shorter."""
KEPT_TERMINAL: Final = 2_000
"""Ended orders kept in memory at least; older ones live in the journal once the trades of their time are known."""
TRADES_LATE_SEC: Final = 60.0
"""A list of trades is taken to know all that happened so long before it was asked for."""

_RESTLESS: Final = frozenset({State.SENDING, State.DELAYED, State.CANCEL_SENT})
"""States that may want a repetition or a question as time passes."""


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


class StateChange(msgspec.Struct, frozen=True, gc=False):
    """One step in the life of an order, for the journal."""

    intent: int
    state: str
    at_s: float
    """Monotonic seconds."""
    detail: str


class Touched(msgspec.Struct, frozen=True):
    """What changed since the journal was last told."""

    orders: list[Order]
    states: list[StateChange]
    fills: list[TrackedFill]
    steps: list[Step]


class OrderManager:
    """The orders of one session, and those of earlier ones that are not over."""

    def __init__(self) -> None:
        self._by_intent: dict[int, Order] = {}
        self._by_id: dict[str, Order] = {}
        self._ended: dict[int, float] = {}
        """Intents of ended orders and when they ended, oldest first."""
        self._per_market: dict[str, dict[int, Order]] = {}
        self.book = FillBook()
        self._touched: dict[int, Order] = {}
        self._states: list[StateChange] = []
        """For the journal."""
        self._restless: dict[int, Order] = {}
        self._held: dict[int, Order] = {}
        self.doubts = Doubts()
        self._trades_s: float | None = None
        """Trades are known completely up to here, monotonic seconds; None before the first complete list."""
        self._reserved: dict[str, int] = {}
        self._reserved_all = 0
        self._changed: set[str] = set()
        """Markets whose part of what is reserved has to be summed anew."""
        self._exposed: set[str] = set()
        """Markets whose orders have changed since somebody last asked."""
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

    def count(self) -> int:
        """Orders of all markets that may be filled."""
        return sum(map(len, self._per_market.values()))

    def in_doubt(self) -> int:
        """Orders of which nobody knows whether the venue has them."""
        return sum(1 for order in self.all_at_risk() if order.state not in TERMINAL and order.unknown_s is not None)

    def sent(self) -> int:
        """Orders that the venue may have."""
        return sum(1 for order in self.all_at_risk() if order.state is not State.INTENT)

    def may_land(self, asked_s: float) -> bool:
        """Some order came to the venue after ``asked_s``, or may yet: what was asked then does not know of it."""
        return any(
            order.state is State.SENDING or (order.state in IN_BOOK and order.since_s > asked_s)
            for order in self.all_at_risk()
        )

    def find(self, order_id: str) -> Order | None:
        """The order with a venue id; None for a stranger's."""
        return self._by_id.get(order_id)

    def resting_at(self, market: str, side: Side) -> dict[Ticks, Shares]:
        """Our size the venue's book shows, by YES tick."""
        sizes: dict[Ticks, Shares] = {}
        for order in self._per_market.get(market, {}).values():
            if order.side == side and order.state in IN_BOOK and not order.crosses:
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

    def take_exposed(self) -> set[str]:
        """Markets with an order whose size at risk may have changed since the last call."""
        exposed, self._exposed = self._exposed, set()
        return exposed

    def planned_cash(self, market: str, is_pending: Callable[[Order], bool]) -> Usd:
        """Micro-dollars that the buys of one market would spend, those left out that a plan does not replace."""
        return Usd(sum(order.reserves for order in self.at_risk(market) if not is_pending(order)))

    def is_wanted(self, intent: int) -> bool:
        """An order is still to be sent: nothing has asked for its cancel, and nobody has given it up."""
        order = self._by_intent[intent]
        return order.state in (State.INTENT, State.SENDING) and not order.cancel_wanted

    def by_intent(self, intent: int) -> Order:
        """The order of an intent."""
        return self._by_intent[intent]

    def take_touched(self) -> Touched:
        """Everything that changed since the last call, for the journal."""
        fills, steps = self.book.take_touched()
        touched = Touched(list(self._touched.values()), self._states, fills, steps)
        self._touched, self._states = {}, []
        return touched

    def put_back(self, touched: Touched) -> None:
        """The journal could not take this; the next call of :meth:`take_touched` gives it again."""
        self._touched = {order.intent: order for order in touched.orders} | self._touched
        self._states = touched.states + self._states
        self.book.put_back(touched.fills, touched.steps)

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
        settings_hash: str = "",
        book: str = "",
        crosses: bool = False,
        flattens: bool = False,
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
        order.settings_hash, order.book, order.explanation = settings_hash, book, explanation
        order.crosses, order.flattens = crosses, flattens
        self._next_intent += 1
        self._by_intent[order.intent] = order
        self._touch(order)
        self._note_state(order)
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
            crosses=crosses,
            flattens=flattens,
        )

    def cancel(self, order: Order, reason: str, now: float, *, insists: bool = False) -> list[Cancel]:
        """Cancel an order now, or as soon as its placement has been answered; :meth:`chase` repeats it.

        Args:
            order: any of ours.
            reason: why.
            now: monotonic seconds.
            insists: an operator asks: what was sent already is sent again, however often it was.
        """
        if order.state is State.CANCEL_SENT and insists:
            order.cancels = 0
            return self._send_cancel(order, now)
        if order.state in TERMINAL or order.state is State.CANCEL_SENT:
            return []
        if order.state in (State.INTENT, State.SENDING):
            order.cancel_wanted = reason
            return []
        self.counts.cancels += 1
        self.cancelled[order.market] = self.cancelled.get(order.market, 0) + 1
        order.reason = reason
        if insists or order.state is not State.UNKNOWN:
            order.cancels = 0  # the venue has shown it since it was cancelled by its id alone
        self._advance(order, "cancel_sent", now)
        return self._send_cancel(order, now) if order.cancels < MOST_CANCELS else []

    def chase(self, now: float, *, is_out: bool, is_deaf: bool) -> list[Cancel | ReadOrder]:
        """Repeat cancels that were not answered and read orders of which nobody knows.

        Args:
            now: this moment.
            is_out: the venue takes no requests at the moment: what is asked and sent now would say nothing.
            is_deaf: fills may have happened that nobody has heard of: what a cancel left open is held on to.
        """
        actions: list[Cancel | ReadOrder] = []
        for order in list(self._held.values()):
            if not is_deaf and now - order.since_s >= CANCEL_HOLD_SEC:
                self._release(order)
        for order in list(self._restless.values()):
            if order.state is State.SENDING and now - order.since_s > SENDING_DEADLINE_SEC:
                self._advance(order, "unknown", now)
            elif _is_passing(order) and now - order.since_s >= READ_SEC:
                self.doubts.begin(order, order.since_s)
            elif order.state is State.CANCEL_SENT and not is_out and wants_cancel(order, now):
                actions += self._send_cancel(order, now)
        if not is_out:
            actions += self.doubts.ask(now)
        return actions

    def _send_cancel(self, order: Order, now: float) -> list[Cancel]:
        order.cancel_sent_s = now
        order.cancels += 1
        if order.cancels > 1:
            self.doubts.begin(order, order.since_s)
        return [Cancel(order_id=order.order_id, market=order.market, reason=order.reason)]

    def change_grid(self, market: str, old: Grid, new: Grid) -> None:
        """Tell a market's orders and fills in the nearest ticks of its new grid; their dollars stay what they are."""
        self.version += 1
        self._change(market)
        for order in self._by_intent.values():
            if order.market == market:
                order.grid = new
                order.price, order.yes_price = old.onto(new, order.price), old.onto(new, order.yes_price)
        self.book.change_grid(market, partial(old.onto, new))

    def regrid(self, market: str, grid: Grid) -> None:
        """Tell a market's orders and fills of earlier in the nearest ticks of its present grid, by their dollars."""
        other = [one for one in self._by_intent.values() if one.market == market and one.grid is not grid]
        if not other:
            return
        self.version += 1
        self._change(market)
        for order in other:
            yes_usd = order.usd if order.outcome == "YES" else Usd(MICRO - order.usd)
            order.grid, order.price, order.yes_price = grid, nearest(grid, order.usd), nearest(grid, yes_usd)
        self.book.regrid(market, partial(nearest, grid))

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
        if order.state is State.NOT_PLACED and event.outcome in ("live", "matched", "delayed"):
            self._revive(order, now)
        if order.crosses and event.outcome in ("live", "matched"):
            self._took(order, event, now)
        elif event.outcome == "live" and order.filled:
            self._advance(order, "partial", now)
        else:
            if event.outcome == "matched":
                self._note_matched(order, order.size)
            self._advance(order, event.outcome, now)
        if event.outcome in ("live", "matched", "delayed"):
            self.counts.placed += 1
        elif event.outcome == "refused" and event.refusal != "missed":
            self.counts.rejects += 1
            self.last_reject_s = now
        self._retire(order, now)
        if order.cancel_wanted and order.at_risk and order.state is not State.UNKNOWN:
            return self.cancel(order, order.cancel_wanted, now)
        return []

    def _took(self, order: Order, event: OrderAnswered, now: float) -> None:
        """Take the answer to an order that crosses and matched: what it did not take is gone (polymarket-api.md 2.5).

        Where the answer tells no size, or one that cannot be, reads have to tell.
        """
        taken = event.matched
        if event.outcome != "matched" or taken is None or not 0 < taken <= order.size:
            self._advance(order, "partial" if order.filled else "delayed", now)
            return
        self._note_matched(order, taken)
        if order.size - taken < SIZE_QUANTUM:
            self._advance(order, "matched", now)
        else:
            self._end_cancelled(order, now)

    def cancel_answered(self, event: CancelAnswered, now: float) -> list[ReadOrder]:
        """Take the answer to a cancel. ``gone`` asks for a read: it may have been filled or never have landed."""
        order = self._by_id.get(event.order_id)
        if order is None or order.state in TERMINAL:
            return []
        order.detail = event.detail
        self._touch(order)
        if event.outcome == "cancelled":
            self._hold(order)
            self._end_cancelled(order, now)
            return []
        if event.outcome != "gone":
            return []
        self.doubts.begin(order, order.since_s)
        return [asked_for(order, now)]

    def seen(self, event: OrderSeen, now: float) -> Order | None:
        """Take the venue's word on one order. Returns it when it is ours."""
        order = self._by_id.get(event.order_id)
        if order is None:
            self.counts.foreign += 1
            return None
        if event.status == "live" and event.asked_s and _is_stale(order, event.asked_s):
            return order
        if event.status == "live" and order.state in TERMINAL:
            is_never_placed = order.state in (State.NOT_PLACED, State.REJECTED)  # one that was tells late words too
            if (is_never_placed and not event.asked_s) or self._is_after_end(order, event.asked_s):
                self._revive(order, now)
        if event.status == "absent":
            if order.evidence is not None and order.at_risk:
                order.evidence.absent(event.asked_s)
                self._judge(order, now)
            return order
        if order.crosses and event.status == "live":
            return order  # it never rests: this is a word on its way to its end
        matched = event.matched or Shares(0)
        is_whole = event.status == "matched" and (not matched or order.size - matched < SIZE_QUANTUM)
        if event.status == "cancelled" and event.matched is None:
            self._hold(order)
        elif event.status == "cancelled" or is_whole:
            self._release(order)
        self.doubts.end(order)
        self._note_matched(order, order.size if is_whole else matched)
        if order.state in TERMINAL or order.state is State.INTENT:
            return order
        self._touch(order)
        if event.status == "cancelled" or (order.crosses and not is_whole):
            self._end_cancelled(order, now)
        elif is_whole:
            self._advance(order, "matched", now)
        else:  # matched in part is not matched, whatever the word (reliability.md X16)
            self._advance(order, "partial" if matched or order.filled else "live", now)
        self._retire(order, now)
        return order

    def listed(self, event: OpenOrdersRead, now: float) -> list[Order]:
        """Take a list of the account's open orders: what is on it rests; what a complete one lacks may be gone.

        Returns:
            Orders on it that were thought to be over.
        """
        shown = {row.order_id: row for row in event.orders}
        revived = []
        for row in event.orders:
            order = self._by_id.get(row.order_id)
            if order is None or _is_stale(order, event.asked_s):
                continue
            if self._is_after_end(order, event.asked_s):
                self._revive(order, now)
                revived.append(order)
            if order.state not in TERMINAL:
                self.seen(OrderSeen(order_id=row.order_id, status="live", matched=row.matched), now)
        if not event.complete:
            return revived
        for order in list(self.all_at_risk()):
            if order.order_id in shown or order.state in (State.INTENT, State.SENDING):
                continue
            if order.evidence is None and event.asked_s - order.since_s >= RECENT_GUARD_SEC:
                self.doubts.begin(order, order.since_s)
            if order.evidence is not None:
                order.evidence.unlisted(event.asked_s)
                self._judge(order, now)
        return revived

    def traded(self, asked_s: float, covers_s: float, now: float, hidden: Set[str] = frozenset()) -> list[Order]:
        """A complete list of trades, from ``covers_s`` on, has been booked; all times monotonic seconds.

        Of orders whose ids are ``hidden`` it proves nothing: it has rows that cannot be read and may be of them.

        Returns:
            Ended orders of which the venue said more is matched than its trades show; the trades are believed.
        """
        if self._trades_s is None or covers_s <= self._trades_s:
            self._trades_s = asked_s - TRADES_LATE_SEC
        for order in self.doubts:
            if order.evidence is not None and covers_s <= order.created_s and order.order_id not in hidden:
                order.evidence.traded(asked_s)
                self._judge(order, now)
        untold = []
        for order in list(self.all_at_risk()):
            late = covers_s <= order.created_s and asked_s - order.since_s >= TRADES_LATE_SEC
            if order.state in TERMINAL and order.owed and late and order.order_id not in hidden:
                untold.append(order)
                order.matched = order.filled
                self._touch(order)
                self._settle_order(order, now)
                self._retire(order, now)
        self._forget()
        return untold

    def venue_was_out(self, now: float) -> None:
        """The venue restarted, or cancelled everything by itself: of no order it is known any more that it rests.

        What was found before proves nothing; each is looked for anew (reliability.md 4.3 d).
        """
        for order in list(self.all_at_risk()):
            if order.state not in (State.INTENT, State.SENDING):
                self.doubts.start_anew(order, now)

    def filled(self, event: FillSeen, now: float, fees: FeeSchedule | None = None) -> tuple[Fill, FillChange] | None:
        """Take a fill or its settlement; ``fees`` are its market's, None when nobody told them.

        Returns:
            The fill and what became of it; None when nothing changes: a repetition, one that failed before it was told,
            or a stranger's order.
        """
        known = self.book.find((event.trade_id, event.order_id))
        if known is None:
            fill = self._new_fill(event, now, fees)
            return None if fill is None or event.settlement == "failed" else (fill, "booked")
        change = self.book.settle(known, event, now)
        if change in ("confirmed", "void"):
            if change == "void" and not known.is_recovered:
                self.counts.filled -= known.fill.size
            self._fill_is_final(known.fill, now)
        return None if change is None else (known.fill, change)

    def _new_fill(self, event: FillSeen, now: float, fees: FeeSchedule | None) -> Fill | None:
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
        fill = fill_of(order, event, fees)
        self.book.book(fill, event, now)
        if event.settlement != "failed":
            self.counts.fills += 1
            self.counts.filled += event.size
        if event.settlement not in FINAL:
            order.open_fills += 1
        if order.state not in TERMINAL:
            was_doubted = order.evidence is not None
            self.doubts.end(order)
            if order.size - order.filled < SIZE_QUANTUM:
                self._advance(order, "matched", now)
            elif order.state is not State.SENDING:
                self._advance(order, "partial", now)
                if was_doubted:  # it was there when it matched, which may be long ago; the rest is looked for anew
                    self.doubts.begin(order, now)
        self._settle_order(order, now)
        self._retire(order, now)
        return fill

    def _fill_is_final(self, fill: Fill, now: float) -> None:
        order = self._by_intent.get(fill.intent)
        if order is not None:
            order.open_fills -= 1
            self._settle_order(order, now)

    def _settle_order(self, order: Order, now: float) -> None:
        """An order that matched whole is over when no trade of its is open."""
        if order.state is State.MATCHED and not order.open_fills and not order.owed:
            self._advance(order, "settled", now)

    # What the journal says

    def recover(self, event: Recovered, now: float, unix: float, grids: Mapping[str, Grid]) -> None:
        """Take over what earlier sessions left, before anything else happens.

        An order that was being sent may or may not have left; one that was never signed did not. Of all that may be at
        the venue it has to be shown that they are, or that they are not.

        Args:
            event: what is known of them.
            now: monotonic seconds.
            unix: the same moment in seconds since 1970.
            grids: of the markets that are made now; a tick may have changed since an order was placed.
        """
        self._next_intent = max(self._next_intent, event.next_intent)
        for known in event.orders:
            order = restored(known, now, unix, grids.get(known.market))
            self._by_intent[order.intent] = order
            self._per_market.setdefault(order.market, {})[order.intent] = order
            if order.order_id:
                self._by_id[order.order_id] = order
            if order.state is State.INTENT:
                self._advance(order, "denied", now)
            elif order.state is State.SENDING:
                self._advance(order, "unknown", now)
            if order.state not in TERMINAL:
                self.doubts.begin(order, now)
                if order.state in _RESTLESS:
                    self._restless[order.intent] = order
            self._change(order.market)
            self._retire(order, now)
        for told in event.fills:
            order = self._by_intent[told.order]
            fill = fill_of(order, told.fill)
            if told.fill.price:  # a taker's is the makers'
                fill = msgspec.structs.replace(fill, usd=Usd(parse_micro(told.fill.price)))
            self.book.restore(fill, told.fill, now).is_recovered = True
            if told.fill.settlement not in FINAL:
                order.open_fills += 1
        self.version += 1

    def unproven(self) -> list[Order]:
        """Orders of which it is not known that they are at the venue, and those that owe fills."""
        return [order for order in self.all_at_risk() if order.evidence is not None or order.owed]

    # Inside

    def _change(self, market: str) -> None:
        """What a market's orders may still do has changed: for the sums, here and elsewhere."""
        self._changed.add(market)
        self._exposed.add(market)

    def _touch(self, order: Order) -> None:
        """Something of an order changes: for the journal, and for the sums."""
        self._touched[order.intent] = order
        self._change(order.market)

    def _note_state(self, order: Order) -> None:
        self._states.append(StateChange(order.intent, order.state.value, order.since_s, order.detail))

    def _advance(self, order: Order, event: OrderEvent, now: float) -> bool:
        """Move an order along its table and note it for the journal; True when its state changed."""
        self._touch(order)
        self.version += 1
        sent_s = order.since_s
        changed = order.advance(event, now)
        if changed:
            self._note_state(order)
            if order.state is State.UNKNOWN:
                self.doubts.begin(order, sent_s)
            elif event in ("live", "partial", "delayed", "matched"):
                self.doubts.end(order)
        if order.state in _RESTLESS or _is_passing(order):
            self._restless[order.intent] = order
        else:
            self._restless.pop(order.intent, None)
        return changed

    def _judge(self, order: Order, now: float) -> None:
        """End an order whose absence is proven: never placed if nobody ever saw it, else gone with what was filled."""
        if order.evidence is None or not order.evidence.proves_absence or order.state in TERMINAL:
            return
        order.detail = order.detail or "not at the venue: by two reads, the list of open orders and the trades"
        order.matched = order.filled
        if order.state is State.UNKNOWN and not order.filled:
            self._advance(order, "absent", now)
            self._retire(order, now)
        else:
            self._end_cancelled(order, now)

    def _is_after_end(self, order: Order, asked_s: float) -> bool:
        """What was asked then and shows the order open is no late word of before its end."""
        is_left = order.size - order.filled >= SIZE_QUANTUM
        return order.state in TERMINAL and is_left and asked_s - order.since_s >= RECENT_GUARD_SEC

    def _revive(self, order: Order, now: float) -> None:
        """The venue has an order that was thought to be over: it counts again, and is to be cancelled."""
        self._advance(order, "revived", now)
        self._held.pop(order.intent, None)
        self._ended.pop(order.intent, None)
        self._per_market[order.market][order.intent] = order
        order.held, order.matched = Shares(0), order.filled  # what is left counts in full
        order.cancel_wanted = "thought to be over"

    def _hold(self, order: Order) -> None:
        """A cancelled order counts on for a moment: nobody told what was matched before."""
        if order.state not in TERMINAL:
            order.held = Shares(max(0, order.size - order.filled))
            self._held[order.intent] = order

    def _release(self, order: Order) -> None:
        """The size matched before a cancel is known, or has had time enough to be told."""
        order.held = Shares(0)
        self._change(order.market)
        if self._held.pop(order.intent, None) is not None:
            self._retire(order, order.since_s)

    def _note_matched(self, order: Order, told: Shares) -> None:
        """Note what the venue says is matched: until its fills are told, the order stays at risk even when ended."""
        if told > order.matched:
            order.matched = told
            self._touch(order)
            if order.at_risk:
                self._per_market[order.market][order.intent] = order

    def _end_cancelled(self, order: Order, now: float) -> None:
        if self._advance(order, "cancelled", now):
            self.counts.cancelled += 1
        self._retire(order, now)

    def _retire(self, order: Order, now: float) -> None:
        """Move an ended order out of the living ones."""
        if order.at_risk or self._per_market[order.market].pop(order.intent, None) is None:
            return
        self.doubts.end(order)
        self._ended.pop(order.intent, None)
        self._ended[order.intent] = now

    def _forget(self) -> None:
        """Drop the oldest ended orders whose fills are certainly known."""
        while len(self._ended) > KEPT_TERMINAL:
            intent, ended_s = next(iter(self._ended.items()))
            if self._trades_s is None or ended_s >= self._trades_s:
                return
            del self._ended[intent]
            order = self._by_intent[intent]
            if order.at_risk or order.open_fills:
                self._ended[intent] = ended_s
                return
            del self._by_intent[intent]
            self._by_id.pop(order.order_id, None)
            self.book.forget(order.order_id)


def _is_passing(order: Order) -> bool:
    """It never rests, and its end has not been told."""
    return order.state is State.DELAYED or (order.crosses and order.state in (State.LIVE, State.PARTIAL))


def _is_stale(order: Order, asked_s: float) -> bool:
    """What was asked before the doubt began says nothing against it."""
    return order.evidence is not None and asked_s < order.evidence.since_s
