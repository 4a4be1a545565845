"""Geometry of the layers."""

from core.quoting.layers import layer_prices, layer_sizes, layer_step
from core.quoting.rules import jitter_ticks
from core.units import Shares, Ticks
from tests.core.quoting.arrange import rules, shares

THREE = [Ticks(50), Ticks(49), Ticks(48)]


def test_step_is_half_the_half_spread_rounded_half_up() -> None:
    assert [layer_step(h, rules()) for h in (0.01, 0.0299, 0.03, 0.05)] == [1, 1, 2, 3]


def test_layers_stop_at_the_price_bounds() -> None:
    assert layer_prices(Ticks(2), "bid", 1, rules()) == [2, 1]
    assert layer_prices(Ticks(98), "ask", 1, rules()) == [98, 99]


def test_jitter_moves_outwards_is_constant_and_spares_the_innermost() -> None:
    profile = rules(jitter_ticks=4, order_layers=5)
    assert profile == rules(jitter_ticks=4, order_layers=5)
    assert profile.bid_jitter != rules(jitter_ticks=4, order_layers=5, seed=2).bid_jitter
    assert profile.bid_jitter[0] == 0 and any(profile.bid_jitter)
    plain = layer_prices(Ticks(50), "bid", 3, rules(order_layers=5))
    moved = layer_prices(Ticks(50), "bid", 3, profile)
    assert all(a <= b for a, b in zip(moved, plain, strict=True))
    assert jitter_ticks([0.999, 0.999], 2) == (0, 2)


def test_capital_mode_divides_by_what_a_share_of_the_side_costs() -> None:
    profile = rules(size_mode="capital")
    assert layer_sizes("bid", [Ticks(25)], 0.3, (100, 100), 1.0, None, profile) == [shares(400)]
    assert layer_sizes("ask", [Ticks(75)], 0.3, (100, 100), 1.0, None, profile) == [shares(400)]


def test_room_is_used_from_the_inside_and_a_rest_below_the_minimum_is_left() -> None:
    profile = rules()
    sizes = layer_sizes("bid", THREE, 0.5, (300, 1500), 1.0, shares(1503.456), profile)
    assert sizes == [shares(600), shares(900), 0]


def test_layer_is_raised_to_the_reward_minimum_only_from_half_of_it_and_within_room() -> None:
    profile = rules(reward_min=100, reward_bump=True)
    ticks = THREE[:1]
    assert layer_sizes("bid", ticks, 0.5, (25, 100), 1.0, None, profile) == [shares(100)]
    assert layer_sizes("bid", ticks, 0.5, (24.99, 100), 1.0, None, profile) == [shares(49.98)]
    assert layer_sizes("bid", ticks, 0.5, (25, 100), 1.0, shares(99), profile) == [shares(50)]
    assert layer_sizes("bid", ticks, 0.5, (25, 100), 1.0, None, rules(reward_min=100)) == [shares(50)]


def test_side_maximum_shortens_the_outermost_and_drops_what_is_beyond() -> None:
    assert layer_sizes("bid", THREE, 0.5, (300, 400), 1.0, None, rules()) == [shares(600), shares(200), Shares(0)]


def test_no_layer_is_worth_more_than_an_order_may_be() -> None:
    """20 dollars at 50 cents of YES are 40 shares of a bid, at 50 cents of NO 40 of an ask; layers outside are sized
    by their own price. Unset, an order may be worth what the side may."""
    profile = rules(max_order_usd=20)
    assert layer_sizes("bid", THREE, 0.5, (100, 1500), 1.0, None, profile) == [shares(40), shares(40.81), shares(41.66)]
    assert layer_sizes("ask", [Ticks(75)], 0.5, (100, 1500), 1.0, None, profile) == [shares(80)]
    assert layer_sizes("bid", [Ticks(50)], 0.5, (100, 150), 9.0, None, rules()) == [shares(300)]
    raised = rules(reward_min=50, reward_bump=True, max_order_usd=20)
    assert layer_sizes("bid", [Ticks(50)], 0.5, (100, 1500), 1.0, None, raised) == [shares(40)], "not by a bump either"
