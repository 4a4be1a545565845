"""Events stop quoting and let it come back slowly; caution needs evidence; quiet markets are normal."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from core.quoting.regime import MOST_MOVES, RegimeRules, RegimeState, RegimeWatch, near_depth
from core.quoting.volatility import VarianceRate
from core.units import Shares, Ticks
from tests.core.quoting.arrange import laws, shares

RULES = RegimeRules(
    cooloff_s=30.0,
    reentry_spread=2.0,
    decay_s=60.0,
    sweep_frac=0.8,
    sweep_least=shares(20),
    caution_spread=1.5,
    caution_size=0.5,
    caution_hold_s=30.0,
    window_s=120.0,
    least_moves=20,
    one_sided=0.7,
    vol_ratio=2.0,
)
NORMAL = RegimeState("normal", "", True, 1.0, 1.0, math.inf)


def watch(**over: float) -> RegimeWatch:
    return RegimeWatch(structs.replace(RULES, **over), "logit", 5.0)


def long_variance(rate: float = 1e-4) -> VarianceRate:
    """A variance that has stood at ``rate`` per second (logit) for an hour."""
    variance = VarianceRate(600.0, "logit", 5.0)
    step = math.sqrt(rate * 5.0) / 2
    for number in range(720):
        variance.observe(5.0 * number - 3600.0, 1.0 / (1.0 + math.exp(step * (-1) ** number)))
    return variance


def walk(regime: RegimeWatch, mids: list[float], t: float = 0.0, gap: float = 1.0) -> float:
    """Mids one after the other; returns the time after the last."""
    long = long_variance()
    for mid in mids:
        regime.see_price(t, mid, mid, long)
        t += gap
    return t


def swept(regime: RegimeWatch, price: float, size: float, t: float = 10.0) -> bool:
    """A trade against 100 bids and 50 asks around 0.46."""
    regime.see_book(t - 2.0, 0.46, shares(100), shares(50))
    return regime.see_trade(t, price, shares(size))


# Events


def test_a_quiet_market_is_normal() -> None:
    assert watch().at(0.0) == NORMAL


def test_an_event_stops_quoting_then_lets_it_come_back_wide() -> None:
    regime = watch()
    regime.begin_event(100.0, "price jump")
    told = [regime.at(100.0 + after) for after in (0.0, 29.9, 30.0, 60.0, 75.0, 90.0)]
    assert [state.name for state in told] == ["event"] * 5 + ["normal"]
    assert [state.may_quote for state in told] == [False, False, True, True, True, True]
    assert [state.spread_factor for state in told] == pytest.approx([2.0, 2.0, 2.0, 1.5, 1.25, 1.0])
    assert told[0].reason == "price jump"
    assert [state.until_s for state in told[:4]] == [130.0, 130.0, 131.0, 161.0]
    assert told[-1] == NORMAL


def test_a_new_event_begins_the_cooling_off_anew() -> None:
    regime = watch()
    regime.begin_event(0.0, "price jump")
    assert regime.at(40.0).may_quote
    regime.begin_event(41.0, "news")
    assert (regime.at(41.0).may_quote, regime.at(70.0).may_quote, regime.at(71.0).may_quote) == (False, False, True)
    assert regime.at(71.0).reason == "news"


def test_an_older_event_does_not_shorten_a_newer_one() -> None:
    regime = watch()
    regime.begin_event(10.0, "price jump")
    regime.begin_event(5.0, "late word")
    assert regime.at(39.0).may_quote is False


def test_without_a_decay_the_end_of_the_cooling_off_is_the_end() -> None:
    regime = watch(decay_s=0.0)
    regime.begin_event(0.0, "price jump")
    assert regime.at(30.0) == NORMAL


def test_other_rules_do_not_end_an_event() -> None:
    """A change of settings in the middle of the cooling off must not bring quotes back."""
    regime = watch()
    regime.begin_event(0.0, "price jump")
    assert not regime.at(1.0).may_quote
    regime.use(structs.replace(RULES, cooloff_s=20.0), "price", 1.0)
    assert [regime.at(t).may_quote for t in (2.0, 19.9, 20.0)] == [False, False, True]


# Sweeps


@pytest.mark.parametrize(
    ("price", "size", "is_sweep"),
    [(0.47, 40, True), (0.47, 39.9, False), (0.45, 80, True), (0.45, 40, False), (0.46, 1000, False)],
)
def test_a_sweep_takes_most_of_the_side_that_it_hits(price: float, size: float, is_sweep: bool) -> None:
    regime = watch()
    assert swept(regime, price, size) is is_sweep
    assert regime.at(10.0).may_quote is not is_sweep


def test_sweeps_can_be_switched_off() -> None:
    regime = watch(sweep_frac=0.0)
    assert not swept(regime, 0.47, 1_000) and regime.at(10.0).may_quote


def test_a_sweep_may_come_in_parts_within_a_second() -> None:
    quick, slow = watch(), watch()
    for regime, gap in ((quick, 0.4), (slow, 0.6)):
        regime.see_book(8.0, 0.46, shares(100), shares(50))
        told = [regime.see_trade(10.0 + gap * number, 0.47 + number / 100, shares(15)) for number in range(3)]
        assert told == [False, False, regime is quick]


def test_crumbs_do_not_keep_a_market_from_coming_back() -> None:
    """Without our orders a thin book is nearly empty; who takes what is left must not prolong the event for ever."""
    regime = watch()
    regime.see_book(0.0, 0.46, shares(2_000), shares(2_000))
    regime.begin_event(1.0, "the price jumped")
    for t in (12.0, 24.0):
        regime.see_book(t - 1.5, 0.46, shares(20), shares(20))
        assert not regime.see_trade(t, 0.47, shares(20))
    assert regime.at(31.5).may_quote
    regime.begin_event(40.0, "again")
    regime.see_book(50.0, 0.46, shares(20), shares(3_000))
    assert regime.see_trade(52.0, 0.47, shares(2_900)), "a true sweep does"


def test_a_sweep_is_held_against_the_book_before_it() -> None:
    """The book is told before the trade that emptied it, and the mid has moved by then."""
    regime = watch()
    regime.see_book(0.0, 0.46, shares(100), shares(50))
    regime.see_book(9.9, 0.49, shares(100), shares(500))
    assert regime.see_trade(10.0, 0.48, shares(45))
    assert regime.at(10.0).reason == "sweep of the asks"


def test_only_the_newest_book_of_before_counts() -> None:
    """What was displayed earlier, or what any one of its figures was earlier, is not what the sweep met."""
    for last, price, is_sweep in [
        ((0.46, 100, 500), 0.47, False),
        ((0.46, 500, 50), 0.45, False),
        ((0.48, 100, 50), 0.47, False),
        ((0.46, 100, 50), 0.47, True),
    ]:
        regime = watch()
        regime.see_book(0.0, 0.46, shares(100), shares(50))
        regime.see_book(5.0, last[0], shares(last[1]), shares(last[2]))
        assert regime.see_trade(10.0, price, shares(60)) is is_sweep


def test_trades_into_the_other_side_or_at_the_mid_are_not_added() -> None:
    regime = watch()
    regime.see_book(0.0, 0.46, shares(50), shares(50))
    assert [regime.see_trade(10.0, price, shares(30)) for price in (0.47, 0.46, 0.45)] == [False] * 3


def test_a_thin_book_is_not_swept_by_a_small_trade() -> None:
    regime = watch()
    regime.see_book(0.0, 0.46, shares(3), shares(3))
    assert not regime.see_trade(10.0, 0.47, shares(15))
    assert regime.see_trade(10.1, 0.47, shares(1))


def test_without_a_book_nothing_is_a_sweep() -> None:
    assert not watch().see_trade(10.0, 0.47, shares(1e6))


def test_near_depth_counts_what_is_within_reach_of_the_best_price() -> None:
    levels = [(Ticks(45), Shares(5)), (Ticks(43), Shares(7)), (Ticks(41), Shares(100))]
    assert (near_depth(levels, 0), near_depth(levels, 3), near_depth(levels, 4), near_depth([], 3)) == (5, 12, 112, 0)


# Caution


def test_one_way_moves_call_for_caution_once_there_are_enough() -> None:
    regime = watch()
    t = walk(regime, [0.40 + number / 1000 for number in range(20)])
    assert regime.at(t) == NORMAL
    t = walk(regime, [0.43], t)
    assert regime.at(t) == RegimeState("caution", "one-sided flow", True, 1.5, 0.5, t - 1.0 + 30.0)


def test_moves_to_and_fro_are_normal() -> None:
    regime = watch()
    t = walk(regime, [0.40 + (number % 2) / 1000 for number in range(100)])
    assert regime.at(t) == NORMAL


def test_a_repeated_mid_is_no_move() -> None:
    regime = watch()
    t = walk(regime, [mid for number in range(15) for mid in [0.40 + number / 1000] * 5], gap=0.2)
    assert regime.at(t) == NORMAL


def test_agitation_calls_for_caution() -> None:
    """The same back and forth, ten times as large as the market was used to."""
    regime = watch()
    t = walk(regime, [0.5 + 0.03 * (number % 2) for number in range(40)], gap=5.0)
    state = regime.at(t)
    assert (state.name, state.reason) == ("caution", "agitated")


def test_caution_lasts_while_prices_call_for_it_and_a_while_longer() -> None:
    regime = watch()
    t = walk(regime, [0.40 + number / 1000 for number in range(50)]) - 1.0
    assert [regime.at(t + after).name for after in (0.0, 29.0, 30.0)] == ["caution", "caution", "normal"]


def test_moves_of_long_ago_are_no_flow() -> None:
    regime = watch()
    t = walk(regime, [0.40 + number / 1000 for number in range(20)])
    walk(regime, [0.50], t + 101.0)
    assert regime.at(t + 101.0) == NORMAL


def test_an_event_on_top_of_caution_keeps_the_wider_and_the_smaller() -> None:
    regime = watch(reentry_spread=1.2)
    t = walk(regime, [0.40 + number / 1000 for number in range(25)])
    regime.begin_event(t, "price jump")
    assert not regime.at(t).may_quote
    t = walk(regime, [0.45 + number / 1000 for number in range(35)], t)
    state = regime.at(t)
    assert (state.name, state.spread_factor, state.size_factor) == ("event", 1.5, 0.5)


def test_a_fair_coin_is_rarely_called_one_sided() -> None:
    """Thresholds on price moves misfire on quiet tapes; at 20 moves a coin is 17 of one side once in 390 times."""
    coin, long, misfires = random.Random(7), long_variance(), 0
    for _ in range(400):
        regime, mid = watch(), 0.5
        for t in range(21):
            regime.see_price(float(t), mid, mid, long)
            mid += 0.001 * coin.choice((-1, 1))
        misfires += regime.at(21.0).name != "normal"
    assert misfires <= 4


def test_a_lost_book_forgets_prices_but_not_the_event() -> None:
    regime = watch()
    t = walk(regime, [0.40 + number / 1000 for number in range(25)])
    regime.see_book(t, 0.46, shares(100), shares(50))
    regime.begin_event(t, "price jump")
    regime.start_anew()
    assert not regime.see_trade(t + 2.0, 0.47, shares(1e6))
    assert not regime.at(t + 29.0).may_quote
    assert regime.at(t + 95.0) == NORMAL
    t = walk(regime, [0.40 - number / 1000 for number in range(18)], t + 95.0)
    t = walk(regime, [0.50 + number / 1000 for number in range(3)], t)
    assert regime.at(t).reason == "one-sided flow"


# Laws


happenings = st.lists(
    st.tuples(
        st.sampled_from(["price", "book", "trade", "event", "anew"]),
        st.integers(0, 80).map(lambda n: n / 4),
        st.integers(1, 255).map(lambda n: n / 256),
        st.integers(0, 200),
        st.integers(0, 200),
    ),
    max_size=80,
)


def happen(regime: RegimeWatch, what: str, t: float, price: float, bids: int, asks: int, long: VarianceRate) -> None:
    match what:
        case "price":
            regime.see_price(t, price, price, long)
        case "book":
            regime.see_book(t, price, shares(bids), shares(asks))
        case "trade":
            regime.see_trade(t, price, shares(bids + 1))
        case "event":
            regime.begin_event(t, "price jump")
        case "anew":
            regime.start_anew()


@laws
@given(happenings)
def test_factors_only_ever_widen_and_shrink(seen: list[tuple[str, float, float, int, int]]) -> None:
    regime, t, long = watch(least_moves=3), 0.0, long_variance()
    for what, gap, price, bids, asks in seen:
        t += gap
        happen(regime, what, t, price, bids, asks, long)
        state = regime.at(t)
        assert state.spread_factor >= 1.0 >= state.size_factor >= 0.0
        assert state.until_s > t
        assert state.may_quote or state.name == "event"
        assert regime.at(t) is state


@laws
@given(happenings, st.floats(0, 200))
def test_asking_changes_no_later_answer(seen: list[tuple[str, float, float, int, int]], later: float) -> None:
    """What is kept until its time is what would have been worked out anew."""
    asked, silent = watch(least_moves=3), watch(least_moves=3)
    t, long = 0.0, long_variance()
    for what, gap, price, bids, asks in seen:
        t += gap
        for regime in (asked, silent):
            happen(regime, what, t, price, bids, asks, long)
        asked.at(t)
    assert asked.at(t + later) == silent.at(t + later)


@laws
@given(happenings)
def test_exchanging_the_tokens_changes_nothing(seen: list[tuple[str, float, float, int, int]]) -> None:
    one, other, t, long = watch(least_moves=3), watch(least_moves=3), 0.0, long_variance()
    for what, gap, price, bids, asks in seen:
        t += gap
        happen(one, what, t, price, bids, asks, long)
        if what == "trade":
            other.see_trade(t, 1.0 - price, shares(bids + 1))
        else:
            happen(other, what, t, 1.0 - price, asks, bids, long)
        state, mirrored = one.at(t), other.at(t)
        assert state._replace(reason="") == mirrored._replace(reason="")
        swap = {"sweep of the asks": "sweep of the bids", "sweep of the bids": "sweep of the asks"}
        assert swap.get(state.reason, state.reason) == mirrored.reason


def test_memory_stays_bounded_in_the_wildest_minute() -> None:
    regime, long = watch(window_s=1e6), long_variance()
    for number in range(3 * MOST_MOVES):
        t = number / 1000
        regime.see_price(t, 0.4 + (number % 100) / 1000, 0.5, long)
        regime.see_book(t, 0.4, shares(1), shares(1))
        regime.see_trade(t, 0.5, Shares(1))
    held = [len(getattr(regime, name)) for name in ("_moves", "_books", "_trades")]
    assert held[0] == MOST_MOVES and max(held[1:]) <= 256


# Bad input


def test_what_is_no_number_is_refused_and_changes_nothing() -> None:
    regime, long = watch(), long_variance()
    state = regime.at(1.0)
    nan = math.nan
    for t, price in [
        (nan, 0.5),
        (math.inf, 0.5),
        (-math.inf, 0.5),
        (1.0, nan),
        (1.0, 0.0),
        (1.0, 1.0),
        (1.0, math.inf),
    ]:
        with pytest.raises(ValueError, match="no mid"):
            regime.see_price(t, price, 0.5, long)
        with pytest.raises(ValueError, match="no book"):
            regime.see_book(t, price, shares(1), shares(1))
        with pytest.raises(ValueError, match="no trade"):
            regime.see_trade(t, price, shares(1))
    with pytest.raises(ValueError, match="not a sample"):
        regime.see_price(1.0, 0.5, nan, long)
    with pytest.raises(ValueError, match="no book"):
        regime.see_book(1.0, 0.5, Shares(-1), shares(1))
    with pytest.raises(ValueError, match="no trade"):
        regime.see_trade(1.0, 0.5, Shares(0))
    for bad in (nan, math.inf, -math.inf):
        with pytest.raises(ValueError, match="no time"):
            regime.begin_event(bad, "news")
        with pytest.raises(ValueError, match="no time"):
            watch().at(bad)
    assert regime.at(1.0) is state


@pytest.mark.parametrize(
    "bad",
    [{"cooloff_s": -1.0}, {"decay_s": math.nan}, {"reentry_spread": 0.9}, {"caution_spread": math.inf},
     {"caution_size": 1.1}, {"sweep_frac": -0.1}, {"window_s": 0.0}, {"least_moves": 0}, {"one_sided": 1.1},
     {"vol_ratio": 0.5}, {"sweep_least": -1}, {"cooloff_s": math.inf}, {"sweep_frac": math.inf}, {"window_s": math.inf},
     {"caution_size": -0.1}, {"one_sided": -0.1}],
)  # fmt: skip
def test_rules_out_of_range_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="no rules"):
        structs.replace(RULES, **bad)


def test_rules_at_the_ends_of_their_ranges_are_taken() -> None:
    """An operator may switch each of them off."""
    off = {"reentry_spread": 1.0, "caution_spread": 1.0, "vol_ratio": 1.0, "caution_size": 1.0, "one_sided": 1.0}
    structs.replace(RULES, **off, cooloff_s=0.0, decay_s=0.0, caution_hold_s=0.0, sweep_least=Shares(0), window_s=0.5)
    structs.replace(RULES, caution_size=0.0, one_sided=0.0, least_moves=1)
