"""What our orders earn of a market's liquidity rewards, and what one more would (market-making.md 2.12, 2.13).

Estimates until they are paid: they stay out of profit, equity and limits. The venue's midpoint and its count of other
makers are not public; where they have to be guessed, the guess is against us.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import msgspec

from core.market.book import Level
from core.market.rewards import (
    LEAST_PAID_USD,
    RewardTerms,
    Scored,
    ScoreReason,
    counted,
    maker_score,
    order_score,
    reward_share,
    score_reason,
    scoring_mid,
    takes_one_side,
)
from core.units import MICRO, Grid, Shares, Side, Ticks

RewardNote = Literal["", "no midpoint", "no order scores", "needs both sides", "pool not told", "below the least paid"]


class OwnOrder(NamedTuple):
    """One of our resting orders, YES frame."""

    order_id: str
    side: Side
    ticks: Ticks
    size: Shares
    """That may still be filled."""
    age_s: float
    """Since it came into the book."""


class OrderScore(NamedTuple):
    """How one order scores by our own reckoning."""

    order_id: str
    side: Side
    distance: float
    """From the midpoint, cents."""
    score: float
    """Of one share, if it counts: 1 at the midpoint, 0 at the edge of the band."""
    points: float
    """What it adds to its side: score times shares, 0 when it does not count."""
    reason: ScoreReason


class RewardEstimate(msgspec.Struct, frozen=True):
    """What our orders of one market earn at this moment."""

    note: RewardNote
    """Why nothing, or nothing certain, is earned; "" when all is well."""
    mid: float | None = None
    """Dollars; None when the book has none for this purpose: then nothing below is known."""
    orders: tuple[OrderScore, ...] = ()
    """As given."""
    q_one: float = 0.0
    """Our points on the bids."""
    q_two: float = 0.0
    """Our points on the asks."""
    q_min: float = 0.0
    """What both count together."""
    others: float = 0.0
    """What all other makers' orders count at most."""
    share: float = 0.0
    """Part of the pool that is ours at least."""
    usd_per_day: float | None = None
    """Dollars a day at that share; None when the pool is not told."""


class MarginalValue(NamedTuple):
    """What one more order is worth, dollars a day."""

    reward: float
    trading: float
    """From its fills: edge and drift. Negative where fills lose."""
    capital: float
    """Cost of the money it ties up, not negative."""

    @property
    def total(self) -> float:
        """What is left of it all."""
        return self.reward + self.trading - self.capital


def estimate(
    own: Sequence[OwnOrder], bids: Sequence[Level], asks: Sequence[Level], grid: Grid, terms: RewardTerms
) -> RewardEstimate:
    """Score our orders of one market beside everybody else's.

    Args:
        own: our resting orders.
        bids: levels of others, best first.
        asks: the same of the other side.
        grid: of the market.
        terms: its programme.

    Source: market-making.md 2.12.
    """
    resting: dict[Side, dict[Ticks, Shares]] = {"bid": {}, "ask": {}}
    for order in own:
        level = resting[order.side]
        level[order.ticks] = Shares(level.get(order.ticks, 0) + order.size)
    mid = scoring_mid(bids, asks, resting["bid"], resting["ask"], terms.min_size, grid.k)
    if mid is None:
        return RewardEstimate("no midpoint")
    scores = tuple(_scored(order, mid, grid, terms) for order in own)
    q_one = math.fsum(score.points for score in scores if score.side == "bid")
    q_two = math.fsum(score.points for score in scores if score.side == "ask")
    q_min = counted(q_one, q_two, mid, terms.divisor)
    others = _most_of_others(bids, asks, mid, grid, terms)
    share = reward_share(q_min, others)
    usd = None if terms.daily_usd is None else share * terms.daily_usd
    note: RewardNote = ""
    if not q_one and not q_two:
        note = "no order scores"
    elif not q_min:
        note = "needs both sides"
    elif usd is None:
        note = "pool not told"
    elif usd < LEAST_PAID_USD:
        note = "below the least paid"
    return RewardEstimate(note, mid, scores, q_one, q_two, q_min, others, share, usd)


@lru_cache(maxsize=1 << 12)
def scoring_band(mid: float, grid: Grid, max_spread_cents: float) -> tuple[Ticks, Ticks] | None:
    """Lowest and highest tick at which an order scores; None when no order can, so narrow is the band.

    Args:
        mid: dollars, as of :func:`core.market.rewards.scoring_mid`.
        grid: of the market.
        max_spread_cents: of its programme.
    """
    reach = max_spread_cents / 100
    low, high = max(grid.ceil_t(mid - reach), 1), min(grid.floor_t(mid + reach), grid.k - 1)
    ends = [tick for tick in (low, low + 1, high - 1, high) if low <= tick <= high]
    scoring = [tick for tick in ends if order_score(max_spread_cents, abs(grid.dollars(tick) - mid) * 100) > 0]
    return (Ticks(min(scoring)), Ticks(max(scoring))) if scoring else None


def marginal_value(
    own: Sequence[Scored],
    more: Scored,
    mid: float,
    others: float,
    terms: RewardTerms,
    *,
    fills_per_day: float,
    edge: float,
    drift: float,
    capital_per_day: float,
) -> MarginalValue | None:
    """What a further order would add to what our orders earn.

    Args:
        own: our orders that count already.
        more: the order in question, as old as it has to be.
        mid: dollars, from :class:`RewardEstimate`.
        others: points of all others, from there too.
        terms: of the market.
        fills_per_day: how often it would be filled whole.
        edge: dollars a share between fair value and its price.
        drift: dollars a share that fair value moves afterwards; negative is against us.
        capital_per_day: cost of a dollar tied up for a day.

    Returns:
        None when the pool is not told.

    Source: market-making.md 2.13.
    """
    if terms.daily_usd is None:
        return None
    before, after = (_counted(orders, mid, terms) for orders in (own, [*own, more]))
    reward = terms.daily_usd * (reward_share(after, others) - reward_share(before, others))
    dollars = more.size * (more.price if more.side == "bid" else 1.0 - more.price)
    return MarginalValue(reward, fills_per_day * more.size * (edge + drift), capital_per_day * dollars)


def optimal_q(pool: float, others: float, cost: float) -> float:
    """Points worth having when each costs ``cost`` dollars a day; 0 when the first is not worth it.

    Args:
        pool: dollars a day.
        others: points of all others.
        cost: dollars a day of one point; above 0.

    Raises:
        ValueError: an argument is no such number.

    Source: market-making.md 2.13, ``reward.optimal_q``.
    """
    if not (0.0 <= pool < math.inf and 0.0 <= others < math.inf and 0.0 < cost < math.inf):
        raise ValueError(f"no programme: pool {pool}, others {others}, cost {cost}")
    return max(0.0, math.sqrt(pool * others / cost) - others)


def _scored(order: OwnOrder, mid: float, grid: Grid, terms: RewardTerms) -> OrderScore:
    distance = abs(grid.dollars(order.ticks) - mid) * 100
    score = order_score(terms.max_spread_cents, distance, terms.multiplier)
    reason = score_reason(distance, order.size, order.age_s, terms)
    points = score * order.size / MICRO if reason == "ok" else 0.0
    return OrderScore(order.order_id, order.side, distance, score, points, reason)


def _counted(orders: Sequence[Scored], mid: float, terms: RewardTerms) -> float:
    least = terms.min_size / MICRO
    return maker_score(orders, mid, terms.max_spread_cents, least, terms.divisor, terms.multiplier).q_min


def _most_of_others(bids: Sequence[Level], asks: Sequence[Level], mid: float, grid: Grid, terms: RewardTerms) -> float:
    """The most that the makers behind these levels can count, however the levels are shared out among them.

    Best for them is that as much as possible stands on two sides of one maker each, and the rest on one side.
    """
    less, more = sorted(_points(levels, mid, grid, terms) for levels in (bids, asks))
    return less + (more - less) / terms.divisor if takes_one_side(mid) else less


def _points(levels: Sequence[Level], mid: float, grid: Grid, terms: RewardTerms) -> float:
    """Points of the levels of one side, each taken as one order."""
    sizes = [(abs(grid.dollars(tick) - mid) * 100, size / MICRO) for tick, size in levels if size >= terms.min_size]
    return math.fsum(order_score(terms.max_spread_cents, away, terms.multiplier) * size for away, size in sizes)
