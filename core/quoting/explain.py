"""Why each order of a plan has the price and the size it has, and why each missing one is missing.

Made on demand from a plan and what it was made from, by the same functions that made it. Terms are integers (billionths
of a tick, micro-shares) and add up exactly; what rounding to the grid took is a term of its own.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from core.quoting.layers import SizeSteps, layer_prices, layer_sizes, layer_step
from core.quoting.plan import QuoteInputs, QuotePlan, SidePlan, only_reduces, price_limits, side_dollars
from core.quoting.prices import Pricing
from core.quoting.requote import Diff, LiveOrder
from core.quoting.routing import Target
from core.quoting.rules import QuoteRules
from core.units import Grid, OrderSide, Outcome, Shares, Side, Ticks, micro_text

NANO: Final = 1_000_000_000
"""Parts of a tick that price terms are counted in."""

_WHY_NOT: Final = {
    "range": "its price would be outside PRICE_MIN to PRICE_MAX",
    "edge": "no price between the book's other side and the edge that is wanted",
    "below_min": "what is left is less than the market's least size",
    "no_funds": "no shares to sell and no cash to buy with",
    "side_cap": "the layers before it take all of MAX_SIZE_USD",
    "hard_cap": "the position is at its hard cap",
    "inventory": "the position leaves no room on this side",
    "gross_cap": "all markets together are at GROSS_CAP",
    "cost_cap": "market, event or all markets together are at their cap at cost",
    "pending": "orders of unknown outcome, or fills that are not final, take the room",
    "order_value": "an order may be worth no more than MAX_ORDER_USD",
    "reduce_only": "only reducing is allowed",
    "fading": "what may still be added fades towards the end of the market",
    "regime": "the regime wants no size",
    "operator_size": "the operator's factor of the sizes is 0",
    "one_side": "the operator wants the other side only",
    "held": "the side is held: its control state lets nothing rest",
    "crossed": "the book is crossed",
    "bad_fair": "the fair value is no price",
    "bad_sigma": "the deviation is no number",
    "bad_equity": "there is no bankroll",
    "bad_inventory": "the holdings are negative",
    "bad_adjustment": "an adjustment is out of bounds",
}
"""Why a quote is missing, with the setting to look at; others stand for themselves."""


class Term(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One part of a price or a size."""

    name: str
    amount: int
    """Nano-ticks of a price, micro-shares of a size; signed."""


class LayerExplanation(msgspec.Struct, frozen=True, gc=False):
    """One layer of one side."""

    side: Side
    layer: int
    """0 is nearest the touch."""
    ticks: Ticks | None
    """YES frame; None when there is no price."""
    size: Shares
    """Of the orders that make the layer; 0 when it is not placed."""
    price_terms: tuple[Term, ...] = ()
    """Add up to the price."""
    size_terms: tuple[Term, ...] = ()
    """Add up to the size."""
    binding: str = ""
    """The rule that had the last word on the price, and the one on the size; "" when not placed."""
    forbidden: str = ""
    """The first rule that forbade the layer; "" when it is placed."""


class HeldBack(NamedTuple):
    """An order that a decision wanted and did not place."""

    side: Side
    layer: int
    why: str


class OrderExplanation(msgspec.Struct, frozen=True):
    """One of our orders, and what the last decision said of it."""

    side: Side
    layer: int
    ticks: Ticks
    """YES frame."""
    outcome: Outcome
    order_side: OrderSide
    remaining: Shares
    state: str
    verdict: str


class MarketExplanation(msgspec.Struct, frozen=True):
    """Why one market is quoted as it is, or not at all."""

    market: str
    title: str
    """Foreign text."""
    tick: str
    """Dollars, as text."""
    blocked: str
    """Why there are no quotes, in words; "" when there may be."""
    fair: float | None
    """Dollars."""
    sigma_source: str
    """What decided the deviation."""
    conditions: tuple[str, ...] = ()
    """What has a say beside book and inventory, in words: regime, end of the market, calendar, operator."""
    held_back: tuple[HeldBack, ...] = ()
    layers: tuple[LayerExplanation, ...] = ()
    """Of the present plan; () without one."""
    orders: tuple[OrderExplanation, ...] = ()


def why_words(reason: str) -> str:
    """Why a quote is missing, for people."""
    return _WHY_NOT.get(reason, reason.replace("_", " "))


def preview_words(plan: QuotePlan, diff: Diff, live: Sequence[LiveOrder], grid: Grid) -> str:
    """What a decision would do with the orders there are, for people: a count, then a line for each change."""
    moved = [
        (order, verdict, target)
        for order, verdict, target in zip(live, diff.verdicts, diff.matched, strict=True)
        if verdict.action != "keep"
    ]
    lines = [f"{len(moved)} of {len(live)} orders would be re-quoted, {len(diff.unplaced)} new"]
    for order, verdict, target in moved:
        to = "" if target is None else f" -> {grid.cents(target.yes_ticks)}c {micro_text(target.size)} sh"
        have = f"{order.side} {grid.cents(order.yes_ticks)}c {micro_text(order.remaining)} sh"
        lines.append(f"{verdict.action} {have}{to}: {verdict.reason.replace('_', ' ')}")
    lines += [f"new {one.side} {grid.cents(one.yes_ticks)}c {micro_text(one.size)} sh" for one in diff.unplaced]
    for side, of_side in (("bid", plan.bid), ("ask", plan.ask)):
        if of_side.reason != "ok":
            lines.append(f"no {side}: {why_words(of_side.reason)}")
    return "\n".join(lines)


def explain_target(plan: QuotePlan, rules: QuoteRules, target: Target) -> LayerExplanation | None:
    """Why one order has its price and its size: a layer's, one leg of it or what tops it up; None for a stranger's."""
    for one in _explain_side(target.side, plan, rules):
        if one.layer == target.layer:
            moved = 0 if one.ticks is None else target.yes_ticks - one.ticks
            return msgspec.structs.replace(
                one,
                ticks=target.yes_ticks,
                size=target.size,
                price_terms=(*one.price_terms, *_terms(("place kept", moved * NANO))),
                size_terms=(*one.size_terms, *_terms(("rest of the layer", target.size - one.size))),
            )
    return None


def explain(plan: QuotePlan, rules: QuoteRules) -> tuple[LayerExplanation, ...]:
    """All layers of both sides, bids first, innermost first.

    Args:
        plan: from :func:`core.quoting.plan.plan_quotes`.
        rules: the ones it was made with.
    """
    return (*_explain_side("bid", plan, rules), *_explain_side("ask", plan, rules))


def _explain_side(side: Side, plan: QuotePlan, rules: QuoteRules) -> list[LayerExplanation]:
    of_side, pricing, inputs = plan.bid if side == "bid" else plan.ask, plan.pricing, plan.inputs
    if pricing is None or inputs is None:
        return [LayerExplanation(side, 0, None, Shares(0), forbidden=of_side.reason)]  # an input was refused
    return _side(side, of_side, plan.targets, pricing, inputs, rules)


def _side(
    side: Side,
    plan: SidePlan,
    targets: Sequence[Target],
    pricing: Pricing,
    inputs: QuoteInputs,
    rules: QuoteRules,
) -> list[LayerExplanation]:
    if plan.ticks is None or (plan.reason != "ok" and not plan.usable):
        return [LayerExplanation(side, n, plan.ticks, Shares(0), forbidden=plan.reason) for n in range(rules.layers)]
    half = pricing.half_bid if side == "bid" else pricing.half_ask
    inner, rule = _price(side, plan.ticks, plan.post_only_ticks, half, pricing, inputs, rules)
    step = layer_step(half, rules)
    ticks = layer_prices(plan.ticks, side, step, rules)
    steps: list[SizeSteps] = []
    first, whole, order = side_dollars(side, inputs, rules)
    layer_sizes(
        side, ticks, inputs.fair, (first, whole), plan.multiplier, plan.usable, rules, steps, order,
        leaves_no_rest=only_reduces(side, inputs),
    )  # fmt: skip
    explained: list[LayerExplanation] = []
    for layer in range(rules.layers):
        if layer >= len(ticks):
            explained.append(LayerExplanation(side, layer, None, Shares(0), forbidden="range"))
            continue
        outward = layer * step * (-1 if side == "bid" else 1)
        price = (*inner, *_terms(("layer", outward * NANO), ("jitter", (ticks[layer] - plan.ticks - outward) * NANO)))
        size = _funded(side, layer, targets)
        sizes, size_rule = _size(steps[layer], size, plan, inputs)
        if size:
            explained.append(LayerExplanation(side, layer, ticks[layer], size, price, sizes, f"{rule}; {size_rule}"))
        else:
            why = _why_not(steps[layer], plan, inputs)
            explained.append(LayerExplanation(side, layer, ticks[layer], size, price, sizes, forbidden=why))
    return explained


def _price(
    side: Side,
    ticks: Ticks,
    pushed: int,
    half: float,
    pricing: Pricing,
    inputs: QuoteInputs,
    rules: QuoteRules,
) -> tuple[tuple[Term, ...], str]:
    """Terms of a side's innermost price, and the rule that had the last word on it."""
    k, sign = rules.grid.k, -1 if side == "bid" else 1
    tox = pricing.tox_bid if side == "bid" else pricing.tox_ask
    of_model = pricing.vol_term + pricing.fee_term + tox
    raw = pricing.reservation + sign * half
    clipped = min(max(raw, rules.low_usd), rules.high_usd)
    by_group, by_all = (inputs.most_bid, inputs.least_ask), price_limits(inputs, rules)
    bound = by_all[side == "ask"]
    name_of_bound = "group bound" if bound == by_group[side == "ask"] else "collar"
    before_touch = ticks - sign * pushed
    of_bound = 0
    if bound is not None and before_touch == bound:
        free = rules.grid.floor_t(clipped) if side == "bid" else rules.grid.ceil_t(clipped)
        of_bound = before_touch - free
    dollars = (
        ("fair", pricing.fair),
        ("group", pricing.group_shift),
        ("operator shift", pricing.operator_shift),
        ("inventory", pricing.inventory_shift),
        ("volatility", sign * pricing.vol_term),
        ("fee", sign * pricing.fee_term),
        ("toxicity", sign * tox),
        ("regime", sign * of_model * (pricing.factor - 1.0)),
        ("operator width", sign * pricing.widen_term),
        ("least edge", sign * (half - of_model * pricing.factor - pricing.widen_term)),
        ("price bound", clipped - raw),
    )
    rounding = (ticks - of_bound - sign * pushed) * NANO
    model: list[tuple[str, int]] = []
    for name, amount in dollars:
        if not amount:
            continue
        nano = round(amount * k * NANO)
        if abs(nano) > 1 or name == "fair":  # a term of a billionth is noise of its making
            model.append((name, nano))
            rounding -= nano
    terms = _terms(
        *model, ("rounding", rounding), (name_of_bound, of_bound * NANO), ("post-only", sign * pushed * NANO)
    )
    present = [term.name for term in terms]
    for name in ("post-only", name_of_bound, "price bound", "least edge"):
        if name in present:
            return terms, name
    return terms, "model"


def _size(steps: SizeSteps, size: Shares, plan: SidePlan, inputs: QuoteInputs) -> tuple[tuple[Term, ...], str]:
    """Terms of a layer's size, and the rule that had the last word on it."""
    time = inputs.time_factor if plan.adds else 1.0
    factors = [("regime", inputs.regime_factor), ("time", time), ("operator size", inputs.size_factor)]
    others = inputs.regime_factor * time * inputs.size_factor
    factors.append(("inventory fade", plan.multiplier / others if others else 1.0))
    terms, now = [("base", steps.base), ("side cap", steps.side_cap - steps.base)], float(steps.side_cap)
    for name, factor in factors:
        if factor != 1.0:
            terms.append((name, round(now * factor) - round(now)))
            now *= factor
    terms += [
        ("rounding", steps.rounded - sum([amount for _, amount in terms])),
        ("order value", steps.order_value - steps.rounded),
        (f"room ({plan.limit.replace('_', ' ')})", steps.room - steps.order_value),
        ("reward minimum", steps.bump - steps.room),
        ("the rest of it", steps.rest - steps.bump),
        ("least size", steps.final - steps.rest),
        ("funds", size - steps.final),
    ]
    kept = _terms(*terms)
    cuts = [term.name for term in kept if term.name not in ("base", "rounding")]
    return kept, cuts[-1] if cuts else "base"


def _why_not(steps: SizeSteps, plan: SidePlan, inputs: QuoteInputs) -> str:
    """The first rule that left a layer without an order."""
    if steps.final:
        return "no_funds"
    if not steps.side_cap:
        return "side_cap"
    factors = {
        "regime": inputs.regime_factor,
        "fading": inputs.time_factor if plan.adds else 1.0,
        "operator_size": inputs.size_factor,
    }
    for name, factor in factors.items():
        if not factor:
            return name
    if steps.room < steps.order_value:
        return plan.limit
    if steps.order_value < steps.rounded:
        return "order_value"
    return "below_min"


def _funded(side: Side, layer: int, targets: Sequence[Target]) -> Shares:
    return Shares(sum([target.size for target in targets if target.layer == layer and target.side == side]))


def _terms(*named: tuple[str, int]) -> tuple[Term, ...]:
    """Without the terms that are nothing."""
    return tuple([Term(name, amount) for name, amount in named if amount])
