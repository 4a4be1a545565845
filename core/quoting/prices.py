"""From fair value to the innermost bid and ask: reservation price, half-spreads, bounds, rounding, post-only."""

import math
from typing import Final, Literal

import msgspec

from core.quoting.rules import QuoteRules
from core.units import Ticks

PriceStatus = Literal["ok", "range", "edge"]

_SLACK: Final = 1e-9


class Pricing(msgspec.Struct, frozen=True, gc=False):
    """The terms that add up to the raw quotes, dollars (market-making.md 1.5, 1.7)."""

    fair: float
    group_shift: float
    """What fair values of the same event ask for."""
    operator_shift: float
    inventory_shift: float
    """What the inventory adds; negative when long YES."""
    reservation: float
    """The sum of the four; raw bid and ask are their half-spread away from it."""
    sigma_h: float
    """Deviation over the horizon."""
    vol_term: float
    """K_VOL times the deviation."""
    fee_term: float
    """K_FEE_TICKS in dollars."""
    tox_bid: float
    """What toxic flow into our bids adds to their half-spread."""
    tox_ask: float
    factor: float
    """Of the three terms together; above 1 in a regime that asks for caution."""
    widen_term: float
    """What the operator added; negative tightens."""
    half_bid: float
    """Volatility, fee and toxicity times the factor, plus widening; or the least edge if that is more."""
    half_ask: float

    @property
    def half_spread(self) -> float:
        """Half the distance between the raw quotes."""
        return (self.half_bid + self.half_ask) / 2


def half_spread(
    sigma_h: float, tick: float, k_vol: float, k_fee_ticks: float, min_edge_ticks: float, a_tox: float
) -> float:
    """Distance of both quotes from the reservation price as the model has it, dollars.

    Args:
        sigma_h: deviation over the horizon, dollars.
        tick: dollars.
        k_vol: half-spread per deviation.
        k_fee_ticks: profit floor, ticks.
        min_edge_ticks: least result, ticks.
        a_tox: dollars added for toxic flow.

    Source: market-making.md 1.5.
    """
    wanted, least = k_vol * sigma_h + k_fee_ticks * tick + a_tox, min_edge_ticks * tick
    return wanted if wanted > least else least


class SidePrice(msgspec.Struct, frozen=True, gc=False):
    """The innermost quote of a side."""

    status: PriceStatus
    """``range``: outside the price bounds; ``edge``: too near the reservation price once clipped."""
    ticks: Ticks | None
    """None when not quoted."""
    post_only_ticks: int
    """Ticks that the touch of others pushed the quote outwards."""


_NO_RANGE: Final = SidePrice("range", None, 0)
_NO_EDGE: Final = SidePrice("edge", None, 0)


def quote_prices(
    reservation: float,
    half_bid: float,
    half_ask: float,
    best_bid: Ticks | None,
    best_ask: Ticks | None,
    rules: QuoteRules,
    most_bid: Ticks | None = None,
    least_ask: Ticks | None = None,
) -> tuple[SidePrice, SidePrice]:
    """Innermost bid and ask on the grid: clipped, rounded outwards, kept off the touch of others, checked.

    Args:
        reservation: dollars; may lie outside (0, 1).
        half_bid: half-spread of the bid, dollars.
        half_ask: half-spread of the ask, dollars.
        best_bid: of others, untrimmed; None when there is none.
        best_ask: of others, untrimmed; None when there is none.
        rules: of the market.
        most_bid: highest bid that the event's other markets leave room for; None without such a bound.
        least_ask: lowest such ask.

    Source: market-making.md 1.8, ``quote.prices``, steps 3 to 7.
    """
    k, low, high, low_usd, high_usd = rules.grid.k, rules.low, rules.high, rules.low_usd, rules.high_usd
    least_edge = rules.min_edge_ticks / k - _SLACK
    raw = reservation - half_bid
    raw = low_usd if raw < low_usd else high_usd if raw > high_usd else raw
    bid = math.floor(raw * k + _SLACK)
    if most_bid is not None and bid > most_bid:
        bid = most_bid
    pushed = 0
    if best_ask is not None and bid >= best_ask:
        pushed, bid = bid - best_ask + 1, best_ask - 1
    if not low <= bid <= high:
        bid_price = _NO_RANGE
    elif reservation - bid / k < least_edge:
        bid_price = _NO_EDGE
    else:
        bid_price = SidePrice("ok", Ticks(bid), pushed)
    raw = reservation + half_ask
    raw = low_usd if raw < low_usd else high_usd if raw > high_usd else raw
    ask = math.ceil(raw * k - _SLACK)
    if least_ask is not None and ask < least_ask:
        ask = least_ask
    pushed = 0
    if best_bid is not None and ask <= best_bid:
        pushed, ask = best_bid + 1 - ask, best_bid + 1
    if not low <= ask <= high:
        ask_price = _NO_RANGE
    elif ask / k - reservation < least_edge:
        ask_price = _NO_EDGE
    else:
        ask_price = SidePrice("ok", Ticks(ask), pushed)
    return bid_price, ask_price
