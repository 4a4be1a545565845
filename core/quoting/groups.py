"""Events of which at most one outcome comes true: fair values that fit together, worst cases, bounds on our quotes.

Whoever holds YES of every outcome of a complete set holds a dollar. So fair values of a complete set sum to a dollar,
and own bids that sum to more, all filled, are a sure loss, whether the set is complete or not.

Source: market-making.md 2.11.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from core.units import MICRO, Grid, Shares, Ticks, Usd

_CERTAIN: Final = 1e-9
"""Dollars of deviation up to which nothing is known of an estimate: none is as good as that."""


class GroupRisk(NamedTuple):
    """What the holdings of an event pay, outcome by outcome."""

    payoffs: tuple[Usd, ...]
    """If the outcome of the same index wins; behind them, in an open-ended set, if none of them does."""
    worst: Usd
    """Profit in the worst of these cases, negative for a loss."""
    best: Usd


class GroupMember(msgspec.Struct, frozen=True, gc=False):
    """One market of an event at one moment, YES frame."""

    market: str
    grid: Grid
    fair: float | None
    """Dollars: in (0, 1), or 0 or 1 for an outcome that is decided; None when nobody knows."""
    deviation: float | None
    """How uncertain the fair value is, dollars, above 0; None when not known. Not looked at where fair is 0 or 1."""
    net: Shares
    """YES minus NO, provisional fills included."""
    bids: Shares = Shares(0)
    """Own buys that may still be filled."""
    asks: Shares = Shares(0)
    own_bid: Ticks | None = None
    """The dearest own buy that may still be filled; None without one."""
    own_ask: Ticks | None = None
    """The cheapest own sale that may still be filled; None without one."""
    touch_bid: Ticks | None = None
    """Best bid of others; None without one."""
    touch_ask: Ticks | None = None
    """Best ask of others; None without one."""


class GroupView(msgspec.Struct, frozen=True):
    """What an event's markets tell each other; by market where there is a value for each."""

    shifts: dict[str, float]
    """Dollars to add to the fair values; empty when they are not to be moved."""
    reason: str
    """Why they are not; "" when they are."""
    fair_sum: float | None
    """Of all fair values, dollars; None while one is missing."""
    most_bid: dict[str, Ticks]
    """Highest bid that keeps the dearest own bids of the event from summing to more than a dollar; 0 forbids bids."""
    least_ask: dict[str, Ticks]
    """Lowest ask that keeps the cheapest own asks of a complete set from summing to less; K forbids asks."""
    exposure: Usd
    """Dollars lost at the present fair values in the worst case: any outcome, and any of our orders filled."""
    buy_yes_edge: float | None
    """Dollars a set that buying YES of all at others' asks would earn, before fees; below 0 usually. None without all
    asks, or when the set is open-ended."""
    buy_no_edge: float | None
    """The same for buying NO of all at others' bids."""


def project(fairs: Sequence[float], variances: Sequence[float], fraction: float = 1.0) -> list[float]:
    """Move fair values of a complete set towards a sum of one, the less certain by more.

    Args:
        fairs: dollars, one an outcome.
        variances: of their errors; not negative, not all 0.
        fraction: of the way to go, 0 to 1.

    Returns:
        The moved values; they may lie outside (0, 1).

    Source: market-making.md 2.11, ``negrisk.project``.
    """
    total = math.fsum(variances)
    gap = fraction * (1.0 - math.fsum(fairs))
    return [fair + gap * variance / total for fair, variance in zip(fairs, variances, strict=True)]


def worst_case(yes: Sequence[Shares], no: Sequence[Shares], cost: Usd, *, is_complete: bool = True) -> GroupRisk:
    """What holdings of an event pay for each outcome, and the profit of the worst and of the best.

    Args:
        yes: held, one an outcome.
        no: held, one an outcome.
        cost: what was paid for all of it, or what it is worth now: profits are told against this.
        is_complete: one of these outcomes wins for certain; else it may be another.

    Source: market-making.md 2.11, ``negrisk.worst_case``.
    """
    all_no = sum(no)
    payoffs = [Usd(mine + all_no - against) for mine, against in zip(yes, no, strict=True)]
    if not is_complete:
        payoffs.append(Usd(all_no))
    return GroupRisk(tuple(payoffs), Usd(min(payoffs) - cost), Usd(max(payoffs) - cost))


def arbitrage(bids: Sequence[float], asks: Sequence[float]) -> tuple[float, float]:
    """What a set costs less than it pays: (buying YES of all at the asks, buying NO of all at the bids), dollars a set.

    Before fees, of a complete set. Above 0 says that a fair value or a book is wrong, long before it says profit.

    Source: market-making.md 2.11, ``negrisk.arb``.
    """
    return 1.0 - math.fsum(asks), math.fsum(bids) - 1.0


def group_view(members: Sequence[GroupMember], *, is_complete: bool, fraction: float) -> GroupView:
    """Everything an event's markets have to know of each other for one decision.

    Args:
        members: our markets of one event, those that are decided included; a market at most once.
        is_complete: they are all its markets, and one of them wins for certain.
        fraction: of the way that fair values go towards a sum of a dollar, 0 to 1.
    """
    reason = _why_not_move(members, is_complete, fraction)
    shifts: dict[str, float] = {}
    fairs = [one.fair for one in members if one.fair is not None]
    if not reason:
        moved = project(fairs, [_variance(one) for one in members], fraction)
        free = [(one.grid.tick, to) for one, to in zip(members, moved, strict=True) if not _is_decided(one)]
        if all(tick <= to <= 1.0 - tick for tick, to in free):
            shifts = {one.market: to - was for one, to, was in zip(members, moved, fairs, strict=True)}
        else:
            reason = "a fair value would leave the price range"
    bids = [0 if one.own_bid is None else one.grid.dollars_of(one.own_bid) for one in members]
    asks = [MICRO if one.own_ask is None else one.grid.dollars_of(one.own_ask) for one in members]
    bid_room, ask_need = MICRO - sum(bids), MICRO - sum(asks)
    most_bid, least_ask = {}, {}
    for one, bid, ask in zip(members, bids, asks, strict=True):
        most_bid[one.market] = Ticks(max(0, bid_room + bid) // one.grid.tick_usd)
        if is_complete:
            least_ask[one.market] = Ticks(-(-max(0, ask_need + ask) // one.grid.tick_usd))
    return GroupView(
        shifts,
        reason,
        math.fsum(fairs) if len(fairs) == len(members) else None,
        most_bid,
        least_ask,
        _exposure(members, is_complete),
        *_edges(members, is_complete),
    )


def _why_not_move(members: Sequence[GroupMember], is_complete: bool, fraction: float) -> str:
    """Why fair values are not held against each other; comparisons are written so that NaN fails them."""
    if not is_complete or len(members) < 2:
        return "another outcome may win"
    if not 0.0 < fraction <= 1.0:
        return "switched off"
    if any(one.fair is None for one in members):
        return "a fair value is missing"
    if not all(0.0 <= one.fair <= 1.0 for one in members if one.fair is not None):
        return "a fair value is no price"
    free = [one for one in members if not _is_decided(one)]
    if not all(one.deviation is not None and _CERTAIN < one.deviation <= 1.0 for one in free):
        return "how certain a fair value is is not known"
    return "" if free else "all outcomes are decided"


def _is_decided(one: GroupMember) -> bool:
    return one.fair in (0.0, 1.0)


def _variance(one: GroupMember) -> float:
    return 0.0 if _is_decided(one) or one.deviation is None else one.deviation**2


def _exposure(members: Sequence[GroupMember], is_complete: bool) -> Usd:
    """The largest loss over outcomes and over which of our orders are filled.

    A market whose outcome does not win loses what its YES is worth, most with all buys filled; the winner's loses what
    its NO is worth, most with all sales filled.
    """
    total, cases = 0, [] if is_complete else [0]  # lost if none of them wins; what each winner changes of that
    for one in members:
        fair, most, least = one.fair, one.net + one.bids, one.net - one.asks
        if fair is not None and 0.0 <= fair <= 1.0:
            yes = no = round(fair * MICRO)
        else:  # nobody knows: what makes each loss largest
            yes, no = MICRO if most > 0 else 0, MICRO if least > 0 else 0
        lost = most * yes
        total += lost
        if fair != 0.0:
            cases.append(-least * (MICRO - no) - lost)
    return Usd(max(0, -(-(total + max(cases, default=0)) // MICRO)))


def _edges(members: Sequence[GroupMember], is_complete: bool) -> tuple[float | None, float | None]:
    bids = [one.grid.dollars(one.touch_bid) for one in members if one.touch_bid is not None]
    asks = [one.grid.dollars(one.touch_ask) for one in members if one.touch_ask is not None]
    yes_edge, no_edge = arbitrage(bids, asks)
    has_asks = is_complete and len(asks) == len(members)
    return yes_edge if has_asks else None, no_edge if len(bids) == len(members) > 0 else None
