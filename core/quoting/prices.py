"""From fair value to the innermost bid and ask: half-spread, reservation price, bounds, rounding, post-only."""

from typing import Final, Literal

import msgspec

from core.quoting.rules import QuoteRules
from core.units import Ticks

PriceStatus = Literal["ok", "range", "edge"]

_SLACK: Final = 1e-9


def half_spread(
    sigma_h: float, tick: float, k_vol: float, k_fee_ticks: float, min_edge_ticks: float, extra: float
) -> float:
    """Distance of both quotes from the reservation price, dollars.

    Args:
        sigma_h: deviation over the horizon, dollars.
        tick: dollars.
        k_vol: half-spread per deviation.
        k_fee_ticks: profit floor, ticks.
        min_edge_ticks: least result, ticks.
        extra: dollars added for toxic flow or by the operator; may be negative.

    Source: market-making.md 1.5.
    """
    return max(min_edge_ticks * tick, k_vol * sigma_h + k_fee_ticks * tick + extra)


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
    reservation: float, half: float, best_bid: Ticks | None, best_ask: Ticks | None, rules: QuoteRules
) -> tuple[SidePrice, SidePrice]:
    """Innermost bid and ask on the grid: clipped, rounded outwards, kept off the touch of others, checked.

    Args:
        reservation: dollars; may lie outside (0, 1).
        half: half-spread, dollars.
        best_bid: of others, untrimmed; None when there is none.
        best_ask: of others, untrimmed; None when there is none.
        rules: of the market.

    Source: market-making.md 1.8, ``quote.prices``, steps 3 to 7.
    """
    grid = rules.grid
    low, high, k = rules.low, rules.high, grid.k
    least_edge = rules.min_edge_ticks * grid.tick - _SLACK
    wanted_bid = grid.floor_t(min(max(reservation - half, rules.low_usd), rules.high_usd))
    wanted_ask = grid.ceil_t(min(max(reservation + half, rules.low_usd), rules.high_usd))
    bid: int = wanted_bid if best_ask is None or wanted_bid < best_ask else best_ask - 1
    ask: int = wanted_ask if best_bid is None or wanted_ask > best_bid else best_bid + 1
    if not low <= bid <= high:
        bid_price = _NO_RANGE
    elif reservation - bid / k < least_edge:
        bid_price = _NO_EDGE
    else:
        bid_price = SidePrice("ok", Ticks(bid), wanted_bid - bid)
    if not low <= ask <= high:
        ask_price = _NO_RANGE
    elif ask / k - reservation < least_edge:
        ask_price = _NO_EDGE
    else:
        ask_price = SidePrice("ok", Ticks(ask), ask - wanted_ask)
    return bid_price, ask_price
