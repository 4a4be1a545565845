"""Liquidity rewards: how resting orders score and what a score is worth (market-making.md 2.12, polymarket-api.md 9.3).

Everything in the YES frame: a bid on YES and an ask on NO stand on the same side.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from core.units import Side

ONE_SIDED_DIVISOR: Final = 3.0
"""What is left of the better side's score when the other side is too small (c)."""
_MIDDLE: Final = (0.10, 0.90)
"""Midpoints outside this band demand both sides."""
_NOISE: Final = 1e-9
"""Cents below which a distance is binary noise of the midpoint."""


class Scored(NamedTuple):
    """One resting order as the programme sees it."""

    side: Side
    price: float
    """Dollars, YES frame."""
    size: float
    """Shares."""


class Score(NamedTuple):
    """A maker's sums over the YES bids, over the YES asks, and what counts."""

    q_one: float
    q_two: float
    q_min: float


def order_score(max_spread: float, distance: float) -> float:
    """Score of one share ``distance`` cents from the midpoint in a band of ``max_spread`` cents; 0 from its edge on."""
    if max_spread <= 0 or distance >= max_spread - _NOISE:
        return 0.0
    return ((max_spread - distance) / max_spread) ** 2


def maker_score(orders: Iterable[Scored], mid: float, max_spread: float, min_size: float) -> Score:
    """Score one maker's orders of a market; those below ``min_size`` shares do not count."""
    sums: dict[Side, float] = {"bid": 0.0, "ask": 0.0}
    for order in orders:
        if order.size >= min_size:
            sums[order.side] += order_score(max_spread, abs(order.price - mid) * 100) * order.size
    less, more = sorted(sums.values())
    q_min = max(less, more / ONE_SIDED_DIVISOR) if _MIDDLE[0] <= mid <= _MIDDLE[1] else less
    return Score(q_one=sums["bid"], q_two=sums["ask"], q_min=q_min)


def reward_share(q_min: float, others: float) -> float:
    """Part of a market's pool that a score earns beside the others' sum; 0 when nobody scores."""
    total = q_min + others
    return q_min / total if total > 0 else 0.0
