"""The settings of one market's quotes, made ready once: floats, tick bounds and jitter, no lookups left.

Build again when settings or the grid change; nothing in it changes while orders live.
"""

from hashlib import sha256
from typing import Final, NamedTuple

import msgspec

from core.config import Settings, SizeMode, SkewMode
from core.market.instrument import Instrument
from core.quoting.collar import Collar, collar_of
from core.units import Grid, Shares, Side, Ticks, Usd

BASE_SIZE_FRACTION: Final = 0.006
"""Risk of the innermost layer over the bankroll when BASE_SIZE_USD is unset (design.md 13)."""
MAX_SIZE_FRACTION: Final = 0.03
"""Risk of a side over the bankroll when MAX_SIZE_USD is unset (design.md 13)."""
REWARD_BUMP_FRACTION: Final = 0.5
"""A layer of at least this share of the reward minimum is raised to it (market-making.md 1.9)."""


class Bounds(NamedTuple):
    """What the market list allows at most, beside the settings and never beyond them; None: as much as they do."""

    market: Usd | None = None
    """What the market may lose, and what its orders may add to that; micro-dollars, above 0."""
    base: float | None = None
    """Dollars at risk of the innermost layer."""
    side: float | None = None
    """Dollars at risk of all layers of a side."""
    order: float | None = None
    """Dollars that an order may be worth."""


NO_BOUNDS: Final = Bounds()


def least(allowed: float, *bounds: float | None) -> float:
    """What is allowed when bounds apply too; None is none."""
    return min([allowed, *[bound for bound in bounds if bound is not None]])


class QuoteRules(msgspec.Struct, frozen=True):
    """What :func:`core.quoting.plan.plan_quotes` needs to know that is neither market data nor inventory."""

    grid: Grid
    min_size: Shares
    reward_min: Shares | None
    reward_bump: bool
    low: Ticks
    """Lowest tick that may be quoted."""
    high: Ticks
    """Highest tick that may be quoted."""
    low_usd: float
    high_usd: float
    k_vol: float
    k_fee_ticks: float
    min_edge_ticks: float
    gamma: float
    skew_mode: SkewMode
    logit_at_cap: float
    """Move of the price's logit by the inventory at the hard cap, in mode ``logit``."""
    soft: float
    """Fraction of the bankroll."""
    hard: float
    """Fraction of the bankroll."""
    layers: int
    base_usd: float | None
    """None stands for a fraction of the bankroll, as for ``max_usd``."""
    max_usd: float | None
    order_usd: float | None
    """Most one order may be worth; None: as much as all layers of a side."""
    layer_ratio: float
    step_ticks: int
    step_frac: float
    size_mode: SizeMode
    bid_jitter: tuple[int, ...]
    """Outward ticks of each layer; constant while the order lives."""
    ask_jitter: tuple[int, ...]
    bump_fraction: float = REWARD_BUMP_FRACTION
    room_reserve: float = 0.0
    """Share of a side's room that the plan leaves free."""
    collar: Collar | None = None
    """How far beyond the middle of the book quotes may reach; None: as far as they like."""
    bounds: Bounds = NO_BOUNDS

    def caps(self, equity: Usd) -> tuple[float, float]:
        """Soft and hard cap as fractions of the bankroll; one that the market list lowers keeps their ratio."""
        most = self.bounds.market
        if most is None or most >= self.hard * equity:
            return self.soft, self.hard
        hard = most / equity
        return self.soft * hard / self.hard, hard


def rules_of(settings: Settings, instrument: Instrument, bounds: Bounds = NO_BOUNDS) -> QuoteRules:
    """Make one market's rules; ``bounds`` are the market list's.

    Source: market-making.md 1.8 (bounds), 1.14 (names and defaults).
    """
    grid = instrument.grid
    low, high, low_usd, high_usd = tick_bounds(grid, settings.price_min, settings.price_max)
    jitter = {
        side: jitter_ticks(
            [jitter_u(settings.seed, instrument.market, side, layer) for layer in range(settings.order_layers)],
            settings.jitter_ticks,
        )
        for side in _SIDES
    }
    return QuoteRules(
        grid=grid,
        min_size=instrument.min_size,
        reward_min=instrument.reward_min_size,
        reward_bump=settings.reward_bump,
        low=low,
        high=high,
        low_usd=low_usd,
        high_usd=high_usd,
        k_vol=settings.k_vol,
        k_fee_ticks=settings.k_fee_ticks,
        min_edge_ticks=settings.min_edge_ticks,
        gamma=settings.inv_gamma,
        skew_mode=settings.inv_skew_mode,
        logit_at_cap=settings.logit_skew_at_cap,
        soft=settings.soft_cap_delta_pct,
        hard=settings.hard_cap_delta_pct,
        layers=settings.order_layers,
        base_usd=settings.base_size_usd,
        max_usd=settings.max_size_usd,
        order_usd=settings.max_order_usd,
        layer_ratio=settings.layer_ratio,
        step_ticks=settings.layer_step_ticks,
        step_frac=settings.layer_step_frac,
        size_mode=settings.size_mode,
        bid_jitter=jitter["bid"],
        ask_jitter=jitter["ask"],
        room_reserve=settings.room_reserve_frac,
        collar=collar_of(settings),
        bounds=bounds,
    )


_SIDES: Final[tuple[Side, Side]] = ("bid", "ask")


def tick_bounds(grid: Grid, price_min: float, price_max: float) -> tuple[Ticks, Ticks, float, float]:
    """Lowest and highest tick that may be quoted, and the same bounds in dollars.

    Source: market-making.md 1.8, step 2.
    """
    low_usd, high_usd = max(price_min, grid.tick), min(price_max, 1.0 - grid.tick)
    return grid.ceil_t(low_usd), grid.floor_t(high_usd), low_usd, high_usd


def jitter_u(seed: int, market: str, side: Side, layer: int) -> float:
    """A number in [0, 1) that belongs to one layer of one market and never changes.

    Source: market-making.md 1.10, ``layer.jitter_u``.
    """
    return int.from_bytes(sha256(f"{seed}|{market}|{side}|{layer}".encode()).digest()[:8], "big") / 2**64


def jitter_ticks(numbers: list[float], most: int) -> tuple[int, ...]:
    """Outward ticks per layer from numbers in [0, 1); the innermost layer is never moved.

    Source: market-making.md 1.10.
    """
    return tuple(int(u * (most + 1)) if layer else 0 for layer, u in enumerate(numbers))
