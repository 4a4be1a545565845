"""Fields of the venue's private answers: numbers as texts, texts as numbers, nulls, and times in two units.

The venue's documents disagree with each other and with what was recorded (polymarket-api.md 4.2, 6.1, 6.2), so types
are not insisted on; whether a number is one is.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from core.errors import MalformedMessage
from core.events import LATEST_MS
from core.units import MICRO, OrderSide

_LONGEST_ID: Final = 128
"""Characters; an order id has 66 and a token id up to 78 (polymarket-api.md 2.1)."""
_LONGEST_SHOWN: Final = 40
_NUMBER: Final = re.compile(r"(?=\.?[0-9])[0-9]{0,20}(\.[0-9]{0,40})?([eE][+-]?[0-9]{1,2})?")
_MOST: Final = 2**63 - 1
"""What the database's integers hold."""
_LEAST_MS: Final = 10**11
"""Stamps from here on are milliseconds: as seconds they would be the year 5138."""


def text_of(value: Any) -> str:
    """A text, or a number as text; "" for null and everything else."""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def id_of(value: Any) -> str:
    """A name such as an order id; "" for what is none, a text without end included."""
    name = text_of(value)
    return name if len(name) <= _LONGEST_ID else ""


def word_of(value: Any, prefix: str = "") -> str:
    """A status word in capitals, without the prefix that some answers have."""
    return text_of(value).upper().removeprefix(prefix)


def side_of(value: Any) -> OrderSide | None:
    """BUY or SELL; None for anything else."""
    word = word_of(value)
    return "BUY" if word == "BUY" else "SELL" if word == "SELL" else None


def shown(value: Any) -> str:
    """A foreign text for an error: quoted, and cut."""
    return repr(text_of(value)[:_LONGEST_SHOWN])


def micro_of(value: Any) -> int:
    """A number in millionths, to the nearest: shares and dollars have no more decimals than six on the chain.

    Raises:
        MalformedMessage: it is no number, below 0 or too large.
    """
    text = text_of(value)
    if not _NUMBER.fullmatch(text):
        raise MalformedMessage(f"{shown(text)} is no number of 0 or more")
    micro = (Decimal(text) * MICRO).to_integral_value()
    if micro > _MOST:
        raise MalformedMessage(f"{shown(text)} is too large")
    return int(micro)


def unix_of(value: Any) -> float:
    """A moment in seconds since 1970, told in seconds, in milliseconds or as ISO text; 0 when it is none."""
    text = text_of(value)[:_LONGEST_SHOWN]
    if _NUMBER.fullmatch(text):
        number = float(text)
        if number >= LATEST_MS:
            return 0.0
        return number / 1000 if number >= _LEAST_MS else number
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 0.0
    return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def summary(problems: Sequence[str]) -> str:
    """One line for many problems; "" for none."""
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return problems[0] + more if problems else ""
