"""The whole decision: from fair value and inventory to the orders we want, with the reason for every absence.

Pure: the same inputs and rules give the same plan. Any model input that is no number or out of range means no quote and
a reason, never a default (market-making.md 0.4).
"""

from operator import attrgetter
from typing import Final, Literal, NamedTuple

import msgspec

from core.quoting.caps import Caps, CostRoom, RoomLimit, inventory_caps, side_room
from core.quoting.layers import layer_prices, layer_sizes, layer_step
from core.quoting.prices import PriceStatus, Pricing, SidePrice, half_spread, quote_prices
from core.quoting.reservation import inventory_shift
from core.quoting.routing import Funds, Layer, Target, route
from core.quoting.rules import BASE_SIZE_FRACTION, MAX_SIZE_FRACTION, NO_BOUNDS, QuoteRules, least
from core.units import MICRO, Shares, Side, Ticks, Usd

Problem = Literal["bad_fair", "bad_sigma", "bad_equity", "bad_inventory", "bad_adjustment", "crossed"]
SideReason = Literal["one_side", "held", "below_min", "no_funds"] | Problem | PriceStatus | RoomLimit
"""``ok``, or the first rule that left the side without a quote."""
Sides = Literal["both", "bid", "ask"]


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
    group_shift: float = 0.0
    """Dollars that the fair values of the same event ask to add (market-making.md 2.11)."""
    shift_ticks: float = 0.0
    """Ticks the operator added to the fair value."""
    widen_ticks: float = 0.0
    """Ticks the operator added to the half-spread; negative tightens, never below the least edge. At most a
    dollar either way."""
    tox_bid: float = 0.0
    """Dollars that toxic flow adds to the half-spread of the bid, never negative (market-making.md 2.6)."""
    tox_ask: float = 0.0
    spread_factor: float = 1.0
    """Of the model's half-spread, at least 1 (market-making.md 2.10)."""
    regime_factor: float = 1.0
    """Of all sizes, 0 .. 1, as are the next two (market-making.md 2.10)."""
    time_factor: float = 1.0
    """Fades what adds risk towards resolution; what reduces it is wanted most then (market-making.md 2.5)."""
    size_factor: float = 1.0
    """The operator's; caps hold whatever it is."""
    sides: Sides = "both"
    """Which sides the operator wants."""
    most_bid: Ticks | None = None
    """Highest bid the event's other markets leave room for; None without such a bound."""
    least_ask: Ticks | None = None
    reduce_only: bool = False
    held: tuple[Side, ...] = ()
    """Sides on which nothing may rest."""
    reducing: tuple[Side, ...] = ()
    """Sides that may only reduce, beside all that ``reduce_only`` says."""
    gross_room: Usd | None = None
    """Exposure beyond the present one that the portfolio cap still allows; None without such a cap."""
    cost_room: CostRoom | None = None
    """What the caps at cost leave, orders that are not part of the plan taken off; None without such caps."""
    pending_bid: Shares = Shares(0)
    """Bids that may still fill and are not to be part of the plan: being cancelled or unknown."""
    pending_ask: Shares = Shares(0)
    unsure_bid: Shares = Shares(0)
    """Fills of bids that are not final: asks that may only reduce do not rely on them."""
    unsure_ask: Shares = Shares(0)


class SidePlan(msgspec.Struct, frozen=True, gc=False):
    """One side of the plan."""

    reason: SideReason
    ticks: Ticks | None = None
    """Innermost quote; None when the side has no price."""
    post_only_ticks: int = 0
    """Ticks that the touch of others pushed it outwards."""
    room: Shares = Shares(0)
    """What the side's orders may sum to."""
    layers: tuple[Layer, ...] = ()
    """Innermost first; layers without a size are left out."""
    multiplier: float = 1.0
    """Of the layers' sizes."""
    usable: Shares = Shares(0)
    """What the plan takes of the room: it leaves a little, so that a drift of the fair value shuffles no orders."""
    limit: RoomLimit = "ok"
    """What bounds the room."""
    adds: bool = True
    """Its fills would add to the position."""


class QuotePlan(msgspec.Struct, frozen=True, gc=False):
    """What we want in the book of one market."""

    bid: SidePlan
    ask: SidePlan
    targets: tuple[Target, ...] = ()
    """Orders in funding order: bid then ask of layer 0, of layer 1 and so on; within a layer the selling leg first."""
    pricing: Pricing | None = None
    """None when an input was refused."""
    caps: Caps | None = None
    """None when an input was refused."""
    inputs: QuoteInputs | None = None
    """What it was made from; None when an input was refused."""


def plan_quotes(inputs: QuoteInputs, rules: QuoteRules) -> QuotePlan:
    """Everything we want at the venue in one market, from one consistent set of inputs.

    Never raises for what the market or the account may look like: a side that cannot be quoted says why.

    Source: market-making.md 1.14, ``strategy.pipeline``.
    """
    problem = _problem_of(inputs, rules)
    if problem is not None:
        return QuotePlan(SidePlan(problem), SidePlan(problem))
    caps = inventory_caps(Shares(inputs.yes - inputs.no), inputs.fair, inputs.equity, *rules.caps(inputs.equity))
    pricing = _pricing(inputs, caps, rules)
    reservation, half_bid, half_ask = pricing.reservation, pricing.half_bid, pricing.half_ask
    most_bid, least_ask = price_limits(inputs, rules)
    bid_price, ask_price = quote_prices(
        reservation, half_bid, half_ask, inputs.best_bid, inputs.best_ask, rules, most_bid, least_ask
    )
    bid = _side_plan("bid", bid_price, half_bid, caps, inputs, rules)
    ask = _side_plan("ask", ask_price, half_ask, caps, inputs, rules)
    wanted = sorted(bid.layers + ask.layers, key=_layer_of)  # stable: the bid of a layer comes before its ask
    funds = Funds(inputs.free_yes, inputs.free_no, inputs.free_cash)
    targets = route(wanted, funds, rules.grid, rules.min_size, rules.reward_min)
    return QuotePlan(
        _unless_unfunded(bid, "bid", targets),
        _unless_unfunded(ask, "ask", targets),
        tuple(targets),
        pricing,
        caps,
        inputs,
    )


def price_limits(inputs: QuoteInputs, rules: QuoteRules) -> tuple[Ticks | None, Ticks | None]:
    """Highest bid and lowest ask by the event's other markets and by the collar; None without a limit."""
    most_bid, least_ask, best_bid, best_ask = inputs.most_bid, inputs.least_ask, inputs.best_bid, inputs.best_ask
    if rules.collar is None or best_bid is None or best_ask is None:
        return most_bid, least_ask
    high, low = rules.collar.bounds(best_bid, best_ask, rules.grid.k)
    return (
        high if most_bid is None or high < most_bid else most_bid,
        low if least_ask is None or low > least_ask else least_ask,
    )


def _pricing(inputs: QuoteInputs, caps: Caps, rules: QuoteRules) -> Pricing:
    """Reservation price and half-spreads; inventory shifts by the model's half-spread, not by the operator's."""
    fair, sigma_h, tick = inputs.fair, inputs.sigma_h, rules.grid.tick
    tox_bid, tox_ask, factor = inputs.tox_bid, inputs.tox_ask, inputs.spread_factor
    vol, fee, least = rules.k_vol * sigma_h, rules.k_fee_ticks * tick, rules.min_edge_ticks * tick
    model = half_spread(sigma_h, tick, rules.k_vol, rules.k_fee_ticks, rules.min_edge_ticks, (tox_bid + tox_ask) / 2)
    operator, widen = inputs.shift_ticks * tick, inputs.widen_ticks * tick
    inventory = inventory_shift(caps, model, inputs.equity, rules.gamma, rules.skew_mode, fair, rules.logit_at_cap)
    half_bid, half_ask = (vol + fee + tox_bid) * factor + widen, (vol + fee + tox_ask) * factor + widen
    return Pricing(
        fair,
        inputs.group_shift,
        operator,
        inventory,
        fair + inputs.group_shift + operator + inventory,
        sigma_h,
        vol,
        fee,
        tox_bid,
        tox_ask,
        factor,
        widen,
        half_bid if half_bid > least else least,
        half_ask if half_ask > least else least,
    )


MOST_FACTOR: Final = 100.0
"""Larger factors of spread or size are no model's and nobody's wish."""
_ONE_SIDE: Final = SidePlan("one_side")
_HELD: Final = SidePlan("held")
_layer_of: Final = attrgetter("layer")


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
    k = rules.grid.k
    is_sound = (
        -k <= inputs.widen_ticks <= k
        and -k <= inputs.shift_ticks <= k
        and -1.0 <= inputs.group_shift <= 1.0
        and 0.0 <= inputs.tox_bid <= 1.0
        and 0.0 <= inputs.tox_ask <= 1.0
        and 1.0 <= inputs.spread_factor <= MOST_FACTOR
        and 0.0 <= inputs.regime_factor <= 1.0
        and 0.0 <= inputs.time_factor <= 1.0
        and 0.0 <= inputs.size_factor <= MOST_FACTOR
    )
    return None if is_sound else "bad_adjustment"


class SideDollars(NamedTuple):
    """What one side's orders may be, dollars."""

    layer: float
    """At risk of the innermost layer."""
    whole: float
    """At risk of all layers."""
    order: float
    """That one order may be worth."""


def side_dollars(side: Side, inputs: QuoteInputs, rules: QuoteRules) -> SideDollars:
    """Dollars of a side (market-making.md 1.9). What the market list bounds may still close the position at once."""
    bankroll, bounds = inputs.equity / MICRO, rules.bounds
    layer = BASE_SIZE_FRACTION * bankroll if rules.base_usd is None else rules.base_usd
    whole = MAX_SIZE_FRACTION * bankroll if rules.max_usd is None else rules.max_usd
    if bounds is not NO_BOUNDS:
        layer, whole = least(layer, bounds.base), least(whole, bounds.side)
    order = whole if rules.order_usd is None else rules.order_usd
    if bounds is NO_BOUNDS:
        return SideDollars(layer, whole, order)
    order = least(order, bounds.order)
    if bounds.market is None:
        return SideDollars(layer, whole, order)
    net = inputs.yes - inputs.no
    held = max(0, net if side == "ask" else -net) / MICRO
    fair = inputs.fair if side == "bid" else 1.0 - inputs.fair
    most = max(bounds.market / MICRO, held * (fair if rules.size_mode == "capital" else max(fair, 1.0 - fair)))
    return SideDollars(least(layer, most), least(whole, most), least(order, most))


def only_reduces(side: Side, inputs: QuoteInputs) -> bool:
    """A side may only work the position off."""
    return inputs.reduce_only or side in inputs.reducing


def _side_plan(
    side: Side,
    price: SidePrice,
    half: float,
    caps: Caps,
    inputs: QuoteInputs,
    rules: QuoteRules,
) -> SidePlan:
    """Prices and sizes of one side before funding."""
    if inputs.sides not in ("both", side):
        return _ONE_SIDE
    if side in inputs.held:
        return _HELD
    fair, min_size = inputs.fair, rules.min_size
    if side == "bid":
        pending, adds = inputs.pending_bid, caps.net >= 0
    else:
        pending, adds = inputs.pending_ask, caps.net <= 0
    works_off = only_reduces(side, inputs)
    unsure = (inputs.unsure_ask if side == "bid" else inputs.unsure_bid) if works_off else 0
    room, limit = side_room(side, caps, fair, Shares(pending + unsure), works_off, inputs.gross_room)
    first = price.ticks
    if first is None:
        return SidePlan(price.status, room=room)
    if inputs.cost_room is not None:
        room, limit = _within_cost(side, first, room, limit, caps.net, inputs.cost_room, rules)
    if room < min_size:
        return SidePlan(limit, first, price.post_only_ticks, room)
    multiplier = inputs.regime_factor * inputs.size_factor
    if adds:
        multiplier *= inputs.time_factor * caps.adding_multiplier
    usable = Shares(int(room * (1.0 - rules.room_reserve)))
    if usable < min_size or works_off:  # what is only worked off drifts with no fair value, and is to end at nothing
        usable = room
    if not adds:
        held = max(0, abs(caps.net) - pending)  # beyond it the side would add, and that fades
        fading = Shares(held + int(inputs.time_factor * max(0, room - held)))
        if fading < usable:
            usable, limit = fading, "fading"
    ticks = layer_prices(first, side, layer_step(half, rules), rules)
    layer, whole, order = side_dollars(side, inputs, rules)
    sizes = layer_sizes(
        side, ticks, fair, (layer, whole), multiplier, usable, rules, order_usd=order, leaves_no_rest=works_off
    )
    layers = tuple([Layer(side, n, ticks[n], size) for n, size in enumerate(sizes) if size])
    reason: SideReason = "ok" if layers else "below_min"
    return SidePlan(reason, first, price.post_only_ticks, room, layers, multiplier, usable, limit, adds)


def _within_cost(
    side: Side, first: Ticks, room: Shares, limit: RoomLimit, net: Shares, left: CostRoom, rules: QuoteRules
) -> tuple[Shares, RoomLimit]:
    """The room that the caps at cost leave too; what works the position off fits unless it hedges its event."""
    price = rules.grid.dollars_of(first)
    allowed, closing = left.shares(side, price), left.closing(side, price)
    reduces = max(0, net if side == "ask" else -net)
    if closing is not None and closing < reduces:
        reduces = closing
    most = allowed if allowed > reduces else reduces
    return (room, limit) if room <= most else (Shares(most), "cost_cap")


def _unless_unfunded(plan: SidePlan, side: Side, targets: list[Target]) -> SidePlan:
    """The side as it is, or marked when nothing of it could be paid for."""
    if plan.reason != "ok":
        return plan
    for target in targets:
        if target.side == side:
            return plan
    return msgspec.structs.replace(plan, reason="no_funds")
