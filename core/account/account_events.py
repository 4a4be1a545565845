"""What the engine is told of its account: trades, lists and balances as they are read, payouts, and what each changes.

A fill goes through the same door whether a channel tells it or a list. What was read may settle what was waited for,
so every reading lets all markets decide anew.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal

from core.actions import Action, Finding, Note, ReadPayouts
from core.desk import Desk
from core.events import (
    AccountSeen,
    ActivityRead,
    BalancesRead,
    ChainRead,
    FillSeen,
    IndexedTradesRead,
    OpenOrdersRead,
    PayoutSeen,
    PositionsRead,
    Recovered,
    TradesRead,
)
from core.market.fees import FeeSchedule
from core.orders.fills import Fill, FillChange
from core.orders.order import IN_BOOK
from core.units import OUTCOMES, SIZE_QUANTUM, Shares, micro_text

if TYPE_CHECKING:
    from core.engine import Engine

PAYOUT_SEC: Final = 60.0
"""Time between questions whether markets are resolved for good."""


class AccountEvents:
    """The account's side of one engine. ``now`` is monotonic seconds."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._payouts_s = -math.inf
        self.handlers: dict[type[Any], Callable[[Any, float], list[Action]]] = {
            AccountSeen: self._on_account,
            FillSeen: self._on_fill,
            Recovered: self._on_recovered,
            OpenOrdersRead: self._on_orders_read,
            TradesRead: self._on_trades_read,
            BalancesRead: self._on_balances_read,
            PositionsRead: self._on_positions_read,
            ActivityRead: self._on_activity_read,
            ChainRead: self._on_chain_read,
            PayoutSeen: self._on_payout,
            IndexedTradesRead: self._on_index_read,
        }
        """What takes which event."""

    def _on_account(self, event: AccountSeen, now: float) -> list[Action]:
        """Holdings and cash before anything was traded; told once, where nobody reads an account."""
        if self._engine.account.is_open:
            return []
        self._engine.account.is_open = True
        unix = now + self._engine.wall_s
        actions = self._engine.books.begin(event.cash, unix)
        held = dict(event.holdings)
        self._engine.reconciliation.balances.unseen.clear()  # told of all at once
        for desk in self._engine.desks.values():
            for outcome in OUTCOMES:
                shares = held.get(desk.instrument.token_of(outcome), Shares(0))
                if shares:
                    text = "held at the start"
                    actions += self._engine.books.find(desk.market, outcome, shares, desk.mark(now), unix, text)
            desk.touch_due()
        self._engine.wake_at_once(now)
        text = f"account: {_whole_cents(event.cash)} dollars of cash"
        return [*actions, Note("info", "", text), *self._idle_rows()]

    def _idle_rows(self) -> list[Action]:
        """Tables and calendar rows that are nobody's: best found out before the hour that they are for."""
        profiles = self._engine.profiles
        if profiles is None:
            return []
        idle = [f"settings of {market[:14]}" for market in profiles.tables if market not in self._engine.desks]
        for number, each in enumerate(profiles.calendar, start=1):
            if not any(each.concerns(desk.market, desk.instrument.tags) for desk in self._engine.desks.values()):
                idle.append(f"calendar row {number} ({each.applies_to[:40]})")
        return [Note("warning", "", f"{one}: concerns none of {len(self._engine.desks)} markets") for one in idle]

    def _on_fill(self, event: FillSeen, now: float) -> list[Action]:
        if event.source == "channel":
            self._engine.user_feed.heard_s = now
        unix = now + self._engine.wall_s
        is_known = self._engine.orders.book.find((event.trade_id, event.order_id)) is not None
        if self._engine.orders.find(event.order_id) is None and not is_known:
            found = self._engine.reconciliation.foreign.take_fill(event)
            if found:
                self._engine.reconciliation.wish(("balances",), "somebody else traded on this account")
            return self._engine.findings.tell(found, unix)
        booked = self._engine.orders.filled(event, now, self._fees_of(event.order_id))
        if booked is None:
            return []
        fill, change = booked
        if change == "booked":
            self._log(fill, event, unix)
        elif change != "contradicted":
            self._engine.fill_log.settle(fill, event.settlement)
        if change in ("void", "contradicted"):
            return self._trade_went_wrong(event, fill, change, now)
        if change == "moved":
            return []
        desk = self._engine.desks.get(fill.market)
        if change == "confirmed":
            self._engine.books.confirm(fill)
            if desk is not None:
                self._engine.groups.acted(desk)
                desk.touch_due()
            return []
        actions = self._book_fill(fill, True, now)
        if event.settlement == "confirmed":
            self._engine.books.confirm(fill)
        if desk is None:
            text = f"{fill.side} {micro_text(fill.usd)} {_size_text(fill.size)} sh, in a market that is not made now"
        else:
            how = f"taken, fee {micro_text(fill.fee)}" if fill.takes else f"layer {fill.layer + 1}"
            text = f"{_told(desk, fill)}, {how}"
        return [*actions, Note("fill", fill.market, text)]

    def _log(self, fill: Fill, word: FillSeen, unix: float) -> None:
        """Show a new fill, in the grid that its order has at this moment."""
        desk, order = self._engine.desks.get(fill.market), self._engine.orders.by_intent(fill.intent)
        title = "" if desk is None else desk.instrument.title
        self._engine.fill_log.book(fill, word, order.grid, title, unix)

    def _fees_of(self, order_id: str) -> FeeSchedule | None:
        """What taking costs in an order's market; None where nobody told."""
        order = self._engine.orders.find(order_id)
        desk = None if order is None else self._engine.desks.get(order.market)
        return None if desk is None else desk.instrument.fees

    def _book_fill(self, fill: Fill, counts: bool, now: float) -> list[Action]:
        """Enter a fill into the book, or take it back, and let its market and its group know."""
        unix = now + self._engine.wall_s
        seq, actions = self._engine.books.fill(fill, counts, unix)
        tracked, desk = self._engine.orders.book.find(fill.key), self._engine.desks.get(fill.market)
        if tracked is not None and counts:
            tracked.seq = seq
        if desk is not None:
            desk.take_fill(fill, counts, now, unix)
            if not fill.takes:  # what we took says nothing of those who take from us
                actions += self._judge_fill(desk, fill, counts, now, unix)
            self._engine.groups.acted(desk)
            self._engine.earnings.fill(desk, fill, counts)
            self._engine.wake_soon(desk, now)
        return actions

    def _judge_fill(self, desk: Desk, fill: Fill, counts: bool, now: float, unix: float) -> list[Action]:
        """Let the protections heed a fill of an order that rested, or forget it."""
        protections = self._engine.protections
        if not counts:
            protections.revoke(fill)
            return []
        return self._engine.stops.trip(protections.fill(fill, desk.settings, now, unix), now)

    def _trade_went_wrong(self, event: FillSeen, fill: Fill, change: FillChange, now: float) -> list[Action]:
        """A trade failed, or the venue says of a final one that it ended the other way."""
        unix = now + self._engine.wall_s
        if change == "contradicted":
            text = f"the venue says {event.settlement} of a trade that it said the opposite of; the first word is kept"
            found = Finding("settlement_conflict", "alarm", "quarantine", fill.market, fill.trade_id, text)
            return self._engine.findings.tell([found], unix)
        too_many = self._engine.findings.quarantine.failed(fill.market, now)
        what = f"{fill.side} {micro_text(fill.usd)} {_size_text(fill.size)} sh"
        desk = self._engine.desks.get(fill.market)
        if desk is not None:
            what = _told(desk, fill)
        actions = self._book_fill(fill, False, now)
        text = f"a trade failed: {what} is taken back"
        effect: Literal["quarantine", "hold"] = "quarantine" if too_many else "hold"
        found = Finding("failed_trade", "alarm", effect, fill.market, fill.trade_id, text)
        return [*actions, *self._engine.findings.tell([found], unix)]

    def _on_recovered(self, event: Recovered, now: float) -> list[Action]:
        actions = self._engine.reconciliation.recover(event, now, now + self._engine.wall_s)
        actions += self._engine.stops.restore(event.controls, now)
        actions += self._engine.operating.restore(event.adjustments, now)
        actions += self._engine.flattening.recover(now)
        actions += self._engine.inventory.recover(event)
        for order in self._engine.reconciliation.leftovers():
            actions += self._engine.orders.cancel(order, "left by an earlier session", now)
        self._engine.wake_at_once(now)
        return actions

    def _on_orders_read(self, event: OpenOrdersRead, now: float) -> list[Action]:
        actions = self._engine.reconciliation.take_orders(event, now, now + self._engine.wall_s)
        for order in list(self._engine.orders.all_at_risk()):
            if order.cancel_wanted and order.state in IN_BOOK:
                actions += self._engine.orders.cancel(order, order.cancel_wanted, now)
        for order in self._engine.reconciliation.leftovers():
            actions += self._engine.orders.cancel(order, "left by an earlier session", now)
        return self._reconciled(actions, now)

    def _on_trades_read(self, event: TradesRead, now: float) -> list[Action]:
        actions: list[Action] = []
        for fill in event.fills:
            actions += self._on_fill(fill, now)
        was_open = self._engine.account.is_open
        actions += self._engine.reconciliation.take_trades(event, now, now + self._engine.wall_s)
        if not was_open and self._engine.account.is_open:
            actions += self._idle_rows()
        return self._reconciled(actions, now)

    def _on_balances_read(self, event: BalancesRead, now: float) -> list[Action]:
        return self._reconciled(self._engine.reconciliation.take_balances(event, now), now)

    def _on_index_read(self, event: IndexedTradesRead, now: float) -> list[Action]:
        return self._reconciled(self._engine.reconciliation.take_index(event, now, now + self._engine.wall_s), now)

    def _on_positions_read(self, event: PositionsRead, now: float) -> list[Action]:
        return self._reconciled(self._engine.reconciliation.take_positions(event, now, now + self._engine.wall_s), now)

    def _on_activity_read(self, event: ActivityRead, now: float) -> list[Action]:
        return self._reconciled(self._engine.reconciliation.take_activity(event, now, now + self._engine.wall_s), now)

    def _on_chain_read(self, event: ChainRead, now: float) -> list[Action]:
        return self._reconciled(self._engine.reconciliation.take_chain(event, now, now + self._engine.wall_s), now)

    def _on_payout(self, event: PayoutSeen, now: float) -> list[Action]:
        return self._reconciled(self._engine.books.settle(event, now + self._engine.wall_s), now)

    def _reconciled(self, actions: list[Action], now: float) -> list[Action]:
        """Something may have been learned: what it changes is decided soon."""
        self._engine.reconciliation.look()
        self._engine.all_due()
        self._engine.wake_at_once(now)
        return actions

    def ask_payouts(self, now: float, unix: float) -> list[Action]:
        """Ask now and then what markets pay that may be resolved for good and in which something is held."""
        if now - self._payouts_s < PAYOUT_SEC:
            return []
        self._payouts_s = now
        desks = self._engine.desks
        decided = [
            desk
            for desk in desks.values()
            if desk.resolved or desk.drained or (desk.instrument.end_unix or unix) < unix
        ]  # the venue may have closed what is drained, and that was told before this session
        markets = self._engine.books.claims({desk.market for desk in decided}, desks)
        return [ReadPayouts(markets)] if markets else []


def _told(desk: Desk, fill: Fill) -> str:
    """A fill for people."""
    return f"{fill.side} {desk.instrument.grid.cents(fill.yes_price)}c {_size_text(fill.size)} sh"


def _size_text(size: Shares) -> str:
    """A size for people; what is left of an order may be less than a hundredth of a share."""
    return _whole_cents(size) if size >= SIZE_QUANTUM else "under 0.01"


def _whole_cents(micro: int) -> str:
    """Micro-shares or micro-dollars for people: two decimals, cut."""
    return micro_text(micro // 10_000 * 10_000)
