"""Variance per second, its floor and its cap."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.quoting.volatility import VarianceRate, effective_sigma, resolution_floor, sigma_over_horizon
from tests.core.quoting.arrange import fairs, laws


def watched(samples: list[tuple[float, float]], gap: float = 0.0) -> VarianceRate:
    variance = VarianceRate(600.0, "logit", gap)
    for t, price in samples:
        variance.observe(t, price)
    return variance


def test_samples_too_near_the_last_kept_one_are_dropped() -> None:
    assert watched([(0, 0.5), (4.9, 0.9), (5, 0.52), (9.9, 0.1)], gap=5.0).returns_used == 1


def test_twice_the_messages_are_not_twice_the_variance() -> None:
    path = [(5.0 * n, 0.5 + 0.01 * (n % 2)) for n in range(200)]
    doubled = [(t + extra, price) for t, price in path for extra in (0.0, 2.5)]
    assert watched(doubled).rate_at(1000.0) == pytest.approx(watched(path).rate_at(1000.0))


@laws
@given(st.lists(st.tuples(st.floats(0, 1000), fairs), min_size=2, max_size=20))
def test_exchanging_the_tokens_changes_no_logit_variance(samples: list[tuple[float, float]]) -> None:
    mirrored = watched([(t, 1.0 - price) for t, price in samples]).rate_at(1001.0)
    assert watched(samples).rate_at(1001.0) == pytest.approx(mirrored, rel=1e-6, abs=1e-12)


@laws
@given(st.floats(1, 1e4), st.floats(0.001, 0.2))
def test_right_from_the_first_return(gap: float, step: float) -> None:
    variance = VarianceRate(600.0, "price", 0.0)
    variance.observe(0.0, 0.5)
    variance.observe(gap, 0.5 + step)
    assert variance.rate_at(gap) == pytest.approx(step**2 / (600.0 * -math.expm1(-gap / 600.0)))


def test_silence_lets_the_variance_decay() -> None:
    variance = watched([(0, 0.5), (10, 0.52)])
    rates = [variance.rate_at(t) for t in (10.0, 100.0, 1000.0)]
    assert rates[0] is not None and rates[1] is not None and rates[2] is not None
    assert rates[0] > rates[1] > rates[2] > 0


@pytest.mark.parametrize(("t", "price"), [(0.0, math.nan), (math.nan, 0.5), (0.0, 0.0), (0.0, 1.0), (math.inf, 0.5)])
def test_what_is_no_price_is_refused(t: float, price: float) -> None:
    with pytest.raises(ValueError, match="not a sample"):
        VarianceRate(600.0, "logit", 0.0).observe(t, price)


def test_clearing_forgets_everything() -> None:
    variance = watched([(0, 0.5), (10, 0.52)])
    variance.clear()
    assert (variance.rate_at(20.0), variance.weight_at(20.0), variance.returns_used) == (None, 0.0, 0)


def test_until_a_minute_is_seen_only_the_resolution_counts() -> None:
    variance = watched([(0, 0.5), (30, 0.55)])
    floor = resolution_floor(0.5, 3600.0, 0.5, "gauss", 60.0)
    early = sigma_over_horizon(variance, 31.0, 0.5, floor, 12.0, 1.0)
    late = sigma_over_horizon(variance, 70.0, 0.5, floor, 12.0, 1.0)
    assert (early.source, early.is_warming_up, early.sigma_p) == ("resolution", True, floor)
    assert (late.source, late.is_warming_up) == ("tape", False)


def test_nothing_known_gives_no_number() -> None:
    assert sigma_over_horizon(watched([(0, 0.5)]), 1.0, 0.5, None, 12.0, 0.1).sigma_h is None


def test_cap_is_the_last_word() -> None:
    assert effective_sigma(1.0, None, 12.0, 0.1).sigma_h == 0.1


def test_floor_counts_the_past_as_the_least_time() -> None:
    at_once = resolution_floor(0.3, 60.0, 0.5, "bernoulli", 60.0)
    assert resolution_floor(0.3, -500.0, 0.5, "bernoulli", 60.0) == at_once
    assert at_once == pytest.approx(math.sqrt(0.5 * 0.21 / 60.0))
