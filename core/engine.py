"""The deterministic heart: events in, actions out, no clock, no I/O.

Routes each event to the desk or the room it concerns, holds what belongs to all markets (account, controls, feeds,
caps over markets), and decides when time has reached what it asked for. Same events, same actions.
"""

import math
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Literal

from core.account.bookkeeping import Bookkeeping
from core.account.findings import Findings
from core.account.inventory_acts import InventoryActs
from core.account.reconciliation import Reconciliation
from core.actions import Action, CancelAll, Finding, Latch, Note, ReadPayouts
from core.config import Settings
from core.decision import Surroundings, is_pending
from core.desk import WAITS, Desk
from core.earnings import Earnings
from core.event_groups import EventGroups
from core.events import (
    AccountSeen,
    ActivityRead,
    BalancesRead,
    BooksRead,
    BudgetSeen,
    CancelAnswered,
    ChainRead,
    Event,
    FeedAlive,
    FeedChanged,
    FillSeen,
    HeartbeatSeen,
    IndexedTradesRead,
    InstrumentAdded,
    JobSeen,
    MarketMessage,
    OpenOrdersRead,
    OperatorCommand,
    OrderAnswered,
    OrderSeen,
    OrderSigned,
    PayoutSeen,
    PositionsRead,
    Recovered,
    RouteSeen,
    ScoringSeen,
    StopRequested,
    TradesRead,
    VenueSeen,
    Woken,
)
from core.market_data import Feed, MarketData, Tally
from core.operating import Operating
from core.orders.fills import Fill, FillChange
from core.orders.manager import OrderManager
from core.orders.order import IN_BOOK, TERMINAL, State
from core.portfolio.account import Account
from core.portfolio.markouts import Drift
from core.profiles import Profiles
from core.quoting.explain import MarketExplanation
from core.risk.control import Control, allows_orders, strictest
from core.risk.gate import Facts, why_not_quote
from core.units import MICRO, OUTCOMES, SIZE_QUANTUM, Shares, Usd, micro_text
from core.venue_state import VenueState

MARK_SEC: Final = 1.0
"""Time between marks of the whole account. Desks ask to be woken at least as often, so marks need no timer."""
MARK_SLACK_SEC: Final = 0.05
PAYOUT_SEC: Final = 60.0
"""Time between questions whether markets are resolved for good."""
LEAST_WAIT_SEC: Final = 0.001
"""Between a wake and the next one that only time asks for."""
KEPT_DRIFTS: Final = 4096
"""Measured drifts that wait for somebody to take them."""


class Engine:
    """The market maker."""

    def __init__(
        self,
        settings: Settings,
        *,
        own_in_book: bool,
        profiles: Profiles | None = None,
        needs_heartbeat: bool = False,
    ) -> None:
        """Start without a market.

        Args:
            settings: of the whole run.
            own_in_book: the books we see contain our own orders (not so in paper and replay).
            needs_heartbeat: nothing is quoted without heartbeats that the venue acknowledges.
            profiles: what single markets are quoted with; None quotes all with ``settings``.
        """
        self.settings = settings
        self._own_in_book = own_in_book
        self.orders = OrderManager()
        self.desks: dict[str, Desk] = {}
        self.tally = Tally()
        self.data = MarketData(self.desks, self.tally)
        self.earnings = Earnings(self.desks, self.orders)
        self.groups = EventGroups(settings.group_project_frac)
        self.user_feed = Feed()
        self.control = Control()
        self.stopping = False
        self.account = Account(settings)
        self.profiles = profiles
        self.venue = VenueState(needs_heartbeat)
        self.findings = Findings()
        self.books = Bookkeeping(self.findings, self.account)
        self.inventory = InventoryActs(self)
        self.reconciliation = Reconciliation(
            self.desks,
            self.orders,
            self.account,
            self.books,
            self.findings,
            self.inventory.jobs,
            adopts_orders=settings.adopt_orders,
            adopts_shares=settings.adopt_shares,
        )
        self._operating = Operating(self)
        self._drifts: deque[tuple[str, Drift]] = deque(maxlen=KEPT_DRIFTS)
        self.wall_s = 0.0
        """Wall clock less engine time, as of the last wake."""
        self._marked_s = -math.inf
        self._payouts_s = -math.inf
        self._marked_messages = 0
        """Market messages by then."""
        self._wake_s = math.inf
        self._handlers: dict[type[Any], Callable[[Any, float], list[Action]]] = {
            Woken: self._on_woken,
            BooksRead: self._on_read,
            InstrumentAdded: self._on_instrument,
            AccountSeen: self._on_account,
            FeedChanged: self._on_feed,
            FeedAlive: self._on_alive,
            OrderSigned: self._on_signed,
            OrderAnswered: self._on_answered,
            CancelAnswered: self._on_cancel_answered,
            OrderSeen: self._on_order_seen,
            FillSeen: self._on_fill,
            ScoringSeen: self.earnings.take,
            Recovered: self._on_recovered,
            OpenOrdersRead: self._on_orders_read,
            TradesRead: self._on_trades_read,
            BalancesRead: self._on_balances_read,
            PositionsRead: self._on_positions_read,
            ActivityRead: self._on_activity_read,
            ChainRead: self._on_chain_read,
            PayoutSeen: self._on_payout,
            JobSeen: self.inventory.take,
            RouteSeen: self._on_route,
            IndexedTradesRead: self._on_index_read,
            HeartbeatSeen: self._on_heartbeat,
            VenueSeen: self._on_venue,
            BudgetSeen: self._on_budget,
            OperatorCommand: self._operating.take,
            StopRequested: self._on_stop,
        }

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take one event that happened at ``now`` (monotonic seconds) and return what is to be done, in order.

        Raises:
            MalformedMessage: the event is a market message that cannot be used; nothing has changed.
        """
        if type(event) is MarketMessage:
            return self.data.take(event, now)
        return self._handlers[type(event)](event, now)

    def wake_at_once(self, now: float) -> None:
        """Ask to be woken without delay."""
        self._wake_s = now

    def next_wake(self) -> float:
        """Monotonic time at which a :class:`Woken` is wanted; infinity when nothing waits."""
        return min(self._wake_s, self.data.check_s, self.data.due_s, self.reconciliation.due_s)

    # Market data

    def _on_read(self, event: BooksRead, now: float) -> list[Action]:
        self.account.touch()
        self._wake_s = now
        return self.data.take_read(event, now)

    # Markets, account, feeds

    def _on_instrument(self, event: InstrumentAdded, now: float) -> list[Action]:
        instrument = event.instrument
        if instrument.market in self.desks:
            return []
        desk = Desk(
            instrument,
            self.settings,
            self.orders,
            self.books.portfolio.position(instrument.market),
            own_in_book=self._own_in_book,
            proof=self.data.proof,
            profiles=self.profiles,
        )
        self.data.add(desk, now)
        self.groups.add(desk)
        self._wake_s = min(self._wake_s, now + MARK_SEC)
        return []

    def _on_account(self, event: AccountSeen, now: float) -> list[Action]:
        """Holdings and cash before anything was traded; told once, where nobody reads an account."""
        if self.account.is_open:
            return []
        self.account.is_open = True
        unix = now + self.wall_s
        actions = self.books.begin(event.cash, unix)
        held = dict(event.holdings)
        for desk in self.desks.values():
            for outcome in OUTCOMES:
                shares = held.get(desk.instrument.token_of(outcome), Shares(0))
                if shares:
                    actions += self.books.find(desk.market, outcome, shares, desk.mark(now), unix, "held at the start")
            desk.touch_due()
        self._wake_s = now
        text = f"account: {_whole_cents(event.cash)} dollars of cash"
        return [*actions, Note("info", "", text), *self._idle_rows()]

    def _idle_rows(self) -> list[Action]:
        """Tables and calendar rows that are nobody's: best found out before the hour that they are for."""
        profiles = self.profiles
        if profiles is None:
            return []
        idle = [f"settings of {market[:14]}" for market in profiles.tables if market not in self.desks]
        for number, each in enumerate(profiles.calendar, start=1):
            if not any(each.concerns(desk.market, desk.instrument.tags) for desk in self.desks.values()):
                idle.append(f"calendar row {number} ({each.applies_to[:40]})")
        return [Note("warning", "", f"{one}: concerns none of {len(self.desks)} markets") for one in idle]

    def _on_feed(self, event: FeedChanged, now: float) -> list[Action]:
        if event.feed == "market":
            self._wake_s = now
            return self.data.take_coverage(event, now)
        feed = self.user_feed
        was, feed.connected, feed.detail = feed.connected, event.connected, event.detail
        if event.connected:
            feed.heard_s = now
            if feed.reconnects and not was:
                self.reconciliation.read_gap(now)
            self.reconciliation.wish(("orders", "trades"), "the user channel is back")
            return [Note("info", "", "user feed is up")] if not was else []
        actions: list[Action] = []
        if was:
            feed.reconnects += 1
            self.tally.reconnects += 1
            actions.append(Note("warning", "", f"user feed is down: {event.detail}"))
        for desk in self.desks.values():
            actions += desk.pull("user feed is down", now)
            desk.touch_due()
        return actions

    def _on_alive(self, event: FeedAlive, now: float) -> list[Action]:
        (self.data.feed if event.feed == "market" else self.user_feed).heard_s = now
        return []

    # Orders

    def _on_signed(self, event: OrderSigned, now: float) -> list[Action]:
        self.orders.signed(event, now)
        return []

    def _on_answered(self, event: OrderAnswered, now: float) -> list[Action]:
        order = self.orders.by_intent(event.intent)
        actions: list[Action] = list(self.orders.answered(event, now))
        desk = self.desks[order.market]
        desk.touch_due()
        if event.outcome == "denied" and event.refusal == "rate":
            desk.refused(now, event.retry_s)
        if event.outcome == "refused":
            desk.refused(now, event.retry_s)
            actions += self._heed_refusal(event, desk, now)
        elif event.outcome == "live":
            desk.accepted()
        if order.state is State.LIVE:
            order.level_size = desk.others_at(order.side, order.yes_price)
        if event.outcome in ("refused", "unknown"):
            text = f"{order.side} {desk.instrument.grid.cents(order.yes_price)}c {event.outcome}: {event.detail}"
            actions.append(Note("warning" if event.outcome == "refused" else "alarm", order.market, text))
        self._wake_soon(desk, now)
        return actions

    def _heed_refusal(self, event: OrderAnswered, desk: Desk, now: float) -> list[Action]:
        """Some refusals say more than that this order was not taken (polymarket-api.md 10.4)."""
        match event.refusal:
            case "configuration" | "account":
                return self._restrict(Control("CANCEL_ONLY", f"the venue takes none of our orders: {event.detail}"))
            case "closed_only":
                return self._restrict(
                    Control("REDUCE_ONLY", f"the venue lets this account only reduce: {event.detail}")
                )
            case "market" if not self.reconciliation.closed(desk.market, now):
                text = f"the venue takes no orders here: {event.detail}"
                found = Finding("market_refused", "alarm", "quarantine", desk.market, desk.market, text)
                return self.findings.tell([found], now + self.wall_s)
            case "balance":
                self.reconciliation.wish(("balances",), "an order was refused for the balance")
        return []

    def _restrict(self, control: Control) -> list[Action]:
        """Forbid what the venue forbids, and say so once."""
        stricter = strictest(self.control, control)
        if stricter is self.control:
            return []
        self.control = stricter
        self.all_due()
        return [Note("alarm", "", f"{control.reason}; resume when that is mended")]

    def _on_cancel_answered(self, event: CancelAnswered, now: float) -> list[Action]:
        actions: list[Action] = list(self.orders.cancel_answered(event, now))
        self._order_touched(event.order_id, now)
        return actions

    def _on_order_seen(self, event: OrderSeen, now: float) -> list[Action]:
        if not event.asked_s:
            self.user_feed.heard_s = now
        known = self.orders.find(event.order_id)
        was_over = known is not None and known.state in TERMINAL
        order = self.orders.seen(event, now)
        if order is None:
            return []
        self._order_touched(event.order_id, now)
        actions: list[Action] = []
        if was_over and order.state not in TERMINAL:
            actions += self.findings.tell([self.reconciliation.revived(order)], now + self.wall_s)
        if order.cancel_wanted and order.state in IN_BOOK:
            actions += self.orders.cancel(order, order.cancel_wanted, now)
        if event.status == "cancelled" and event.detail.startswith("CANCELED_"):
            actions.append(Note("warning", order.market, f"the venue cancelled an order: {event.detail}"))
        return actions

    def _on_fill(self, event: FillSeen, now: float) -> list[Action]:
        if event.source == "channel":
            self.user_feed.heard_s = now
        unix = now + self.wall_s
        is_known = self.orders.book.find((event.trade_id, event.order_id)) is not None
        if self.orders.find(event.order_id) is None and not is_known:
            found = self.reconciliation.foreign.take_fill(event)
            if found:
                self.reconciliation.wish(("balances",), "somebody else traded on this account")
            return self.findings.tell(found, unix)
        booked = self.orders.filled(event, now)
        if booked is None:
            return []
        fill, change = booked
        if change in ("void", "contradicted"):
            return self._trade_went_wrong(event, fill, change, now)
        if change == "moved":
            return []
        desk = self.desks.get(fill.market)
        if change == "confirmed":
            self.books.confirm(fill)
            if desk is not None:
                self.groups.acted(desk)
                desk.touch_due()
            return []
        actions = self._book_fill(fill, True, now)
        if event.settlement == "confirmed":
            self.books.confirm(fill)
        if desk is None:
            text = f"{fill.side} {micro_text(fill.usd)} {_size_text(fill.size)} sh, in a market that is not made now"
        else:
            text = f"{_told(desk, fill)}, layer {fill.layer + 1}"
        return [*actions, Note("fill", fill.market, text)]

    def _book_fill(self, fill: Fill, counts: bool, now: float) -> list[Action]:
        """Enter a fill into the book, or take it back, and let its market and its group know."""
        unix = now + self.wall_s
        seq, actions = self.books.fill(fill, counts, unix)
        tracked, desk = self.orders.book.find(fill.key), self.desks.get(fill.market)
        if tracked is not None and counts:
            tracked.seq = seq
        if desk is not None:
            desk.take_fill(fill, counts, now, unix)
            self.groups.acted(desk)
            self.earnings.fill(desk, fill, counts)
            self._wake_soon(desk, now)
        return actions

    def _trade_went_wrong(self, event: FillSeen, fill: Fill, change: FillChange, now: float) -> list[Action]:
        """A trade failed, or the venue says of a final one that it ended the other way."""
        unix = now + self.wall_s
        if change == "contradicted":
            text = f"the venue says {event.settlement} of a trade that it said the opposite of; the first word is kept"
            found = Finding("settlement_conflict", "alarm", "quarantine", fill.market, fill.trade_id, text)
            return self.findings.tell([found], unix)
        too_many = self.findings.quarantine.failed(fill.market, now)
        what = f"{fill.side} {micro_text(fill.usd)} {_size_text(fill.size)} sh"
        desk = self.desks.get(fill.market)
        if desk is not None:
            what = _told(desk, fill)
        actions = self._book_fill(fill, False, now)
        text = f"a trade failed: {what} is taken back"
        effect: Literal["quarantine", "hold"] = "quarantine" if too_many else "hold"
        found = Finding("failed_trade", "alarm", effect, fill.market, fill.trade_id, text)
        return [*actions, *self.findings.tell([found], unix)]

    # The account as it is read

    def _on_recovered(self, event: Recovered, now: float) -> list[Action]:
        actions = self.reconciliation.recover(event, now, now + self.wall_s)
        actions += self.inventory.recover(event)
        for order in self.reconciliation.leftovers():
            actions += self.orders.cancel(order, "left by an earlier session", now)
        self._wake_s = now
        return actions

    def _on_orders_read(self, event: OpenOrdersRead, now: float) -> list[Action]:
        actions = self.reconciliation.take_orders(event, now, now + self.wall_s)
        for order in list(self.orders.all_at_risk()):
            if order.cancel_wanted and order.state in IN_BOOK:
                actions += self.orders.cancel(order, order.cancel_wanted, now)
        for order in self.reconciliation.leftovers():
            actions += self.orders.cancel(order, "left by an earlier session", now)
        return self._reconciled(actions, now)

    def _on_trades_read(self, event: TradesRead, now: float) -> list[Action]:
        actions: list[Action] = []
        for fill in event.fills:
            actions += self._on_fill(fill, now)
        was_open = self.account.is_open
        actions += self.reconciliation.take_trades(event, now, now + self.wall_s)
        if not was_open and self.account.is_open:
            actions += self._idle_rows()
        return self._reconciled(actions, now)

    def _on_balances_read(self, event: BalancesRead, now: float) -> list[Action]:
        return self._reconciled(self.reconciliation.take_balances(event, now), now)

    def _on_index_read(self, event: IndexedTradesRead, now: float) -> list[Action]:
        return self._reconciled(self.reconciliation.take_index(event, now, now + self.wall_s), now)

    def _on_positions_read(self, event: PositionsRead, now: float) -> list[Action]:
        return self._reconciled(self.reconciliation.take_positions(event, now, now + self.wall_s), now)

    def _on_activity_read(self, event: ActivityRead, now: float) -> list[Action]:
        return self._reconciled(self.reconciliation.take_activity(event, now, now + self.wall_s), now)

    def _on_chain_read(self, event: ChainRead, now: float) -> list[Action]:
        return self._reconciled(self.reconciliation.take_chain(event, now, now + self.wall_s), now)

    def _on_route(self, event: RouteSeen, now: float) -> list[Action]:
        self.inventory.route = event
        return []

    def _on_payout(self, event: PayoutSeen, now: float) -> list[Action]:
        return self._reconciled(self.books.settle(event, now + self.wall_s), now)

    def _reconciled(self, actions: list[Action], now: float) -> list[Action]:
        """Something may have been learned: what it changes is decided soon."""
        self.reconciliation.look()
        self.all_due()
        self._wake_s = now
        return actions

    # The venue

    def _on_heartbeat(self, event: HeartbeatSeen, now: float) -> list[Action]:
        is_first = self.venue.beat_s is None
        actions, has_fired = self.venue.take_beat(event, now)
        if event.forked and self.control.state != "KILLED":
            text = "another process heartbeats with these credentials"
            self.control = Control("KILLED", text)
            pulled = [CancelAll(reason="split brain"), *self.pull_all("killed", now)]
            return [Latch(reason=text), *pulled, Note("alarm", "", f"KILLED: {text}: {event.detail}")]
        if has_fired:
            self.reconciliation.start_over(now, "the venue may have cancelled everything for want of a heartbeat")
        if has_fired or (is_first and event.acknowledged):
            self.all_due()
            self._wake_s = now
        return actions

    def _on_venue(self, event: VenueSeen, now: float) -> list[Action]:
        actions, is_back = self.venue.take_mode(event, now)
        if is_back:
            self.reconciliation.start_over(now, "the venue is back")
        if actions:
            self.all_due()
            self._wake_s = now
        return actions

    def _on_budget(self, event: BudgetSeen, now: float) -> list[Action]:
        self.all_due()
        self._wake_s = now
        return self.venue.take_budget(event)

    def _order_touched(self, order_id: str, now: float) -> None:
        order = self.orders.find(order_id)
        desk = None if order is None else self.desks.get(order.market)
        if desk is not None:
            desk.touch_due()
            self._wake_soon(desk, now)

    def _wake_soon(self, desk: Desk, now: float) -> None:
        self._wake_s = min(self._wake_s, max(now, desk.wake_at()))

    # Time

    def _on_woken(self, event: Woken, now: float) -> list[Action]:
        self.wall_s = event.unix - now
        actions: list[Action] = []
        if now - self._marked_s >= MARK_SEC - MARK_SLACK_SEC:
            self._marked_s = now
            if self.tally.messages != self._marked_messages:
                self._marked_messages = self.tally.messages
                self.account.touch()
            actions += self._mark(event.unix, now)
            is_deaf = not self.user_feed.connected or self.reconciliation.has_gap
            actions += self.orders.chase(now, is_out=self.venue.is_out, is_deaf=is_deaf)
            actions += self.reconciliation.check(now, event.unix)
            self.reconciliation.look()
            if self.venue.presumes_dead(now):
                actions.append(
                    Note("alarm", "", "no heartbeat for so long that the venue may have cancelled everything")
                )
            actions += self.earnings.ask(now)
            actions += self._ask_payouts(now, event.unix)
            actions += self.inventory.auto(now, event.unix)
            self.earnings.sample(now, event.unix)
            self.data.measure(now)
        if self._marked_s == now or self.reconciliation.due_s <= now:
            actions += self.reconciliation.ask(now, event.unix)
        if self.data.check_s <= now:
            actions += self.data.check(now)
        self.data.due_s = math.inf
        self.reconciliation.look()  # before the first new order, which would pass for one that is left
        for desk in self.desks.values():
            if desk.wake_at() <= now:
                actions += self._decide(desk, event.unix, now)
                self.groups.acted(desk)
        if self.desks:
            wanted = min([desk.wake_at() for desk in self.desks.values()])
            self._wake_s = max(wanted, now + LEAST_WAIT_SEC)  # whoever is still due has decided at this moment
        else:
            self._wake_s = math.inf
        return actions

    def _ask_payouts(self, now: float, unix: float) -> list[Action]:
        """Ask now and then what markets pay that may be resolved for good and in which something is held."""
        if now - self._payouts_s < PAYOUT_SEC:
            return []
        self._payouts_s = now
        decided = [desk for desk in self.desks.values() if desk.resolved or (desk.instrument.end_unix or unix) < unix]
        markets = self.books.claims({desk.market for desk in decided}, self.desks)
        return [ReadPayouts(markets)] if markets else []

    def _decide(self, desk: Desk, unix: float, now: float) -> list[Action]:
        self._drifts.extend((desk.market, drift) for drift in desk.look(now, unix))
        mark = desk.mark(now)
        actions = [] if mark is None else self.books.price(desk.market, mark, unix)
        return actions + self._tell_condition(desk) + self._act(desk, unix, now)

    def _tell_condition(self, desk: Desk) -> list[Action]:
        """Say when regime, schedule or calendar begin to have a say, and when they end."""
        condition = "" if desk.posture is None else desk.posture.words
        if condition == desk.condition:
            return []
        desk.condition = condition
        return [Note("info", desk.market, condition or "quotes are as usual again")]

    def _act(self, desk: Desk, unix: float, now: float) -> list[Action]:
        reason = why_not_quote(self.facts(desk, now))
        recovering = self.reconciliation.recovering()
        no_new = self.venue.short
        if reason and reason == recovering and desk.has_decided:
            reason, no_new = "", recovering
        if reason and (reason in (*WAITS, recovering) or self._is_to_come(desk)):
            forbids = self.facts(desk, now).stance
            return desk.rest(forbids, now) if forbids else desk.hold(reason, now)
        if reason:
            return desk.rest(reason, now)
        self.groups.refresh(desk, now)
        if desk.is_settled(now, unix, self._data_age_s(desk, now)):
            return []
        self.tally.decisions += 1
        actions = desk.decide(self.surroundings(desk, unix, now, no_new))
        desk.blocked_by = desk.blocked_by or no_new
        return actions

    def _is_to_come(self, desk: Desk) -> bool:
        """A market that was never decided on: adopted orders keep their queue until then, as long as leases last."""
        allowed = allows_orders(strictest(self.control, desk.control).state)
        return not desk.has_decided and allowed and not self.stopping and not desk.resolved

    def facts(self, desk: Desk, now: float) -> Facts:
        """What the permission to quote a market depends on, as it stands."""
        unknown = [since for o in self.orders.at_risk(desk.market) if (since := o.in_doubt_since) is not None]
        return Facts(
            stopping=self.stopping,
            control=strictest(self.control, desk.control),
            account_known=self.account.is_open and self.account.bankroll is not None,
            user_feed_up=self.user_feed.connected,
            resolved=desk.resolved or desk.position.payout is not None,
            recovering=self.reconciliation.recovering(),
            venue=self.venue.trouble(now),
            quarantine=self.reconciliation.closed(desk.market, now),
            unsettled_s=self.reconciliation.unsettled_s(desk.market, now, now + self.wall_s),
            data_trouble=desk.data_trouble,
            micro=None if desk.watch.micro is None else desk.watch.micro.status,
            data_age_s=self._data_age_s(desk, now),
            stale_s=self.settings.stale_sec,
            unknown_age_s=now - min(unknown) if unknown else 0.0,
            stance="" if desk.posture is None or desk.flattening else desk.posture.forbids,
        )

    def _data_age_s(self, desk: Desk, now: float) -> float:
        """Seconds since somebody vouched for a market's book; without audits a living channel has to do."""
        return now - (desk.silence.proven_s if self.settings.audit_sec else self.data.feed.heard_s)

    def surroundings(self, desk: Desk, unix: float, now: float, no_new: str = "") -> Surroundings:
        """What all markets share and one decision is made with."""
        bankroll = self.account.bankroll or Usd(0)
        fair = desk.watch.fair.value_at(now) or 0.5
        others = self.groups.exposure_of_others(desk, now)
        own = round(desk.inventory.exposure(fair) * MICRO)
        held_back = self.orders.reserved_cash() + self.inventory.jobs.reserved_cash
        free = self.books.cash - self.reconciliation.balances.short - held_back
        return Surroundings(
            now=now,
            unix=unix,
            data_age_s=self._data_age_s(desk, now),
            bankroll=bankroll,
            gross_room=Usd(int(self.settings.gross_cap * bankroll) - others - own),
            plan_cash=Usd(free + self.orders.planned_cash(desk.market, lambda order: is_pending(order, now))),
            free_cash=Usd(free),
            reduce_only=self._only_reduces(desk),
            no_new=no_new,
        )

    def _only_reduces(self, desk: Desk) -> bool:
        """Nothing may add risk: by an operator or the venue, for the day's loss, or because our books do not add up."""
        is_told = strictest(self.control, desk.control).state == "REDUCE_ONLY"
        return is_told or self.account.is_latched or bool(self.books.trouble)

    def _mark(self, unix: float, now: float) -> list[Action]:
        """Value the account, renew the bankroll and judge the day's loss (market-making.md 1.6, 3.6)."""
        account, books = self.account, self.books
        actions: list[Action] = []
        for desk in [self.desks[market] for market in books.unpriced if market in self.desks]:
            mark = desk.mark(now)
            actions += [] if mark is None else books.price(desk.market, mark, unix)
        if not account.wants_mark(unix) or books.unpriced:
            return actions
        values = [desk.conservative_value() for desk in self.desks.values()]
        if any(value is None for value in values):
            return actions
        is_first = account.bankroll is None
        equity = Usd(books.cash + sum(value or 0 for value in values) + books.value_elsewhere(self.desks))
        marked = account.mark(unix, equity)
        actions += self._check_sizes() if is_first else []
        if marked.is_new_day or marked.limit:
            books.wants_snapshot = True  # what a restart must not forget
            self.all_due()
        if marked.limit == "open again":
            actions.append(Note("info", "", "a new day: the loss limit is open again"))
        elif marked.limit == "reached":
            text = f"daily loss limit: {marked.loss:.2%} of the day's opening equity; reducing only"
            actions += [*self.pull_all("daily loss limit", now), Note("alarm", "", text)]
        return [*actions, *books.marked(unix, equity)]

    def _check_sizes(self) -> list[Action]:
        """Sizes made for a larger account are worth a word (market-making.md 1.6); one for markets that are alike."""
        texts = {desk.market: self.oversized(desk.settings) for desk in self.desks.values()}
        if len(set(texts.values())) == 1:
            texts = {"": next(iter(texts.values()))}
        return [Note("warning", market, text) for market, text in texts.items() if text]

    def oversized(self, settings: Settings) -> str:
        """Why the base size does not fit the bankroll, and what to do; "" when it does."""
        base, soft = settings.base_size_usd, settings.soft_cap_delta_pct * (self.account.bankroll or 0) / MICRO
        if base is None or base <= 0.4 * soft:
            return ""
        return (
            f"base_size_usd {base:g} is over 40 % of the soft cap of {soft:g} dollars: lower it, or raise the bankroll"
        )

    def all_due(self) -> None:
        """Let every market decide anew."""
        for desk in self.desks.values():
            desk.touch_due()

    # Operator

    def _on_stop(self, event: StopRequested, now: float) -> list[Action]:
        """Nothing new from here on; everything at risk is cancelled."""
        self.stopping = True
        return [*self.pull_all("stopping", now), Note("info", "", f"stopping: {event.reason}")]

    def pull_all(self, reason: str, now: float, *, insists: bool = False) -> list[Action]:
        """Cancel every order of ours, also what is being cancelled with ``insists``; what is not ours stays."""
        actions: list[Action] = []
        for desk in self.desks.values():
            actions += desk.pull(reason, now, insists=insists)
            desk.touch_due()
        return actions

    def explain(self, market: str, now: float) -> MarketExplanation | None:
        """Why a market is quoted as it is, or not; None for a market that is not made."""
        desk = self.desks.get(market)
        if desk is None:
            return None
        return desk.explain(now, why_not_quote(self.facts(desk, now)))

    def take_drifts(self) -> list[tuple[str, Drift]]:
        """How the price moved after fills, by market, since the last call."""
        drifts = list(self._drifts)
        self._drifts.clear()
        return drifts


def _told(desk: Desk, fill: Fill) -> str:
    """A fill for people."""
    return f"{fill.side} {desk.instrument.grid.cents(fill.yes_price)}c {_size_text(fill.size)} sh"


def _size_text(size: Shares) -> str:
    """A size for people; what is left of an order may be less than a hundredth of a share."""
    return _whole_cents(size) if size >= SIZE_QUANTUM else "under 0.01"


def _whole_cents(micro: int) -> str:
    """Micro-shares or micro-dollars for people: two decimals, cut."""
    return micro_text(micro // 10_000 * 10_000)
