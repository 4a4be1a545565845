"""Innermost quotes: rounding, bounds, post-only, least edge."""

import pytest

from core.quoting.prices import PriceStatus, quote_prices
from core.units import Ticks
from tests.core.quoting.arrange import rules


def test_quotes_are_rounded_outwards_and_binary_noise_is_forgiven() -> None:
    bid, ask = quote_prices(0.31, 0.02, 0.02, None, None, rules())
    assert (bid.ticks, ask.ticks) == (29, 33)
    bid, ask = quote_prices(0.312, 0.02, 0.02, None, None, rules())
    assert (bid.ticks, ask.ticks) == (29, 34)


def test_touch_of_others_pushes_a_quote_outwards_and_the_plan_says_how_far() -> None:
    bid, ask = quote_prices(0.60, 0.01, 0.01, Ticks(63), Ticks(65), rules())
    assert (bid.ticks, bid.post_only_ticks, ask.ticks, ask.post_only_ticks) == (59, 0, 64, 3)
    bid, ask = quote_prices(0.60, 0.01, 0.01, Ticks(50), Ticks(55), rules())
    assert (bid.ticks, bid.post_only_ticks, ask.ticks, ask.post_only_ticks) == (54, 5, 61, 0)


@pytest.mark.parametrize(
    ("tick", "centre", "status", "ticks"),
    [
        ("0.01", 0.015, "edge", None),
        ("0.01", 0.02, "ok", 1),
        ("0.01", 0.0, "edge", None),
        ("0.01", 1.5, "ok", 99),
        ("0.0025", 0.0125, "ok", 4),
        ("0.0001", 0.0305, "ok", 105),
        ("0.1", 0.5, "ok", 4),
    ],
)
def test_bid_near_the_bounds(tick: str, centre: float, status: PriceStatus, ticks: int | None) -> None:
    bid, _ = quote_prices(centre, 0.02, 0.02, None, None, rules(tick))
    assert (bid.status, bid.ticks) == (status, ticks)


def test_fine_grid_may_be_quoted_below_a_cent_when_the_setting_allows() -> None:
    bid, _ = quote_prices(0.006, 0.002, 0.002, None, None, rules("0.001", price_min=0.001))
    assert bid.ticks == 4
