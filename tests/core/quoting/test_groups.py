"""Events of which one outcome comes true: the projection, the worst case over everything, and bounds on own quotes."""

import itertools
import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import structs

from core.quoting.groups import GroupMember, arbitrage, group_view, project, worst_case
from core.units import MICRO, Shares, Ticks, Usd, grid_of
from tests.core.quoting.arrange import TICKS, laws, shares

sizes = st.integers(0, 10**9).map(Shares)
micro_fairs = st.integers(1, MICRO - 1)


def member(name: str = "a", **over: Any) -> GroupMember:
    return structs.replace(GroupMember(name, grid_of("0.01"), 0.3, 0.01, Shares(0)), **over)


def outcomes(*fairs: float | None, **over: Any) -> list[GroupMember]:
    return [member(f"m{index}", fair=fair, **over) for index, fair in enumerate(fairs)]


# Fair values


@laws
@given(st.lists(st.tuples(st.floats(0.001, 0.999), st.floats(0, 0.1)), min_size=1, max_size=12))
def test_projected_fair_values_sum_to_one(estimates: list[tuple[float, float]]) -> None:
    fairs, variances = zip(*estimates, strict=True)
    assume(sum(variances) > 1e-12)
    assert math.fsum(project(fairs, variances)) == pytest.approx(1, abs=1e-9)
    half = math.fsum(project(fairs, variances, 0.5))
    assert half == pytest.approx((1 + math.fsum(fairs)) / 2, abs=1e-9)


def test_what_is_certain_is_not_moved() -> None:
    assert project([0.5, 0.6], [0.0, 0.02]) == [0.5, pytest.approx(0.5)]


def test_two_outcomes_project_as_the_two_tokens_of_one_market_do() -> None:
    """YES of the one is NO of the other: the projected values mirror when the outcomes change places."""
    one, other = project([0.62, 0.41], [0.0004, 0.0001])
    assert project([0.41, 0.62], [0.0001, 0.0004]) == [other, one]
    assert one + other == pytest.approx(1)


def test_a_complete_event_shifts_its_fair_values_by_a_fraction_of_the_gap() -> None:
    view = group_view(outcomes(0.42, 0.31, 0.19, 0.11), is_complete=True, fraction=0.5)
    assert view.reason == "" and view.fair_sum == pytest.approx(1.03)
    assert list(view.shifts.values()) == [pytest.approx(-0.00375)] * 4


def test_decided_outcomes_count_and_stay_where_they_are() -> None:
    members = [*outcomes(0.5, 0.54), member("lost", fair=0.0, deviation=None)]
    view = group_view(members, is_complete=True, fraction=1.0)
    assert view.shifts == {"m0": pytest.approx(-0.02), "m1": pytest.approx(-0.02), "lost": 0.0}


@pytest.mark.parametrize(
    ("members", "is_complete", "fraction", "reason"),
    [
        (outcomes(0.5, 0.6), False, 0.5, "another outcome may win"),
        (outcomes(0.5), True, 0.5, "another outcome may win"),
        (outcomes(0.5, 0.6), True, 0.0, "switched off"),
        (outcomes(0.5, 0.6), True, math.nan, "switched off"),
        (outcomes(0.5, None), True, 0.5, "a fair value is missing"),
        (outcomes(0.5, math.nan), True, 0.5, "a fair value is no price"),
        (outcomes(0.5, 1.2), True, 0.5, "a fair value is no price"),
        (outcomes(0.5, 0.6, deviation=None), True, 0.5, "how certain a fair value is is not known"),
        (outcomes(0.5, 0.6, deviation=math.nan), True, 0.5, "how certain a fair value is is not known"),
        (outcomes(0.5, 0.6, deviation=math.inf), True, 0.5, "how certain a fair value is is not known"),
        (
            [*outcomes(0.5), member("calm", fair=0.6, deviation=0.0)],
            True,
            0.5,
            "how certain a fair value is is not known",
        ),
        (outcomes(0.0, 1.0, 0.0), True, 0.5, "all outcomes are decided"),
        (outcomes(0.02, 0.02, 0.99, 0.99), True, 1.0, "a fair value would leave the price range"),
    ],
)
def test_fair_values_are_left_alone_with_the_reason(
    members: list[GroupMember], is_complete: bool, fraction: float, reason: str
) -> None:
    """An open-ended set may well sum to less than a dollar, and a guess about one outcome would move all others."""
    view = group_view(members, is_complete=is_complete, fraction=fraction)
    assert (view.shifts, view.reason) == ({}, reason)


# Worst cases


@laws
@given(st.lists(st.tuples(sizes, sizes), min_size=1, max_size=8), st.integers(-(10**9), 10**9).map(Usd), st.booleans())
def test_the_worst_case_is_the_least_of_all_payoffs(
    held: list[tuple[Shares, Shares]], cost: Usd, is_complete: bool
) -> None:
    """Integers all the way: each payoff counted token by token."""
    yes, no = zip(*held, strict=True)
    risk = worst_case(yes, no, cost, is_complete=is_complete)
    winners = [*range(len(held)), *([] if is_complete else [None])]
    counted = [
        sum(y if index == winner else 0 for index, y in enumerate(yes))
        + sum(n if index != winner else 0 for index, n in enumerate(no))
        for winner in winners
    ]
    assert list(risk.payoffs) == counted
    assert (risk.worst, risk.best) == (min(counted) - cost, max(counted) - cost)
    assert all(type(number) is int for number in (*risk.payoffs, risk.worst, risk.best))


@laws
@given(st.lists(sizes, min_size=1, max_size=8), sizes)
def test_a_pair_or_a_complete_set_is_worth_a_dollar_whatever_wins(held: list[Shares], more: Shares) -> None:
    nothing = [Shares(0)] * len(held)
    plain = worst_case(held, nothing, Usd(0))
    with_set = worst_case([Shares(size + more) for size in held], nothing, Usd(0))
    assert with_set.worst == plain.worst + more and with_set.best == plain.best + more
    with_pair = worst_case([Shares(held[0] + more), *held[1:]], [more, *nothing[1:]], Usd(0), is_complete=False)
    assert with_pair.worst == worst_case(held, nothing, Usd(0), is_complete=False).worst + more


@st.composite
def traded(draw: st.DrawFn) -> list[GroupMember]:
    count = draw(st.integers(1, 4))
    return [
        member(
            f"m{index}",
            fair=draw(micro_fairs) / MICRO,
            net=draw(st.integers(-(10**9), 10**9).map(Shares)),
            bids=draw(sizes),
            asks=draw(sizes),
        )
        for index in range(count)
    ]


@laws
@given(traded(), st.booleans())
def test_exposure_is_the_worst_of_all_outcomes_and_of_all_subsets_of_our_orders(
    members: list[GroupMember], is_complete: bool
) -> None:
    """Counted one by one at the fair values: every winner, every market's buys filled or not, sales filled or not."""
    worst = 0
    winners = [*range(len(members)), *([] if is_complete else [None])]
    for fills in itertools.product(itertools.product((0, 1), repeat=2), repeat=len(members)):
        held = [one.net + one.bids * b - one.asks * a for one, (b, a) in zip(members, fills, strict=True)]
        value = sum(q * round((one.fair or 0) * MICRO) for q, one in zip(held, members, strict=True))
        worst = max(worst, *(value - (0 if w is None else held[w] * MICRO) for w in winners))
    assert group_view(members, is_complete=is_complete, fraction=0.5).exposure == -(-worst // MICRO)


@laws
@given(traded(), st.booleans())
def test_an_event_never_counts_for_more_than_its_markets_alone(members: list[GroupMember], is_complete: bool) -> None:
    """Otherwise counting events instead of markets would tighten the cap over all markets."""
    alone = sum(group_view([one], is_complete=False, fraction=0.5).exposure for one in members)
    assert group_view(members, is_complete=is_complete, fraction=0.5).exposure <= alone


def test_a_market_alone_is_exposed_as_its_caps_say() -> None:
    long = member(net=shares(100), fair=0.3)
    assert group_view([long], is_complete=False, fraction=0.5).exposure == 30 * MICRO
    short = member(net=shares(-100), fair=0.3)
    assert group_view([short], is_complete=False, fraction=0.5).exposure == 70 * MICRO


def test_no_of_all_outcomes_counts_once() -> None:
    """Short every outcome of five at 20 cents: one of them can win, not all five."""
    members = outcomes(*[0.2] * 5, net=shares(-100))
    assert group_view(members, is_complete=True, fraction=0.5).exposure == 0
    assert group_view(members[:2], is_complete=False, fraction=0.5).exposure == 60 * MICRO


def test_an_unknown_fair_value_counts_at_its_worst() -> None:
    for net, bids, asks in ((100, 0, 0), (-100, 0, 0), (0, 100, 0), (0, 0, 100)):
        unknown = member(fair=None, net=shares(net), bids=shares(bids), asks=shares(asks))
        assert group_view([unknown], is_complete=False, fraction=0.5).exposure == 100 * MICRO


def test_what_is_decided_against_cannot_win_any_more() -> None:
    """NO of a lost outcome is money, not risk."""
    members = [member("open"), member("lost", fair=0.0, net=shares(-100))]
    assert group_view(members, is_complete=True, fraction=0.5).exposure == 0


# Bounds on own quotes


@laws
@given(st.data(), st.integers(2, 6), st.booleans())
def test_bids_within_the_bound_never_sum_to_more_than_a_dollar(data: st.DataObject, count: int, mirror: bool) -> None:
    """Markets decide one after another, each under the bound of that moment; asks of a complete set mirrored."""
    members = [member(f"m{index}", grid=grid_of(data.draw(st.sampled_from(TICKS)))) for index in range(count)]
    for _ in range(2 * count):
        index = data.draw(st.integers(0, count - 1))
        one = members[index]
        view = group_view(members, is_complete=True, fraction=0.5)
        wished = data.draw(st.integers(1, one.grid.k - 1))
        if mirror:
            ask = max(wished, view.least_ask[one.market])
            members[index] = structs.replace(one, own_ask=Ticks(ask) if ask < one.grid.k else None)
        else:
            bid = min(wished, view.most_bid[one.market])
            members[index] = structs.replace(one, own_bid=Ticks(bid) if bid else None)
    bids = [one.grid.dollars_of(one.own_bid or 0) for one in members]
    asks = [one.grid.dollars_of(one.grid.k if one.own_ask is None else one.own_ask) for one in members]
    assert sum(bids) <= MICRO <= sum(asks)


def test_bounds_are_the_rest_of_the_dollar_rounded_to_safety() -> None:
    fine = member("fine", grid=grid_of("0.001"), own_bid=Ticks(305), own_ask=Ticks(325))
    coarse = member("coarse", own_bid=Ticks(40), own_ask=Ticks(43))
    view = group_view([fine, coarse], is_complete=True, fraction=0.5)
    assert view.most_bid == {"fine": 600, "coarse": 69}
    assert view.least_ask == {"fine": 570, "coarse": 68}


def test_own_sales_of_an_open_ended_set_are_free() -> None:
    """If another outcome wins, selling all listed ones below a dollar was no loss."""
    view = group_view(outcomes(0.3, 0.3, own_ask=Ticks(31)), is_complete=False, fraction=0.5)
    assert view.least_ask == {} and view.most_bid == {"m0": 100, "m1": 100}


# Arbitrage


def test_edges_need_every_price_and_buying_yes_a_complete_set() -> None:
    members = outcomes(0.5, 0.5, touch_bid=Ticks(52), touch_ask=Ticks(53))
    whole = group_view(members, is_complete=True, fraction=0.5)
    assert (whole.buy_yes_edge, whole.buy_no_edge) == (pytest.approx(-0.06), pytest.approx(0.04))
    open_ended = group_view(members, is_complete=False, fraction=0.5)
    assert open_ended.buy_yes_edge is None and open_ended.buy_no_edge == pytest.approx(0.04)
    missing = [members[0], structs.replace(members[1], touch_bid=None, touch_ask=None)]
    none = group_view(missing, is_complete=True, fraction=0.5)
    assert (none.buy_yes_edge, none.buy_no_edge) == (None, None)


@laws
@given(st.lists(st.integers(1, 999), min_size=2, max_size=6), st.integers(1, 200))
def test_both_edges_are_never_above_nothing_where_no_book_is_crossed(asks: list[int], spread: int) -> None:
    bids = [max(0, ask - spread) / 1000 for ask in asks]
    buy_yes, buy_no = arbitrage(bids, [ask / 1000 for ask in asks])
    assert buy_yes + buy_no < 1e-12
