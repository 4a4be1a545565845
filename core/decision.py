"""One decision of one market: the plan for how everything stands, and what it does with the orders there are.

Made in two steps: a draft, which changes nothing and can be shown, and the acts that follow from it.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from core.actions import Action, Denied
from core.config import Settings, hash_of
from core.market.book import Level
from core.market.instrument import Instrument
from core.orders.manager import OrderManager
from core.orders.order import TERMINAL, Order, State
from core.portfolio.position import Position
from core.quoting.baseline import decide_literal
from core.quoting.caps import CostRoom
from core.quoting.explain import HeldBack, OrderExplanation, explain_target
from core.quoting.plan import QuoteInputs, QuotePlan, plan_quotes
from core.quoting.requote import (
    Diff,
    Judge,
    LiveOrder,
    RequoteRules,
    decide,
    diff_orders,
    levels_ahead,
    requote_rules_of,
    situation_of,
)
from core.quoting.routing import Target
from core.quoting.rules import NO_BOUNDS, Bounds, QuoteRules, rules_of
from core.quoting.stance import Posture
from core.quoting.volatility import Sigma
from core.risk.gate import Candidate, Denial
from core.units import SIZE_QUANTUM, Shares, Side, Ticks, Usd

FREED_BY_CANCELS: Final = frozenset(
    {"self_match", "layers", "open_orders", "token_cap", "market_cap", "group_cap", "account_cap", "cash", "sellable"}
)
"""Denials that end when an order is gone: while one is being cancelled they are what a replacement waits for."""
CANCEL_GRACE_SEC: Final = 2.0
"""A cancel sent less long ago is expected to be answered, and its order is not planned around."""


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
    cost_room: CostRoom
    """What the caps at cost leave this market, orders that are planned around taken off."""
    judge: Callable[[Candidate], Denial | None]
    """The gate: why an order may not be placed; one that may is taken for placed."""
    reduce_only: bool
    held: tuple[Side, ...] = ()
    """Sides on which a control state lets nothing rest."""
    reducing: tuple[Side, ...] = ()
    """Sides whose orders may only reduce the position."""
    no_new: str = ""
    """Why orders may be cancelled and none be placed, in words; "" when some may."""


class GroupBounds(NamedTuple):
    """What the other markets of an event ask of one of them (market-making.md 2.11)."""

    shift: float = 0.0
    """Dollars to add to the fair value."""
    most_bid: Ticks | None = None
    """Highest bid that keeps our bids on the event below a dollar; None without such a bound."""
    least_ask: Ticks | None = None


class RuleSet(NamedTuple):
    """What one market is decided by, made ready once from its settings."""

    quotes: QuoteRules
    requotes: RequoteRules
    judge: Judge
    settings_hash: str
    """Of the settings it was made from (:func:`core.config.hash_of`)."""


def rule_set_of(settings: Settings, instrument: Instrument, bounds: Bounds = NO_BOUNDS) -> RuleSet:
    """Make one market's rules; ``bounds`` are the market list's."""
    judge = decide_literal if settings.requote_triggers == "literal" else decide
    quotes = rules_of(settings, instrument, bounds)
    return RuleSet(quotes, requote_rules_of(settings, instrument), judge, hash_of(settings))


class Standing(NamedTuple):
    """How one market stands at one moment."""

    fair: float
    """Dollars."""
    sigma: Sigma
    touch: tuple[Ticks | None, Ticks | None]
    """Best bid and ask of others."""
    bids: list[Level]
    """Of others, best first, as many as matter."""
    asks: list[Level]
    cutoff: Shares
    """Size that makes a level count."""
    position: Position
    orders: OrderManager
    at_risk: list[Order]
    """All orders of the market that may be filled."""
    group: GroupBounds
    book: tuple[int, int]
    """Venue time of the book, milliseconds, and messages since its last full one: which book this is."""


class Draft(NamedTuple):
    """One decision before it is acted on."""

    plan: QuotePlan
    orders: list[Order]
    """Those that the plan decides about."""
    live: list[LiveOrder]
    """The same as the decision sees them."""
    diff: Diff

    @property
    def all_in_place(self) -> bool:
        """Every order stands exactly at its target, so that no rule is merely waiting for time to pass."""
        pairs = zip(self.orders, self.diff.matched, strict=True)
        at_target = all(target is not None and order.yes_price == target.yes_ticks for order, target in pairs)
        return at_target and not self.diff.unplaced


def make_draft(standing: Standing, around: Surroundings, posture: Posture, rules: RuleSet) -> Draft:
    """The plan, and what it would do with our orders. Changes nothing."""
    now, at_risk = around.now, standing.at_risk
    planned = [order for order in at_risk if not is_pending(order, now)]
    plan = plan_quotes(_inputs(standing, around, posture, planned), rules.quotes)
    orders = [order for order in planned if order.state in (State.LIVE, State.PARTIAL)]
    live = [
        LiveOrder(
            order.side,
            order.yes_price,
            order.outcome,
            order.remaining,
            now - order.created_s,
            now - order.validated_s,
            levels_ahead(
                standing.bids if order.side == "bid" else standing.asks, order.side, order.yes_price, standing.cutoff
            ),
        )
        for order in orders
    ]
    situation = situation_of(plan, around.data_age_s)
    return Draft(plan, orders, live, diff_orders(live, plan, situation, rules.requotes, rules.judge))


def _inputs(standing: Standing, around: Surroundings, posture: Posture, planned: list[Order]) -> QuoteInputs:
    """What the plan is made from; orders that are not planned around count as pending."""
    position, group, adjusted = standing.position, standing.group, posture.adjusted
    inventory = position.inventory
    pending = [order for order in standing.at_risk if order not in planned]
    best_bid, best_ask = standing.touch
    return QuoteInputs(
        fair=standing.fair,
        sigma_h=standing.sigma.sigma_h or 0.0,
        yes=inventory.yes,
        no=inventory.no,
        free_yes=Shares(max(0, position.settled_yes - position.locked_yes - _sells(pending, "YES"))),
        free_no=Shares(max(0, position.settled_no - position.locked_no - _sells(pending, "NO"))),
        free_cash=around.plan_cash,
        equity=around.bankroll,
        best_bid=best_bid,
        best_ask=best_ask,
        group_shift=group.shift,
        shift_ticks=adjusted.shift_ticks,
        widen_ticks=adjusted.widen_ticks,
        tox_bid=posture.tox_bid,
        tox_ask=posture.tox_ask,
        spread_factor=posture.spread_factor,
        regime_factor=posture.regime_factor,
        time_factor=posture.time_factor,
        size_factor=adjusted.size_factor,
        sides=adjusted.sides,
        most_bid=group.most_bid,
        least_ask=group.least_ask,
        reduce_only=around.reduce_only or bool(posture.reduces),
        held=around.held,
        reducing=around.reducing,
        gross_room=around.gross_room,
        cost_room=around.cost_room,
        pending_bid=remaining_of(pending, "bid"),
        pending_ask=remaining_of(pending, "ask"),
        unsure_bid=Shares(position.unsure["bid"]),
        unsure_ask=Shares(position.unsure["ask"]),
    )


def requote(draft: Draft, orders: OrderManager, now: float) -> list[Action]:
    """Cancel what must go, and renew the leases of what may stay."""
    actions: list[Action] = []
    requotes = orders.counts.requotes
    for order, verdict, target in zip(draft.orders, draft.diff.verdicts, draft.diff.matched, strict=True):
        if target is not None:
            order.layer = target.layer  # what it stands for from here on, wherever it was placed for
        if verdict.action in ("cancel", "replace"):
            actions += orders.cancel(order, verdict.reason, now)
            requotes[verdict.reason] = requotes.get(verdict.reason, 0) + 1
        else:
            order.validated_s, order.reason = now, f"{verdict.action}: {words(verdict.reason)}"
    return actions


class Placed(NamedTuple):
    """What one decision placed, and what it wanted and did not."""

    actions: list[Action]
    held_back: tuple[HeldBack, ...]
    denied: tuple[Denied, ...]
    """Those of them that the gate stopped and that wait for no order of ours."""


def place(
    draft: Draft, standing: Standing, around: Surroundings, instrument: Instrument, rules: RuleSet, is_refused: bool
) -> Placed:
    """Place targets without an order, and top-ups, as far as the gate lets them.

    Args:
        draft: what is wanted.
        standing: what it was made from.
        around: the same.
        instrument: the market.
        rules: the market's.
        is_refused: the venue refused an order a moment ago.
    """
    plan, diff = draft.plan, draft.diff
    wanted = [(target, "new target") for target in diff.unplaced]
    wanted += [
        (target, "undersize")
        for verdict, target in zip(diff.verdicts, diff.matched, strict=True)
        if target and verdict.size
    ]
    if not wanted:
        return Placed([], (), ())
    waiting = {
        (order.side, order.layer) for order in standing.at_risk if order.state not in (State.LIVE, State.PARTIAL)
    }
    actions: list[Action] = []
    held_back: list[HeldBack] = []
    denied: list[Denied] = []
    for wish, reason in wanted:
        target = _free_part(wish, standing, instrument)
        why = "an order of the layer is under way" if (target.side, target.layer) in waiting else ""
        why = why or around.no_new or ("the venue refused an order a moment ago" if is_refused else "")
        denial = None if why else around.judge(_candidate(target, instrument))
        if denial is not None:
            why = denial.text
            if not _is_awaited(denial, target, standing.at_risk):
                denied.append(Denied(0, instrument.market, target.side, denial.code, denial.text))
        if why:
            held_back.append(HeldBack(target.side, target.layer, why))
            continue
        actions.append(
            standing.orders.place(
                instrument,
                outcome=target.outcome,
                order_side=target.order_side,
                price=target.token_ticks,
                size=target.size,
                side=target.side,
                layer=target.layer,
                reason=reason,
                now=around.now,
                explanation=explain_target(plan, rules.quotes, target),
                settings_hash=rules.settings_hash,
                book="{}/{}".format(*standing.book),
            )
        )
    return Placed(actions, tuple(held_back), tuple(denied))


def _free_part(target: Target, standing: Standing, instrument: Instrument) -> Target:
    """As much of what is to be sold as no other order holds, if that makes an order; else the target as it is.

    An order that is kept may hold more shares than the plan has for it.
    """
    if target.order_side == "BUY":
        return target
    position, is_yes = standing.position, target.outcome == "YES"
    settled = position.settled_yes if is_yes else position.settled_no
    locked = position.locked_yes if is_yes else position.locked_no
    free = settled - locked - standing.orders.reserved_shares(instrument.market, target.outcome)
    part = Shares(free // SIZE_QUANTUM * SIZE_QUANTUM)
    return msgspec.structs.replace(target, size=part) if instrument.min_size <= part < target.size else target


def _is_awaited(denial: Denial, target: Target, at_risk: list[Order]) -> bool:
    """Nothing is wrong: orders of ours that are being cancelled, or sell the same shares already, are in the way."""
    if denial.code == "sellable" and any(o.order_side == "SELL" and o.outcome == target.outcome for o in at_risk):
        return True
    return denial.code in FREED_BY_CANCELS and any(order.state is State.CANCEL_SENT for order in at_risk)


def _candidate(target: Target, instrument: Instrument) -> Candidate:
    """A target, or what tops up its order, as the gate sees it."""
    return Candidate(target.outcome, target.order_side, target.token_ticks, target.size, target.side, instrument.grid)


def is_pending(order: Order, now: float) -> bool:
    """The order may fill but is not to be planned around: its outcome, its cancel or its fills are overdue."""
    if order.state is State.UNKNOWN or order.state in TERMINAL:
        return True
    return order.state is State.CANCEL_SENT and now - order.since_s > CANCEL_GRACE_SEC


def order_explained(order: Order) -> OrderExplanation:
    """One of our orders for an explanation."""
    return OrderExplanation(
        order.side,
        order.layer,
        order.yes_price,
        order.outcome,
        order.order_side,
        order.remaining,
        order.state.value,
        order.reason,
    )


def remaining_of(orders: list[Order], side: Side) -> Shares:
    """Micro-shares that one side's orders may still fill."""
    return Shares(sum(order.remaining for order in orders if order.side == side))


def words(reason: str) -> str:
    """A reason's name for people."""
    return reason.replace("_", " ")


def _sells(orders: list[Order], outcome: str) -> int:
    return sum(order.remaining for order in orders if order.order_side == "SELL" and order.outcome == outcome)
