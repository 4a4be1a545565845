"""What selling a position may cost, in integers that are never too small.

Cost is what the shares were worth at the fair value of the preview, less what was got for them, fees included. Prices
and sizes are those of the one token that is sold, in its own frame.
"""

from typing import Final

import msgspec

from core.market.book import Level
from core.market.fees import FEE_QUANTUM, FeeSchedule, fee_equivalent
from core.units import MICRO, SIZE_QUANTUM, Grid, Shares, Ticks, Usd

LEAST_TAKEN: Final = Usd(MICRO)
"""Least worth of an order that crosses (polymarket-api.md 2.4)."""
_UNIT: Final = MICRO**3
"""Of what :func:`core.market.fees.fee_equivalent` is told in, to a micro-dollar."""
_MOST_RATE: Final = MICRO


class Terms(msgspec.Struct, frozen=True):
    """What the cost of one flattening is reckoned by."""

    fair: Usd
    """Of a share of the token that is sold, micro-dollars, at the preview."""
    grid: Grid
    fees: FeeSchedule | None
    """None when nobody told them: then nothing is known of what crossing costs."""
    gap: int
    """Ticks between two levels that crossing does not step over."""


class Crossing(msgspec.Struct, frozen=True, gc=False):
    """One order that crosses."""

    price: Ticks
    """It sells at no less."""
    size: Shares


class Blocked(msgspec.Struct, frozen=True, gc=False):
    """Why nothing can be crossed now, in words."""

    why: str


def why_unknown(fees: FeeSchedule | None) -> str:
    """Why a bound of the cost of crossing cannot be told, in words; "" when it can.

    A better price must never cost more. That holds for rates up to 1 and exponents from 1 on: the fee then changes by
    less than the price does.
    """
    if fees is None:
        return "what taking costs in this market is not told"
    if not 0 <= fees.rate <= _MOST_RATE or fees.exponent < 1:
        return f"a fee of rate {fees.rate / MICRO:g} and exponent {fees.exponent:g} has no bound that is known here"
    return ""


def value_of(fair: Usd, size: Shares) -> Usd:
    """What shares are worth at a fair value, micro-dollars, rounded down."""
    return Usd(fair * size // MICRO)


def most_lost_resting(price: Ticks, size: Shares, terms: Terms) -> Usd:
    """Most that an order which rests at ``price`` can cost, however much of it fills: makers pay no fee."""
    return Usd(max(0, -(-(terms.fair - terms.grid.dollars_of(price)) * size // MICRO)))


def most_lost_crossing(price: Ticks, size: Shares, terms: Terms) -> Usd:
    """Most that an order which crosses at ``price`` or better can cost, however much of it fills, whatever it meets.

    Every maker's part has a fee of its own, rounded to a unit or raised to the least one, and dollars rounded to
    micro-dollars. No maker has less than a hundredth of a share, or the sums of others make up for it.

    Raises:
        ValueError: there is no such bound (:func:`why_unknown`).
    """
    fees = terms.fees
    if fees is None:
        raise ValueError(why_unknown(fees))
    usd = terms.grid.dollars_of(price)
    exact = (terms.fair - usd) * size * MICRO**2 + fee_equivalent(usd, size, fees)
    makers = size // SIZE_QUANTUM + 1
    rounding = makers * (1 + (FEE_QUANTUM if fees.rate else 0))
    return Usd(max(0, -(-exact // _UNIT)) + rounding)


def cost_of_fill(fair: Usd, price: Usd, size: Shares, fee: Usd) -> int:
    """What a fill at ``price`` micro-dollars a share has cost, in millionths of a micro-dollar.

    Never below 0: what was gained frees nothing to be lost, and may be taken back.
    """
    return max(0, (fair - price) * size + fee * MICRO)


def least_resting_price(size: Shares, left: Usd, terms: Terms) -> Ticks | None:
    """Lowest price at which all of ``size`` may rest when at most ``left`` may be lost; None when there is none."""
    low, high = 1, terms.grid.k
    while low < high:
        middle = (low + high) // 2
        if most_lost_resting(Ticks(middle), size, terms) <= left:
            high = middle
        else:
            low = middle + 1
    return Ticks(low) if low < terms.grid.k else None


def most_crossing_size(price: Ticks, most: Shares, left: Usd, terms: Terms) -> Shares:
    """Largest size, whole hundredths of a share and at most ``most``, that may cross at ``price`` for ``left``."""
    low, high = 0, most // SIZE_QUANTUM
    while low < high:
        middle = (low + high + 1) // 2
        if most_lost_crossing(price, Shares(middle * SIZE_QUANTUM), terms) <= left:
            low = middle
        else:
            high = middle - 1
    return Shares(low * SIZE_QUANTUM)


def next_crossing(bids: list[Level], size: Shares, left: Usd, anchor: Ticks | None, terms: Terms) -> Crossing | Blocked:
    """The next order that crosses: as much as rests down to the lowest price at which the whole order is affordable.

    Args:
        bids: of others for the token, best first.
        size: to be sold.
        left: most that may still be lost, micro-dollars.
        anchor: where others last bid best, or something was last sold; None when nobody knows. No step down from there
            is wider than the gap.
        terms: of the flattening.

    Returns:
        The order, or why there is none now.
    """
    if why := why_unknown(terms.fees):
        return Blocked(why)
    if not bids:
        return Blocked("nobody bids")
    reach = _reachable(bids, anchor, terms.gap)
    if not reach:
        fall = (anchor or 0) - bids[0][0]
        return Blocked(f"the best bid is {fall} ticks below the last: a gap of more than {terms.gap} is not crossed")
    chosen, depth, is_capped = Crossing(bids[0][0], Shares(0)), 0, False
    for price, shown in reach:
        depth += shown
        wanted = Shares(min(size, depth))
        affordable = most_crossing_size(price, wanted, left, terms)
        if affordable > chosen.size:
            chosen = Crossing(price, affordable)
        is_capped = affordable < wanted
        if is_capped or depth >= size:
            break
    if terms.grid.notional(chosen.price, chosen.size) >= LEAST_TAKEN:
        return chosen
    if is_capped:
        return Blocked(f"at its cap: the next bid costs more than the ${left / MICRO:.2f} left")
    return Blocked("what can be sold is worth less than a dollar, the least that crosses")


def _reachable(bids: list[Level], anchor: Ticks | None, gap: int) -> list[Level]:
    """The levels before the first gap."""
    reach: list[Level] = []
    above = bids[0][0] if anchor is None else anchor
    for price, shown in bids:
        if above - price > gap:
            break
        reach.append((price, shown))
        above = price
    return reach
