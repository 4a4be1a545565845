"""Scores of resting orders and fees: the corners that the vectors leave out."""

from hypothesis import given
from hypothesis import strategies as st

from core.market.fees import FEE_QUANTUM, fee_equivalent, taker_fee
from core.market.rewards import Scored, maker_score, order_score, reward_share
from core.units import MICRO, Shares, Ticks, grid_of


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


@given(st.integers(1, 99), st.integers(1, 10**10), st.integers(1, 1000))
def test_a_fee_is_the_same_from_either_token_and_never_less_than_the_least(price: int, size: int, rate: int) -> None:
    grid = grid_of("0.01")
    fee = taker_fee(grid, Ticks(price), Shares(size), rate)
    assert fee == taker_fee(grid, Ticks(100 - price), Shares(size), rate)
    assert fee >= FEE_QUANTUM and fee % FEE_QUANTUM == 0
    exact = fee_equivalent(grid, Ticks(price), Shares(size), rate) / (10_000 * 100 * 100)
    assert fee == FEE_QUANTUM or abs(fee - exact) <= FEE_QUANTUM / 2
    assert taker_fee(grid, Ticks(price), Shares(size), 0) == 0


def test_a_fee_is_kept_to_five_decimals() -> None:
    assert taker_fee(grid_of("0.01"), Ticks(30), Shares(100 * MICRO), 700) == 1_470_000
