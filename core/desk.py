"""One market as the engine trades it: its book, its signals, its inventory, its orders, and the decision.

A desk decides for its market only; what belongs to all (account, controls, feeds, caps over markets) is handed in by
the engine with each decision.
"""

import math
from typing import Final

from core.actions import Action, Denied
from core.config import Settings
from core.decision import (
    Draft,
    GroupBounds,
    Standing,
    Surroundings,
    make_draft,
    order_explained,
    place,
    remaining_of,
    requote,
    rule_set_of,
    words,
)
from core.errors import MalformedMessage
from core.events import MarketMessage, RestBook
from core.flatten.machine import Flattening
from core.market.book import Level
from core.market.continuity import BEHIND, Applied, ProofPolicy, TrackedBook
from core.market.instrument import Instrument
from core.market.recovery import Recovery
from core.market.signals import without_own
from core.market.silence import Silence
from core.market.tape import Tape, Trade
from core.orders.fills import Fill
from core.orders.manager import OrderManager
from core.orders.order import IN_BOOK
from core.portfolio.inventory import Inventory
from core.portfolio.ledger import usd_of
from core.portfolio.markouts import Drift
from core.portfolio.position import Position
from core.profiles import Listed, Live, Profiles
from core.quoting.explain import HeldBack, MarketExplanation, explain
from core.quoting.plan import QuotePlan
from core.quoting.rules import NO_BOUNDS, Bounds, QuoteRules
from core.quoting.stance import Posture, Stance
from core.quoting.volatility import Sigma
from core.quoting.watch import EVERY_LEVEL, LEVELS_READ, Glance, PriceWatch
from core.units import MICRO, Shares, Side, Ticks, UnitError, Usd, parse_micro

TIMER_SEC: Final = 1.0
"""A market is looked at again after this, whatever happens (market-making.md 1.12)."""
FIRST_HOLD_SEC: Final = 0.5
LONGEST_HOLD_SEC: Final = 30.0
SETTLED_TICKS: Final = 0.01
"""Moves of fair value and deviation below this share of a tick do not make a new plan of an unchanged market."""
UNPROVEN_CHANGE: Final = "the newest change is not proven yet"
BEHIND_REST: Final = "REST shows a newer book; the channel has not brought it yet"
WAITS: Final = (UNPROVEN_CHANGE, BEHIND_REST)
"""Why a market waits for a moment; its orders stay meanwhile."""


class Desk:
    """State and decisions of one market."""

    def __init__(
        self,
        instrument: Instrument,
        settings: Settings,
        orders: OrderManager,
        position: Position,
        *,
        own_in_book: bool,
        proof: ProofPolicy | None = None,
        profiles: Profiles | None = None,
        listed: Listed = Listed(),  # noqa: B008 - frozen
    ) -> None:
        """A market that is made from now on.

        Args:
            instrument: the market.
            settings: of the whole run.
            orders: of the whole run.
            position: what is ours in the market; somebody else books it.
            own_in_book: the book we see contains our own orders (not so in paper and replay).
            proof: how many changes have their hash checked; shared by all books.
            profiles: what single markets are quoted with; None quotes this one with ``settings``.
            listed: what the market list asks for it.
        """
        self._profiles = profiles
        self.live = Live()
        """What the operator changed of the settings."""
        self.listed = listed
        self.chosen = None if profiles is None else profiles.for_market(instrument, self.live, listed.profile)
        """The settings of this market, with where each comes from; None without profiles."""
        self.settings = settings = settings if self.chosen is None else self.chosen.settings
        self.orders = orders
        self.own_in_book = own_in_book
        self.tracked = TrackedBook(instrument, proof or ProofPolicy())
        self.silence = Silence(settings.audit_sec, settings.stale_sec)
        self.recovery = Recovery()
        self.drained = False
        """The market list wants it no more: what still counts is what is held."""
        self.covered = False
        """A connected socket carries this market."""
        self.check_s = math.inf
        """When its data want a look, monotonic seconds; kept by :mod:`core.market_data`."""
        self.tape = Tape()
        self.position = position
        self.stance = Stance(settings, instrument, () if profiles is None else profiles.calendar)
        self.posture: Posture | None = None
        """As of the last look."""
        self.condition = ""
        """What was not as usual when it was last told."""
        self.group = GroupBounds()
        """What the other markets of the same event ask of this one."""
        self.flattening: Flattening | None = None
        """The position being closed on purpose, which takes the place of quoting."""
        self.resolved = False
        self.payout: float | None = None
        """Dollars that a share of YES pays, once the channel told which token won."""
        self.plan: QuotePlan | None = None
        self.sigma: Sigma | None = None
        self.has_decided = False
        """A decision has been taken that might have quoted."""
        self.blocked_by = "waiting for the first book"
        self.held_back: tuple[HeldBack, ...] = ()
        """Orders that the last decision wanted and did not place."""
        self._denied: set[tuple[Side, str]] = set()
        """Sides and checks on which the gate stopped orders of it."""
        self.worst_exposure = Usd(0)
        """Risk if the orders of the worse side all fill, as of the last decision."""
        self._valued: tuple[Usd, Usd] | None = None
        """Micro-dollars a share of YES and of NO when the book was last believed."""
        self._synced_s = -math.inf
        """When the book was last believed."""
        self._hold_s, self._hold_until_s = 0.0, -math.inf
        self.watch = PriceWatch(settings, instrument)
        self._make_rules()
        self._last_decision_s = -math.inf
        self.is_due = True
        """Something has changed since the last decision that calls for another."""
        self._decided_fair = math.nan
        self._decided_sigma = math.nan
        self._decided_shift = 0.0
        self._decided_touch: tuple[Ticks | None, Ticks | None] = (None, None)
        self._settled = False
        self._glance: Glance | None = None
        self._own_version = -1
        self._own: tuple[dict[Ticks, Shares], dict[Ticks, Shares]] = ({}, {})
        """Our own levels in the book, as of that version of the orders."""

    def _make_rules(self) -> None:
        settings, instrument = self.settings, self.tracked.instrument
        self.bounds = self.bounds_with(NO_BOUNDS if self.chosen is None else self.chosen.bounds)
        """What the market list bounds beside the settings."""
        self._rules = rule_set_of(settings, instrument, self.bounds)
        self._moved = settings.requote_mid_ticks / 2 / instrument.grid.k
        """Dollars of fair value that call for a decision (market-making.md 1.12)."""

    def _start_anew(self, now: float) -> None:
        """Another grid or another hash preimage: signals and rules are made anew."""
        variance = self.watch.variance  # of the price, whatever its grid
        variance.skip_gap()
        self.watch = PriceWatch(self.settings, self.instrument)
        self.watch.variance = variance
        self.stance.start_anew()
        self.use(self.live, now)

    def use(self, live: Live, now: float) -> None:
        """Quote with what the operator changed from now on; what the signals know is kept.

        Raises:
            ConfigError: the changes do not fit this market; nothing has changed.
        """
        if self._profiles is not None:
            chosen = self._profiles.for_market(self.instrument, live, self.listed.profile)  # it may go by the tick
            self.chosen, self.live, self.settings = chosen, live, chosen.settings
        self.watch.use(self.settings, self.instrument, now)
        self.stance.use(self.settings, self.instrument)
        self._make_rules()
        self.plan = None  # it was made by other rules
        self.touch_due()

    def heed_list(self, listed: Listed, now: float) -> None:
        """Quote within what the market list asks from now on.

        Raises:
            ConfigError: its profile does not fit this market; nothing has changed.
        """
        if self._profiles is not None:
            self._profiles.for_market(self.instrument, self.live, listed.profile)
        self.listed = listed
        self.use(self.live, now)

    def heed_facts(self, instrument: Instrument, now: float) -> None:
        """Go on with other facts of the same market: book, signals, orders and fills stay, and no time is lost.

        The profile may go by them. None that facts suggest contradicts what was set (:data:`core.profiles.TOGETHER`).
        """
        self.tracked.instrument = instrument
        self.use(self.live, now)
        self._decide_at_once()

    def bounds_with(self, bounds: Bounds) -> Bounds:
        """What the market list bounds, sizes of its profile included."""
        most = self.listed.max_usd
        return bounds if most is None else bounds._replace(market=Usd(max(1, most)))

    # Identity and position

    @property
    def instrument(self) -> Instrument:
        """The market as it is now; its tick may change."""
        return self.tracked.instrument

    @property
    def rules(self) -> QuoteRules:
        """What plans are made with."""
        return self._rules.quotes

    @property
    def profile(self) -> str:
        """Names of the profiles in use; "" without profiles."""
        return "" if self.chosen is None else self.chosen.profile

    @property
    def settings_hash(self) -> str:
        """Of the settings it is decided by."""
        return self._rules.settings_hash

    @property
    def book_name(self) -> str:
        """Which book it is: its time at the venue, milliseconds, and messages since its last full one."""
        return f"{self.tracked.timestamp_ms}/{self.tracked.book_seq}"

    @property
    def market(self) -> str:
        """Condition id."""
        return self.tracked.instrument.market

    @property
    def inventory(self) -> Inventory:
        """Everything that is or may be ours, provisional fills included."""
        return self.position.inventory

    def mark(self, now: float) -> Usd | None:
        """Fair value of YES in micro-dollars, its payout once the question is resolved; None before the first."""
        if self.position.payout is not None:
            return self.position.payout
        fair = self.watch.fair.value_at(now)
        return None if fair is None else Usd(round(fair * MICRO))

    def conservative_value(self) -> Usd | None:
        """What the holdings would fetch at others' best prices, pairs at a dollar (market-making.md 3.6).

        While the book is not to be believed its last value stands; None while there is a position and never was one.
        """
        position, inventory, grid = self.position, self.inventory, self.instrument.grid
        if position.payout is not None:
            return usd_of(position.ledger.value(position.payout))
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
            self._start_anew(now)
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
        is_new = self.tape.add(trade, (stamp, message.asset_id, message.price, message.size, message.side))
        if is_new and self.tracked.synced and self.stance.see_trade(now, trade.price, trade.size):
            self._decide_at_once()
        return trade

    def resolve(self, winner: str, now: float) -> None:
        """The question is resolved; ``winner`` is the token that pays, "" when that was not told."""
        self.resolved = True
        outcome = self.instrument.outcome_of(winner)
        if outcome is not None:
            self.payout = 1.0 if outcome == "YES" else 0.0
            self.stance.fair(now, self.payout)  # fills of the last minutes were worth this

    def change_tick(self, tick_text: str, timestamp_ms: int, now: float) -> None:
        """Start over on a new grid: signals, rules and book."""
        old = self.instrument.grid
        if tick_text != self.instrument.tick_text:
            self.tracked.change_tick(tick_text, now, timestamp_ms)
            self.orders.change_grid(self.market, old, self.instrument.grid)
            self.tape.change_grid(old, self.instrument.grid)
            self._start_anew(now)

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
            self.stance.fair(now, None)
            self.is_due = True
        return applied

    def _see_again(self, now: float) -> None:
        """The book is believed again; after a longer blindness the average starts anew: it is of another time."""
        if now - self._synced_s > self.watch.fair.theta:
            self.watch.start_anew()
            self.stance.start_anew()

    def _observe(self, now: float) -> None:
        """Let the watch look at the book, and see whether that calls for a decision (market-making.md 1.12)."""
        glance = self.watch.observe(self.tracked.book, self.orders.version, self._others, now)
        if glance is None:
            return
        self._glance = glance
        if glance.is_news or glance.touch != self._decided_touch:
            self.is_due = True
        self.stance.fair(now, glance.value)
        if glance.jumped:
            self.stance.jumped(now)
            self._decide_at_once()
        if glance.value is None:
            return
        if not abs(glance.value - self._decided_fair) < self._moved:
            self.is_due = True

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

    def others(self) -> tuple[list[Level], list[Level]]:
        """All bids and asks of others, best first."""
        return self._others(EVERY_LEVEL)

    def best_of_size(self, side: Side, least: Shares) -> Ticks | None:
        """Best price at which ``least`` rests on a side of the book, ours included; None when it does nowhere."""
        book = self.tracked.book
        own = {} if self.own_in_book else self.orders.resting_at(self.market, side)
        ticks = [tick for tick, size in own.items() if size + book.size_at(side, tick) >= least]
        for most in (1, EVERY_LEVEL):
            shown = [tick for tick, size in book.best_first(side, most) if size >= least]
            if shown:
                ticks.append(shown[0])
                break
        return (max if side == "bid" else min)(ticks, default=None)

    @property
    def touch_of_others(self) -> tuple[Ticks | None, Ticks | None]:
        """Best bid and ask without our own orders, as of the last look at the book."""
        return (None, None) if self._glance is None else self._glance.touch

    # Our fills

    def take_fill(self, fill: Fill, counts: bool, now: float, unix: float) -> None:
        """Heed a fill, or one that is taken back because its trade failed; ``unix`` is the wall clock at ``now``.

        What we took says nothing of those who take from us.
        """
        if not fill.takes:
            if counts:
                self.stance.fill(fill, now, unix)
            else:
                self.stance.revoke(fill)
        machine = self.flattening
        if machine is not None and fill.intent in machine.intents:
            if counts:
                machine.filled(fill.usd, fill.size, fill.fee, now)
            else:
                machine.failed(fill.usd, fill.size, fill.fee)
        self.is_due = True

    def others_at(self, side: Side, tick: Ticks) -> Shares:
        """Displayed size of others at a price."""
        shown = self.tracked.book.size_at(side, tick)
        own = self.orders.resting_at(self.market, side).get(tick, 0) if self.own_in_book else 0
        return Shares(max(0, shown - own))

    # Decisions

    def heed_group(self, bounds: GroupBounds) -> None:
        """Take what the other markets of the event ask; drifts below a hundredth of a tick are not worth a new plan."""
        moved = abs(bounds.shift - self._decided_shift) > SETTLED_TICKS / self.instrument.grid.k
        if moved or bounds[1:] != self.group[1:]:
            self.touch_due()
        self.group = bounds

    def touch_due(self) -> None:
        """Something the decision depends on has changed."""
        self.is_due = True
        self._settled = False

    def wake_at(self) -> float:
        """When this desk wants to decide next, monotonic seconds."""
        if self.is_due:
            return self._last_decision_s + self.settings.quote_debounce_ms / 1000
        return self._last_decision_s + TIMER_SEC

    def _decide_at_once(self) -> None:
        """Danger waits for no debounce."""
        self.touch_due()
        self._last_decision_s = -math.inf

    def look(self, now: float, unix: float) -> list[Drift]:
        """See what changes the quotes beside book and inventory; ``unix`` is the wall clock at ``now``.

        Returns:
            How the price moved after fills whose horizons have come.
        """
        stance, micro = self.stance, self.watch.micro
        is_known = not self.resolved and self.tracked.synced and micro is not None and micro.status == "ok"
        if is_known and micro is not None:
            self.watch.sample(now)
            stance.see(now, self.tracked.book, micro, self.watch.variance)
        stance.fair(now, self.watch.fair.value_at(now) if is_known else self.payout)
        drifts = stance.advance(now)
        posture = stance.at(now, unix)
        if posture is not self.posture:
            self.posture = posture
            self.touch_due()
        return drifts

    def pull(self, reason: str, now: float, *, insists: bool = False) -> list[Action]:
        """Cancel everything of this market; with ``insists`` also what is being cancelled already."""
        self.blocked_by = reason
        actions: list[Action] = []
        for order in self.orders.at_risk(self.market):
            actions += self.orders.cancel(order, reason, now, insists=insists)
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
        self.plan, self.held_back = None, ()
        self.worst_exposure = self._worst_exposure(now)
        return self.pull(reason, now)

    def step_aside(self, text: str, now: float) -> None:
        """A decision that somebody else took, who says what goes on in words: nothing is quoted meanwhile."""
        self.seen(now)
        self._settled = False
        self.plan, self.held_back, self.blocked_by = None, (), text
        self.worst_exposure = self._worst_exposure(now)

    def is_held(self, now: float) -> bool:
        """The venue refused an order a moment ago."""
        return now < self._hold_until_s

    def hold(self, reason: str, now: float) -> list[Action]:
        """A decision that has to wait a moment: orders stay where they are, as long as their leases last."""
        self._last_decision_s, self.is_due, self._settled = now, True, False
        self.blocked_by = reason
        self.worst_exposure = self._worst_exposure(now)
        actions: list[Action] = []
        for order in self.orders.at_risk(self.market):
            if order.state in IN_BOOK and now - order.validated_s > self.settings.order_max_age_sec:
                actions += self.orders.cancel(order, "unvalidated", now)
        return actions

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
        if abs((self.watch.sigma(now, unix, fair, self.settings).sigma_h or 0.0) - self._decided_sigma) > tolerated:
            return False
        for order in self.orders.at_risk(self.market):
            order.validated_s = now
        self._last_decision_s = now
        return True

    def decide(self, around: Surroundings) -> list[Action]:
        """Compare what we want with what we have, and act on the difference: cancels first."""
        now = around.now
        posture = self.posture = self.stance.at(now, around.unix)
        standing = self._standing(around, self.settings)
        if standing is None:
            return self.rest("no fair value yet", now)
        self.seen(now)
        self.has_decided = True
        draft = make_draft(standing, around, posture, self._rules)
        self.sigma, self.plan = standing.sigma, draft.plan
        self.blocked_by, self._decided_sigma = "", standing.sigma.sigma_h or 0.0
        self._decided_shift = self.group.shift
        actions = requote(draft, self.orders, now)
        placed = place(draft, standing, around, self.instrument, self._rules, self.is_held(now))
        self.held_back = placed.held_back
        self.worst_exposure = self._worst_exposure(now)
        self._settled = not actions and not placed.actions and draft.all_in_place
        plan = draft.plan
        if not plan.targets and plan.bid.reason != "ok" and plan.ask.reason != "ok":
            self.blocked_by = f"bid: {words(plan.bid.reason)}; ask: {words(plan.ask.reason)}"
        return [*actions, *placed.actions, *self._tell_denied(placed.denied)]

    def _tell_denied(self, denied: tuple[Denied, ...]) -> list[Denied]:
        """Orders that the gate stopped, once for each side and check until it lets them through."""
        before, self._denied = self._denied, {(one.side, one.code) for one in denied}
        news: dict[tuple[Side, str], Denied] = {}
        for one in denied:
            if (one.side, one.code) not in before:
                news.setdefault((one.side, one.code), one)
        return list(news.values())

    def preview(
        self, around: Surroundings, settings: Settings, posture: Posture, bounds: Bounds = NO_BOUNDS
    ) -> Draft | None:
        """What a decision now would do with other settings and in another posture; nothing changes.

        The signals are taken as they are: what other smoothing would have made of the past is not told.
        None while there is no fair value.
        """
        standing = self._standing(around, settings)
        if standing is None:
            return None
        return make_draft(standing, around, posture, rule_set_of(settings, self.instrument, bounds))

    def _standing(self, around: Surroundings, settings: Settings) -> Standing | None:
        """Everything of this market that a decision is made from, as it stands; None without a fair value."""
        now, fair = around.now, self.watch.fair.value_at(around.now)
        if fair is None:
            return None
        bids, asks = self._others(LEVELS_READ + settings.order_layers + settings.requote_queue_levels)
        return Standing(
            fair=fair,
            sigma=self.watch.sigma(now, around.unix, fair, settings),
            touch=self.touch_of_others,
            bids=bids,
            asks=asks,
            cutoff=self.watch.cutoff,
            position=self.position,
            orders=self.orders,
            at_risk=self.orders.at_risk(self.market),
            group=self.group,
            book=(self.tracked.timestamp_ms, self.tracked.book_seq),
        )

    def explain(self, now: float, blocked: str) -> MarketExplanation:
        """The present plan with all its terms, and what becomes of each order; ``blocked``: why there is no quote."""
        plan, sigma = self.plan, self.sigma
        orders = tuple([order_explained(order) for order in self.orders.at_risk(self.market)])
        return MarketExplanation(
            market=self.market,
            title=self.instrument.title,
            tick=self.instrument.tick_text,
            blocked=blocked or self.blocked_by,
            fair=self.watch.fair.value_at(now),
            sigma_source="" if sigma is None else sigma.source,
            conditions=self.stance.conditions(self.watch.fair.value_at(now), now)
            + (("warming up: volatility is taken from the end date alone",) if sigma and sigma.is_warming_up else ()),
            held_back=self.held_back,
            layers=() if plan is None else explain(plan, self.rules),
            orders=orders,
        )

    def refused(self, now: float, least_s: float) -> None:
        """The venue refused an order: look again before the next, longer with every refusal (market-making.md 1.8).

        Args:
            now: monotonic seconds.
            least_s: how long the venue asks to wait; 0 when it does not say.
        """
        self._hold_s = min(max(FIRST_HOLD_SEC, 2 * self._hold_s), LONGEST_HOLD_SEC)
        self._hold_until_s = now + max(self._hold_s, least_s)

    def accepted(self) -> None:
        """The venue took an order: refusals are over."""
        self._hold_s = 0.0

    def _worst_exposure(self, now: float) -> Usd:
        fair = self.watch.fair.value_at(now)
        net = self.inventory.net
        orders = self.orders.at_risk(self.market)
        # Without a fair value a share of either token may be worth a dollar.
        up = (net + remaining_of(orders, "bid")) * (1.0 if fair is None else fair)
        down = (remaining_of(orders, "ask") - net) * (1.0 if fair is None else 1.0 - fair)
        return Usd(max(0, round(max(up, down))))
