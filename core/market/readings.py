"""What a market's book and tape say of one token, in that token's own frame."""

from typing import Literal

import msgspec

from core.market.continuity import TrackedBook
from core.market.instrument import Instrument
from core.market.tape import Tape

Shape = Literal["two_sided", "no_bids", "no_asks", "empty"]


class Signals(msgspec.Struct, frozen=True, gc=False):
    """Prices of one token in dollars a share; None where there is none, never zero."""

    best_bid: float | None
    best_ask: float | None
    mid: float | None
    microprice: float | None
    """Without our own orders and with small levels trimmed (market-making.md 1.1, 1.2)."""
    book_seq: int
    """Messages applied since the last full book."""
    shape: Shape
    valid: bool
    """The book is proven and fresh: these are the venue's prices."""
    reason: str
    """Why not; "" when valid."""
    age_s: float | None
    """Seconds since somebody vouched for the book; None before the first time."""


class TradeStats(msgspec.Struct, frozen=True, gc=False):
    """The tape of one token."""

    last_price: float | None
    """Dollars a share; None before the first trade."""
    trades_per_min: int
    imbalance: float | None
    """Taker volume that bought this token less what sold it, over their sum, last minute; None without trades."""


def signals_of(
    tracked: TrackedBook, token_id: str, yes_micro: float | None, reason: str, age_s: float | None
) -> Signals:
    """What a market's book says of one of its two tokens.

    Args:
        tracked: the book.
        token_id: YES or NO token of the book's market.
        yes_micro: microprice of YES in dollars; None while there is none.
        reason: why the book is not to be believed; "" when it is.
        age_s: seconds since somebody vouched for the book; None before the first time.
    """
    instrument = tracked.instrument
    grid, bid, ask, micro = instrument.grid, tracked.book.best_bid, tracked.book.best_ask, yes_micro
    if token_id != instrument.yes_token:
        bid, ask = (None if ask is None else grid.complement(ask)), (None if bid is None else grid.complement(bid))
        micro = None if micro is None else 1.0 - micro
    shape: Shape = "empty"
    if bid is not None or ask is not None:
        shape = "no_bids" if bid is None else "no_asks" if ask is None else "two_sided"
    return Signals(
        best_bid=None if bid is None else grid.dollars(bid),
        best_ask=None if ask is None else grid.dollars(ask),
        mid=None if bid is None or ask is None else (bid + ask) / (2 * grid.k),
        microprice=micro,
        book_seq=tracked.book_seq,
        shape=shape,
        valid=not reason,
        reason=reason,
        age_s=age_s,
    )


def trade_stats_of(tape: Tape, instrument: Instrument, token_id: str, now: float) -> TradeStats:
    """What a market's tape says of one of its two tokens at ``now``, monotonic seconds."""
    grid, imbalance = instrument.grid, tape.imbalance(now)
    price = None if tape.last is None else tape.last.price
    if token_id != instrument.yes_token:
        price = None if price is None else grid.complement(price)
        imbalance = None if imbalance is None else -imbalance
    return TradeStats(None if price is None else grid.dollars(price), tape.per_minute(now), imbalance)
