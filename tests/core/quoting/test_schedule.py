"""The nearer the end, the less is quoted; an end that was wrong does not silence a market."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.quoting.schedule import (
    END_DATE,
    GAME_START,
    ORACLE_SEC,
    ScheduleRules,
    floor_seconds,
    lives_long_enough,
    schedule_at,
    warning_of,
)
from core.quoting.volatility import resolution_floor
from tests.core.quoting.arrange import laws

HOUR = 3600.0
POLITICS = ScheduleRules(t1_s=24 * HOUR, t2_s=2 * HOUR, t3_s=0.5 * HOUR, overdue_size=0.5, overdue_spread=1.5)
SPORTS = ScheduleRules(t1_s=2 * HOUR, t2_s=900.0, t3_s=300.0, overdue_size=0.5, overdue_spread=1.5)
NOW = 1_700_000_000.0

names = st.sampled_from([END_DATE, GAME_START, "speech", "debate"])
ends = st.lists(
    st.tuples(names, st.integers(-400_000, 400_000).map(lambda left: NOW + left / 4)),
    max_size=4,
    unique_by=lambda end: end[0],
)
rules = st.sampled_from([POLITICS, SPORTS])


@pytest.mark.parametrize(
    ("left_h", "phase", "factor"),
    [(25, "open", 1.0), (24, "fade", 1.0), (13, "fade", 0.5), (2, "reduce_only", 0.0), (0.6, "reduce_only", 0.0),
     (0.5, "closed", 0.0), (0.001, "closed", 0.0), (0, "closed", 0.0), (-1.99, "closed", 0.0), (-2, "overdue", 0.5),
     (-240, "overdue", 0.5)],
)  # fmt: skip
def test_phases_towards_and_after_an_end_date(left_h: float, phase: str, factor: float) -> None:
    found = schedule_at(NOW, [(END_DATE, NOW + left_h * HOUR)], POLITICS)
    assert (found.phase, found.factor, found.of) == (phase, pytest.approx(factor), END_DATE)
    assert found.seconds == pytest.approx(left_h * HOUR)
    assert found.spread_factor == (1.5 if phase == "overdue" else 1.0)


@pytest.mark.parametrize(
    ("left_h", "until_h"),
    [(30, 6), (13, 0.11), (2.05, 0.05), (1, 0.5), (0.4, 2.4), (-1.5, 0.5), (-2, math.inf)],
)
def test_an_answer_says_when_to_ask_again(left_h: float, until_h: float) -> None:
    """At the next phase; while sizes fade, when they have changed by half a per cent of the whole."""
    until = schedule_at(NOW, [(END_DATE, NOW + left_h * HOUR)], POLITICS).until_unix
    assert until - NOW == pytest.approx(until_h * HOUR)


def test_quotes_come_back_when_the_event_is_over() -> None:
    found = schedule_at(NOW, [(END_DATE, NOW + 90 * HOUR), ("speech", NOW + 0.25 * HOUR)], POLITICS)
    assert (found.phase, found.until_unix) == ("closed", NOW + 0.25 * HOUR)
    after = schedule_at(found.until_unix, [(END_DATE, NOW + 90 * HOUR), ("speech", NOW + 0.25 * HOUR)], POLITICS)
    assert after.phase == "open"


def test_a_game_that_starts_now_has_started() -> None:
    assert schedule_at(NOW, [(GAME_START, NOW)], SPORTS).phase == "closed"


def test_the_earliest_end_decides() -> None:
    found = schedule_at(NOW, [(END_DATE, NOW + 9 * HOUR), (GAME_START, NOW + HOUR), ("speech", NOW + 3 * HOUR)], SPORTS)
    assert (found.phase, found.of) == ("fade", GAME_START)
    assert found.factor == pytest.approx((HOUR - 900) / (2 * HOUR - 900))


def test_a_game_that_is_on_is_not_quoted() -> None:
    found = schedule_at(NOW, [(END_DATE, NOW + 9 * HOUR), (GAME_START, NOW - HOUR)], SPORTS)
    assert (found.phase, found.of, found.until_unix) == ("closed", GAME_START, math.inf)


def test_an_event_that_has_passed_no_longer_counts() -> None:
    assert schedule_at(NOW, [("speech", NOW - 1.0)], SPORTS).phase == "unknown"
    assert schedule_at(NOW, [("speech", NOW - 1.0), (END_DATE, NOW + 9 * HOUR)], SPORTS).phase == "open"


def test_an_overdue_market_still_minds_what_lies_ahead() -> None:
    past = (END_DATE, NOW - 48 * HOUR)
    assert schedule_at(NOW, [past, ("speech", NOW + 60.0)], SPORTS).phase == "closed"
    assert schedule_at(NOW, [past, ("speech", NOW + 800.0)], SPORTS).phase == "reduce_only"
    assert schedule_at(NOW, [past, ("speech", NOW + 1200.0)], SPORTS).factor == pytest.approx(300 / 6300)
    assert schedule_at(NOW, [past, ("speech", NOW + 9 * HOUR)], SPORTS).factor == 0.5


def test_without_an_end_nothing_is_known_and_said_so() -> None:
    found = schedule_at(NOW, [], POLITICS)
    assert (found.phase, found.factor, found.seconds, found.until_unix) == ("unknown", 1.0, None, math.inf)
    assert warning_of(found, 0.5) == "no end date is known"


@laws
@given(ends, rules)
def test_sizes_never_grow_and_spreads_never_shrink(known: list[tuple[str, float]], chosen: ScheduleRules) -> None:
    found = schedule_at(NOW, known, chosen)
    assert 0.0 <= found.factor <= 1.0 <= found.spread_factor
    assert found.until_unix > NOW


@laws
@given(ends, rules, st.floats(0, 0.999))
def test_an_answer_holds_until_the_time_it_gives(
    known: list[tuple[str, float]], chosen: ScheduleRules, part: float
) -> None:
    """A desk may keep it: until then the phase stays, and a size is right to half a per cent."""
    found = schedule_at(NOW, known, chosen)
    until = found.until_unix if math.isfinite(found.until_unix) else NOW + 1e6
    later = schedule_at(NOW + part * (until - NOW), known, chosen)
    assert (later.phase, later.of) == (found.phase, found.of)
    assert later.factor == pytest.approx(found.factor, abs=0.0050001)
    assert later.spread_factor == found.spread_factor


@laws
@given(ends, st.tuples(names, st.floats(1, 100_000)), rules)
def test_one_more_end_ahead_never_allows_more(
    known: list[tuple[str, float]], more: tuple[str, float], chosen: ScheduleRules
) -> None:
    if any(name == END_DATE and end <= NOW for name, end in known) or not known:
        return
    before = schedule_at(NOW, known, chosen)
    after = schedule_at(NOW, [*known, (more[0], NOW + more[1])], chosen)
    if before.phase != "unknown":
        assert after.factor <= before.factor


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_no_time_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="no time"):
        schedule_at(bad, [(END_DATE, NOW)], POLITICS)
    with pytest.raises(ValueError, match="no time"):
        schedule_at(NOW, [(END_DATE, bad)], POLITICS)
    with pytest.raises(ValueError, match="no time"):
        floor_seconds(NOW, bad)


@pytest.mark.parametrize(
    "figures",
    [(1, 2, 0, 0.5, 1.5), (2, 2, 0, 0.5, 1.5), (3, 1, 2, 0.5, 1.5), (3, 2, -1, 0.5, 1.5), (math.nan, 2, 1, 0.5, 1.5),
     (math.inf, 2, 1, 0.5, 1.5), (3, 2, 1, 1.5, 1.5), (3, 2, 1, 0.5, 0.9),
     (3, 2, 1, -0.1, 1.5), (3, 2, 1, 0.5, math.inf), (3, 2, 1, math.nan, 1.5)],
)  # fmt: skip
def test_rules_out_of_order_are_refused(figures: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"wanted|smaller and wider"):
        ScheduleRules(*figures)


def test_rules_at_the_ends_of_their_ranges_are_taken() -> None:
    """From quoting to the end as usual, to silence a day before it."""
    ScheduleRules(1.0, 0.0, 0.0, 1.0, 1.0)
    ScheduleRules(90_000.0, 86_400.0, 86_400.0, 0.0, 20.0)


# The variance owed


def test_the_floor_looks_to_the_end_date_while_it_lies_ahead() -> None:
    assert [floor_seconds(NOW, NOW + left) for left in (HOUR, 0.5, 0.0)] == [HOUR, 0.5, ORACLE_SEC]
    assert floor_seconds(NOW, None) is None


def test_an_overdue_market_is_not_quoted_at_the_cap_for_ever() -> None:
    """Counted as about to end, a market at 0.50 would owe 0.10 dollars over twelve seconds as long as it trades."""

    def owed(overdue_s: float) -> float:
        seconds = floor_seconds(NOW, NOW - overdue_s)
        assert seconds is not None
        return resolution_floor(0.5, seconds, 0.5, "gauss", 60.0) * math.sqrt(12.0)

    assert [owed(overdue) for overdue in (1.0, HOUR, ORACLE_SEC)] == [pytest.approx(0.01152, abs=1e-5)] * 3
    assert owed(10 * 86_400) == pytest.approx(0.00105, abs=1e-5)


@laws
@given(st.floats(0, 1e8), st.floats(0, 1e8))
def test_the_longer_overdue_the_less_is_owed_now(one: float, other: float) -> None:
    shorter, longer = sorted((one, other))
    first, second = floor_seconds(NOW, NOW - shorter), floor_seconds(NOW, NOW - longer)
    assert first is not None and second is not None and ORACLE_SEC <= first <= second


# Words and lives


def test_an_overdue_market_and_an_oracle_bet_are_told() -> None:
    overdue = schedule_at(NOW, [(END_DATE, NOW - 36 * HOUR)], POLITICS)
    assert warning_of(overdue, 0.99) == "its end date passed 1.5 days ago and it still trades: smaller and wider"
    ahead = schedule_at(NOW, [(END_DATE, NOW + 36 * HOUR)], POLITICS)
    assert [warning_of(ahead, fair) != "" for fair in (0.03, 0.031, 0.5, 0.969, 0.97)] == [
        True,
        False,
        False,
        False,
        True,
    ]
    assert warning_of(ahead, None) == ""


def test_a_market_of_a_quarter_of_an_hour_is_too_short() -> None:
    assert [lives_long_enough(NOW, NOW + life, 900.0) for life in (300.0, 900.0, 901.0)] == [False, False, True]
    assert lives_long_enough(None, NOW, 900.0) and lives_long_enough(NOW, None, 900.0)
