"""The deterministic heart: events in, actions out, no clock, no I/O.

Routes each event to the desk or the room it concerns, holds what belongs to all markets (account, controls, feeds,
caps over markets), and decides when time has reached what it asked for. Same events, same actions.
"""

import math
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import msgspec

from core.actions import Action, CancelAll, Latch, Note
from core.config import Settings
from core.decision import Surroundings, is_pending
from core.desk import WAITS, Desk
from core.earnings import Earnings
from core.errors import ConfigError
from core.event_groups import EventGroups
from core.events import (
    AccountSeen,
    BooksRead,
    CancelAnswered,
    Event,
    FeedAlive,
    FeedChanged,
    FillSeen,
    InstrumentAdded,
    MarketMessage,
    OperatorCommand,
    OrderAnswered,
    OrderSeen,
    OrderSigned,
    ScoringSeen,
    StopRequested,
    Woken,
)
from core.market_data import Feed, MarketData, Tally
from core.orders.manager import OrderManager
from core.orders.order import IN_BOOK, State
from core.portfolio.account import Account
from core.portfolio.ledger import Pico, usd_of
from core.portfolio.markouts import Drift
from core.profiles import Profiles
from core.quoting.adjust import AdjustmentRefused, Adjustments, adjusted
from core.quoting.explain import MarketExplanation, preview_words
from core.risk.control import Control, strictest
from core.risk.gate import Facts, why_not_quote
from core.units import MICRO, SIZE_QUANTUM, Shares, Usd, micro_text

MARK_SEC: Final = 1.0
"""Time between marks of the whole account. Desks ask to be woken at least as often, so marks need no timer."""
MARK_SLACK_SEC: Final = 0.05
KEPT_DRIFTS: Final = 4096
"""Measured drifts that wait for somebody to take them."""


class Engine:
    """The market maker."""

    def __init__(self, settings: Settings, *, own_in_book: bool, profiles: Profiles | None = None) -> None:
        """Start without a market.

        Args:
            settings: of the whole run.
            own_in_book: the books we see contain our own orders (not so in paper and replay).
            profiles: what single markets are quoted with; None quotes all with ``settings``.
        """
        self.settings = settings
        self._own_in_book = own_in_book
        self.orders = OrderManager()
        self.desks: dict[str, Desk] = {}
        self.tally = Tally()
        self.data = MarketData(self.desks, self.tally)
        self.earnings = Earnings(self.desks, self.orders)
        self.groups = EventGroups(self.desks, settings.group_project_frac)
        self.user_feed = Feed()
        self.control = Control()
        self.stopping = False
        self.account = Account(settings)
        self.profiles = profiles
        self._drifts: deque[tuple[str, Drift]] = deque(maxlen=KEPT_DRIFTS)
        self._wall_s = 0.0
        """Wall clock less engine time, as of the last wake."""
        self._marked_s = -math.inf
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
            OperatorCommand: self._on_command,
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

    def next_wake(self) -> float:
        """Monotonic time at which a :class:`Woken` is wanted; infinity when nothing waits."""
        return min(self._wake_s, self.data.check_s, self.data.due_s)

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
            own_in_book=self._own_in_book,
            proof=self.data.proof,
            profiles=self.profiles,
        )
        self.data.add(desk, now)
        self.groups.add(desk)
        self._wake_s = min(self._wake_s, now + MARK_SEC)
        return []

    def _on_account(self, event: AccountSeen, now: float) -> list[Action]:
        """Holdings and cash as they were before this session's fills; told once."""
        if self.account.cash is not None:
            return []
        self.account.cash = event.cash
        self.account.touch()
        held = dict(event.holdings)
        for desk in self.desks.values():
            instrument = desk.instrument
            desk.position.open_with(held.get(instrument.yes_token, Shares(0)), held.get(instrument.no_token, Shares(0)))
            desk.touch_due()
        self._wake_s = now
        return [Note("info", "", f"account: {_whole_cents(event.cash)} dollars of cash"), *self._idle_rows()]

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
        if event.outcome == "refused":
            desk.refused(now)
        elif event.outcome == "live":
            desk.accepted()
        if order.state is State.LIVE:
            order.level_size = desk.others_at(order.side, order.yes_price)
        if event.outcome in ("refused", "unknown"):
            text = f"{order.side} {desk.instrument.grid.cents(order.yes_price)}c {event.outcome}: {event.detail}"
            actions.append(Note("warning" if event.outcome == "refused" else "alarm", order.market, text))
        self._wake_soon(desk, now)
        return actions

    def _on_cancel_answered(self, event: CancelAnswered, now: float) -> list[Action]:
        actions: list[Action] = list(self.orders.cancel_answered(event, now))
        self._order_touched(event.order_id, now)
        return actions

    def _on_order_seen(self, event: OrderSeen, now: float) -> list[Action]:
        self.user_feed.heard_s = now
        order = self.orders.seen(event, now)
        if order is None:
            return []
        self._order_touched(event.order_id, now)
        actions: list[Action] = []
        if order.cancel_wanted and order.state in IN_BOOK:
            actions += self.orders.cancel(order, order.cancel_wanted, now)
        if event.status == "cancelled" and event.detail.startswith("CANCELED_"):
            actions.append(Note("warning", order.market, f"the venue cancelled an order: {event.detail}"))
        return actions

    def _on_fill(self, event: FillSeen, now: float) -> list[Action]:
        self.user_feed.heard_s = now
        booked = self.orders.filled(event, now)
        if booked is None:
            return []
        fill, change = booked
        desk = self.desks[fill.market]
        self.account.touch()
        self.groups.acted(desk)
        if change == "confirmed":
            desk.confirm_fill(fill)
            return []
        desk.take_fill(fill, change == "booked", now, now + self._wall_s)
        self.earnings.fill(desk, fill, change == "booked")
        if event.settlement == "confirmed":
            desk.confirm_fill(fill)
        self._wake_soon(desk, now)
        what = f"{fill.side} {desk.instrument.grid.cents(fill.yes_price)}c {_size_text(fill.size)} sh"
        if change == "void":
            return [Note("alarm", fill.market, f"a trade failed: {what} is taken back")]
        return [Note("fill", fill.market, f"{what}, layer {fill.layer + 1}")]

    def _order_touched(self, order_id: str, now: float) -> None:
        order = self.orders.find(order_id)
        if order is not None:
            desk = self.desks[order.market]
            desk.touch_due()
            self._wake_soon(desk, now)

    def _wake_soon(self, desk: Desk, now: float) -> None:
        self._wake_s = min(self._wake_s, max(now, desk.wake_at()))

    # Time

    def _on_woken(self, event: Woken, now: float) -> list[Action]:
        self._wall_s = event.unix - now
        actions: list[Action] = []
        if now - self._marked_s >= MARK_SEC - MARK_SLACK_SEC:
            self._marked_s = now
            if self.tally.messages != self._marked_messages:
                self._marked_messages = self.tally.messages
                self.account.touch()
            actions += self._mark(event.unix)
            actions += self.orders.chase(now)
            actions += self.earnings.ask(now)
            self.data.measure(now)
        if self.data.check_s <= now:
            actions += self.data.check(now)
        self.data.due_s = math.inf
        for desk in self.desks.values():
            if desk.wake_at() <= now:
                actions += self._decide(desk, event.unix, now)
                self.groups.acted(desk)
        if self.desks:
            wanted = min([desk.wake_at() for desk in self.desks.values()])
            self._wake_s = wanted if wanted > now else now
        else:
            self._wake_s = math.inf
        return actions

    def _decide(self, desk: Desk, unix: float, now: float) -> list[Action]:
        self._drifts.extend((desk.market, drift) for drift in desk.look(now, unix))
        return self._tell_condition(desk) + self._act(desk, unix, now)

    def _tell_condition(self, desk: Desk) -> list[Action]:
        """Say when regime, schedule or calendar begin to have a say, and when they end."""
        condition = "" if desk.posture is None else desk.posture.words
        if condition == desk.condition:
            return []
        desk.condition = condition
        return [Note("info", desk.market, condition or "quotes are as usual again")]

    def _act(self, desk: Desk, unix: float, now: float) -> list[Action]:
        reason = why_not_quote(self.facts(desk, now))
        if reason in WAITS:
            forbids = self.facts(desk, now).stance
            return desk.rest(forbids, now) if forbids else desk.hold(reason, now)
        if reason:
            return desk.rest(reason, now)
        self.groups.refresh(desk, now)
        if desk.is_settled(now, unix, self._data_age_s(desk, now)):
            return []
        self.tally.decisions += 1
        return desk.decide(self._surroundings(desk, unix, now))

    def facts(self, desk: Desk, now: float) -> Facts:
        """What the permission to quote a market depends on, as it stands."""
        unknown = [since for o in self.orders.at_risk(desk.market) if (since := o.in_doubt_since) is not None]
        return Facts(
            stopping=self.stopping,
            control=strictest(self.control, desk.control),
            account_known=self.account.bankroll is not None,
            user_feed_up=self.user_feed.connected,
            resolved=desk.resolved,
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

    def _surroundings(self, desk: Desk, unix: float, now: float) -> Surroundings:
        bankroll = self.account.bankroll or Usd(0)
        fair = desk.watch.fair.value_at(now) or 0.5
        others = self.groups.exposure_of_others(desk, now)
        own = round(desk.inventory.exposure(fair) * MICRO)
        free = self.account_cash() - self.orders.reserved_cash()
        return Surroundings(
            now=now,
            unix=unix,
            data_age_s=self._data_age_s(desk, now),
            bankroll=bankroll,
            gross_room=Usd(int(self.settings.gross_cap * bankroll) - others - own),
            plan_cash=Usd(free + self.orders.planned_cash(desk.market, lambda order: is_pending(order, now))),
            free_cash=Usd(free),
            reduce_only=strictest(self.control, desk.control).state == "REDUCE_ONLY" or self.account.is_latched,
        )

    def account_cash(self) -> int:
        """Micro-dollars of cash now: what we began with and what all fills changed."""
        changes = sum(desk.position.ledger.cash + desk.position.opening_cost for desk in self.desks.values())
        return (self.account.cash or 0) + usd_of(Pico(changes))

    def _mark(self, unix: float) -> list[Action]:
        """Value the account, renew the bankroll and judge the day's loss (market-making.md 1.6, 3.6)."""
        account = self.account
        if not account.wants_mark(unix):
            return []
        values = [desk.conservative_value() for desk in self.desks.values()]
        if any(value is None for value in values):
            return []
        is_first = account.bankroll is None
        marked = account.mark(unix, Usd(self.account_cash() + sum(value or 0 for value in values)))
        actions = self._check_sizes() if is_first else []
        if marked.is_new_day or marked.limit:
            self._all_due()
        if marked.limit == "open again":
            actions.append(Note("info", "", "a new day: the loss limit is open again"))
        elif marked.limit == "reached":
            text = f"daily loss limit: {marked.loss:.2%} of the day's opening equity; reducing only"
            actions += [CancelAll(reason="daily loss limit"), Note("alarm", "", text)]
        return actions

    def _check_sizes(self) -> list[Action]:
        """Sizes made for a larger account are worth a word (market-making.md 1.6); one for markets that are alike."""
        texts = {desk.market: self._oversized(desk.settings) for desk in self.desks.values()}
        if len(set(texts.values())) == 1:
            texts = {"": next(iter(texts.values()))}
        return [Note("warning", market, text) for market, text in texts.items() if text]

    def _oversized(self, settings: Settings) -> str:
        """Why the base size does not fit the bankroll, and what to do; "" when it does."""
        base, soft = settings.base_size_usd, settings.soft_cap_delta_pct * (self.account.bankroll or 0) / MICRO
        if base is None or base <= 0.4 * soft:
            return ""
        return (
            f"base_size_usd {base:g} is over 40 % of the soft cap of {soft:g} dollars: lower it, or raise the bankroll"
        )

    def _all_due(self) -> None:
        for desk in self.desks.values():
            desk.touch_due()

    # Operator

    def _on_stop(self, event: StopRequested, now: float) -> list[Action]:
        """Nothing new from here on; everything at risk is cancelled."""
        self.stopping = True
        return [*self._pull_all("stopping", now), Note("info", "", f"stopping: {event.reason}")]

    def _pull_all(self, reason: str, now: float) -> list[Action]:
        actions: list[Action] = [CancelAll(reason=reason)]
        for desk in self.desks.values():
            actions += desk.pull(reason, now)
            desk.touch_due()
        return actions

    def _on_command(self, command: OperatorCommand, now: float) -> list[Action]:
        if not command.preview:
            self._wake_s = now
        if command.act in ("pause_all", "resume_all", "cancel_all", "kill"):
            return self._global_command(command, now)
        desk = self.desks.get(command.market)
        if desk is None:
            return [Note("warning", "", f"{command.act}: no such market")]
        if not command.preview:
            desk.touch_due()
        return self._market_command(desk, command, now)

    def _global_command(self, command: OperatorCommand, now: float) -> list[Action]:
        count = sum(1 for _ in self.orders.all_at_risk())
        if self.control.state == "KILLED" and command.act != "cancel_all":
            return [Note("warning", "", "killed: only a restart with the latch removed allows orders again")]
        match command.act:
            case "resume_all":
                self.control = Control()
                self._all_due()
                own = sum(1 for desk in self.desks.values() if desk.control.state != "ACTIVE")
                return [
                    Note(
                        "info", "", f"resumed; {own} markets stay held by themselves" if own else "all markets resumed"
                    )
                ]
            case "kill":
                self.control = Control("KILLED", f"by {command.who}")
                return [
                    Latch(reason=f"kill by {command.who}"),
                    *self._pull_all("killed", now),
                    Note("alarm", "", f"KILLED by {command.who}: cancelling {count} orders"),
                ]
            case "pause_all":
                self.control = Control("PAUSED", f"by {command.who}")
        paused = "all markets paused, " if command.act == "pause_all" else ""
        return [*self._pull_all(command.act, now), Note("info", "", f"{paused}cancelling {count} orders")]

    def _market_command(self, desk: Desk, command: OperatorCommand, now: float) -> list[Action]:
        market, count = desk.market, len(self.orders.at_risk(desk.market))
        match command.act:
            case "pause":
                desk.control = Control("PAUSED", f"by {command.who}")
                return [*desk.pull("paused", now), Note("info", market, f"paused, cancelling {count} orders")]
            case "resume":
                desk.control, desk.flattening = Control(), False
                return [Note("info", market, f"resumed{self._still()}")]
            case "widen" | "tighten" | "shift" | "one_side" | "size" | "reset":
                return self._adjust(desk, command, now)
            case "set":
                return self._change_settings(desk, command, now)
            case "cancel_market":
                return [*desk.pull("cancelled by operator", now), Note("info", market, f"cancelling {count} orders")]
            case _:
                return self._flatten(desk, command, now)

    def _adjust(self, desk: Desk, command: OperatorCommand, now: float) -> list[Action]:
        """Take or preview an adjustment of one market's quotes."""
        try:
            adjustments = adjusted(desk.stance.adjustments, command, now, desk.instrument.grid.k)
        except AdjustmentRefused as error:
            return [Note("warning", desk.market, f"{command.act}: {error}")]
        if command.preview:
            return [self._preview(desk, desk.settings, adjustments, adjustments.words(now), now)]
        desk.stance.adjustments = adjustments
        return [Note("info", desk.market, adjustments.words(now))]

    def _change_settings(self, desk: Desk, command: OperatorCommand, now: float) -> list[Action]:
        """Take or preview other settings for one market."""
        profiles = self.profiles
        if profiles is None:
            return [Note("warning", desk.market, "this run has no profiles")]
        try:
            live = profiles.changed(desk.instrument, desk.live, command.profile, command.changes)
            made = profiles.for_market(desk.instrument, live)
        except ConfigError as error:
            return [Note("warning", desk.market, str(error))]
        changes = ", ".join(f"{name} = {value}" for name, value in live.changes) or "no changes"
        what = f"profile {made.profile}; {changes}"
        if command.preview:
            return [self._preview(desk, made.settings, desk.stance.adjustments, what, now)]
        desk.use(live, now)
        oversized = self._oversized(made.settings)
        return [*([Note("warning", desk.market, oversized)] if oversized else []), Note("info", desk.market, what)]

    def _preview(self, desk: Desk, settings: Settings, adjustments: Adjustments, what: str, now: float) -> Note:
        """What is asked for, and what would become of the market's orders; a line for each that moves."""
        unix = now + self._wall_s
        posture = desk.stance.preview(settings, adjustments, now, unix)
        forbids = "" if desk.flattening else posture.forbids
        reason = why_not_quote(msgspec.structs.replace(self.facts(desk, now), stance=forbids))
        draft = None if reason else desk.preview(self._surroundings(desk, unix, now), settings, posture)
        if draft is None:
            pulled = sum(1 for order in self.orders.at_risk(desk.market) if order.state in IN_BOOK)
            text = f"nothing would be quoted, {pulled} orders pulled: {reason or 'no fair value yet'}"
        else:
            text = preview_words(draft.plan, draft.diff, draft.live, desk.instrument.grid)
        return Note("info", desk.market, f"{what}\n{text}")

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

    def _still(self) -> str:
        """What keeps an act on one market from taking effect; "" when nothing does."""
        state = self.control.state
        return "" if state == "ACTIVE" else f"; all markets are {state.lower().replace('_', '-')} still"

    def _flatten(self, desk: Desk, command: OperatorCommand, now: float) -> list[Action]:
        """Work the position off with post-only orders at the touch; then the market is paused."""
        net = desk.inventory.net
        if net == 0:
            return [Note("info", desk.market, "nothing to flatten")]
        desk.flattening = True
        desk.control = Control("REDUCE_ONLY", f"flattening for {command.who}")
        verb = "selling" if net > 0 else "buying"
        text = f"flattening: {verb} {_whole_cents(abs(net))} YES at the touch, post-only{self._still()}"
        return [*desk.pull("flatten", now), Note("info", desk.market, text)]


def _size_text(size: Shares) -> str:
    """A size for people; what is left of an order may be less than a hundredth of a share."""
    return _whole_cents(size) if size >= SIZE_QUANTUM else "under 0.01"


def _whole_cents(micro: int) -> str:
    """Micro-shares or micro-dollars for people: two decimals, cut."""
    return micro_text(micro // 10_000 * 10_000)
