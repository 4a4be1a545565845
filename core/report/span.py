"""The time a report is about, in UTC: whole days, or from a moment to another."""

import math
from bisect import bisect_right
from datetime import UTC, date, datetime
from typing import Final

import msgspec

from core.errors import UsageError

DAY_SEC: Final = 86_400
_DAY_FORM: Final = "today, yesterday or a date such as 2026-11-22"
_MOMENT_FORM: Final = "a date such as 2026-11-22 or a time such as 2026-11-22T14:30 (UTC)"
_LAST_UNIX: Final = 253_402_300_800
"""Where the calendar of Python ends: the year 10,000."""


class Span(msgspec.Struct, frozen=True):
    """From ``begin`` to before ``end``, unix seconds."""

    begin: float
    end: float

    @property
    def borders(self) -> tuple[float, ...]:
        """Begin, every midnight between, end: the days of the span, the first and the last perhaps cut."""
        first = math.floor(self.begin / DAY_SEC) + 1
        midnights = (float(n * DAY_SEC) for n in range(first, math.ceil(self.end / DAY_SEC)))
        return (self.begin, *midnights, self.end)

    @property
    def days(self) -> tuple[str, ...]:
        """Names of the days between the borders: ``"2026-11-22"``."""
        return tuple(day_name(border) for border in self.borders[:-1])

    def day_of(self, unix: float) -> int:
        """Number of the day in which a moment of the span lies."""
        return bisect_right(self.borders, unix) - 1


def day_name(unix: float) -> str:
    """The UTC day of a moment: ``"2026-11-22"``."""
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%d")


def time_name(unix: float) -> str:
    """A moment in UTC to the second: ``"2026-11-22 14:30:05"``."""
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%d %H:%M:%S")


def span_of(*, day: str | None, since: str | None, until: str | None, known: Span, now: float) -> Span:
    """The span that somebody asked for, never beyond ``now``.

    Args:
        day: ``today``, ``yesterday`` or a date; None for none. Not together with the next two.
        since: a date, from whose begin, or a time; None for the begin of the records.
        until: a date, to whose end, or a time; None for the end of the records.
        known: from the first to the last sign in the records.
        now: unix seconds.

    Raises:
        UsageError: a text is neither, the span is empty, lies in the future, or the records have nothing of it.
    """
    if day is not None:
        if since is not None or until is not None:
            raise UsageError("--day goes without --from and --to: give either a day or a span")
        begin = _day(day, now)
        end = begin + DAY_SEC
    else:
        begin = known.begin if since is None else _moment(since, "--from", at_end=False)
        end = known.end if until is None else _moment(until, "--to", at_end=True)
    if begin > now:
        raise UsageError(f"{time_name(begin)} has not come yet; it is {time_name(now)} UTC")
    if begin >= end:
        raise UsageError(f"the span is empty: it begins at {time_name(begin)} and ends at {time_name(end)}")
    if end <= known.begin or begin >= known.end:
        recorded = f"{time_name(known.begin)} to {time_name(known.end)}"
        asked = f"{time_name(begin)} to {time_name(end)}"
        raise UsageError(f"nothing is recorded from {asked}; the records go from {recorded} (UTC)")
    begin = max(begin, known.begin // DAY_SEC * DAY_SEC)  # days before are empty, however many
    return Span(begin, max(begin, min(end, now)))


def _day(text: str, now: float) -> float:
    today = float(now // DAY_SEC * DAY_SEC)
    named = {"today": today, "yesterday": today - DAY_SEC}
    if text in named:
        return named[text]
    found = _date(text)
    if found is None:
        raise UsageError(f"--day {text[:40]!r} is not {_DAY_FORM}")
    return found


def _moment(text: str, flag: str, *, at_end: bool) -> float:
    found = _date(text)
    if found is not None:
        return found + DAY_SEC if at_end else found
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{flag} {text[:40]!r} is not {_MOMENT_FORM}") from None
    unix = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if not 0 <= unix < _LAST_UNIX:
        raise UsageError(f"{flag} {text[:40]!r} is not {_MOMENT_FORM}")
    return unix


def _date(text: str) -> float | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    unix = datetime(found.year, found.month, found.day, tzinfo=UTC).timestamp()
    return unix if 0 <= unix < _LAST_UNIX - DAY_SEC else None
