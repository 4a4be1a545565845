"""The deterministic heart: events in, actions out, no clock, no I/O.

Routes each event to the desk or the room it concerns, holds what belongs to all markets (account, controls, feeds,
caps over markets), and decides when time has reached what it asked for. Same events, same actions.
"""

import math
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from core.account.account_events import AccountEvents
from core.account.bookkeeping import Bookkeeping
from core.account.fill_log import FillLog
from core.account.findings import Findings
from core.account.inventory_acts import InventoryActs
from core.account.reconciliation import Reconciliation
from core.actions import Action, Denied, Finding, Note
from core.config import Settings
from core.decision import Surroundings, is_pending
from core.desk import WAITS, Desk
from core.earnings import Earnings
from core.event_groups import EventGroups
from core.events import (
    Armed,
    BooksRead,
    BudgetSeen,
    CancelAnswered,
    ClockSeen,
    Event,
    FeedAlive,
    FeedChanged,
    HeartbeatSeen,
    InstrumentAdded,
    InstrumentChanged,
    JobSeen,
    JournalSeen,
    Killed,
    LoopSeen,
    MarketListed,
    MarketMessage,
    OperatorCommand,
    OrderAnswered,
    OrderSeen,
    OrderSigned,
    RouteSeen,
    ScoringSeen,
    StopRequested,
    VenueSeen,
    WatchdogSeen,
    Woken,
)
from core.flatten.acts import FlattenActs
from core.gatekeeping import Gatekeeper
from core.listings import Listings
from core.market_data import Feed, MarketData, Tally
from core.operating import Operating
from core.orders.manager import OrderManager
from core.orders.order import IN_BOOK, TERMINAL, State
from core.portfolio.account import Account
from core.portfolio.markouts import Drift
from core.profiles import Profiles
from core.quoting.explain import MarketExplanation
from core.results import Results
from core.risk.control import Control, Controls, allows_orders
from core.risk.permission import Facts, clause_of, why_not_quote
from core.risk.protections import Protections
from core.risk.vitals import Vitals
from core.stops import Stops
from core.units import MICRO, SIDES, Side, Usd
from core.valuing import Valuing
from core.venue_state import VenueState

MARK_SEC: Final = 1.0
"""Time between marks of the whole account. Desks ask to be woken at least as often, so marks need no timer."""
MARK_SLACK_SEC: Final = 0.05
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
        self.orders = OrderManager()
        self.desks: dict[str, Desk] = {}
        self.tally = Tally()
        self.data = MarketData(self.desks, self.tally)
        self.earnings = Earnings(self.desks, self.orders)
        self.groups = EventGroups(settings.group_project_frac)
        self.user_feed = Feed()
        self.controls = Controls()
        self.stops = Stops(self)
        self.protections = Protections()
        self.vitals = Vitals()
        self.watchdog = ""
        """Why nobody stands guard over the session, in words; "" while somebody does, and where nobody has to."""
        self.stopping = False
        self.account = Account(settings)
        self.profiles = profiles
        self.venue = VenueState(needs_heartbeat)
        self.findings = Findings()
        self.books = Bookkeeping(self.findings, self.account)
        self.inventory = InventoryActs(self)
        self.flattening = FlattenActs(self)
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
        self.gatekeeper = Gatekeeper(self)
        self.account_events = AccountEvents(self)
        self.valuing = Valuing(self)
        self.operating = Operating(self)
        self.results = Results()
        self.fill_log = FillLog()
        self.listings = Listings(self, own_in_book=own_in_book)
        self._drifts: deque[tuple[str, Drift]] = deque(maxlen=KEPT_DRIFTS)
        self.wall_s = 0.0
        """Wall clock less engine time, as of the last wake."""
        self._marked_s = -math.inf
        self._marked_messages = 0
        """Market messages by then."""
        self._wake_s = math.inf
        self._handlers: dict[type[Any], Callable[[Any, float], list[Action]]] = {
            **self.account_events.handlers,
            Woken: self._on_woken,
            BooksRead: self._on_read,
            InstrumentAdded: self._on_instrument,
            InstrumentChanged: self.listings.change,
            MarketListed: self.listings.take,
            FeedChanged: self._on_feed,
            FeedAlive: self._on_alive,
            OrderSigned: self._on_signed,
            OrderAnswered: self._on_answered,
            CancelAnswered: self._on_cancel_answered,
            OrderSeen: self._on_order_seen,
            ScoringSeen: self.earnings.take,
            JobSeen: self.inventory.take,
            RouteSeen: self._on_route,
            HeartbeatSeen: self._on_heartbeat,
            VenueSeen: self._on_venue,
            BudgetSeen: self._on_budget,
            OperatorCommand: self.operating.take,
            Killed: self.stops.on_killed,
            Armed: self.stops.on_armed,
            WatchdogSeen: self.stops.on_watchdog,
            ClockSeen: self.stops.on_clock,
            JournalSeen: self.stops.on_journal,
            LoopSeen: self.stops.on_loop,
            StopRequested: self._on_stop,
        }

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take one event that happened at ``now`` (monotonic seconds) and return what is to be done, in order.

        Raises:
            MalformedMessage: the event is a market message that cannot be used; nothing has changed.
        """
        if type(event) is MarketMessage:
            return self.data.take(event, now)
        actions = self._handlers[type(event)](event, now)
        if self.results.is_open and type(event) is not OperatorCommand:  # the last word on an act is its answer
            return [*actions, *self.results.advance(now)]
        return actions

    def wake_at_once(self, now: float) -> None:
        """Ask to be woken without delay."""
        self._wake_s = now

    def next_wake(self) -> float:
        """Monotonic time at which a :class:`Woken` is wanted; infinity when nothing waits."""
        data, controls = self.data, self.controls
        return min(
            self._wake_s, data.check_s, data.due_s, self.reconciliation.due_s, controls.next_s(), self.results.due_s
        )

    # Market data

    def _on_read(self, event: BooksRead, now: float) -> list[Action]:
        self.account.touch()
        self._wake_s = now
        return self.data.take_read(event, now)

    # Markets, account, feeds

    def _on_instrument(self, event: InstrumentAdded, now: float) -> list[Action]:
        self._wake_s = min(self._wake_s, now + MARK_SEC)
        return self.listings.add(event, now)

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
        actions += self.gatekeeper.answered(event, order, now)
        desk = self.desks.get(order.market)
        if desk is None:  # a late word of what was over when its market was let go
            left = order.cancel_wanted or "in a market that is not made"
            self.wake_at_once(now)
            return [*actions, *(self.orders.cancel(order, left, now) if order.state in IN_BOOK else ())]
        desk.touch_due()
        if event.outcome == "denied" and event.refusal == "rate":
            desk.refused(now, event.retry_s)
        missed = event.refusal == "missed"  # an order that crosses found nothing: no fault of ours
        if event.outcome == "refused" and not missed:
            desk.refused(now, event.retry_s)
            actions += self._heed_refusal(event, desk, now)
            actions += self.stops.trip(self.protections.refused(desk.market, desk.settings, now), now)
        elif event.outcome == "live":
            desk.accepted()
        if order.state is State.LIVE:
            order.level_size = desk.others_at(order.side, order.yes_price)
        if event.outcome in ("refused", "unknown") and not missed:
            text = f"{order.side} {desk.instrument.grid.cents(order.yes_price)}c {event.outcome}: {event.detail}"
            actions.append(Note("warning" if event.outcome == "refused" else "alarm", order.market, text))
        self.wake_soon(desk, now)
        return actions

    def _heed_refusal(self, event: OrderAnswered, desk: Desk, now: float) -> list[Action]:
        """Some refusals say more than that this order was not taken (polymarket-api.md 10.4)."""
        match event.refusal:
            case "configuration" | "account":
                text = f"the venue takes none of our orders: {event.detail}"
                return self.stops.restrict(Control("CANCEL_ONLY", text, "venue"), now)
            case "closed_only":
                text = f"the venue lets this account only reduce: {event.detail}"
                return self.stops.restrict(Control("REDUCE_ONLY", text, "venue"), now)
            case "market" if not self.reconciliation.closed(desk.market, now):
                text = f"the venue takes no orders here: {event.detail}"
                found = Finding("market_refused", "alarm", "quarantine", desk.market, desk.market, text)
                return self.findings.tell([found], now + self.wall_s)
            case "balance":
                self.reconciliation.wish(("balances",), "an order was refused for the balance")
        return []

    def _on_cancel_answered(self, event: CancelAnswered, now: float) -> list[Action]:
        actions: list[Action] = list(self.orders.cancel_answered(event, now))
        order = self.orders.find(event.order_id)
        if order is not None:
            self.results.answered(order, event.outcome == "refused")
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

    def _on_route(self, event: RouteSeen, now: float) -> list[Action]:
        self.inventory.route = event
        return []

    # The venue

    def _on_heartbeat(self, event: HeartbeatSeen, now: float) -> list[Action]:
        is_first = self.venue.beat_s is None
        actions, has_fired = self.venue.take_beat(event, now)
        if event.forked and not self.is_killed:
            text = f"another process heartbeats with these credentials: {event.detail}"
            return self.stops.kill("heartbeat", text, now)
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
            self.wake_soon(desk, now)

    def wake_soon(self, desk: Desk, now: float) -> None:
        """Ask to be woken when a market wants to decide."""
        self._wake_s = min(self._wake_s, max(now, desk.wake_at()))

    # Time

    def _on_woken(self, event: Woken, now: float) -> list[Action]:
        self.wall_s = event.unix - now
        actions = self.stops.advance(now)
        if now - self._marked_s >= MARK_SEC - MARK_SLACK_SEC:
            self._marked_s = now
            if self.tally.messages != self._marked_messages:
                self._marked_messages = self.tally.messages
                self.account.touch()
            actions += self.valuing.mark(event.unix, now)
            is_deaf = not self.user_feed.connected or self.reconciliation.has_gap
            actions += self.orders.chase(now, is_out=self.venue.is_out, is_deaf=is_deaf)
            actions += self.reconciliation.check(now, event.unix)
            self.reconciliation.look()
            if self.venue.presumes_dead(now):
                actions.append(
                    Note("alarm", "", "no heartbeat for so long that the venue may have cancelled everything")
                )
            actions += self.earnings.ask(now)
            actions += self.account_events.ask_payouts(now, event.unix)
            actions += self.inventory.auto(now, event.unix)
            actions += self.listings.advance(now)
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

    def _decide(self, desk: Desk, unix: float, now: float) -> list[Action]:
        drifts = desk.look(now, unix)
        for drift in drifts:
            self._drifts.append((desk.market, drift))
            self.fill_log.drifted(drift)
        mark = desk.mark(now)
        actions = [] if mark is None else self.books.price(desk.market, mark, unix)
        if drifts:
            tick = desk.instrument.grid.tick
            actions += self.stops.trip(self.protections.drifted(desk.market, drifts, tick, desk.settings), now)
        return actions + self._tell_condition(desk) + self._act(desk, unix, now)

    def _tell_condition(self, desk: Desk) -> list[Action]:
        """Say when regime, schedule or calendar begin to have a say, and when they end."""
        condition = "" if desk.posture is None else desk.posture.words
        if condition == desk.condition:
            return []
        desk.condition = condition
        self.protections.heed(desk.market, frozenset() if desk.posture is None else desk.posture.standing)
        return [Note("info", desk.market, condition or "quotes are as usual again")]

    def _act(self, desk: Desk, unix: float, now: float) -> list[Action]:
        if desk.flattening is not None:
            return self.flattening.act(desk, desk.flattening, now)
        facts = self.facts(desk, now)
        clause, no_new = clause_of(facts), self.venue.short
        if clause and (clause.effect == "no_new" or (clause.words == facts.recovering and desk.has_decided)):
            no_new, clause = clause.words, None
        if clause and (clause.effect == "hold" or clause.words in (*WAITS, facts.recovering) or self._is_to_come(desk)):
            return desk.rest(facts.stance, now) if facts.stance else desk.hold(clause.words, now)
        if clause:
            return desk.rest(clause.words, now)
        self.groups.refresh(desk, now)
        if desk.is_settled(now, unix, self.data_age_s(desk, now)):
            return []
        self.tally.decisions += 1
        actions = desk.decide(self.surroundings(desk, unix, now, no_new))
        self.gatekeeper.count([action for action in actions if type(action) is Denied], now)
        desk.blocked_by = desk.blocked_by or no_new
        return actions

    def _is_to_come(self, desk: Desk) -> bool:
        """A market that was never decided on: adopted orders keep their queue until then, as long as leases last."""
        allowed = allows_orders(self.controls.of(desk.market).state)
        return not desk.has_decided and allowed and not self.stopping and not desk.resolved

    @property
    def is_killed(self) -> bool:
        """Nothing is placed until somebody re-arms."""
        return self.controls.of_all().state == "KILLED"

    def control_of(self, desk: Desk, side: Side | None = None) -> Control:
        """The strictest state of a market as a whole, or for orders of a side.

        A flattening works through a pause: an operator asked for it.
        """
        control = self.controls.of(desk.market) if side is None else self.controls.of_side(desk.market, side)
        flattening = self.controls.find(desk.market, "", "flatten")
        works_through = flattening is not None and desk.flattening is not None and control.state == "PAUSED"
        return flattening if flattening is not None and works_through else control

    def facts(self, desk: Desk, now: float) -> Facts:
        """What the permission to quote a market depends on, as it stands."""
        unknown = [since for o in self.orders.at_risk(desk.market) if (since := o.in_doubt_since) is not None]
        return Facts(
            stopping=self.stopping,
            control=self.control_of(desk),
            account_known=self.account.is_open and self.account.bankroll is not None,
            user_feed_up=self.user_feed.connected,
            resolved=desk.resolved or desk.position.payout is not None,
            recovering=self.reconciliation.recovering() or self.reconciliation.unseen(desk.market),
            venue=self.venue.trouble(now),
            quarantine=self.reconciliation.closed(desk.market, now),
            unsettled_s=self.reconciliation.unsettled_s(desk.market, now, now + self.wall_s),
            data_trouble=desk.data_trouble,
            micro=None if desk.watch.micro is None else desk.watch.micro.status,
            data_age_s=self.data_age_s(desk, now),
            stale_s=self.settings.stale_sec,
            unknown_age_s=now - min(unknown) if unknown else 0.0,
            stance="" if desk.posture is None else desk.posture.forbids,
            flattening=desk.flattening is not None,
            watchdog=self.watchdog,
            clock=self.vitals.clock,
            journal=self.vitals.journal,
            lag=self.vitals.lag(now - self.data_age_s(desk, now)),
        )

    def data_age_s(self, desk: Desk, now: float) -> float:
        """Seconds since somebody vouched for a market's book; without audits a living channel has to do."""
        return now - (desk.silence.proven_s if self.settings.audit_sec else self.data.feed.heard_s)

    def surroundings(self, desk: Desk, unix: float, now: float, no_new: str = "") -> Surroundings:
        """What all markets share and one decision is made with."""
        bankroll = self.account.bankroll or Usd(0)
        fair = desk.watch.fair.value_at(now) or 0.5
        others = self.groups.exposure_of_others(desk, now)
        own = round(desk.inventory.exposure(fair) * MICRO)
        sides = {side: self.controls.of_side(desk.market, side).state for side in SIDES}
        free = self.free_cash
        return Surroundings(
            now=now,
            unix=unix,
            data_age_s=self.data_age_s(desk, now),
            bankroll=bankroll,
            gross_room=Usd(int(self.settings.gross_cap * bankroll) - others - own),
            plan_cash=Usd(free + self.orders.planned_cash(desk.market, lambda order: is_pending(order, now))),
            cost_room=self.gatekeeper.cost_room(desk, now),
            judge=partial(self.gatekeeper.judge, desk, now=now),
            reduce_only=self._only_reduces(desk),
            held=tuple([side for side, state in sides.items() if not allows_orders(state)]),
            reducing=tuple([side for side, state in sides.items() if state == "REDUCE_ONLY"]),
            no_new=no_new,
        )

    @property
    def free_cash(self) -> Usd:
        """Cash less what all orders at risk and operations under way would spend; negative when it is too little."""
        held_back = self.orders.reserved_cash() + self.inventory.jobs.reserved_cash
        return Usd(self.books.cash - self.reconciliation.balances.short - held_back)

    def _only_reduces(self, desk: Desk) -> bool:
        """Nothing may add risk: by a control state, or because our books do not add up."""
        return self.control_of(desk).state == "REDUCE_ONLY" or bool(self.books.trouble)

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
