"""One market as the engine trades it: its book, its signals, its inventory, its orders, and the decision.

A desk decides for its market only; what belongs to all (account, controls, feeds, caps over markets) is handed in by
the engine with each decision.
"""

import math
from collections.abc import Callable
from typing import Final

import msgspec

from core.actions import Action, Note
from core.config import Settings
from core.errors import MalformedMessage
from core.events import MarketMessage, RestBook
from core.market.book import Level
from core.market.continuity import BEHIND, Applied, ProofPolicy, TrackedBook
from core.market.instrument import Instrument
from core.market.recovery import Recovery
from core.market.signals import without_own
from core.market.silence import Silence
from core.market.tape import Tape, Trade
from core.orders.manager import Fill, OrderManager
from core.orders.order import TERMINAL, Order, State
from core.portfolio.inventory import Inventory
from core.portfolio.position import Position
from core.quoting.plan import QuoteInputs, QuotePlan, flatten_plan, plan_quotes
from core.quoting.requote import LiveOrder, Verdict, diff_orders, levels_ahead, requote_rules_of, situation_of
from core.quoting.routing import Target
from core.quoting.rules import rules_of
from core.quoting.volatility import Sigma
from core.quoting.watch import LEVELS_READ, Glance, PriceWatch
from core.risk.control import Control
from core.risk.gate import Headroom
from core.units import MICRO, Shares, Side, Ticks, UnitError, Usd, parse_micro

TIMER_SEC: Final = 1.0
"""A market is looked at again after this, whatever happens (market-making.md 1.12)."""
FIRST_HOLD_SEC: Final = 0.5
LONGEST_HOLD_SEC: Final = 30.0
CANCEL_GRACE_SEC: Final = 2.0
"""A cancel sent less long ago is expected to be answered, and its order is not planned around."""
SETTLED_TICKS: Final = 0.01
"""Moves of fair value and deviation below this share of a tick do not make a new plan of an unchanged market."""
UNPROVEN_CHANGE: Final = "the newest change is not proven yet"
BEHIND_REST: Final = "REST shows a newer book; the channel has not brought it yet"
WAITS: Final = (UNPROVEN_CHANGE, BEHIND_REST)
"""Why a market waits for a moment; its orders stay meanwhile."""


class Surroundings(msgspec.Struct, frozen=True, gc=False):
    """What one decision needs from outside its market."""

    now: float
    unix: float
    data_age_s: float
    bankroll: Usd
    gross_room: Usd
    """Risk beyond this market's present one that the cap over all markets still allows."""
    plan_cash: Usd
    """Account cash less what other markets' orders and orders that are not planned around would spend."""
    free_cash: Usd
    """Account cash less what all orders at risk would spend."""
    reduce_only: bool


class Desk:
    """State and decisions of one market."""

    def __init__(
        self,
        instrument: Instrument,
        settings: Settings,
        orders: OrderManager,
        *,
        own_in_book: bool,
        proof: ProofPolicy | None = None,
    ) -> None:
        """``own_in_book`` says that the book we see contains our own orders (not so in paper and replay)."""
        self.settings = settings
        self.orders = orders
        self.own_in_book = own_in_book
        self.tracked = TrackedBook(instrument, proof or ProofPolicy())
        self.silence = Silence(settings.audit_sec, settings.stale_sec)
        self.recovery = Recovery()
        self.covered = False
        """A connected socket carries this market."""
        self.check_s = math.inf
        """When its data want a look, monotonic seconds; kept by :mod:`core.market_data`."""
        self.tape = Tape()
        self.position = Position()
        self.control = Control()
        self.widen_ticks = 0
        self.flattening = False
        self.resolved = False
        self.plan: QuotePlan | None = None
        self.sigma: Sigma | None = None
        self.blocked_by = "waiting for the first book"
        self.worst_exposure = Usd(0)
        """Risk if the orders of the worse side all fill, as of the last decision."""
        self._valued: tuple[Usd, Usd] | None = None
        """Micro-dollars a share of YES and of NO when the book was last believed."""
        self._synced_s = -math.inf
        """When the book was last believed."""
        self._hold_s, self._hold_until_s = 0.0, -math.inf
        self._reset_signals()
        self._last_decision_s = -math.inf
        self.is_due = True
        """Something has changed since the last decision that calls for another."""
        self._decided_fair = math.nan
        self._decided_sigma = math.nan
        self._decided_touch: tuple[Ticks | None, Ticks | None] = (None, None)
        self._settled = False
        self._glance: Glance | None = None
        self._own_version = -1
        self._own: tuple[dict[Ticks, Shares], dict[Ticks, Shares]] = ({}, {})
        """Our own levels in the book, as of that version of the orders."""

    def _reset_signals(self) -> None:
        settings, instrument = self.settings, self.tracked.instrument
        self._rules = rules_of(settings, instrument)
        self._requote_rules = requote_rules_of(settings, instrument)
        self.watch = PriceWatch(settings, instrument)
        self._moved = settings.requote_mid_ticks / 2 / instrument.grid.k
        """Dollars of fair value that call for a decision (market-making.md 1.12)."""

    # Identity and position

    @property
    def instrument(self) -> Instrument:
        """The market as it is now; its tick may change."""
        return self.tracked.instrument

    @property
    def market(self) -> str:
        """Condition id."""
        return self.tracked.instrument.market

    @property
    def inventory(self) -> Inventory:
        """Everything that is or may be ours, provisional fills included."""
        return self.position.inventory

    def mark(self, now: float) -> Usd | None:
        """Fair value of YES in micro-dollars; None before the first."""
        fair = self.watch.fair.value_at(now)
        return None if fair is None else Usd(round(fair * MICRO))

    def conservative_value(self) -> Usd | None:
        """What the holdings would fetch at others' best prices, pairs at a dollar (market-making.md 3.6).

        While the book is not to be believed its last value stands; None while there is a position and never was one.
        """
        inventory, grid = self.inventory, self.instrument.grid
        net = inventory.net
        if net and self.tracked.synced:
            bids, asks = self._others(LEVELS_READ + self.settings.order_layers)
            yes, no = bids[0][0] if bids else 0, grid.k - asks[0][0] if asks else 0
            self._valued = (grid.dollars_of(yes), grid.dollars_of(no))
        if net and self._valued is None:
            return None
        price = 0 if self._valued is None else self._valued[net < 0]
        return Usd(inventory.pairs + abs(net) * price // MICRO)

    # Market messages

    @property
    def is_followed(self) -> bool:
        """The channel carries this market, and there is still something to follow."""
        return self.covered and not self.resolved

    @property
    def data_trouble(self) -> str:
        """Why the book is not the venue's as far as anybody knows, in words; "" when it is proven and fresh."""
        tracked, silence = self.tracked, self.silence
        if not self.covered:
            return "market feed is down"
        if not tracked.synced:
            return f"book {tracked.state.lower()}: {tracked.reason}"
        if not silence.quotable:
            return f"book {silence.status}: {silence.words}"
        if tracked.doubt_since_s is not None:
            return UNPROVEN_CHANGE
        return BEHIND_REST if silence.is_behind(tracked) else ""

    def take_book(self, message: MarketMessage, now: float) -> Applied:
        """Take a full book."""
        was_synced = self.tracked.synced
        return self._took(self.tracked.apply_book(message, now), was_synced, now)

    def take_changes(self, message: MarketMessage, now: float) -> Applied:
        """Take level changes. Most are behind the touch, where they change no price signal."""
        applied = self.tracked.apply_changes(message, now)
        watch = self.watch
        if (
            applied is BEHIND
            and now < watch.unmoved_until_s
            and self.silence.status == "live"
            and self.orders.version == watch.version
        ):
            self.silence.hear(now)
            self._synced_s = now
            return applied
        return self._took(applied, True, now)

    def take_touch(self, message: MarketMessage, now: float) -> Applied:
        """Take a stated touch."""
        return self._took(self.tracked.compare_touch(message, now), True, now)

    def recover(self, read: RestBook, confirmed: bool, now: float) -> str:
        """Take a book of REST in place of a lost one; "" when it is believed, else why not.

        Raises:
            MalformedMessage: it cannot be read.
        """
        min_size = self.instrument.min_size
        why = self.tracked.recover(read, confirmed, now)
        if self.instrument.min_size != min_size:
            self._reset_signals()
        if not why:
            self._see_again(now)
            self._synced_s = now
            self._observe(now)
        return why

    def take_trade(self, message: MarketMessage, now: float) -> Trade:
        """Take a trade of the tape; returns it in the YES frame.

        Raises:
            MalformedMessage: the price is off the grid, the size is no number, or the token is a stranger's.
        """
        outcome = self.instrument.outcome_of(message.asset_id)
        grid = self.instrument.grid
        if outcome is None:
            raise MalformedMessage("token does not belong to the market")
        try:
            price, size = grid.ticks(message.price), Shares(parse_micro(message.size))
        except UnitError as error:
            raise MalformedMessage(str(error)) from error
        self.tracked.remember_trade(message.price)
        is_yes = outcome == "YES"
        buys_yes = (message.side == "BUY") == is_yes
        trade = Trade(now, price if is_yes else grid.complement(price), size, buys_yes)
        stamp = (message.timestamp, message.transaction_hash)
        self.tape.add(trade, (stamp, message.asset_id, message.price, message.size, message.side))
        return trade

    def change_tick(self, tick_text: str, timestamp_ms: int, now: float) -> None:
        """Start over on a new grid: signals, rules and book."""
        old = self.instrument.grid
        if tick_text != self.instrument.tick_text:
            self.tracked.change_tick(tick_text, now, timestamp_ms)
            self.orders.change_grid(self.market, old, self.instrument.grid)
            self.tape.change_grid(old, self.instrument.grid)
            self._reset_signals()
            self.is_due = True

    def _took(self, applied: Applied, was_synced: bool, now: float) -> Applied:
        tracked, silence = self.tracked, self.silence
        silence.hear(now, is_new=applied.changed)
        if tracked.synced:
            if not was_synced:
                self._see_again(now)
            self._synced_s = now
        if applied.changed and not applied.lost:
            if silence.status == "frozen" and tracked.book_seq and tracked.doubt_since_s is None:
                silence.show_life(tracked)
            self._observe(now)
        elif applied.lost:
            self.is_due = True
        return applied

    def _see_again(self, now: float) -> None:
        """The book is believed again; after a longer blindness the average starts anew: it is of another time."""
        if now - self._synced_s > self.watch.fair.theta:
            self.watch.start_anew()

    def _observe(self, now: float) -> None:
        """Let the watch look at the book, and see whether that calls for a decision (market-making.md 1.12)."""
        glance = self.watch.observe(self.tracked.book, self.orders.version, self._others, now)
        if glance is None:
            return
        self._glance = glance
        if glance.is_news or glance.touch != self._decided_touch:
            self.is_due = True
        if glance.value is None:
            return
        if not abs(glance.value - self._decided_fair) < self._moved:
            self.is_due = True
        if self.position.awaits_opening:
            self.position.enter_opening(Usd(round(glance.value * MICRO)))

    def _others(self, most: int) -> tuple[list[Level], list[Level]]:
        """Levels of others, best first."""
        book = self.tracked.book
        bids, asks = book.best_first("bid", most), book.best_first("ask", most)
        if not self.own_in_book:
            return bids, asks
        orders = self.orders
        if self._own_version != orders.version:
            market = self.market
            self._own = (orders.resting_at(market, "bid"), orders.resting_at(market, "ask"))
            self._own_version = orders.version
        own_bids, own_asks = self._own
        if not own_bids and not own_asks:
            return bids, asks
        return list(without_own(bids, own_bids)), list(without_own(asks, own_asks))

    # Our fills

    def take_fill(self, fill: Fill, counts: bool) -> None:
        """Book a fill, or take it back when its trade failed."""
        self.position.take_fill(fill, Usd(fill.price * self.instrument.grid.tick_usd), counts)
        self.is_due = True

    def confirm_fill(self, fill: Fill) -> None:
        """A fill became final."""
        self.position.confirm_fill(fill)
        self.is_due = True

    def others_at(self, side: Side, tick: Ticks) -> Shares:
        """Displayed size of others at a price."""
        shown = self.tracked.book.size_at(side, tick)
        own = self.orders.resting_at(self.market, side).get(tick, 0) if self.own_in_book else 0
        return Shares(max(0, shown - own))

    def is_pending(self, now: float) -> Callable[[Order], bool]:
        """Tells orders that may fill but are not planned around."""
        return lambda order: _is_pending(order, now)

    # Decisions

    def touch_due(self) -> None:
        """Something the decision depends on has changed."""
        self.is_due = True
        self._settled = False

    def wake_at(self) -> float:
        """When this desk wants to decide next, monotonic seconds."""
        if self.is_due:
            return self._last_decision_s + self.settings.quote_debounce_ms / 1000
        return self._last_decision_s + TIMER_SEC

    def pull(self, reason: str, now: float) -> list[Action]:
        """Cancel everything of this market."""
        self.blocked_by = reason
        actions: list[Action] = []
        for order in self.orders.at_risk(self.market):
            if order.state is not State.CANCEL_SENT:
                actions += self.orders.cancel(order, reason, now)
        return actions

    def seen(self, now: float) -> None:
        """A decision is taken on the book as it stands: only what differs from it calls for another."""
        self._last_decision_s, self.is_due = now, False
        glance = self._glance
        if glance is not None:
            self._decided_fair = math.nan if glance.value is None else glance.value
            self._decided_touch = glance.touch

    def rest(self, reason: str, now: float) -> list[Action]:
        """A decision that quoting is not allowed: pull, and remember why."""
        self._last_decision_s, self.is_due, self._settled = now, False, False
        self._decided_fair = math.nan
        self.plan = None
        self.worst_exposure = self._worst_exposure(now)
        return self.pull(reason, now)

    def hold(self, reason: str, now: float) -> None:
        """A decision that has to wait a moment; orders stay where they are."""
        self._last_decision_s, self.is_due, self._settled = now, True, False
        self.blocked_by = reason

    def is_settled(self, now: float, unix: float, data_age_s: float) -> bool:
        """Nothing has changed since the last decision that could change its outcome; leases are renewed.

        Fair value and deviation drift by themselves while the book is silent; drifts below a hundredth of a tick are
        not worth a new plan.
        """
        if self.is_due or not self._settled or data_age_s > self.settings.stale_sec:
            return False
        fair = self.watch.fair.value_at(now)
        if fair is None:
            return False
        tolerated = SETTLED_TICKS / self.instrument.grid.k
        if abs(fair - self._decided_fair) > tolerated:
            return False
        if abs((self.watch.sigma(now, unix, fair).sigma_h or 0.0) - self._decided_sigma) > tolerated:
            return False
        for order in self.orders.at_risk(self.market):
            order.validated_s = now
        self._last_decision_s = now
        return True

    def decide(self, around: Surroundings) -> list[Action]:
        """Compare what we want with what we have, and act on the difference: cancels first."""
        now = around.now
        fair = self.watch.fair.value_at(now)
        if fair is None:
            return self.rest("no fair value yet", now)
        self.sigma = sigma = self.watch.sigma(now, around.unix, fair)
        self.seen(now)
        self.blocked_by, self._decided_sigma = "", sigma.sigma_h or 0.0
        bids, asks = self._others(LEVELS_READ + self.settings.order_layers + self.settings.requote_queue_levels)
        at_risk = self.orders.at_risk(self.market)
        planned = [order for order in at_risk if not _is_pending(order, now)]
        inputs = self._inputs(around, fair, at_risk, planned)
        plan = self.plan = (flatten_plan if self.flattening else plan_quotes)(inputs, self._rules)
        actions, done = self._requote(plan, around, planned, bids, asks)
        places = self._place(plan, around, at_risk, done)
        self.worst_exposure = self._worst_exposure(now)
        self._settled = not actions and not places and self._all_in_tolerance(done)
        if not plan.targets and plan.bid.reason != "ok" and plan.ask.reason != "ok":
            self.blocked_by = f"bid: {_words(plan.bid.reason)}; ask: {_words(plan.ask.reason)}"
        return actions + places + self._end_flattening(plan)

    def _end_flattening(self, plan: QuotePlan) -> list[Action]:
        """Flat, or too little left to be an order: the market is paused."""
        net = self.inventory.net
        if not self.flattening or (net and "below_min" not in (plan.bid.reason, plan.ask.reason)):
            return []
        self.flattening = False
        self.control = Control("PAUSED", "flattened")
        left = f"; {abs(net) / MICRO:g} shares are too few for an order and stay" if net else ""
        return [Note("info", self.market, f"flat: position worked off, market paused{left}")]

    def refused(self, now: float) -> None:
        """The venue refused an order: look again before the next, longer with every refusal (market-making.md 1.8)."""
        self._hold_s = min(max(FIRST_HOLD_SEC, 2 * self._hold_s), LONGEST_HOLD_SEC)
        self._hold_until_s = now + self._hold_s

    def accepted(self) -> None:
        """The venue took an order: refusals are over."""
        self._hold_s = 0.0

    def _inputs(self, around: Surroundings, fair: float, at_risk: list[Order], planned: list[Order]) -> QuoteInputs:
        """What the plan is made from; orders that are not planned around count as pending."""
        inventory = self.inventory
        pending = [order for order in at_risk if order not in planned]
        best_bid, best_ask = self._decided_touch
        return QuoteInputs(
            fair=fair,
            sigma_h=self.sigma.sigma_h or 0.0 if self.sigma else 0.0,
            yes=inventory.yes,
            no=inventory.no,
            free_yes=Shares(max(0, self.position.settled_yes - _sells(pending, "YES"))),
            free_no=Shares(max(0, self.position.settled_no - _sells(pending, "NO"))),
            free_cash=around.plan_cash,
            equity=around.bankroll,
            best_bid=best_bid,
            best_ask=best_ask,
            widen_ticks=self.widen_ticks,
            reduce_only=around.reduce_only,
            gross_room=around.gross_room,
            pending_bid=_remaining(pending, "bid"),
            pending_ask=_remaining(pending, "ask"),
        )

    def _requote(
        self, plan: QuotePlan, around: Surroundings, planned: list[Order], bids: list[Level], asks: list[Level]
    ) -> tuple[list[Action], "list[tuple[Order, Verdict, Target | None]]"]:
        """Cancel what must go; returns what became of every order that may be kept."""
        now = around.now
        orders = [order for order in planned if order.state in (State.LIVE, State.PARTIAL)]
        live = [
            LiveOrder(
                order.side,
                order.yes_price,
                order.outcome,
                order.remaining,
                now - order.created_s,
                now - order.validated_s,
                levels_ahead(bids if order.side == "bid" else asks, order.side, order.yes_price, self.watch.cutoff),
            )
            for order in orders
        ]
        situation = situation_of(plan, around.data_age_s, self._requote_rules)
        diff = diff_orders(live, plan, situation, self._requote_rules)
        self._unplaced = diff.unplaced
        actions: list[Action] = []
        for order, verdict, target in zip(orders, diff.verdicts, diff.matched, strict=True):
            if target is not None:
                order.layer = target.layer  # what it stands for from here on, wherever it was placed for
            if verdict.action in ("cancel", "replace"):
                actions += self.orders.cancel(order, verdict.reason, now)
            else:
                order.validated_s, order.reason = now, f"{verdict.action}: {_words(verdict.reason)}"
        return actions, list(zip(orders, diff.verdicts, diff.matched, strict=True))

    def _place(
        self,
        plan: QuotePlan,
        around: Surroundings,
        at_risk: list[Order],
        done: "list[tuple[Order, Verdict, Target | None]]",
    ) -> list[Action]:
        """Place targets without an order, and top-ups, as far as caps and funds allow; everything at risk counts."""
        wanted: list[tuple[Target, Shares, str]] = [(target, target.size, "new target") for target in self._unplaced]
        wanted += [(target, verdict.size, "undersize") for _, verdict, target in done if target and verdict.size]
        waiting = {(order.side, order.layer) for order in at_risk if order.state not in (State.LIVE, State.PARTIAL)}
        wanted = [wish for wish in wanted if (wish[0].side, wish[0].layer) not in waiting]
        if not wanted or around.now < self._hold_until_s:
            return []
        headroom = self._headroom(plan, around, at_risk)
        actions: list[Action] = []
        for target, size, reason in wanted:
            buys = target.order_side == "BUY"
            cost = self.instrument.grid.notional(target.token_ticks, size) if buys else Usd(0)
            if headroom.refuse(side=target.side, sells="" if buys else target.outcome, size=size, cost=cost):
                continue
            actions.append(
                self.orders.place(
                    self.instrument,
                    outcome=target.outcome,
                    order_side=target.order_side,
                    price=target.token_ticks,
                    size=size,
                    side=target.side,
                    layer=target.layer,
                    reason=reason,
                    now=around.now,
                )
            )
        return actions

    def _headroom(self, plan: QuotePlan, around: Surroundings, at_risk: list[Order]) -> Headroom:
        """Room of the plan, with the orders it did not plan around given back and all orders at risk taken off."""
        pending = [order for order in at_risk if _is_pending(order, around.now)]
        return Headroom(
            room_bid=plan.bid.room + _remaining(pending, "bid") - _remaining(at_risk, "bid"),
            room_ask=plan.ask.room + _remaining(pending, "ask") - _remaining(at_risk, "ask"),
            cash=around.free_cash,
            yes=self.position.settled_yes - self.orders.reserved_shares(self.market, "YES"),
            no=self.position.settled_no - self.orders.reserved_shares(self.market, "NO"),
        )

    def _all_in_tolerance(self, done: "list[tuple[Order, Verdict, Target | None]]") -> bool:
        """Every order stands exactly at its target, so that no rule is merely waiting for time to pass."""
        at_target = all(target is not None and order.yes_price == target.yes_ticks for order, _, target in done)
        return at_target and not self._unplaced

    def _worst_exposure(self, now: float) -> Usd:
        fair = self.watch.fair.value_at(now)
        net = self.inventory.net
        orders = self.orders.at_risk(self.market)
        # Without a fair value a share of either token may be worth a dollar.
        up = (net + _remaining(orders, "bid")) * (1.0 if fair is None else fair)
        down = (_remaining(orders, "ask") - net) * (1.0 if fair is None else 1.0 - fair)
        return Usd(max(0, round(max(up, down))))


def _is_pending(order: Order, now: float) -> bool:
    """The order may fill but is not to be planned around: its outcome, its cancel or its fills are overdue."""
    if order.state is State.UNKNOWN or order.state in TERMINAL:
        return True
    return order.state is State.CANCEL_SENT and now - order.since_s > CANCEL_GRACE_SEC


def _remaining(orders: list[Order], side: Side) -> Shares:
    return Shares(sum(order.remaining for order in orders if order.side == side))


def _sells(orders: list[Order], outcome: str) -> int:
    return sum(order.remaining for order in orders if order.order_side == "SELL" and order.outcome == outcome)


def _words(reason: str) -> str:
    return reason.replace("_", " ")
