"""Fields of market objects, which are facts or not known: each that cannot be read becomes a line among the doubts."""

import math
from datetime import UTC, datetime
from typing import Any, Final

from core.errors import MalformedMessage
from core.units import Shares, parse_micro

_EARLIEST_UNIX: Final = 946_684_800.0
"""Moments before the year 2000 are how some programs write that there is none."""
_LONGEST_SHOWN: Final = 80


def doubt(name: str, value: Any) -> str:
    """What is said of a field that cannot be read; the value is foreign text, cut."""
    return f"{name} cannot be read: {str(value)[:_LONGEST_SHOWN]!r}"


def finite(value: Any) -> float | None:
    """A finite number, also when it is written as a text; nothing else counts as one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def number_in(source: dict[str, Any], name: str, low: float, high: float, doubts: list[str]) -> float | None:
    """A number within bounds; None when there is none."""
    value = source.get(name)
    if value is None or value == "":
        return None
    number = finite(value)
    if number is None or not low <= number <= high:
        doubts.append(doubt(name, value))
        return None
    return number


def moment(source: dict[str, Any], name: str, doubts: list[str]) -> float | None:
    """A moment in unix seconds; None when none is told."""
    value = source.get(name)
    if value is None or value == "":
        return None
    try:
        told = datetime.fromisoformat(value)
        unix = (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        doubts.append(doubt(name, value))
        return None
    return unix if unix >= _EARLIEST_UNIX else None


def number_text(value: Any) -> str:
    """A number in the shortest plain text, as the book spells it.

    Raises:
        UnitError: it is none of 0 or more with six decimals at most.
    """
    text = format(value, ".6f").rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    parse_micro(text)
    return text


def least_size(value: Any) -> tuple[Shares, str]:
    """The least size of an order, and how the venue spells it.

    Raises:
        UnitError: see :func:`number_text`.
        MalformedMessage: it is 0; no order is built with that.
    """
    text = number_text(value)
    size = Shares(parse_micro(text))
    if not size:
        raise MalformedMessage("a least order size of 0")
    return size, text
