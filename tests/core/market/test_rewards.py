"""Scores of resting orders and fees: the corners that the vectors leave out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from core.market.fees import BPS, FEE_QUANTUM, FeeSchedule, fee_equivalent, rebate_estimate, taker_fee
from core.market.rewards import (
    RewardTerms,
    Scored,
    maker_score,
    order_score,
    reward_share,
    score_reason,
    scoring_mid,
    terms_of,
)
from core.units import MICRO, Shares, Ticks, Usd
from tests.builders import a_market, shares


def test_an_order_at_the_edge_of_the_band_scores_nothing() -> None:
    """Also when the distance is an ulp short of the edge, as binary midpoints make it."""
    assert order_score(3.0, 3.0) == 0 and order_score(3.0, (0.53 - 0.5) * 100) == 0
    assert order_score(3.0, 0.0) == 1
    assert order_score(0.0, 0.0) == 0


def test_outside_the_middle_one_side_alone_earns_nothing() -> None:
    one = [Scored("bid", 0.94, 100)]
    assert maker_score(one, 0.95, 3, 20).q_min == 0
    assert maker_score([Scored("bid", 0.49, 100)], 0.5, 3, 20).q_min > 0


def test_small_orders_do_not_count_and_nobody_shares_nothing() -> None:
    assert maker_score([Scored("bid", 0.5, 19.99)], 0.5, 3, 20).q_one == 0
    assert reward_share(0.0, 0.0) == 0


def test_the_divisor_and_the_multiplier_are_the_programmes() -> None:
    """Both are data of the venue: c divides the better side, b multiplies every score."""
    one = [Scored("bid", 0.49, 90)]
    plain, halved, doubled = (maker_score(one, 0.5, 3, 20, c, b) for c, b in ((3, 1), (2, 1), (3, 2)))
    assert plain.q_min == pytest.approx(plain.q_one / 3)
    assert halved.q_min == pytest.approx(plain.q_one / 2)
    assert (doubled.q_one, doubled.q_min) == (pytest.approx(2 * plain.q_one), pytest.approx(2 * plain.q_min))


def test_the_same_orders_score_the_same_from_either_token() -> None:
    orders = [Scored("bid", 0.49, 100), Scored("bid", 0.47, 50), Scored("ask", 0.52, 80)]
    mirrored = [Scored("ask" if one.side == "bid" else "bid", 1 - one.price, one.size) for one in orders]
    ours, theirs = maker_score(orders, 0.5, 4.5, 20), maker_score(mirrored, 0.5, 4.5, 20)
    assert (ours.q_one, ours.q_two, ours.q_min) == pytest.approx((theirs.q_two, theirs.q_one, theirs.q_min))


TERMS = RewardTerms(max_spread_cents=3.5, min_size=shares(50), daily_usd=20.0)


@pytest.mark.parametrize(
    ("distance", "size", "age_s", "reason"),
    [
        (1.0, 50, 4.0, "ok"),
        (1.0, 50, 3.9, "young"),
        (1.0, 49.99, 4.0, "small"),
        (3.5, 50, 4.0, "far"),
        (9.0, 1, 0.0, "young"),
    ],
)
def test_an_order_scores_or_the_first_condition_it_misses_is_named(
    distance: float, size: float, age_s: float, reason: str
) -> None:
    assert score_reason(distance, shares(size), age_s, TERMS) == reason


def test_a_programme_needs_a_band_and_a_least_size() -> None:
    """Half a programme is none: a band of nothing would score every order 0, a size of nothing every crumb."""
    plain = a_market()
    assert terms_of(plain) is None
    band = structs.replace(plain, reward_max_spread_cents=3.5)
    assert terms_of(band) is None
    whole = structs.replace(band, reward_min_size=shares(50), reward_daily_usd=20.0)
    assert terms_of(whole) == TERMS
    assert terms_of(structs.replace(whole, reward_daily_usd=None)) == structs.replace(TERMS, daily_usd=None)


def level(tick: int, size: float) -> tuple[Ticks, Shares]:
    return Ticks(tick), shares(size)


def test_the_midpoint_leaves_small_levels_out_and_counts_our_own_orders() -> None:
    """The venue's book has everybody's orders in it; a level of ours may be what makes the midpoint."""
    bids, asks = [level(48, 10), level(47, 60), level(46, 500)], [level(52, 60)]
    assert scoring_mid(bids, asks, {}, {}, shares(50), 100) == 0.495
    assert scoring_mid(bids, asks, {Ticks(48): shares(40)}, {}, shares(50), 100) == 0.5
    assert scoring_mid(bids, asks, {}, {Ticks(51): shares(50)}, shares(50), 100) == 0.49
    assert scoring_mid(bids, [level(52, 49)], {}, {}, shares(50), 100) is None
    assert scoring_mid(bids, asks, {Ticks(52): shares(50)}, {}, shares(50), 100) is None


@given(st.integers(1, 99), st.integers(1, 10**10), st.integers(1, 1000))
def test_a_fee_is_the_same_from_either_token_and_never_less_than_the_least(cents: int, size: int, bps: int) -> None:
    fees, price = FeeSchedule(rate=bps * BPS), Usd(cents * 10_000)
    fee = taker_fee(price, Shares(size), fees)
    assert fee == taker_fee(Usd(MICRO - price), Shares(size), fees)
    assert fee >= FEE_QUANTUM and fee % FEE_QUANTUM == 0
    exact = size * bps * cents * (100 - cents) / (10_000 * 100 * 100)
    assert fee == FEE_QUANTUM or abs(fee - exact) <= FEE_QUANTUM / 2 + 1e-6
    assert taker_fee(price, Shares(size), FeeSchedule(rate=0)) == 0


@given(st.integers(1, 99), st.integers(1, 10**10), st.integers(1, MICRO), st.sampled_from([0.5, 1.0, 1.5, 2.0, 3.0]))
def test_the_exponent_bends_the_fee_at_every_price(cents: int, size: int, rate: int, exponent: float) -> None:
    """The formula, in floats, whatever way the integers take."""
    fees = FeeSchedule(rate=rate, exponent=exponent)
    p = cents / 100
    expected = size * rate / MICRO * (p * (1 - p)) ** exponent
    assert fee_equivalent(Usd(cents * 10_000), Shares(size), fees) / MICRO**3 == pytest.approx(expected, rel=1e-12)
    paid = taker_fee(Usd(cents * 10_000), Shares(size), fees)
    assert paid == FEE_QUANTUM or paid == pytest.approx(expected, rel=1e-12, abs=FEE_QUANTUM / 2 + 1e-6)


def test_a_fee_is_kept_to_five_decimals() -> None:
    assert taker_fee(Usd(300_000), shares(100), FeeSchedule(rate=70_000)) == 1_470_000
    assert taker_fee(Usd(500_000), shares(100), FeeSchedule(rate=250_000, exponent=2)) == 1_562_500


def test_what_comes_back_is_the_makers_part_of_the_fee() -> None:
    fees = FeeSchedule(rate=40_000, rebate=250_000)
    fee = taker_fee(Usd(400_000), shares(1000), fees)
    assert rebate_estimate(Usd(400_000), shares(1000), fees) == pytest.approx(fee / MICRO / 4)
    assert rebate_estimate(Usd(400_000), shares(1000), structs.replace(fees, rebate=0)) == 0
