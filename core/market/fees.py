"""Taker fees and the maker rebate they fund (market-making.md 2.14, polymarket-api.md 9.1, 9.2). Makers pay nothing."""

from typing import Final

from core.units import Grid, Shares, Ticks, Usd

FEE_QUANTUM: Final = 10
"""Fees have five decimals, the least is one unit of the fifth; here in micro-dollars."""


def fee_equivalent(grid: Grid, price: Ticks, size: Shares, rate_bps: int) -> int:
    """``C · rate · p · (1 - p)`` in micro-dollars times ``10_000 · K²``, exactly; what rebates are shared by."""
    return size * rate_bps * price * (grid.k - price)


def taker_fee(grid: Grid, price: Ticks, size: Shares, rate_bps: int) -> Usd:
    """The fee of taking ``size`` at ``price`` (of either token), to the nearest unit, never less than one unit.

    ``rate_bps`` is the market's rate in ten-thousandths (700 = 0.07); 0 means that the market is free.
    """
    if not rate_bps:
        return Usd(0)
    unit = 10_000 * grid.k * grid.k * FEE_QUANTUM
    return Usd(max(1, (fee_equivalent(grid, price, size, rate_bps) + unit // 2) // unit) * FEE_QUANTUM)


def rebate_estimate(grid: Grid, price: Ticks, size: Shares, rate_bps: int, share: float) -> float:
    """Dollars of rebate to expect of a maker fill; ``share`` is the part of the fees that goes to makers."""
    return share * fee_equivalent(grid, price, size, rate_bps) / (10_000 * grid.k * grid.k) / 1e6
