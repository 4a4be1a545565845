"""Where the layers of a side stand and how large they are."""

import math
from collections.abc import Sequence

from core.quoting.rules import QuoteRules
from core.units import SIZE_QUANTUM, Shares, Side, Ticks


def layer_step(half: float, rules: QuoteRules) -> int:
    """Ticks between layers: a share of the half-spread (dollars), rounded half up, at least the configured step.

    Source: market-making.md 1.10.
    """
    return max(rules.step_ticks, math.floor(rules.step_frac * half * rules.grid.k + 0.5 + 1e-9))


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
    ticks: list[Ticks] = []
    depth = -1
    for layer in range(rules.layers):
        depth = max(layer * step + jitter[layer], depth + 1)
        price = first + outward * depth
        if not low <= price <= high:
            break
        ticks.append(Ticks(price))
    return ticks


def layer_sizes(
    side: Side,
    ticks: Sequence[Ticks],
    fair: float,
    usd: tuple[float, float],
    multiplier: float,
    room: Shares | None,
    rules: QuoteRules,
) -> list[Shares]:
    """Sizes of a side's layers in hundredths of a share, innermost first, 0 where nothing is placed.

    Args:
        side: of the YES book.
        ticks: the layers, innermost first; they decide how many sizes there are.
        fair: dollars, in (0, 1).
        usd: dollars at risk of the innermost layer, and of all layers together (the outermost is shortened to it).
        multiplier: of every layer's size, 0 .. 1.
        room: shares the side may sum to; None without a limit.
        rules: of the market.

    Source: market-making.md 1.9, ``size.layers``.
    """
    wanted_usd, left_usd = usd
    left = math.inf if room is None else room
    bump_to = rules.reward_min if rules.reward_bump else None
    k, min_size, ratio, matched = rules.grid.k, rules.min_size, rules.layer_ratio, rules.size_mode == "matched"
    per_share = max(fair, 1.0 - fair)
    sizes: list[Shares] = []
    for price in ticks:
        layer_usd = wanted_usd if wanted_usd < left_usd else left_usd
        wanted_usd *= ratio
        size = 0
        if layer_usd > 0.0:
            left_usd -= layer_usd
            if not matched:
                per_share = (price if side == "bid" else k - price) / k
            size = math.floor(layer_usd * multiplier / per_share * 100.0 + 1e-6) * SIZE_QUANTUM
            if size > left:
                size = int(left) // SIZE_QUANTUM * SIZE_QUANTUM
            if bump_to is not None and rules.bump_fraction * bump_to <= size < bump_to <= left:
                size = bump_to
            if size < min_size:
                size = 0
            left -= size
        sizes.append(Shares(size))
    return sizes
