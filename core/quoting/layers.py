"""Where the layers of a side stand and how large they are."""

import math
from collections.abc import Sequence
from typing import NamedTuple, cast

from core.quoting.rules import QuoteRules
from core.units import MICRO, SIZE_QUANTUM, Shares, Side, Ticks, usd_from_float


def layer_step(half: float, rules: QuoteRules) -> int:
    """Ticks between layers: a share of the half-spread (dollars), rounded half up, at least the configured step.

    Source: market-making.md 1.10.
    """
    step = math.floor(rules.step_frac * half * rules.grid.k + 0.5 + 1e-9)
    return step if step > rules.step_ticks else rules.step_ticks


def layer_prices(first: Ticks, side: Side, step: int, rules: QuoteRules) -> list[Ticks]:
    """Ticks of a side's layers, innermost first; fewer than configured when the price bounds are reached.

    Args:
        first: the innermost quote.
        side: bids go down, asks go up.
        step: ticks between layers, from :func:`layer_step`.
        rules: of the market.

    Source: market-making.md 1.10, ``layer.prices``.
    """
    low, high = rules.low, rules.high
    outward, jitter = (-1, rules.bid_jitter) if side == "bid" else (1, rules.ask_jitter)
    stride = outward * step
    end = first + stride * rules.layers
    if low <= end - stride <= high and not any(jitter):
        return cast("list[Ticks]", [*range(first, end, stride)])
    ticks: list[Ticks] = []
    depth = -1
    for layer in range(rules.layers):
        wanted = layer * step + jitter[layer]
        depth = wanted if wanted > depth else depth + 1
        price = Ticks(first + outward * depth)
        if not low <= price <= high:
            break
        ticks.append(price)
    return ticks


class SizeSteps(NamedTuple):
    """How one layer came to its size, micro-shares after each step; the first two are rounded to the nearest."""

    base: int
    """Dollars of the layer over dollars at risk a share."""
    side_cap: int
    """What the dollars left for the side allow."""
    rounded: int
    """Times the multiplier, rounded down to hundredths of a share."""
    order_value: int
    """No more than an order may be worth at its price."""
    room: int
    bump: int
    """Raised to the reward minimum."""
    rest: int
    """So that nothing is left that is too little for an order, where all of the room is to be worked off."""
    final: int
    """0 when below the least size of an order."""


def layer_sizes(
    side: Side,
    ticks: Sequence[Ticks],
    fair: float,
    usd: tuple[float, float],
    multiplier: float,
    room: Shares | None,
    rules: QuoteRules,
    steps: list[SizeSteps] | None = None,
    order_usd: float | None = None,
    *,
    leaves_no_rest: bool = False,
) -> list[Shares]:
    """Sizes of a side's layers in hundredths of a share, innermost first, 0 where nothing is placed.

    Args:
        side: of the YES book.
        ticks: the layers, innermost first; they decide how many sizes there are.
        fair: dollars, in (0, 1).
        usd: dollars at risk of the innermost layer, and of all layers together (the outermost is shortened to it).
        multiplier: of every layer's size, not negative.
        room: shares the side may sum to; None without a limit.
        rules: of the market.
        steps: takes how each layer came to its size, when somebody wants to know.
        order_usd: what an order may be worth, dollars; None: by the rules.
        leaves_no_rest: no layer leaves less of the room than an order has at least.

    Source: market-making.md 1.9, ``size.layers``.
    """
    wanted_usd, left_usd = usd
    left = math.inf if room is None else room
    order_usd = rules.order_usd if order_usd is None else order_usd
    most_usd = usd_from_float(left_usd if order_usd is None else order_usd)
    bump_to = rules.reward_min if rules.reward_bump else None
    k, min_size, ratio, matched = rules.grid.k, rules.min_size, rules.layer_ratio, rules.size_mode == "matched"
    per_share = fair if fair > 0.5 else 1.0 - fair
    sizes: list[int] = []
    for price in ticks:
        paid = price if side == "bid" else k - price
        if not matched:
            per_share = paid / k
        layer_usd = wanted_usd if wanted_usd < left_usd else left_usd
        left_usd -= layer_usd
        rounded = math.floor(layer_usd * multiplier / per_share * 100.0 + 1e-6) * SIZE_QUANTUM
        most = most_usd * k // paid // SIZE_QUANTUM * SIZE_QUANTUM
        valued = rounded if rounded <= most else most
        size = valued if valued <= left else int(left) // SIZE_QUANTUM * SIZE_QUANTUM
        roomed = size
        if bump_to is not None and bump_to <= most and rules.bump_fraction * bump_to <= size < bump_to <= left:
            size = bump_to
        bumped = size
        if leaves_no_rest and size and 0 < left - size < min_size:
            whole = int(left) // SIZE_QUANTUM * SIZE_QUANTUM
            size = whole if whole <= most else max(0, whole - min_size)
        final = size if size >= min_size else 0
        left -= final
        sizes.append(final)
        if steps is not None:
            base, capped = (round(dollars / per_share * MICRO) for dollars in (wanted_usd, layer_usd))
            steps.append(SizeSteps(base, capped, rounded, valued, roomed, bumped, size, final))
        wanted_usd *= ratio
    return cast("list[Shares]", sizes)
