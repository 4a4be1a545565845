"""Fair value moved against our inventory."""

from core.config import SkewMode
from core.quoting.caps import Caps
from core.units import MICRO, Usd


def inventory_shift(caps: Caps, half: float, equity: Usd, gamma: float, mode: SkewMode) -> float:
    """Dollars added to the fair value; negative when long YES, so that both quotes come down.

    Args:
        caps: inventory of the market.
        half: half-spread, dollars.
        equity: the bankroll, above 0.
        gamma: 1 puts the reducing quote at fair value at the hard cap (``half_spread``), or moves the price a cent per
            hundredth of the bankroll at risk (``bankroll``).
        mode: which of the two.

    Source: market-making.md 1.7, ``reservation``.
    """
    if mode == "half_spread":
        return -gamma * caps.q_norm * half
    share = gamma * caps.exposure * MICRO / equity
    return -share if caps.net >= 0 else share
