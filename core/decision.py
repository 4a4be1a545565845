"""One decision of one market: the plan for how everything stands, and what it does with the orders there are.

Made in two steps: a draft, which changes nothing and can be shown, and the acts that follow from it.
"""

from typing import Final, Literal, NamedTuple

import msgspec

from core.actions import Action
from core.config import Settings, hash_of
from core.market.book import Level
from core.market.instrument import Instrument
from core.orders.manager import OrderManager
from core.orders.order import TERMINAL, Order, State
from core.portfolio.position import Position
from core.quoting.baseline import decide_literal
from core.quoting.explain import HeldBack, OrderExplanation, explain_target
from core.quoting.plan import QuoteInputs, QuotePlan, flatten_plan, plan_quotes
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
from core.quoting.rules import QuoteRules, rules_of
from core.quoting.stance import Posture
from core.quoting.volatility import Sigma
from core.risk.gate import Headroom, OrderRefusal
from core.units import Outcome, Shares, Side, Ticks, Usd

_REFUSALS: Final[dict[OrderRefusal, str]] = {
    "": "",
    "cap": "orders that may still fill take the room to the cap",
    "cash": "orders that may still fill take the cash",
    "inventory": "open orders sell what is held already",
}
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
    free_cash: Usd
    """Account cash less what all orders at risk would spend."""
    reduce_only: bool
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


def rule_set_of(settings: Settings, instrument: Instrument) -> RuleSet:
    """Make one market's rules."""
    judge = decide_literal if settings.requote_triggers == "literal" else decide
    return RuleSet(rules_of(settings, instrument), requote_rules_of(settings, instrument), judge, hash_of(settings))


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
    flattening: bool
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
    plan = (flatten_plan if standing.flattening else plan_quotes)(
        _inputs(standing, around, posture, planned), rules.quotes
    )
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
    situation = situation_of(plan, around.data_age_s, rules.requotes)
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
        gross_room=around.gross_room,
        pending_bid=remaining_of(pending, "bid"),
        pending_ask=remaining_of(pending, "ask"),
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


def place(
    draft: Draft, standing: Standing, around: Surroundings, instrument: Instrument, rules: RuleSet, is_refused: bool
) -> tuple[list[Action], tuple[HeldBack, ...]]:
    """Place targets without an order, and top-ups, as far as caps and funds allow; everything at risk counts.

    Args:
        draft: what is wanted.
        standing: what it was made from.
        around: the same.
        instrument: the market.
        rules: the market's.
        is_refused: the venue refused an order a moment ago.

    Returns:
        The placements, and what was wanted and not placed.
    """
    plan, diff = draft.plan, draft.diff
    wanted: list[tuple[Target, Shares, str]] = [(target, target.size, "new target") for target in diff.unplaced]
    wanted += [
        (target, verdict.size, "undersize")
        for verdict, target in zip(diff.verdicts, diff.matched, strict=True)
        if target and verdict.size
    ]
    if not wanted:
        return [], ()
    waiting = {
        (order.side, order.layer) for order in standing.at_risk if order.state not in (State.LIVE, State.PARTIAL)
    }
    headroom = _headroom(plan, standing, around, instrument.market)
    actions: list[Action] = []
    held_back: list[HeldBack] = []
    for target, size, reason in wanted:
        buys = target.order_side == "BUY"
        cost = instrument.grid.notional(target.token_ticks, size) if buys else Usd(0)
        why = "an order of the layer is under way" if (target.side, target.layer) in waiting else ""
        why = why or around.no_new or ("the venue refused an order a moment ago" if is_refused else "")
        if not why:  # what it lets through it takes off
            sells: Outcome | Literal[""] = "" if buys else target.outcome
            why = _REFUSALS[headroom.refuse(side=target.side, sells=sells, size=size, cost=cost)]
        if why:
            held_back.append(HeldBack(target.side, target.layer, why))
            continue
        actions.append(
            standing.orders.place(
                instrument,
                outcome=target.outcome,
                order_side=target.order_side,
                price=target.token_ticks,
                size=size,
                side=target.side,
                layer=target.layer,
                reason=reason,
                now=around.now,
                explanation=explain_target(plan, rules.quotes, target),
                settings_hash=rules.settings_hash,
                book="{}/{}".format(*standing.book),
            )
        )
    return actions, tuple(held_back)


def _headroom(plan: QuotePlan, standing: Standing, around: Surroundings, market: str) -> Headroom:
    """Room of the plan, with the orders it did not plan around given back and all orders at risk taken off."""
    at_risk, position, orders = standing.at_risk, standing.position, standing.orders
    pending = [order for order in at_risk if is_pending(order, around.now)]
    return Headroom(
        room_bid=plan.bid.room + remaining_of(pending, "bid") - remaining_of(at_risk, "bid"),
        room_ask=plan.ask.room + remaining_of(pending, "ask") - remaining_of(at_risk, "ask"),
        cash=around.free_cash,
        yes=position.settled_yes - position.locked_yes - orders.reserved_shares(market, "YES"),
        no=position.settled_no - position.locked_no - orders.reserved_shares(market, "NO"),
    )


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
