"""Fair value moved against our inventory."""

import math

from core.config import SkewMode
from core.quoting.caps import Caps
from core.units import MICRO, Usd


def inventory_shift(
    caps: Caps,
    half: float,
    equity: Usd,
    gamma: float,
    mode: SkewMode,
    fair: float,
    logit_at_cap: float,
) -> float:
    """Dollars added to the fair value; negative when long YES, so that both quotes come down.

    Args:
        caps: inventory of the market.
        half: half-spread, dollars.
        equity: the bankroll, above 0.
        gamma: 1 puts the reducing quote at fair value at the hard cap (``half_spread``), moves the price a cent per
            hundredth of the bankroll at risk (``bankroll``), or moves its logit by ``logit_at_cap`` at the hard cap
            (``logit``).
        mode: which of the three.
        fair: dollars, in (0, 1); only mode ``logit`` looks at it and at the next.
        logit_at_cap: logits.

    Source: market-making.md 1.7 ``reservation``, 2.3.
    """
    match mode:
        case "half_spread":
            return -gamma * caps.q_norm * half
        case "bankroll":
            share = gamma * caps.exposure * MICRO / equity
            return -share if caps.net >= 0 else share
        case "logit":
            # Risk aversion is logit_at_cap over the shares at the hard cap, so its product with q is a share of the cap
            return _logit_shift(fair, gamma * logit_at_cap * caps.q_norm)


def logit_reservation(p: float, aversion: float) -> float:
    """The marginal price of a claim that pays with probability ``p`` to a holder who is averse to risk.

    Args:
        p: in (0, 1).
        aversion: risk aversion a share times the shares held: how many logits the price comes down.

    Source: market-making.md 2.3, ``cara.binary``.
    """
    if aversion < 0:
        return p / (p + (1.0 - p) * math.exp(aversion))
    shrunk = p * math.exp(-aversion)
    return shrunk / (1.0 - p + shrunk)


def _logit_shift(p: float, aversion: float) -> float:
    """:func:`logit_reservation` less ``p``, to the last digit the same from either token."""
    if aversion < 0:
        return -_logit_shift(1.0 - p, -aversion)
    gone = -math.expm1(-aversion)
    return -p * (1.0 - p) * gone / (1.0 - p * gone)


def lot_prices(p: float, held: float, aversion: float, lot: float) -> tuple[float, float]:
    """Most to pay and least to take, a share, for a whole lot: what makes no difference to the averse holder.

    Args:
        p: probability of payment, in (0, 1).
        held: shares, negative when short.
        aversion: of risk, a share; not negative, 0 makes both prices ``p``.
        lot: shares, above 0.

    Returns:
        Bid and ask in dollars a share; the bid is the lower.

    Source: market-making.md 2.3, ``cara.binary``.
    """
    # With the present price in place of p, a holder of q is as one who holds nothing: no difference of large sums.
    price = logit_reservation(p, aversion * held)
    return _worth(price, lot, aversion) / lot, -_worth(price, -lot, aversion) / lot


def _worth(p: float, shares: float, aversion: float) -> float:
    """Certain dollars as good as so many shares that pay with probability ``p``."""
    if not aversion:
        return p * shares
    x = -aversion * shares
    if x <= 0:
        return -math.log1p(p * math.expm1(x)) / aversion
    return -(x + math.log1p((1.0 - p) * math.expm1(-x))) / aversion
