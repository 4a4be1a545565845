"""The expected income: each term by hand, what moves it which way, and what it says of its assumptions."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from core.config import Settings
from core.market.fees import FeeSchedule
from core.market.instrument import Instrument
from core.selection.income import (
    BAND_CENTS,
    CAPITAL_A_YEAR,
    DRIFT_FRAC,
    FILL_DECAY_PER_CENT,
    FLOW_FRAC_MOST,
    Book,
    Income,
    IncomeInputs,
    expected_income,
)
from core.selection.listed import Figures
from core.units import Shares, Ticks, Usd
from tests.builders import laws, shares, usd
from tests.core.selection.sources import an_item

FIGURES = Figures(40_000.0, 50_000.0, 350_000.0, 1e6)
PLAIN: dict[str, Any] = {"bankroll_usd": 10_000.0, "base_size_usd": 60.0, "max_size_usd": 60.0, "order_layers": 1}


def levels(*pairs: tuple[int, float]) -> list[tuple[Ticks, Shares]]:
    return [(Ticks(tick), shares(size)) for tick, size in pairs]


def a_book() -> Book:
    """Around 0.50 with a spread of two cents: 900 shares at the touch, 900 a cent behind."""
    return Book(levels((49, 900.0), (48, 900.0)), levels((51, 900.0), (52, 900.0)))


def income(item: Instrument | None = None, settings: dict[str, Any] | None = None, **over: Any) -> Income:
    asked: dict[str, Any] = {"mid": 0.5, "spread": 0.02, "figures": FIGURES, "book": a_book()}
    inputs = IncomeInputs(instrument=item or an_item(), **(asked | over))
    found = expected_income(inputs, Settings(**(PLAIN | (settings or {}))))
    assert found is not None
    return found


def test_every_term_by_hand() -> None:
    """One order of 120 shares a side at the touch, 60 dollars of 0.50; the book has 900 there and 900 behind."""
    found = income()
    reach = math.exp(-FILL_DECAY_PER_CENT)
    part = 120.0 / (120.0 + 900.0 + 900.0 * reach)
    assert part > FLOW_FRAC_MOST, "the bound holds"
    fills = 2 * 50_000.0 * reach * FLOW_FRAC_MOST
    assert found.fills == pytest.approx(fills)
    assert found.spread_usd == pytest.approx(fills * 0.01)
    assert found.drift_usd == pytest.approx(DRIFT_FRAC * fills * 0.01)
    assert found.rebate_usd == pytest.approx(fills * 0.25 * 0.04 * 0.49 * 0.51)
    assert found.at_risk_usd == pytest.approx(120 * 0.49)
    assert found.capital_usd == pytest.approx(2 * 120 * 0.49 * CAPITAL_A_YEAR / 365)
    near, far = (3.5 / 4.5) ** 2, (2.5 / 4.5) ** 2
    ours, others = near * 120, near * 900 + far * 900
    assert found.others_q == pytest.approx(others)
    assert found.reward_share == pytest.approx(ours / (ours + others))
    assert found.reward_usd == pytest.approx(30.0 * found.reward_share)
    total = found.reward_usd + found.rebate_usd + found.spread_usd - found.drift_usd - found.capital_usd
    assert found.usd_per_day == pytest.approx(total)
    assert found.frac == pytest.approx(total / found.at_risk_usd)
    assert found.break_even_drift == pytest.approx((total + found.drift_usd) / fills)
    assert found.has_book


def test_a_small_part_of_a_deep_book_is_what_fills() -> None:
    deep = Book(levels((49, 90_000.0)), levels((51, 90_000.0)))
    found = income(book=deep)
    part = math.exp(-FILL_DECAY_PER_CENT) * 120 / 90_120
    assert found.fills == pytest.approx(2 * 50_000.0 * part)
    assert f"{part:.2%}" in " ".join(found.words)


def test_at_the_break_even_drift_nothing_is_earned() -> None:
    found = income()
    assert found.break_even_drift is not None
    assert found.usd_per_day + found.drift_usd - found.break_even_drift * found.fills == pytest.approx(0.0)


def test_without_a_book_one_is_assumed_and_told() -> None:
    found = income(book=None)
    assert not found.has_book and found.reward_share > 0 and found.fills > 0
    assert "no book read: $40,000 of liquidity spread evenly over 4.5¢ on each side" in found.words
    # 40,000 shares a side in five levels a cent apart, from the touch of 49 outwards; the last one scores nothing.
    scores = sum(((4.5 - away) / 4.5) ** 2 for away in (1, 2, 3, 4))
    assert found.others_q == pytest.approx(scores * 8_000.0)


def test_an_assumed_book_is_the_same_on_every_grid() -> None:
    """Its levels stand a cent apart: on a fine grid they would be too small to count, and nobody would compete."""
    fine = an_item(tick="0.001")
    assert income(fine, book=None).others_q == pytest.approx(income(book=None).others_q)
    thin = replace(FIGURES, liquidity=120.0)
    assert income(fine, book=None, figures=thin).others_q > 0, "two levels of sixty shares, not five of twenty-four"


def test_a_book_that_says_nothing_is_as_good_as_none() -> None:
    for book in (Book([], []), Book(levels((49, 900.0)), []), Book(levels((51, 900.0)), levels((50, 900.0)))):
        assert income(book=book) == income(book=None)


@pytest.mark.parametrize(
    "unknown",
    [
        {"mid": None}, {"mid": 0.0}, {"mid": 1.0}, {"mid": math.nan},
        {"figures": Figures()}, {"figures": replace(FIGURES, liquidity=0.0)},
        {"figures": replace(FIGURES, liquidity=math.nan)}, {"figures": replace(FIGURES, liquidity=math.inf)},
    ],
)  # fmt: skip
def test_without_a_price_or_a_depth_there_is_no_estimate(unknown: dict[str, Any]) -> None:
    """Competition would be nobody, and the market the best of all."""
    asked: dict[str, Any] = {"mid": 0.5, "spread": 0.02, "figures": FIGURES} | unknown
    assert expected_income(IncomeInputs(instrument=an_item(), **asked), Settings()) is None


def test_a_book_needs_no_word_of_the_catalogue() -> None:
    assert income(mid=None, spread=None).usd_per_day == income().usd_per_day


def test_no_volume_means_no_fills_and_no_break_even() -> None:
    found = income(figures=replace(FIGURES, volume_24h=None, volume_7d=None))
    assert (found.fills, found.spread_usd, found.drift_usd, found.rebate_usd) == (0, 0, 0, 0)
    assert found.break_even_drift is None and found.reward_usd > 0


def test_what_is_not_told_is_assumed_aloud() -> None:
    assert (
        "no volume is told: nothing is filled" in income(figures=replace(FIGURES, volume_24h=None, volume_7d=0.0)).words
    )
    for spread in (None, 0.0, 1.0, math.nan):
        assert "spread not told: taken as 2 ticks" in income(book=None, spread=spread).words
    assert not any("not told" in words for words in income(book=None).words)


def test_the_slower_of_day_and_week_counts() -> None:
    """A day of news is no forecast, and neither is a week that is over."""
    slow = 2 * 7_000 * FLOW_FRAC_MOST * math.exp(-FILL_DECAY_PER_CENT)
    for figures in (replace(FIGURES, volume_24h=7_000.0), replace(FIGURES, volume_7d=49_000.0)):
        assert income(figures=figures).fills == pytest.approx(slow)
    assert income(figures=replace(FIGURES, volume_24h=None, volume_7d=49_000.0)).fills == pytest.approx(slow)


def test_what_is_not_paid_is_not_counted() -> None:
    """Rewards and rebates below a dollar a day are not paid (polymarket-api.md 9.2, 9.3)."""
    found = income(an_item(reward_daily_usd=3.0), figures=replace(FIGURES, volume_24h=100.0))
    assert found.reward_usd == 0 and "rewards: below the least paid" in found.words
    assert found.rebate_usd == 0 and any("below the $1 that is paid" in words for words in found.words)


def test_a_market_without_a_programme_earns_no_rewards() -> None:
    found = income(an_item(reward_max_spread_cents=None, reward_min_size=None, reward_daily_usd=0.0))
    assert found.reward_usd == 0 and not any("rewards" in words for words in found.words)
    unknown = income(an_item(reward_daily_usd=None))
    assert unknown.reward_usd == 0 and "rewards: pool not told" in unknown.words


def test_orders_below_the_least_size_earn_nothing_and_cost_nothing() -> None:
    found = income(settings={"base_size_usd": 1.0, "max_size_usd": 1.0})
    assert found.usd_per_day == 0 and found.at_risk_usd == 0 and found.frac == 0
    assert any(words.startswith("no order is planned") for words in found.words)


def test_a_long_shot_beyond_our_prices_earns_nothing() -> None:
    found = income(an_item(tick="0.001"), book=None, mid=0.002, spread=0.001)
    assert found.usd_per_day == 0 and any("price_min" in words for words in found.words)


def test_a_limit_of_the_list_and_the_caps_bound_the_sizes() -> None:
    assert income(most_usd=usd(30)).at_risk_usd == pytest.approx(60 * 0.49)
    assert income(settings={"market_cap": 0.003}).at_risk_usd == pytest.approx(60 * 0.49)
    assert income(settings={"hard_cap_delta_pct": 0.003, "soft_cap_delta_pct": 0.001}).at_risk_usd == pytest.approx(
        60 * 0.49
    )


def test_an_unknown_bankroll_is_assumed_and_told() -> None:
    found = income(settings={"bankroll_usd": None, "base_size_usd": None, "max_size_usd": None})
    assert found.words[0] == "bankroll_usd is not set: taken as $50,000"
    half = income(settings={"bankroll_usd": None, "base_size_usd": None, "max_size_usd": None, "paper_cash_usd": 25e3})
    assert half.at_risk_usd == pytest.approx(found.at_risk_usd / 2, rel=1e-3)
    assert not any("bankroll" in words for words in income().words)


def test_every_assumption_is_told_with_its_number() -> None:
    told = "; ".join(income(book=None).words)
    for number in (f"{FLOW_FRAC_MOST:.0%}", f"{DRIFT_FRAC:.0%}", f"{CAPITAL_A_YEAR:.0%}", f"{BAND_CENTS}¢", "1¢"):
        assert number in told


def test_a_wider_setting_stands_further_away() -> None:
    """The half-spread that the settings ask for, where the book's own is smaller."""
    tight = Book(levels((49, 900.0)), levels((50, 900.0)))
    near, far = (income(book=tight, settings={"k_fee_ticks": ticks}) for ticks in (0.0, 3.0))
    assert far.reward_share < near.reward_share and far.spread_usd / far.fills > near.spread_usd / near.fills


def test_free_markets_rebate_nothing() -> None:
    for fees in (None, FeeSchedule(rate=0)):
        assert income(an_item(fees=fees)).rebate_usd == 0


prices = st.floats(0.001, 0.999)
dollars = st.one_of(st.none(), st.floats(0.0, 1e9))


@laws(300)
@given(
    mid=prices,
    spread=st.one_of(st.none(), st.floats(0.0, 1.0)),
    liquidity=dollars,
    day=dollars,
    week=dollars,
    tick=st.sampled_from(["0.1", "0.01", "0.005", "0.0025", "0.001", "0.0001"]),
    pool=st.one_of(st.none(), st.floats(0.0, 1e4)),
    most=st.one_of(st.none(), st.integers(1, 10**12)),
    least=st.one_of(st.just(0), st.integers(0, 10**15)),
    scoring=st.one_of(st.none(), st.integers(0, 10**15)),
)
def test_no_market_breaks_the_estimate(
    mid: float, spread: float | None, liquidity: float | None, day: float | None, week: float | None,
    tick: str, pool: float | None, most: int | None, least: int, scoring: int | None,
) -> None:  # fmt: skip
    """All terms are finite and none is negative; at risk is no more than the settings allow."""
    item = an_item(tick=tick, reward_daily_usd=pool, min_size=Shares(least), reward_min_size=scoring)
    inputs = IncomeInputs(
        instrument=item, mid=mid, spread=spread, figures=Figures(liquidity, day, week, None),
        most_usd=None if most is None else Usd(most),
    )  # fmt: skip
    settings = Settings(bankroll_usd=10_000.0)
    found = expected_income(inputs, settings)
    if found is None:
        return
    terms = (found.reward_usd, found.rebate_usd, found.spread_usd, found.drift_usd, found.capital_usd, found.fills)
    assert all(math.isfinite(term) and term >= 0 for term in terms)
    assert 0 <= found.reward_share <= 1 and found.reward_usd <= (pool or 0.0)
    # Sizes are matched: dollars at risk are of the dearer side, an order's price may be up to the far end of the band.
    allowed = 300.0 if most is None else min(300.0, most / 1e6)
    assert found.at_risk_usd <= allowed / min(max(mid, 1 - mid), 1.0) + 1e-6
    assert (
        found.fills
        <= 2 * FLOW_FRAC_MOST * min([value for value in (day, week and week / 7) if value is not None], default=0.0)
        + 1e-6
    )


def test_a_wider_spread_than_the_best_earns_less_the_wider_it_is() -> None:
    """Few come as far as the prices of a dead book: what a fill earns there is no reason to rank it first."""
    bare = an_item(reward_max_spread_cents=None, reward_min_size=None, reward_daily_usd=0.0, fees=None)
    by_half = {}
    for half in (1, 2, 3, 5, 10, 25, 48):
        found = income(bare, book=Book(levels((50 - half, 900.0)), levels((50 + half, 900.0))))
        by_half[half] = found.spread_usd - found.drift_usd
        assert found.fills == pytest.approx(2 * 50_000.0 * FLOW_FRAC_MOST * math.exp(-FILL_DECAY_PER_CENT * half))
        assert found.spread_usd == pytest.approx(found.fills * half / 100)
    assert list(by_half.values()) == sorted(by_half.values(), reverse=True)
    assert by_half[10] < by_half[1] / 100


@laws(150)
@given(st.floats(0.001, 0.98), st.sampled_from(["0.01", "0.001"]))
def test_no_spread_earns_without_bound(spread: float, tick: str) -> None:
    """At most the volume times the best that distance times reach can be, which is at 1 / kappa."""
    found = income(an_item(tick=tick), book=None, spread=spread)
    best = 0.01 / FILL_DECAY_PER_CENT * math.exp(-1)
    assert found.spread_usd <= 2 * 50_000.0 * FLOW_FRAC_MOST * best * (1 + 1e-9)


@laws(150)
@given(st.floats(1_000.0, 1e6), st.floats(1.01, 10.0))
def test_more_competition_never_earns_more(liquidity: float, factor: float) -> None:
    def total(dollars: float) -> float:
        return income(book=None, figures=replace(FIGURES, liquidity=dollars)).reward_share

    assert total(liquidity * factor) <= total(liquidity) + 1e-9


@laws(150)
@given(st.floats(2.0, 1e4), st.floats(1.0, 10.0))
def test_a_larger_pool_never_earns_less(pool: float, factor: float) -> None:
    small, large = (income(an_item(reward_daily_usd=usd_day)).reward_usd for usd_day in (pool, pool * factor))
    assert large >= small - 1e-9
