"""The whole decision: from fair value and inventory to the orders we want, with the reason for every absence.

Pure: the same inputs and rules give the same plan. Any model input that is no number or out of range means no quote and
a reason, never a default (market-making.md 0.4).
"""

from typing import Final, Literal

import msgspec

from core.quoting.caps import Caps, RoomLimit, inventory_caps, side_room
from core.quoting.layers import layer_prices, layer_sizes, layer_step
from core.quoting.prices import PriceStatus, SidePrice, half_spread, quote_prices
from core.quoting.reservation import inventory_shift
from core.quoting.routing import Funds, Target, route
from core.quoting.rules import BASE_SIZE_FRACTION, MAX_SIZE_FRACTION, QuoteRules
from core.units import MICRO, Shares, Side, Ticks, Usd

Problem = Literal["bad_fair", "bad_sigma", "bad_equity", "bad_inventory", "bad_widen", "crossed"]
SideReason = Literal["not_reducing", "flat", "below_min", "no_funds"] | Problem | PriceStatus | RoomLimit
"""``ok``, or the first rule that left the side without a quote."""


class QuoteInputs(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One market at one moment, YES frame."""

    fair: float
    """Dollars, in (0, 1)."""
    sigma_h: float
    """Deviation over the horizon, dollars, 0 .. 1."""
    yes: Shares
    """All YES that is or may be ours, provisional fills included; with ``no`` it decides q and the caps."""
    no: Shares
    free_yes: Shares
    """Settled YES that may be sold. What rests in our own orders counts as free when the plan may replace them."""
    free_no: Shares
    free_cash: Usd
    """Counted like ``free_yes``; not positive means that nothing is bought."""
    equity: Usd
    """The bankroll E, above 0."""
    best_bid: Ticks | None
    """Of others, untrimmed; None when there is none."""
    best_ask: Ticks | None
    widen_ticks: int = 0
    """Ticks the operator added to the half-spread; negative tightens, never below the least edge. At most a
    dollar either way."""
    reduce_only: bool = False
    gross_room: Usd | None = None
    """Exposure beyond the present one that the portfolio cap still allows; None without such a cap."""
    pending_bid: Shares = Shares(0)
    """Bids that may still fill and are not to be part of the plan: being cancelled or unknown."""
    pending_ask: Shares = Shares(0)


class Pricing(msgspec.Struct, frozen=True, gc=False):
    """The terms that add up to the prices, dollars."""

    fair: float
    sigma_h: float
    vol_term: float
    """K_VOL times the deviation."""
    fee_term: float
    """K_FEE_TICKS in dollars."""
    extra_term: float
    """What the operator added."""
    half_spread: float
    """The sum of the three terms, or the least edge if that is more."""
    shift: float
    """What the inventory added to the fair value."""
    reservation: float
    """Fair value plus shift; raw bid and ask are a half-spread away from it."""


class SidePlan(msgspec.Struct, frozen=True):
    """One side of the plan."""

    reason: SideReason
    ticks: Ticks | None = None
    """Innermost quote; None when the side has no price."""
    post_only_ticks: int = 0
    """Ticks that the touch of others pushed it outwards."""
    room: Shares = Shares(0)
    """What the side's orders may sum to."""
    layers: tuple[tuple[Ticks, Shares], ...] = ()
    """Price and size of each layer before funding, innermost first; sizes above 0."""


class QuotePlan(msgspec.Struct, frozen=True):
    """What we want in the book of one market."""

    bid: SidePlan
    ask: SidePlan
    targets: tuple[Target, ...] = ()
    """Orders in funding order: bid then ask of layer 0, of layer 1 and so on; within a layer the selling leg first."""
    pricing: Pricing | None = None
    """None when an input was refused, and in a plan to flatten."""
    caps: Caps | None = None
    """None when an input was refused."""


def plan_quotes(inputs: QuoteInputs, rules: QuoteRules) -> QuotePlan:
    """Everything we want at the venue in one market, from one consistent set of inputs.

    Never raises for what the market or the account may look like: a side that cannot be quoted says why.

    Source: market-making.md 1.14, ``strategy.pipeline``.
    """
    problem = _problem_of(inputs, rules)
    if problem is not None:
        return QuotePlan(SidePlan(problem), SidePlan(problem))
    fair, equity, tick = inputs.fair, inputs.equity, rules.grid.tick
    caps = inventory_caps(Shares(inputs.yes - inputs.no), fair, equity, rules.soft, rules.hard)
    extra = inputs.widen_ticks * tick
    half = half_spread(inputs.sigma_h, tick, rules.k_vol, rules.k_fee_ticks, rules.min_edge_ticks, extra)
    shift = inventory_shift(caps, half, equity, rules.gamma, rules.skew_mode)
    reservation = fair + shift
    bid_price, ask_price = quote_prices(reservation, half, inputs.best_bid, inputs.best_ask, rules)
    step = layer_step(half, rules)
    bid = _side_plan("bid", bid_price, step, caps, inputs, rules)
    ask = _side_plan("ask", ask_price, step, caps, inputs, rules)
    targets = _fund(bid, ask, inputs, rules)
    return QuotePlan(
        _funded(bid, "bid", targets),
        _funded(ask, "ask", targets),
        tuple(targets),
        Pricing(
            fair,
            inputs.sigma_h,
            rules.k_vol * inputs.sigma_h,
            rules.k_fee_ticks * tick,
            extra,
            half,
            shift,
            reservation,
        ),
        caps,
    )


def flatten_plan(inputs: QuoteInputs, rules: QuoteRules) -> QuotePlan:
    """Only the side that works the position off: one layer, as near to the other touch as post-only allows.

    Price bounds of the settings do not apply, the grid's do. Without a touch on the other side the price is the fair
    value, rounded outwards.

    Source: market-making.md 1.8 (post-only), 1.11 (routing).
    """
    problem = _problem_of(inputs, rules)
    if problem is not None and not (problem in _NO_MODEL_NEEDED and _other_touch(inputs) is not None):
        return QuotePlan(SidePlan(problem), SidePlan(problem))
    net = inputs.yes - inputs.no
    if net == 0:
        return QuotePlan(_FLAT, _FLAT)
    side: Side = "ask" if net > 0 else "bid"
    ticks = _flattening_ticks(side, inputs, rules)
    room = Shares(max(0, abs(net) - (inputs.pending_ask if side == "ask" else inputs.pending_bid)))
    if not 0 < ticks < rules.grid.k:
        plan, targets = SidePlan("range", room=room), []
    else:
        funds = Funds(inputs.free_yes, inputs.free_no, inputs.free_cash)
        targets = route(side, 0, ticks, room, funds, rules.grid, rules.min_size, None)
        reason: SideReason = "ok"
        if not targets:
            reason = "no_funds" if room >= rules.min_size else "pending" if room < abs(net) else "below_min"
        plan = SidePlan(reason, ticks, 0, room, ((ticks, room),) if room else ())
    bid, ask = (_NOT_REDUCING, plan) if side == "ask" else (plan, _NOT_REDUCING)
    return QuotePlan(bid, ask, tuple(targets))


_FLAT: Final = SidePlan("flat")
_NOT_REDUCING: Final = SidePlan("not_reducing")
_NO_MODEL_NEEDED: Final = frozenset({"bad_fair", "bad_sigma", "bad_equity", "bad_widen"})
"""Refusals of the model that do not hinder a flattening order placed off the other touch."""


def _problem_of(inputs: QuoteInputs, rules: QuoteRules) -> Problem | None:
    """The first input that forbids a quote; comparisons are written so that NaN fails them."""
    best_bid, best_ask = inputs.best_bid, inputs.best_ask
    if best_bid is not None and best_ask is not None and best_bid >= best_ask:
        return "crossed"
    if inputs.yes < 0 or inputs.no < 0 or inputs.free_yes < 0 or inputs.free_no < 0:
        return "bad_inventory"
    if not 0.0 < inputs.fair < 1.0:
        return "bad_fair"
    if not 0.0 <= inputs.sigma_h <= 1.0:
        return "bad_sigma"
    if not inputs.equity > 0:
        return "bad_equity"
    return None if abs(inputs.widen_ticks) <= rules.grid.k else "bad_widen"


def _side_plan(side: Side, price: SidePrice, step: int, caps: Caps, inputs: QuoteInputs, rules: QuoteRules) -> SidePlan:
    """Prices and sizes of one side before funding."""
    pending = inputs.pending_bid if side == "bid" else inputs.pending_ask
    room, limit = side_room(side, caps, inputs.fair, pending, inputs.reduce_only, inputs.gross_room)
    first = price.ticks
    if first is None:
        return SidePlan(price.status, room=room)
    if room < rules.min_size:
        return SidePlan(limit, first, price.post_only_ticks, room)
    adds = caps.net >= 0 if side == "bid" else caps.net <= 0
    bankroll = inputs.equity / MICRO
    base = BASE_SIZE_FRACTION * bankroll if rules.base_usd is None else rules.base_usd
    most = MAX_SIZE_FRACTION * bankroll if rules.max_usd is None else rules.max_usd
    ticks = layer_prices(first, side, step, rules)
    multiplier = caps.adding_multiplier if adds and caps.net else 1.0
    sizes = layer_sizes(side, ticks, inputs.fair, (base, most), multiplier, room, rules)
    layers = tuple([(tick, size) for tick, size in zip(ticks, sizes, strict=True) if size])
    return SidePlan("ok" if layers else "below_min", first, price.post_only_ticks, room, layers)


def _fund(bid: SidePlan, ask: SidePlan, inputs: QuoteInputs, rules: QuoteRules) -> list[Target]:
    """Route the layers in funding order until holdings and cash are used up."""
    funds = Funds(inputs.free_yes, inputs.free_no, inputs.free_cash)
    grid, min_size, reward_min = rules.grid, rules.min_size, rules.reward_min
    bids, asks = bid.layers, ask.layers
    targets: list[Target] = []
    for layer in range(max(len(bids), len(asks))):
        if layer < len(bids):
            ticks, size = bids[layer]
            targets += route("bid", layer, ticks, size, funds, grid, min_size, reward_min)
        if layer < len(asks):
            ticks, size = asks[layer]
            targets += route("ask", layer, ticks, size, funds, grid, min_size, reward_min)
    return targets


def _funded(plan: SidePlan, side: Side, targets: list[Target]) -> SidePlan:
    """The side as it is, or marked when nothing of it could be paid for."""
    if plan.reason != "ok" or any(target.side == side for target in targets):
        return plan
    return SidePlan("no_funds", plan.ticks, plan.post_only_ticks, plan.room, plan.layers)


def _other_touch(inputs: QuoteInputs) -> Ticks | None:
    return inputs.best_bid if inputs.yes > inputs.no else inputs.best_ask


def _flattening_ticks(side: Side, inputs: QuoteInputs, rules: QuoteRules) -> Ticks:
    touch = _other_touch(inputs)
    if touch is not None:
        return Ticks(touch + 1 if side == "ask" else touch - 1)
    return rules.grid.ceil_t(inputs.fair) if side == "ask" else rules.grid.floor_t(inputs.fair)
