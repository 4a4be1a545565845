"""How near a market is to its end, and what that means for sizes, for quoting at all, and for the variance still owed.

The end date of a market is a forecast by whoever listed it and is often wrong; the start of a game and the hour of an
announcement are facts. Times are unix seconds.
"""

import math
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import msgspec

Phase = Literal["open", "fade", "reduce_only", "closed", "overdue", "unknown"]

END_DATE: Final = "end date"
"""May pass while the market goes on trading."""
GAME_START: Final = "game start"
"""Stays decisive when it has passed: the game is on. An end of any other name is an event, over once it has passed."""
ORACLE_SEC: Final = 7200.0
"""Between a proposed result and its payout, undisputed: a market that trades longer after its end date has not ended
on it (market-making.md 2.5)."""
ORACLE_PRICE: Final = 0.97
"""From here on a quote is a bet on the oracle, not market making (market-making.md 2.5)."""
_FADE_STEPS: Final = 200
"""A size multiplier is left standing for this part of the fade: half a per cent of a size."""
_SLACK: Final = 1e-9


class ScheduleRules(msgspec.Struct, frozen=True):
    """When a market fades out (market-making.md 2.5).

    Raises:
        ValueError: the times do not fall towards the end, or a factor is on the wrong side of 1.
    """

    t1_s: float
    """Before the end: sizes begin to fade."""
    t2_s: float
    """Before the end: reduce only."""
    t3_s: float
    """Before the end: no quotes."""
    overdue_size: float
    """Size multiplier of a market that should have ended, 0 .. 1."""
    overdue_spread: float
    """Half-spread multiplier of such a market, at least 1."""

    def __post_init__(self) -> None:
        if not math.inf > self.t1_s > self.t2_s >= self.t3_s >= 0.0:
            raise ValueError(f"t1 > t2 >= t3 >= 0 is wanted, got {self.t1_s:g}, {self.t2_s:g}, {self.t3_s:g} s")
        if not (0.0 <= self.overdue_size <= 1.0 <= self.overdue_spread < math.inf):
            raise ValueError(f"an overdue market is quoted smaller and wider, not {self!r}")


class Schedule(NamedTuple):
    """What the time to a market's end allows."""

    phase: Phase
    factor: float
    """For sizes, 0 .. 1 (m_T)."""
    spread_factor: float
    """For half-spreads, at least 1."""
    seconds: float | None
    """To the end that decides, negative when it has passed; None when no end is known."""
    of: str
    """Which end that is; "" when none is known."""
    until_unix: float
    """From then on ask again; before, ``factor`` is right to half a per cent of a full size."""


def schedule_at(unix: float, ends: Sequence[tuple[str, float]], rules: ScheduleRules) -> Schedule:
    """What the earliest of a market's ends allows now.

    A game start that has passed and the first two hours after the end date allow no quotes. A market that trades on
    after that is overdue: its end date was wrong, so it is quoted, smaller and wider. An event that has passed no
    longer counts.

    Args:
        unix: now.
        ends: name and time of each known end: :data:`END_DATE` (at most one), :data:`GAME_START`, any other name for
            an event.
        rules: of the market's profile.

    Raises:
        ValueError: a time is no number.

    Source: market-making.md 2.5 (schedule).
    """
    if not -math.inf < unix < math.inf:
        raise ValueError(f"no time: {unix!r}")
    nearest, of = math.inf, ""
    passed: float | None = None
    for name, end in ends:
        if not -math.inf < end < math.inf:
            raise ValueError(f"no time of {name}: {end!r}")
        left = end - unix
        if left <= 0.0 and name == END_DATE:
            passed = left
        elif left < nearest and (left > 0.0 or name == GAME_START):
            nearest, of = left, name
    if passed is not None:
        return _after_end(unix, passed, nearest, of, rules)
    if not of:
        return Schedule("unknown", 1.0, 1.0, None, "", math.inf)
    return _before_end(unix, nearest, of, rules)


def _before_end(unix: float, left: float, of: str, rules: ScheduleRules) -> Schedule:
    t1, t2, t3 = rules.t1_s, rules.t2_s, rules.t3_s
    if left > t1:
        return Schedule("open", 1.0, 1.0, left, of, unix + left - t1)
    if left > t2:
        until = unix + min(left - t2, (t1 - t2) / _FADE_STEPS)
        return Schedule("fade", (left - t2) / (t1 - t2), 1.0, left, of, until)
    if left > t3:
        return Schedule("reduce_only", 0.0, 1.0, left, of, unix + left - t3)
    end_unix = unix + left + (ORACLE_SEC if of == END_DATE else 0.0)
    return Schedule("closed", 0.0, 1.0, left, of, math.inf if of == GAME_START else end_unix)


def _after_end(unix: float, passed: float, left: float, of: str, rules: ScheduleRules) -> Schedule:
    """The end date has passed ``-passed`` seconds ago; another end may be ``left`` seconds ahead."""
    if passed > -ORACLE_SEC:
        return Schedule("closed", 0.0, 1.0, passed, END_DATE, unix + passed + ORACLE_SEC)
    if not of:
        return Schedule("overdue", rules.overdue_size, rules.overdue_spread, passed, END_DATE, math.inf)
    ahead = _before_end(unix, left, of, rules)
    if ahead.phase in ("reduce_only", "closed"):
        return ahead
    factor = min(ahead.factor, rules.overdue_size)
    return Schedule("overdue", factor, rules.overdue_spread, passed, END_DATE, ahead.until_unix)


def floor_seconds(unix: float, end_unix: float | None) -> float | None:
    """Time to resolution for the variance floor, seconds; None without an end date.

    Once the end date has passed, the market has outlived its forecast and nothing says when it will end. It is then
    taken to last as long again as it is overdue (the median of a life whose end is as likely at any age, in
    proportion), and at least as long as the oracle needs. Counting such a market as about to end would quote it at the
    cap of the deviation for as long as it lives.

    Raises:
        ValueError: a time is no number.

    Source: market-making.md 2.5; J. R. Gott, Implications of the Copernican principle, Nature 363, 1993 (the median).
    """
    if end_unix is None:
        return None
    left = end_unix - unix
    if not -math.inf < left < math.inf:
        raise ValueError(f"no time: {end_unix!r} at {unix!r}")
    return left if left > 0.0 else max(-left, ORACLE_SEC)


def lives_long_enough(start_unix: float | None, end_unix: float | None, least_s: float) -> bool:
    """Whether a market lives longer than ``least_s`` seconds; one whose start or end is not known passes.

    Source: market-making.md 2.5 (markets of fifteen minutes and less are left out).
    """
    return start_unix is None or end_unix is None or end_unix - start_unix > least_s


def warning_of(schedule: Schedule, fair: float | None) -> str:
    """What an operator should know about a market's end, in words; "" when there is nothing.

    Args:
        schedule: from :func:`schedule_at`.
        fair: dollars; None without a fair value.

    Source: market-making.md 2.5.
    """
    if schedule.phase == "overdue":
        days = -(schedule.seconds or 0.0) / 86400
        return f"its end date passed {days:.1f} days ago and it still trades: smaller and wider"
    if schedule.phase == "unknown":
        return "no end date is known"
    if fair is not None and not 1.0 - ORACLE_PRICE + _SLACK < fair < ORACLE_PRICE - _SLACK:
        return "at this price it is a bet on the oracle"
    return ""
