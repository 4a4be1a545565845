"""The market filter."""

import math

import pytest

from core.config import Settings
from core.selection.screen import screen


def test_market_at_the_minimums_passes() -> None:
    assert screen(10_000, 50_000, 150_000, Settings()).failures == ()


def test_steady_volume_does_not_pass_the_trend() -> None:
    found = screen(1e6, 7e6, 30e6, Settings())
    assert (found.trend, found.failures) == (pytest.approx(7 / 30), ("trend",))


def test_failures_come_in_fixed_order() -> None:
    assert screen(1, 1, 0, Settings()).failures == ("liquidity", "weekly_volume", "trend", "score")


@pytest.mark.parametrize(
    ("numbers", "failures"),
    [
        ((math.nan, 1e6, 2e6), ("liquidity", "score")),
        ((1e6, math.nan, 2e6), ("weekly_volume", "trend")),
        ((1e6, 1e6, math.nan), ("trend",)),
    ],
)
def test_what_is_no_number_fails_its_check(numbers: tuple[float, float, float], failures: tuple[str, ...]) -> None:
    assert screen(*numbers, Settings()).failures == failures
