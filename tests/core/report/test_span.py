"""Which time somebody means: days in UTC, and clear words for what is none."""

import pytest

from core.errors import UsageError
from core.report.span import Span, day_name, span_of
from core.units import MICRO

DAY = 86_400
KNOWN = Span(20_000.5 * DAY, 20_003.0 * DAY)
NOW = 20_003.25 * DAY


def span(day: str | None = None, since: str | None = None, until: str | None = None) -> Span:
    return span_of(day=day, since=since, until=until, known=KNOWN, now=NOW)


def test_days_are_named_or_dated() -> None:
    """They begin at 00:00 UTC and do not reach beyond now."""
    assert span("2024-10-05") == Span(20_001 * DAY, 20_002 * DAY)
    assert span("yesterday") == Span(20_002 * DAY, 20_003 * DAY)
    with pytest.raises(
        UsageError, match=r"nothing is recorded from 2024-10-07 00:00:00 .* go from 2024-10-04 12:00:00"
    ):
        span("today")


def test_a_span_is_all_there_is_or_from_one_moment_to_another() -> None:
    """A date as an end means its end; a time is UTC unless it says otherwise."""
    assert span() == KNOWN
    assert span(since="2024-10-05", until="2024-10-05") == Span(20_001 * DAY, 20_002 * DAY)
    assert span(since="2024-10-05T06:00", until="2024-10-05T06:00:01Z") == Span(20_001.25 * DAY, 20_001.25 * DAY + 1)
    assert span(since="2024-10-05T06:00+06:00").begin == 20_001 * DAY
    assert span(until="2024-10-09") == Span(KNOWN.begin, NOW)
    assert span(since="1980-01-01").begin == 20_000 * DAY  # no rows of empty years


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"day": "soon"}, "--day 'soon' is not today, yesterday or a date"),
        ({"day": "2024-13-01"}, "is not today"),
        ({"since": "x"}, "--from 'x' is not a date"),
        ({"since": "0001-01-01T00:00"}, "--from"),
        ({"since": "2024-10-06", "until": "2024-10-05"}, "the span is empty"),
        ({"day": "2024-10-05", "since": "2024-10-05"}, "--day goes without"),
        ({"day": "2030-01-01"}, "has not come yet"),
        ({"day": "1999-01-01"}, "nothing is recorded from 1999"),
    ],
)
def test_what_is_no_time_is_told(given: dict[str, str], words: str) -> None:
    """In words that say what would be one."""
    with pytest.raises(UsageError, match=words):
        span(**given)


def test_days_lie_between_midnights() -> None:
    """The first and the last may be cut; a moment belongs to the day that it begins."""
    found = Span(20_000.5 * DAY, 20_002.25 * DAY)
    assert found.borders == (20_000.5 * DAY, 20_001.0 * DAY, 20_002.0 * DAY, 20_002.25 * DAY)
    assert found.days == ("2024-10-04", "2024-10-05", "2024-10-06")
    assert [found.day_of(at * DAY) for at in (20_000.5, 20_001.0, 20_002.2)] == [0, 1, 2]
    assert Span(20_001.0 * DAY, 20_002.0 * DAY).borders == (20_001.0 * DAY, 20_002.0 * DAY)
    assert day_name(20_000 * DAY + 1e-6 * MICRO) == "2024-10-04"
