"""Liquidity rewards: how resting orders score and what a score is worth (market-making.md 2.12, polymarket-api.md 9.3).

Everything in the YES frame: a bid on YES and an ask on NO stand on the same side.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple

import msgspec

from core.market.book import Level
from core.market.instrument import Instrument
from core.market.signals import adjusted_touch
from core.units import Shares, Side, Ticks

ONE_SIDED_DIVISOR: Final = 3.0
"""What is left of the better side's score when the other side is too small (c)."""
MIN_AGE_SEC: Final = 4.0
"""Orders younger than this do not score (``moas``, polymarket-api.md 9.3)."""
LEAST_PAID_USD: Final = 1.0
"""A day's reward below this is not paid."""
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


class RewardTerms(msgspec.Struct, frozen=True):
    """The programme of one market. It may change while the market is live."""

    max_spread_cents: float
    """Above 0; orders this far from the midpoint score nothing."""
    min_size: Shares
    """Above 0; smaller orders score nothing."""
    daily_usd: float | None
    """The pool, dollars a day; None when not told."""
    multiplier: float = 1.0
    """Of every score (b)."""
    divisor: float = ONE_SIDED_DIVISOR


ScoreReason = Literal["ok", "young", "small", "far"]
"""Whether an order scores, or the first condition that it misses."""


class Score(NamedTuple):
    """A maker's sums over the YES bids, over the YES asks, and what counts."""

    q_one: float
    q_two: float
    q_min: float


def order_score(max_spread: float, distance: float, multiplier: float = 1.0) -> float:
    """Score of one share ``distance`` cents from the midpoint in a band of ``max_spread`` cents; 0 from its edge on."""
    if max_spread <= 0 or distance >= max_spread - _NOISE:
        return 0.0
    return ((max_spread - distance) / max_spread) ** 2 * multiplier


def maker_score(
    orders: Iterable[Scored],
    mid: float,
    max_spread: float,
    min_size: float,
    divisor: float = ONE_SIDED_DIVISOR,
    multiplier: float = 1.0,
) -> Score:
    """Score one maker's orders of a market.

    Args:
        orders: resting, old enough.
        mid: dollars, of the book without levels below ``min_size``.
        max_spread: cents.
        min_size: shares; smaller orders do not count.
        divisor: of the better side, where the other is too small (c).
        multiplier: of every score (b).

    Source: market-making.md 2.12, ``reward.q``.
    """
    sums: dict[Side, float] = {"bid": 0.0, "ask": 0.0}
    for order in orders:
        if order.size >= min_size:
            sums[order.side] += order_score(max_spread, abs(order.price - mid) * 100, multiplier) * order.size
    return Score(sums["bid"], sums["ask"], counted(sums["bid"], sums["ask"], mid, divisor))


def counted(q_one: float, q_two: float, mid: float, divisor: float = ONE_SIDED_DIVISOR) -> float:
    """What one maker's two sums count together.

    Source: market-making.md 2.12 (Q_min).
    """
    less, more = sorted((q_one, q_two))
    return max(less, more / divisor) if takes_one_side(mid) else less


def terms_of(instrument: Instrument) -> RewardTerms | None:
    """A market's programme; None when it has none, or when its band or its least size is not known."""
    cents, least = instrument.reward_max_spread_cents, instrument.reward_min_size
    return RewardTerms(cents, least, instrument.reward_daily_usd) if cents and least else None


def score_reason(distance: float, size: Shares, age_s: float, terms: RewardTerms) -> ScoreReason:
    """Whether a resting order scores now.

    Args:
        distance: from the midpoint, cents.
        size: that may still be filled.
        age_s: since it came into the book.
        terms: of its market.
    """
    if age_s < MIN_AGE_SEC:
        return "young"
    if size < terms.min_size:
        return "small"
    return "ok" if order_score(terms.max_spread_cents, distance) > 0 else "far"


def scoring_mid(
    bids: Sequence[Level],
    asks: Sequence[Level],
    own_bids: Mapping[Ticks, Shares],
    own_asks: Mapping[Ticks, Shares],
    min_size: Shares,
    k: int,
) -> float | None:
    """The midpoint that distances are measured from, as far as it is known outside the venue; dollars.

    Args:
        bids: levels of others, best first.
        asks: the same of the other side.
        own_bids: our resting size by YES tick; the venue's midpoint counts everybody's orders.
        own_asks: the same of the other side.
        min_size: levels below it do not count.
        k: ticks in a dollar.

    Returns:
        None when a side has no level of that size, or the two sides overlap, as they may while our own orders and the
        book are told apart.

    Source: market-making.md 1.1 (``level``), 2.12.
    """
    touch = adjusted_touch(_joined(bids, own_bids, -1), _joined(asks, own_asks, 1), min_size, "level", k)
    if touch.bid is None or touch.ask is None or touch.bid >= touch.ask:
        return None
    return touch.mid


def _joined(levels: Sequence[Level], own: Mapping[Ticks, Shares], order: int) -> Sequence[Level]:
    """Levels with our own orders in them, best first; ``order`` is 1 where low prices are best."""
    if not own:
        return levels
    sizes = dict(levels)
    for tick, size in own.items():
        sizes[tick] = Shares(sizes.get(tick, 0) + size)
    return sorted(sizes.items(), key=lambda level: order * level[0])


def takes_one_side(mid: float) -> bool:
    """Whether orders on one side only count at all at this midpoint."""
    return _MIDDLE[0] <= mid <= _MIDDLE[1]


def reward_share(q_min: float, others: float) -> float:
    """Part of a market's pool that a score earns beside the others' sum; 0 when nobody scores."""
    total = q_min + others
    return q_min / total if total > 0 else 0.0
