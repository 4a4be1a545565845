"""What our orders earn of a programme: guesses go against us, and absent facts are never numbers."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from core.market.rewards import RewardTerms, Scored, counted, maker_score, reward_share
from core.quoting.rewards import OwnOrder, estimate, marginal_value, optimal_q
from core.units import Shares, Side, Ticks, grid_of
from tests.core.quoting.arrange import laws, shares

CENT = grid_of("0.01")
TERMS = RewardTerms(max_spread_cents=4.5, min_size=shares(50), daily_usd=40.0)
Level = tuple[Ticks, Shares]


def levels(*given: tuple[int, float]) -> list[Level]:
    return [(Ticks(tick), shares(size)) for tick, size in given]


BIDS, ASKS = levels((48, 200), (47, 300), (45, 900)), levels((52, 200), (54, 600))


def order(side: Side, tick: int, size: float = 100, age_s: float = 60.0) -> OwnOrder:
    return OwnOrder(f"{side}{tick}", side, Ticks(tick), shares(size), age_s)


def test_the_estimate_is_our_score_beside_all_others() -> None:
    """Every level counted by hand; the bid at 45 is outside the band."""
    found = estimate([order("bid", 48), order("ask", 52)], BIDS, ASKS, CENT, TERMS)
    ours = 100 * (2.5 / 4.5) ** 2
    others_one = 200 * (2.5 / 4.5) ** 2 + 300 * (1.5 / 4.5) ** 2
    others_two = 200 * (2.5 / 4.5) ** 2 + 600 * (0.5 / 4.5) ** 2
    others = min(others_one, others_two) + abs(others_one - others_two) / 3
    assert found.mid == 0.5 and found.note == ""
    assert (found.q_one, found.q_two, found.q_min) == pytest.approx((ours, ours, ours))
    assert found.others == pytest.approx(others)
    assert found.share == pytest.approx(ours / (ours + others))
    assert found.usd_per_day == pytest.approx(40 * found.share)
    assert [(score.distance, score.reason) for score in found.orders] == [(pytest.approx(2.0), "ok")] * 2


def test_orders_that_do_not_count_say_why_and_add_nothing() -> None:
    own = [order("bid", 48, 49), order("bid", 45), order("bid", 49, age_s=3.9)]
    found = estimate(own, BIDS, ASKS, CENT, TERMS)
    assert [score.reason for score in found.orders] == ["small", "far", "young"]
    assert [score.points for score in found.orders] == [0, 0, 0]
    assert (found.note, found.share, found.usd_per_day) == ("no order scores", 0, 0)


def test_near_an_end_both_sides_are_needed() -> None:
    bids, asks = levels((93, 200)), levels((95, 200))
    assert estimate([order("bid", 93)], bids, asks, CENT, TERMS).note == "needs both sides"
    assert estimate([order("bid", 93), order("ask", 95)], bids, asks, CENT, TERMS).note == ""


def test_less_than_a_dollar_a_day_is_told() -> None:
    poor = structs.replace(TERMS, daily_usd=3.0)
    found = estimate([order("bid", 48), order("ask", 52)], BIDS, ASKS, CENT, poor)
    assert found.note == "below the least paid" and found.usd_per_day is not None and 0 < found.usd_per_day < 1


def test_a_pool_nobody_told_is_no_pool_of_nothing() -> None:
    untold = structs.replace(TERMS, daily_usd=None)
    found = estimate([order("bid", 48), order("ask", 52)], BIDS, ASKS, CENT, untold)
    assert found.note == "pool not told" and found.usd_per_day is None and found.share > 0


@pytest.mark.parametrize(
    ("bids", "asks"), [([], ASKS), (BIDS, []), (levels((48, 49)), ASKS), (levels((52, 200)), ASKS), ([], [])]
)
def test_without_a_midpoint_nothing_is_known(bids: list[Level], asks: list[Level]) -> None:
    found = estimate([], bids, asks, CENT, TERMS)
    assert (found.note, found.mid, found.usd_per_day, found.orders) == ("no midpoint", None, None, ())


def test_alone_in_a_programme_all_of_it_is_ours() -> None:
    found = estimate([order("bid", 48), order("ask", 52)], [], [], CENT, TERMS)
    assert (found.others, found.share, found.usd_per_day) == (0, 1, 40)


books = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 400)), max_size=6)


@laws
@given(st.lists(st.tuples(st.sampled_from(["bid", "ask"]), st.integers(0, 5), st.integers(50, 400), st.integers(0, 3)),
                min_size=1, max_size=10), st.sampled_from([0.5, 0.06]))  # fmt: skip
def test_no_way_to_share_the_levels_out_counts_more_than_the_guess(
    posted: list[tuple[Side, int, int, int]], centre: float
) -> None:
    """Whoever the makers are, our share is not less than told: they may be one each, or any of them the same."""
    middle = round(centre * 100)
    resting: dict[Side, dict[int, float]] = {"bid": {}, "ask": {}}
    makers: dict[int, list[Scored]] = {}
    for side, away, size, maker in [("bid", 0, 60, 0), ("ask", 0, 60, 1), *posted]:
        tick = middle - 1 - away if side == "bid" else middle + 1 + away
        if tick < 1:
            continue
        resting[side][tick] = resting[side].get(tick, 0) + size  # type: ignore[index]
        makers.setdefault(maker, []).append(Scored(side, tick / 100, size))  # type: ignore[arg-type]
    bids = levels(*sorted(resting["bid"].items(), reverse=True))
    asks = levels(*sorted(resting["ask"].items()))
    found = estimate([], bids, asks, CENT, TERMS)
    assert found.mid is not None
    true = math.fsum(maker_score(orders, found.mid, 4.5, 50).q_min for orders in makers.values())
    assert found.others >= true - 1e-9


@laws
@given(books, books, st.lists(st.tuples(st.integers(0, 5), st.integers(20, 300)), min_size=1, max_size=4))
def test_the_estimate_is_the_same_from_either_token(
    below: list[tuple[int, int]], above: list[tuple[int, int]], ours: list[tuple[int, int]]
) -> None:
    bids = levels(*sorted({45 - away: size for away, size in below}.items(), reverse=True))
    asks = levels(*sorted({48 + away: size for away, size in above}.items()))
    own = [order("bid", 44 - away, size) for away, size in ours] + [order("ask", 49, 80)]
    plain = estimate(own, bids, asks, CENT, TERMS)
    mirrored = [order("ask" if one.side == "bid" else "bid", 100 - one.ticks, one.size / 1e6) for one in own]
    swapped = estimate(
        mirrored, [(Ticks(100 - t), s) for t, s in asks], [(Ticks(100 - t), s) for t, s in bids], CENT, TERMS
    )
    assert plain.note == swapped.note
    assert (plain.q_one, plain.q_two, plain.share) == pytest.approx((swapped.q_two, swapped.q_one, swapped.share))


# One more order


def value(more: Scored, own: list[Scored], **over: Any) -> Any:
    figures = {"fills_per_day": 0.0, "edge": 0.0, "drift": 0.0, "capital_per_day": 0.0} | over
    return marginal_value(own, more, 0.5, 300.0, TERMS, **figures)


def test_the_second_side_is_worth_more_than_more_of_the_first() -> None:
    """The smaller side pays; a third of the larger is the consolation (market-making.md 2.13)."""
    own = [Scored("bid", 0.49, 100)]
    assert value(Scored("ask", 0.51, 100), own).reward > value(Scored("bid", 0.49, 100), own).reward > 0


def test_one_more_order_is_worth_its_part_of_the_pool_its_fills_and_its_money() -> None:
    more, own = Scored("ask", 0.51, 100), [Scored("bid", 0.49, 100)]
    found = value(more, own, fills_per_day=2.0, edge=0.01, drift=-0.025, capital_per_day=0.001)
    before, after = (maker_score(orders, 0.5, 4.5, 50).q_min for orders in (own, [*own, more]))
    assert found.reward == pytest.approx(40 * (reward_share(after, 300) - reward_share(before, 300)))
    assert found.trading == pytest.approx(2 * 100 * -0.015)
    assert found.capital == pytest.approx(100 * 0.49 * 0.001)
    assert found.total == pytest.approx(found.reward - 3.0 - 0.049)


def test_an_order_too_small_or_too_far_adds_no_reward() -> None:
    assert value(Scored("ask", 0.51, 49), []).reward == 0
    assert value(Scored("ask", 0.545, 100), []).reward == 0


def test_a_value_in_a_pool_nobody_told_is_not_known() -> None:
    untold = structs.replace(TERMS, daily_usd=None)
    figures = {"fills_per_day": 1.0, "edge": 0.01, "drift": 0.0, "capital_per_day": 0.0}
    assert marginal_value([], Scored("bid", 0.49, 100), 0.5, 300.0, untold, **figures) is None


# How much


@laws
@given(st.floats(0.1, 1000), st.floats(0.1, 5000), st.floats(0.001, 1))
def test_the_best_number_of_points_cannot_be_bettered(pool: float, others: float, cost: float) -> None:
    best = optimal_q(pool, others, cost)

    def income(points: float) -> float:
        return pool * points / (points + others) - cost * points

    assert all(income(best) >= income(other) - 1e-9 for other in (0, best * 0.9, best * 1.1, best + 1))
    assert (best > 0) == (pool / others > cost) or best < 1e-6


@pytest.mark.parametrize(
    "figures",
    [(math.nan, 1, 1), (1, math.nan, 1), (1, 1, math.nan), (1, 1, 0), (-1, 1, 1), (1, -1, 1), (math.inf, 1, 1)],
)
def test_figures_that_are_no_programme_are_refused(figures: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="no programme"):
        optimal_q(*figures)


def test_what_counts_is_the_lesser_side_or_a_part_of_the_greater() -> None:
    assert [counted(a, b, 0.5) for a, b in ((90, 0), (90, 80), (80, 90), (90, 20))] == [30, 80, 80, 30]
    assert [counted(a, b, 0.95) for a, b in ((90, 0), (90, 20))] == [0, 20]
    assert counted(90, 0, 0.1) == counted(90, 0, 0.9) == 30
