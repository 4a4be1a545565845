"""Falls from the peak."""

from core.portfolio.equity import Drawdown
from tests.core.quoting.arrange import usd


def test_largest_fall_in_dollars_and_in_parts_of_the_peak_may_be_different_ones() -> None:
    falls = Drawdown()
    for equity in (100, 90, 1000, 950, 1000):
        falls.observe(usd(equity))
    assert (falls.peak, falls.largest, falls.largest_fraction, falls.current) == (usd(1000), usd(50), 0.1, 0)


def test_nothing_is_said_of_a_peak_that_is_not_positive() -> None:
    falls = Drawdown()
    falls.observe(usd(0))
    falls.observe(usd(-5))
    assert (falls.largest, falls.largest_fraction) == (usd(5), 0.0)


def test_peak_of_earlier_sessions_goes_on() -> None:
    falls = Drawdown(usd(100))
    falls.observe(usd(90))
    assert (falls.peak, falls.current, falls.largest, falls.largest_fraction) == (usd(100), usd(10), usd(10), 0.1)
    falls.observe(usd(120))
    assert (falls.peak, falls.current) == (usd(120), 0)
