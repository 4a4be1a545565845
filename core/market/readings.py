"""What a market's book and tape say of one token, in that token's own frame."""

from typing import Literal

import msgspec

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
