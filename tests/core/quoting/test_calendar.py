"""Known hours: what is in force when, for whom, and what a row must look like."""

import math
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError
from core.quoting.calendar import CalendarRow, CalendarState, calendar_at, read_calendar
from tests.core.quoting.arrange import laws

NOW = 1_700_000_000.0
MARKET = "0xabc"
TAGS = ("sports", "NBA")


def row(at: float = 0.0, action: str = "pull", **over: object) -> CalendarRow:
    """In force from ten seconds before to twenty after."""
    plain = CalendarRow("*", NOW + at, 10.0, 20.0, action, 2.0 if action == "widen" else 1.0, "speech")  # type: ignore[arg-type]
    return plain._replace(**over)  # type: ignore[arg-type]


def read(text: str) -> tuple[CalendarRow, ...]:
    return read_calendar(tomllib.loads(text)["calendar"], "my.toml")


rows = st.lists(
    st.builds(
        lambda at, lead, tail, action, who: row(at, action, lead_s=lead, tail_s=tail, applies_to=who),
        st.integers(-50, 50),
        st.integers(0, 40),
        st.integers(0, 40),
        st.sampled_from(["widen", "reduce", "pull"]),
        st.sampled_from(["*", MARKET, "sports", "nba", "politics", "0xdef"]),
    ),
    max_size=6,
)


@pytest.mark.parametrize(("at", "in_force"), [(10.1, False), (10.0, True), (0.0, True), (-19.9, True), (-20.0, False)])
def test_a_row_is_in_force_from_its_lead_to_its_tail(at: float, in_force: bool) -> None:
    assert calendar_at([row(at)], MARKET, TAGS, NOW).may_quote is not in_force


def test_each_action_does_its_own() -> None:
    told = [calendar_at([row(action=action)], MARKET, TAGS, NOW) for action in ("widen", "reduce", "pull")]
    assert told == [
        CalendarState(True, False, 2.0, "speech", NOW + 20),
        CalendarState(True, True, 1.0, "speech", NOW + 20),
        CalendarState(False, True, 1.0, "speech", NOW + 20),
    ]


@pytest.mark.parametrize(
    ("applies_to", "meant"),
    [("*", True), ("0xabc", True), ("sports", True), ("nba", True), ("0xdef", False), ("politics", False), ("", False)],
)
def test_a_row_is_for_a_market_a_tag_or_all(applies_to: str, meant: bool) -> None:
    assert calendar_at([row(applies_to=applies_to)], "0xABC", TAGS, NOW).may_quote is not meant


def test_the_strictest_row_decides_and_the_widest_widens() -> None:
    found = calendar_at(
        [row(action="widen", factor=3.0, text="a"), row(action="reduce", text="b"), row(action="widen", text="c")],
        MARKET, TAGS, NOW,
    )  # fmt: skip
    assert (found.may_quote, found.reduce_only, found.spread_factor, found.reason) == (True, True, 3.0, "b")


def test_of_equally_strict_rows_the_first_is_told() -> None:
    assert calendar_at([row(text="a"), row(text="b")], MARKET, TAGS, NOW).reason == "a"


def test_an_empty_calendar_changes_nothing_ever() -> None:
    assert calendar_at([], MARKET, TAGS, NOW) == CalendarState(True, False, 1.0, "", math.inf)


@laws
@given(rows, st.integers(0, 99))
def test_an_answer_holds_until_the_time_it_gives(drawn: list[CalendarRow], part: int) -> None:
    found = calendar_at(drawn, MARKET, TAGS, NOW)
    assert found.next_change_unix > NOW and found.spread_factor >= 1.0
    until = min(found.next_change_unix, NOW + 1000)
    assert calendar_at(drawn, MARKET, TAGS, NOW + (until - NOW) * part / 100) == found


@laws
@given(rows, rows)
def test_one_more_row_never_allows_more(drawn: list[CalendarRow], more: list[CalendarRow]) -> None:
    before, after = calendar_at(drawn, MARKET, TAGS, NOW), calendar_at(drawn + more, MARKET, TAGS, NOW)
    assert after.may_quote <= before.may_quote
    assert after.reduce_only >= before.reduce_only
    assert after.spread_factor >= before.spread_factor


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_no_time_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="no time"):
        calendar_at([], MARKET, TAGS, bad)


# Reading


def test_a_full_row_and_a_short_one() -> None:
    found = read(
        """
        [[calendar]]
        applies_to = " 0xABC "
        at = 2023-11-14T23:13:20+01:00
        lead_sec = 600
        tail_sec = 60.5
        action = "widen"
        factor = 3
        text = "rate decision"
        [[calendar]]
        applies_to = "Sports"
        at = 1700000000
        tail_sec = 5
        action = "pull"
        """
    )
    assert found == (
        CalendarRow("0xabc", NOW, 600.0, 60.5, "widen", 3.0, "rate decision"),
        CalendarRow("sports", NOW, 0.0, 5.0, "pull", 1.0, ""),
    )
    assert calendar_at(found[1:], MARKET, TAGS, NOW).reason == "the calendar"


def test_a_row_that_does_not_say_how_wide_doubles() -> None:
    assert read('[[calendar]]\napplies_to="*"\nat=1700000000\nlead_sec=1\naction="widen"')[0].factor == 2.0


def test_figures_at_the_ends_of_their_ranges_are_taken() -> None:
    month = 30 * 86_400
    widest = GOOD | {"lead_sec": month, "tail_sec": month, "factor": 20}
    assert read_calendar([widest], "my.toml") == (CalendarRow("*", NOW, month, month, "widen", 20.0, ""),)
    assert read_calendar([GOOD | {"factor": 1}], "my.toml")[0].factor == 1.0


GOOD = {"applies_to": "*", "at": 1_700_000_000, "lead_sec": 60, "action": "widen"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"at": 1_700_000_000_000}, "at: 1700000000000 is outside .* unix seconds"),
        ({"at": tomllib.loads("t = 2026-11-24T19:00:00")["t"]}, "at: 2026-11-24 19:00:00 has no offset"),
        ({"at": tomllib.loads("t = 2026-11-24")["t"]}, "at: wants a date and time"),
        ({"at": tomllib.loads("t = 19:00:00")["t"]}, "at: wants a date and time"),
        ({"at": "tomorrow"}, "at: wants a date and time"),
        ({"at": True}, "at: wants a date and time"),
        ({"at": math.nan}, "at: nan is outside"),
        ({"at": 10**400}, "at: 1000.* is outside"),
        ({"lead_sec": -1}, "lead_sec: -1 is outside"),
        ({"lead_sec": math.inf}, "lead_sec: inf is outside"),
        ({"lead_sec": "60"}, "lead_sec: wants a number"),
        ({"tail_sec": True}, "tail_sec: wants a number"),
        ({"lead_sec": 0}, "it is never in force"),
        ({"factor": 0.5}, "factor: 0.5 is outside 1"),
        ({"factor": math.nan}, "factor: nan is outside"),
        ({"action": "pull", "factor": 2}, "factor: a row that does not widen has none"),
        ({"action": "resume"}, "action: 'resume' is none of widen, reduce, pull"),
        ({"action": ["pull"]}, "action: .* is none of"),
        ({"applies_to": " "}, "applies_to: wants a condition id, a tag"),
        ({"applies_to": 5}, "applies_to: wants a condition id, a tag"),
        ({"text": 5}, "text: wants text"),
        ({"lead": 60}, "unknown key 'lead'; did you mean lead_sec?"),
        ({"zzz": 60}, "unknown key 'zzz'; the keys are applies_to"),
    ],
)
def test_what_cannot_be_used_is_refused_with_row_and_key(change: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=f"my.toml: calendar row 2: {told}"):
        read_calendar([GOOD, GOOD | change], "my.toml")


@pytest.mark.parametrize("key", ["applies_to", "at", "action"])
def test_a_missing_key_is_named(key: str) -> None:
    with pytest.raises(ConfigError, match=f"calendar row 1: {key} is missing"):
        read_calendar([{name: value for name, value in GOOD.items() if name != key}], "my.toml")


@pytest.mark.parametrize("tables", [None, {}, "x", 5])
def test_anything_but_a_list_is_refused(tables: object) -> None:
    with pytest.raises(ConfigError, match="wants a list of tables"):
        read_calendar(tables, "my.toml")
    with pytest.raises(ConfigError, match="calendar row 1: wants a table"):
        read_calendar([tables], "my.toml") if not isinstance(tables, dict) else read_calendar([5], "my.toml")
