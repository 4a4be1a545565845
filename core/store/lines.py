"""Lines of the account's book, marks of its value and control states as rows: restart and report read the same.

Everything here is plain SQL text and pure functions, for whichever connection somebody has.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from core.errors import StoreError
from core.portfolio.entries import (
    Booking,
    Buy,
    Convert,
    Entry,
    EquityMark,
    Fee,
    Flow,
    Found,
    Income,
    Merge,
    Redeem,
    Sell,
    Settle,
    Split,
)
from core.risk.control import Control
from core.store.schema import OURS

LINES: Final = (
    "SELECT seq, market, key, unix, kind, outcome, size_micro, price_micro_usd, amount_micro_usd, income, source,"
    " is_final, text FROM lines WHERE account = :account ORDER BY seq"
)
"""All lines of an account that have not failed, in their order; each row is for :func:`booking_of`."""
MARK_COLUMNS: Final = (
    "unix, seq, cash_micro_usd, equity_micro_usd, conservative_micro_usd, realised_micro_usd, unrealised_micro_usd,"
    " fees_micro_usd, income_micro_usd, flows_micro_usd, peak_micro_usd, day, day_equity_micro_usd,"
    " day_flows_micro_usd, bankroll_micro_usd, is_latched, guard_peak_micro_usd"
)
"""Of the table ``equity``, in the order of :class:`EquityMark`'s fields."""
LAST_MARK: Final = f"SELECT {MARK_COLUMNS} FROM equity WHERE +account = :account ORDER BY id DESC LIMIT 1"
"""The mark that was written last, for :func:`mark_of`. Rows are searched from the end: unix time may be set back."""
FIRST_MARK: Final = (
    f"SELECT {MARK_COLUMNS} FROM equity WHERE account = :account AND unix >= :day * 86400 AND day = :day"
    " ORDER BY id LIMIT 1"
)
"""The first mark of a UTC day, for :func:`mark_of`."""
MARKS: Final = (
    f"SELECT {MARK_COLUMNS} FROM equity WHERE account = :account AND unix >= :since AND unix < :until ORDER BY unix, id"
)
"""Marks of an account within a span of unix seconds, for :func:`mark_of`."""
CONTROL_COLUMNS: Final = "state, reason, source, author, market, side, since_unix, until_unix"
"""Of the table ``controls``, in the order of :class:`Control`'s fields."""
CONTROLS: Final = f"""SELECT {CONTROL_COLUMNS} FROM controls WHERE state != 'ACTIVE' AND id IN (
  SELECT MAX(id) FROM controls WHERE source NOT IN ('loss', 'drawdown') OR {OURS} GROUP BY market, side, source
) ORDER BY id"""
"""What holds, oldest first, for :func:`control_of`: states are the file's, but what was lost is the account's."""

_ENTRY_OF: Final[dict[str, Callable[[Any, Any, Any, Any, Any], Entry]]] = {
    "buy": lambda outcome, size, price, amount, income: Buy(outcome, size, price),
    "sell": lambda outcome, size, price, amount, income: Sell(outcome, size, price),
    "split": lambda outcome, size, price, amount, income: Split(size, price),
    "merge": lambda outcome, size, price, amount, income: Merge(size),
    "convert": lambda outcome, size, price, amount, income: Convert(outcome, size, price),
    "settle": lambda outcome, size, price, amount, income: Settle(price),
    "redeem": lambda outcome, size, price, amount, income: Redeem(outcome, size, amount),
    "fee": lambda outcome, size, price, amount, income: Fee(amount),
    "income": lambda outcome, size, price, amount, income: Income(amount, income),
    "flow": lambda outcome, size, price, amount, income: Flow(amount),
    "found": lambda outcome, size, price, amount, income: Found(outcome, size, price),
}
"""By kind; what a kind has no use for is None."""
_FIELDS: Final = ("outcome", "size", "price", "amount", "of")


def booking_of(row: Sequence[Any]) -> Booking:
    """A line of the book from a row of :data:`LINES`.

    Raises:
        StoreError: the row is of no kind that this program knows.
    """
    seq, market, key, unix, kind, outcome, size, price, amount, income, source, is_final, text = row
    make = _ENTRY_OF.get(kind)
    if make is None:
        raise StoreError(f"line {seq} of the account is of no known kind: {kind[:40]!r}")
    entry = make(outcome, size, price, amount, income)
    return Booking(seq, market, key, unix, entry, source, bool(is_final), text)


def entry_columns(entry: Entry) -> tuple[Any, ...]:
    """Kind, outcome, micro-shares, price, amount and kind of income; None where the entry has no such thing."""
    return (type(entry).__struct_config__.tag, *(getattr(entry, field, None) for field in _FIELDS))


def mark_of(row: Sequence[Any]) -> EquityMark:
    """A valuation of the account from a row of :data:`LAST_MARK` or :data:`MARKS`."""
    values = (*row[:-2], bool(row[-2]), row[-1])
    return EquityMark(*values)


def control_of(row: Sequence[Any]) -> Control:
    """A control state from a row of :data:`CONTROLS`."""
    return Control(*row)
