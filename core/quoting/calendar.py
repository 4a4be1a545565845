"""The operator's calendar: known hours around which a market, a tag or all markets are quoted with care.

Rows come from the ``[[calendar]]`` tables of the settings file. Times are unix seconds.
"""

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, get_args

from core.errors import ConfigError

CalendarAction = Literal["widen", "reduce", "pull"]

EVERYTHING: Final = "*"
LONGEST_SEC: Final = 30 * 86_400.0
"""Of a lead or a tail."""
WIDEST: Final = 20.0
DEFAULT_FACTOR: Final = 2.0
"""What a row widens by when it does not say: as after an event (market-making.md 2.10)."""
_FIRST_UNIX, _LAST_UNIX = 1e9, 1e10
"""September 2001 and November 2286: outside are milliseconds and slips."""
_KEYS: Final = ("applies_to", "at", "lead_sec", "tail_sec", "action", "factor", "text")


class CalendarRow(NamedTuple):
    """One known hour."""

    applies_to: str
    """Condition id of a market, a tag, or ``*``; in lower case."""
    at_unix: float
    lead_s: float
    """In force from so long before."""
    tail_s: float
    """In force until so long after; then all is as before."""
    action: CalendarAction
    """``widen`` the half-spread, ``reduce`` the position only, ``pull`` every quote."""
    factor: float
    """For half-spreads, at least 1; 1 unless the action is ``widen``."""
    text: str
    """What happens then, in the operator's words."""

    def concerns(self, market: str, tags: Sequence[str]) -> bool:
        """The row is about a market with these tags."""
        return self.applies_to in (EVERYTHING, market.lower()) or self.applies_to in [tag.lower() for tag in tags]


class CalendarState(NamedTuple):
    """What the rows in force allow one market."""

    may_quote: bool
    reduce_only: bool
    spread_factor: float
    """For half-spreads, at least 1."""
    reason: str
    """The strictest row in force; "" when there is none."""
    next_change_unix: float
    """From then on ask again; infinity when no row is left."""


def calendar_at(rows: Iterable[CalendarRow], market: str, tags: Sequence[str], unix: float) -> CalendarState:
    """What the calendar allows a market now: the strictest action of all rows in force, the largest widening.

    Args:
        rows: in any order.
        market: condition id.
        tags: of the market.
        unix: now.

    Raises:
        ValueError: the time is no number.

    Source: market-making.md 2.10 (the end of a row is its "resume").
    """
    if not -math.inf < unix < math.inf:
        raise ValueError(f"no time: {unix!r}")
    factor, next_change = 1.0, math.inf
    strictest: CalendarRow | None = None
    for row in rows:
        begin, end = row.at_unix - row.lead_s, row.at_unix + row.tail_s
        if unix >= end or not row.concerns(market, tags):
            continue
        if unix < begin:
            next_change = min(next_change, begin)
            continue
        next_change = min(next_change, end)
        factor = max(factor, row.factor)
        if strictest is None or _STRICTNESS[row.action] > _STRICTNESS[strictest.action]:
            strictest = row
    if strictest is None:
        return CalendarState(True, False, 1.0, "", next_change)
    pulled = strictest.action == "pull"
    return CalendarState(
        not pulled, pulled or strictest.action == "reduce", factor, strictest.text or "the calendar", next_change
    )


_STRICTNESS: Final[Mapping[CalendarAction, int]] = {"widen": 0, "reduce": 1, "pull": 2}


def read_calendar(tables: object, where: str) -> tuple[CalendarRow, ...]:
    """Read the rows of a settings file.

    Args:
        tables: what TOML made of ``[[calendar]]``: a list of tables with the keys ``applies_to`` (condition id, tag
            or ``*``), ``at`` (a date and time with offset, or unix seconds), ``action`` (widen, reduce, pull), and
            optionally ``lead_sec``, ``tail_sec``, ``factor`` (widen only), ``text``.
        where: the file's name, for errors.

    Raises:
        ConfigError: something cannot be used; names the row (counted from 1), the key and the remedy.
    """
    if not isinstance(tables, list):
        raise ConfigError(f"{where}: calendar wants a list of tables; write each row as [[calendar]]")
    return tuple(_row(table, f"{where}: calendar row {number}") for number, table in enumerate(tables, start=1))


def _row(table: object, where: str) -> CalendarRow:
    if not isinstance(table, dict):
        raise ConfigError(f"{where}: wants a table, got {table!r}")
    for key in table:
        if key not in _KEYS:
            near = difflib.get_close_matches(str(key), _KEYS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(_KEYS)}"
            raise ConfigError(f"{where}: unknown key {key!r}; {hint}")
    for key in ("applies_to", "at", "action"):
        if key not in table:
            raise ConfigError(f"{where}: {key} is missing; every row needs it")
    action = _action(table["action"], f"{where}: action")
    if action != "widen" and "factor" in table:
        raise ConfigError(f"{where}: factor: a row that does not widen has none; leave it out")
    lead_s = _number(table.get("lead_sec", 0.0), 0.0, LONGEST_SEC, "seconds", f"{where}: lead_sec")
    tail_s = _number(table.get("tail_sec", 0.0), 0.0, LONGEST_SEC, "seconds", f"{where}: tail_sec")
    if lead_s + tail_s == 0.0:
        raise ConfigError(f"{where}: it is never in force; give lead_sec, tail_sec or both")
    factor = DEFAULT_FACTOR if action == "widen" else 1.0
    return CalendarRow(
        applies_to=_name(table["applies_to"], f"{where}: applies_to"),
        at_unix=_time(table["at"], f"{where}: at"),
        lead_s=lead_s,
        tail_s=tail_s,
        action=action,
        factor=_number(table.get("factor", factor), 1.0, WIDEST, "times", f"{where}: factor"),
        text=_text(table.get("text", ""), f"{where}: text"),
    )


def _name(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{where}: wants a condition id, a tag or {EVERYTHING!r}, got {value!r}")
    return value.strip().lower()


def _action(value: object, where: str) -> CalendarAction:
    for action in get_args(CalendarAction):
        if value == action:
            return action  # type: ignore[no-any-return]
    raise ConfigError(f"{where}: {value!r} is none of {', '.join(get_args(CalendarAction))}")


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{where}: wants text, got {value!r}")
    return value


def _number(value: object, low: float, high: float, unit: str, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{where}: wants a number, got {value!r}")
    if not low <= value <= high:
        raise ConfigError(f"{where}: {str(value)[:40]} is outside {low:g} .. {high:g} {unit}")
    return float(value)


def _time(value: Any, where: str) -> float:
    """Unix seconds of a number or of the date and time that TOML made; this room knows no calendar of dates."""
    if hasattr(value, "timestamp"):
        if value.utcoffset() is None:
            raise ConfigError(f"{where}: {value} has no offset; write it with one, such as Z for UTC")
        value = value.timestamp()
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{where}: wants a date and time such as 2026-11-24T19:00:00Z, got {value!r}")
    return _number(value, _FIRST_UNIX, _LAST_UNIX, "unix seconds (milliseconds are not wanted)", where)
