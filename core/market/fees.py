"""Taker fees and the maker rebate they fund (market-making.md 2.14, polymarket-api.md 9.1, 9.2). Makers pay nothing.

A market's schedule is data of the venue; no rate is written down here.
"""

from typing import Final

import msgspec

from core.units import MICRO, Shares, Usd

FEE_QUANTUM: Final = 10
"""Fees have five decimals, the least is one unit of the fifth; here in micro-dollars."""
BPS: Final = MICRO // 10_000
"""Millionths in a hundredth of a per cent."""


class FeeSchedule(msgspec.Struct, frozen=True):
    """What taking costs in one market, and what of it goes back to makers."""

    rate: int
    """Millionths: 40,000 is 0.04; 0 means that the market is free."""
    exponent: float = 1.0
    """Of ``p · (1 - p)``; above 0, and 1 nearly everywhere."""
    rebate: int = 0
    """Millionths of the fees that go to makers."""


def fee_equivalent(price: Usd, size: Shares, fees: FeeSchedule) -> int:
    """``C · rate · (p · (1 - p))^e`` in micro-dollars times 10^18; what rebates are shared by.

    Args:
        price: micro-dollars a share, of either token.
        size: filled.
        fees: of the market.

    Returns:
        Exactly that for an exponent of 1, to the digits of a float for others.
    """
    spread = price * (MICRO - price)
    if fees.exponent == 1:
        return size * fees.rate * spread
    spread_to_e: float = (spread / MICRO**2) ** fees.exponent
    return round(size * fees.rate * spread_to_e * MICRO**2)


def taker_fee(price: Usd, size: Shares, fees: FeeSchedule) -> Usd:
    """The fee of taking ``size`` at ``price``, to the nearest unit, never less than one unit.

    Args:
        price: micro-dollars a share, of either token.
        size: taken.
        fees: of the market.
    """
    if not fees.rate:
        return Usd(0)
    unit = MICRO**3 * FEE_QUANTUM
    return Usd(max(1, (fee_equivalent(price, size, fees) + unit // 2) // unit) * FEE_QUANTUM)


def rebate_estimate(price: Usd, size: Shares, fees: FeeSchedule) -> float:
    """Dollars of rebate to expect of a maker fill, if every share of the day was taken at the fee of its price.

    Args:
        price: micro-dollars a share, of either token.
        size: filled.
        fees: of the market.
    """
    return fees.rebate * fee_equivalent(price, size, fees) / MICRO**5
