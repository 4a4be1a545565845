"""The screen: what every threshold and filter lets through, what a made market is forgiven, and whose figures count."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from core.config import Settings, with_changes
from core.errors import ConfigError
from core.market.fees import FeeSchedule
from core.selection import screen as screen_module
from core.selection.enrich import Sourced
from core.selection.listed import Figures, ListRow
from core.selection.screen import ANY, NOT_TOLD, Rule, Screening, UsedFigures, screen, screened, used_figures
from core.units import Shares
from tests.builders import laws
from tests.core.selection.sources import DAY, NOW, a_gamma, a_source, an_item, gammas, without

RULES: tuple[Rule, ...] = (
    "liquidity", "weekly_volume", "trend", "score", "spread", "end", "age", "life", "category", "fee", "reward", "tick",
)  # fmt: skip
HOUR = 3_600.0


def judged(source: Sourced | None = None, made_since: float | None = None, **settings: Any) -> Screening:
    """One market before the screen, by the catalogue's figures."""
    held = source or a_source()
    return screened(held, gammas(held), made_since, Settings(**settings), NOW)


# A market that breaks the estimate


def test_an_estimate_that_cannot_be_made_fails_its_market_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One market's trouble is none of another's: nothing reaches those who screen many. A made one goes on."""

    def broken(*arguments: Any) -> Any:
        raise ZeroDivisionError("by foreign numbers")

    monkeypatch.setattr(screen_module, "expected_income", broken)
    found = judged()
    assert found.failures == ("estimate",) and found.income is None and not found.passes
    assert found.words == "estimate ZeroDivisionError, wanted one that can be made"
    assert "income_estimate_failed" in caplog.text and "by foreign numbers" in caplog.text
    assert judged(made_since=NOW - DAY).failures == ()
    monkeypatch.undo()
    assert judged().failures == ()


@pytest.mark.parametrize("scoring", [None, 0])
def test_a_least_size_of_nothing_is_no_error(scoring: int | None) -> None:
    source = without(a_source(), min_size=Shares(0), reward_min_size=scoring)
    assert judged(source).income is not None


# The seed's four


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
        ((1e6, math.nan, 2e6), ("weekly_volume", "trend", "score")),
        ((1e6, 1e6, math.nan), ("trend",)),
    ],
)
def test_what_is_no_number_fails_its_check(numbers: tuple[float, float, float], failures: tuple[str, ...]) -> None:
    for is_made in (False, True):
        assert screen(*numbers, Settings(screen_hysteresis=1.0), is_made=is_made).failures == failures


def test_a_bound_of_nothing_asks_for_nothing() -> None:
    """Else a market of which a figure is not told could not be made by any setting."""
    nothing = Settings(min_liquidity=0, min_weekly_volume=0, min_trend=0, mm_score_min=0)
    found = screen(math.nan, math.nan, math.nan, nothing)
    assert found.failures == ()
    assert {result.bound for result in found.results} == {ANY} and {r.value for r in found.results} == {NOT_TOLD}


# Every rule


def test_every_rule_is_told_with_its_number_and_its_bound() -> None:
    found = judged(
        screen_max_spread=0.05, screen_min_days=3, screen_max_days=30, screen_min_age_days=2, screen_max_fee=0.05,
        screen_min_reward=10, screen_ticks=("0.01",), screen_tags=("Politics",), screen_not_tags=("sports",),
    )  # fmt: skip
    assert tuple(result.rule for result in found.results) == RULES
    assert found.failures == () and found.passes and found.words == ""
    assert {result.rule: (result.value, result.bound) for result in found.results} == {
        "liquidity": ("$40,000", "at least $10,000"),
        "weekly_volume": ("$300,000", "at least $50,000"),
        "trend": ("0.4000", "at least 0.3000"),
        "score": ("21,908,902", "at least 1,000,000"),
        "spread": ("2¢", "at most 5¢"),
        "end": ("in 20.0 days", "at least 3.0 days and at most 30.0 days"),
        "age": ("10.0 days", "at least 2.0 days"),
        "life": ("30 days", "more than 15 min"),
        "category": ("politics, elections", "one of politics and none of sports"),
        "fee": ("0.04", "at most 0.05"),
        "reward": ("$30 a day", "at least $10 a day"),
        "tick": ("0.01", "0.01"),
    }


FLIPS: list[tuple[str, object, Rule, str]] = [
    ("min_liquidity", 40_001.0, "liquidity", "liquidity $40,000, wanted at least $40,001"),
    ("min_weekly_volume", 300_001.0, "weekly_volume", "weekly volume $300,000, wanted at least $300,001"),
    ("min_trend", 0.41, "trend", "trend 0.4000, wanted at least 0.4100"),
    ("mm_score_min", 3e7, "score", "score 21,908,902, wanted at least 30,000,000"),
    ("screen_max_spread", 0.019, "spread", "spread 2¢, wanted at most 1.9¢"),
    ("screen_min_days", 21.0, "end", "end in 20.0 days, wanted at least 21.0 days"),
    ("screen_max_days", 19.0, "end", "end in 20.0 days, wanted at most 19.0 days"),
    ("screen_min_age_days", 11.0, "age", "age 10.0 days, wanted at least 11.0 days"),
    ("min_market_life_sec", 30 * DAY, "life", "life 30 days, wanted more than 30 days"),
    ("screen_tags", ("sports", "crypto"), "category", "category politics, elections, wanted one of sports, crypto"),
    ("screen_not_tags", ("Elections",), "category", "category politics, elections, wanted none of elections"),
    ("screen_max_fee", 0.039, "fee", "fee 0.04, wanted at most 0.039"),
    ("screen_min_reward", 31.0, "reward", "reward $30 a day, wanted at least $31 a day"),
    ("screen_ticks", ("0.001", "0.1"), "tick", "tick 0.01, wanted 0.001 or 0.1"),
]


@pytest.mark.parametrize(("name", "value", "rule", "words"), FLIPS, ids=[name for name, *_ in FLIPS])
def test_every_threshold_alone_takes_a_market_out(name: str, value: object, rule: Rule, words: str) -> None:
    assert judged().passes
    found = judged(**{name: value})
    assert found.failures == (rule,) and not found.passes
    assert found.words == words


UNTOLD: list[tuple[str, object, dict[str, Any], dict[str, Any], Rule]] = [
    ("screen_max_spread", 1.0, {}, {"spread": None}, "spread"),
    ("screen_min_days", 0.0, {"end_unix": None}, {}, "end"),
    ("screen_max_days", 1e5, {"end_unix": None}, {}, "end"),
    ("screen_min_age_days", 0.0, {}, {"opened_unix": None}, "age"),
    ("screen_tags", ("politics",), {"tags": ()}, {}, "category"),
    ("screen_not_tags", ("sports",), {"tags": ()}, {}, "category"),
    ("screen_max_fee", 1.0, {"fees": None}, {}, "fee"),
    ("screen_min_reward", 1e-3, {"reward_daily_usd": None}, {}, "reward"),
]


@pytest.mark.parametrize(("name", "value", "item", "market", "rule"), UNTOLD, ids=[name for name, *_ in UNTOLD])
def test_what_is_not_told_fails_only_who_asks_for_it(
    name: str, value: object, item: dict[str, Any], market: dict[str, Any], rule: Rule
) -> None:
    source = a_source(a_gamma(an_item(**item), **market))
    assert judged(source).passes
    found = judged(source, **{name: value})
    assert found.failures == (rule,) and NOT_TOLD in found.words


def test_a_market_whose_dates_are_not_told_has_no_short_life() -> None:
    """market-making.md 2.5: what is known keeps a market out, not what is unknown."""
    assert judged(without(a_source(), end_unix=None), min_market_life_sec=1e8).passes


def test_a_market_that_nobody_knows_fails_what_it_is_asked_for() -> None:
    row = ListRow(2, "0xab")
    unknown = Sourced(row, None, None, None, (), ("Gamma: not known to it",), ())
    found = screened(unknown, UsedFigures(Figures(), "none"), None, Settings(), NOW)
    assert found.failures == ("liquidity", "weekly_volume", "trend", "score")
    assert found.income is None and math.isnan(found.score)


def test_a_past_end_is_no_time_left() -> None:
    overdue = without(a_source(), end_unix=NOW - DAY)
    assert judged(overdue, screen_min_days=0.0).failures == ("end",)
    assert judged(overdue, screen_max_days=1.0).passes


def test_ticks_and_categories_are_compared_by_what_they_mean() -> None:
    source = without(a_source(), tags=("Middle East",))
    assert judged(source, screen_ticks=("0.010",), screen_tags=("middle east",)).passes


def test_a_game_that_is_to_begin_makes_no_market_young() -> None:
    """Its age counts from when it took orders; the start of an instrument may be that of the game."""
    assert judged(without(a_source(), start_unix=NOW + DAY), screen_min_age_days=9.0).passes


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"screen_min_days": 10, "screen_max_days": 5}, "no market would pass"),
        ({"screen_tags": "politics", "screen_not_tags": "Politics,sports"}, "both name politics"),
        ({"screen_ticks": "0.03"}, "screen_ticks"),
        ({"screen_ticks": "a cent"}, "screen_ticks"),
        ({"screen_hysteresis": 1.1}, "screen_hysteresis"),
        ({"min_trend": "nan"}, "min_trend"),
    ],
)
def test_bounds_that_nothing_can_pass_are_refused_at_start(settings: dict[str, Any], words: str) -> None:
    """reliability.md O02: not found out by a list without a market."""
    with pytest.raises(ConfigError, match=words):
        with_changes(Settings(), settings, "test")


@pytest.mark.parametrize("tag", ["\x1b[2J", "\u202eevil", "x" * 500, "[red]"])
def test_categories_are_shown_clean_and_short(tag: str) -> None:
    source = without(a_source(), tags=(tag, *(f"tag {n}" for n in range(50))))
    shown = judged(source).results[RULES.index("category")].value
    assert shown.isprintable() and "\u202e" not in shown and len(shown) < 300 and shown.endswith("...")
    assert judged(source, screen_tags=("tag-49",)).passes, "those that are not shown count too"


def test_the_exchanges_word_is_screened_where_both_tell() -> None:
    """Tick and fee are the CLOB's; the catalogue is minutes late (polymarket-api.md 7)."""
    source = a_source()
    traded = replace(source, instrument=an_item(tick="0.001", fees=FeeSchedule(rate=0)))
    assert judged(traded, screen_ticks=("0.001",), screen_max_fee=0.0).passes
    refused = replace(traded, instrument=None)
    assert judged(refused, screen_ticks=("0.001",), screen_max_fee=0.0).failures == ("fee", "tick")


# What a made market is forgiven

WANDERING: list[tuple[str, float, str, float, float]] = [
    # setting, its value, the figure, what is let in, what only a made market may fall to
    ("min_liquidity", 40_000.0, "liquidity", 40_000.0, 36_000.0),
    ("min_weekly_volume", 300_000.0, "volume_7d", 300_000.0, 270_000.0),
    ("screen_max_spread", 0.02, "spread", 0.02, 0.022),
]


@pytest.mark.parametrize(("name", "bound", "figure", "enough", "least"), WANDERING)
def test_a_made_market_falls_only_beyond_the_band(
    name: str, bound: float, figure: str, enough: float, least: float
) -> None:
    away = 1.001 if figure == "spread" else 0.999

    def passes(value: float, made: bool) -> bool:
        source = a_source(a_gamma(**{figure: value}))
        settings = {name: bound, "mm_score_min": 0.0, "min_trend": 0.0, "screen_min_stay_sec": 0.0}
        return judged(source, NOW - DAY if made else None, **settings).passes

    assert passes(enough, made=False) and not passes(enough * away, made=False)
    assert passes(enough * away, made=True) and passes(least, made=True) and not passes(least * away, made=True)


def test_score_trend_and_rewards_have_the_same_band() -> None:
    settings = {"mm_score_min": 22e6, "min_trend": 0.42, "screen_min_reward": 33.0, "screen_min_stay_sec": 0.0}
    assert judged(**settings).failures == ("trend", "score", "reward")
    assert judged(made_since=NOW - DAY, **settings).passes
    assert judged(made_since=NOW - DAY, **settings, screen_hysteresis=0.0).failures == ("trend", "score", "reward")


def test_the_bound_that_holds_is_told() -> None:
    found = judged(made_since=NOW - DAY, min_liquidity=40_000.0).results[0]
    assert found.bound == "at least $36,000 while made ($40,000 to begin)"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("screen_min_days", 21.0), ("screen_max_days", 19.0), ("screen_min_age_days", 11.0),
        ("min_market_life_sec", 31 * DAY), ("screen_tags", ("sports",)), ("screen_not_tags", ("politics",)),
        ("screen_max_fee", 0.039),
    ],
)  # fmt: skip
def test_facts_are_forgiven_nothing(name: str, value: object) -> None:
    """Neither a band nor a least stay: an end does not flap, and an operator who bans a category means it."""
    found = judged(made_since=NOW - 1.0, screen_hysteresis=1.0, **{name: value})
    assert not found.passes and found.stays_s == 0.0


def test_a_market_is_made_for_its_least_stay() -> None:
    settings = {"min_liquidity": 1e6, "screen_min_stay_sec": HOUR}
    young, old = judged(made_since=NOW - 600.0, **settings), judged(made_since=NOW - HOUR, **settings)
    assert young.failures == old.failures == ("liquidity",), "the rule says what it finds"
    assert young.passes and young.stays_s == 3_000.0
    assert not old.passes and old.stays_s == 0.0
    assert not judged(made_since=NOW - 600.0, min_liquidity=1e6, screen_min_stay_sec=600.0).passes


def test_no_stay_is_told_of_a_market_that_passes() -> None:
    assert judged(made_since=NOW - 1.0).stays_s == 0.0


def test_a_clock_that_went_back_lengthens_no_stay() -> None:
    assert not judged(made_since=NOW + 1e6, min_liquidity=1e6).passes


def test_one_fact_beside_a_wandering_figure_takes_a_young_market_out() -> None:
    assert not judged(made_since=NOW - 1.0, min_liquidity=1e6, screen_max_fee=0.0).passes


def figures_of_a_day() -> st.SearchStrategy[list[float]]:
    return st.lists(st.floats(9_000.0, 9_999.99), min_size=2, max_size=40)


@laws(200)
@given(figures_of_a_day(), st.booleans())
def test_nothing_flaps_within_the_band(values: list[float], is_made: bool) -> None:
    """Whatever a figure does between the two bounds: what is made stays made, what is not stays out."""
    settings = Settings(min_liquidity=10_000.0, screen_hysteresis=0.1, screen_min_stay_sec=0.0)
    states = [is_made]
    for value in values:
        source = a_source(a_gamma(liquidity=value))
        states.append(screened(source, gammas(source), NOW - DAY if states[-1] else None, settings, NOW).passes)
    assert len(set(states)) == 1


@laws(200)
@given(
    st.lists(st.tuples(st.floats(0.0, 2e4), st.floats(1.0, HOUR)), min_size=1, max_size=60),
    st.floats(0.0, 1.0),
    st.floats(0.0, 2 * HOUR),
)
def test_a_market_changes_state_no_more_often_than_its_stay_allows(
    course: list[tuple[float, float]], hysteresis: float, stay_s: float
) -> None:
    """However its figures jump, a market that came in stays in for its least stay."""
    settings = Settings(min_liquidity=10_000.0, screen_hysteresis=hysteresis, screen_min_stay_sec=stay_s)
    made_since: float | None = None
    now = NOW
    for value, pause in course:
        now += pause
        source = without(a_source(a_gamma(liquidity=value)), end_unix=NOW + 400 * DAY)
        passes = screened(source, gammas(source), made_since, settings, now).passes
        if made_since is not None and not passes:
            assert now - made_since >= stay_s
            assert value < 10_000.0 * (1.0 - hysteresis) + 1e-6
        if made_since is None and passes:
            assert value >= 10_000.0 - 1e-6
        made_since = (now if made_since is None else made_since) if passes else None


numbers = st.floats(allow_nan=True, allow_infinity=True)


@laws(300)
@given(numbers, numbers, numbers, st.booleans())
def test_no_figures_break_the_screen(liquidity: float, week: float, month: float, is_made: bool) -> None:
    found = screen(liquidity, week, month, Settings(), is_made=is_made)
    assert tuple(result.rule for result in found.results) == RULES[:4]
    for result, value in zip(found.results[:2], (liquidity, week), strict=True):
        assert not (result.passed and math.isnan(value))
    assert all(result.value and result.bound for result in found.results)


@laws(200)
@given(st.floats(0.0, 1e12), st.floats(0.0, 1e12), st.floats(0.0, 1e12))
def test_a_made_market_passes_wherever_a_new_one_does(liquidity: float, week: float, month: float) -> None:
    new, made = (set(screen(liquidity, week, month, Settings(), is_made=made).failures) for made in (False, True))
    assert made <= new


# Whose figures

ROW = ListRow(2, "0xab", figures=Figures(1.0, 2.0, 3.0, 4.0))


def used(row: ListRow = ROW, since: float | None = NOW - HOUR, **settings: Any) -> UsedFigures:
    return used_figures(row, since, a_gamma(), Settings(**settings), NOW)


def test_young_figures_of_the_list_count() -> None:
    assert used() == UsedFigures(ROW.figures, "the list's, 60 min old")


@pytest.mark.parametrize(
    ("row", "since", "words"),
    [
        (ROW, NOW - DAY, "Gamma's: the list's are 24 h old, used up to 24 h"),
        (ROW, NOW - 9 * DAY, "Gamma's: the list's are 9 days old, used up to 24 h"),
        (ROW, None, "Gamma's: how old the list's are is not known"),
        (ROW, NOW + HOUR, "Gamma's: the list's are dated in the future"),
        (replace(ROW, figures=Figures()), NOW, "Gamma's: the list has none"),
        (replace(ROW, figures=Figures(1.0, None, 3.0, None)), NOW,
         "Gamma's: the list does not tell volume_24h and volume_30d"),
        (replace(ROW, figures=Figures(1.0, 2.0, 4.0, 3.0)), NOW,
         "Gamma's: the list's volumes contradict each other, a shorter time has more than a longer one"),
        (replace(ROW, figures=Figures(1.0, 5.0, 4.0, 5.0)), NOW,
         "Gamma's: the list's volumes contradict each other, a shorter time has more than a longer one"),
        (replace(ROW, figures=Figures(math.nan, 2.0, 3.0, 4.0)), NOW, "Gamma's: the list does not tell liquidity"),
        (replace(ROW, figures=Figures(1.0, 2.0, math.inf, 4.0)), NOW, "Gamma's: the list does not tell volume_7d"),
    ],
)  # fmt: skip
def test_old_or_doubtful_figures_are_replaced_and_it_is_said_why(row: ListRow, since: float, words: str) -> None:
    found = used(row, since)
    assert found.words == words
    assert found.figures == Figures(40_000.0, 50_000.0, 300_000.0, 750_000.0)


def test_a_few_minutes_ahead_of_our_clock_are_no_future() -> None:
    assert used(since=NOW + 60.0).words == "the list's, 0 s old"


def test_how_old_figures_may_be_is_a_setting() -> None:
    assert used(list_figures_sec=HOUR - 1).words.startswith("Gamma's")
    for since in (NOW - 1.0, NOW, NOW + 1.0):
        assert used(list_figures_sec=0.0, since=since).words.startswith("Gamma's"), "0: always Gamma's"
    assert used(list_figures_sec=2 * DAY, since=NOW - DAY).words == "the list's, 24 h old"


def test_nobodys_figures_pass_nothing() -> None:
    found = used_figures(replace(ROW, figures=Figures()), NOW, None, Settings(), NOW)
    assert found == UsedFigures(Figures(), "none: the list has none, and Gamma does not know the market")


def test_what_gamma_does_not_tell_is_not_told() -> None:
    found = used_figures(ROW, None, a_gamma(volume_30d=math.nan), Settings(), NOW)
    assert found.figures == Figures(40_000.0, 50_000.0, 300_000.0, None)


def test_whose_figures_count_decides_what_is_made() -> None:
    """The list's are 1 to 4 dollars, the catalogue's pass with room."""
    source = a_source()
    for settings, passes in ((Settings(), False), (Settings(list_figures_sec=60.0), True)):
        figures = used_figures(ROW, NOW - HOUR, source.market, settings, NOW)
        assert screened(source, figures, None, settings, NOW).passes is passes
