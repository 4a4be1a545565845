"""The trades of others in one market, in the YES frame, as the market channel tells them.

Times of arrival, not of matching, decide the rate: the channel tells a trade 70 to 230 ms late (real-data.md 3).
"""

from collections import deque
from typing import Final

import msgspec

from core.units import Grid, Shares, Ticks

RATE_WINDOW_SEC: Final = 60.0


class Trade(msgspec.Struct, frozen=True, gc=False):
    """One trade of the tape."""

    now: float
    """Arrival, monotonic seconds."""
    price: Ticks
    """YES frame."""
    size: Shares
    taker_buys_yes: bool
    """As told; the direction is unreliable and must not drive quotes (market-making.md 2.7)."""


class Tape:
    """Recent trades and their rate."""

    __slots__ = ("_recent", "last", "total")

    def __init__(self) -> None:
        self._recent: deque[float] = deque()
        self.last: Trade | None = None
        self.total = 0

    def add(self, trade: Trade) -> None:
        """Take a trade."""
        self.last = trade
        self.total += 1
        self._recent.append(trade.now)
        self._forget(trade.now)

    def change_grid(self, old: Grid, new: Grid) -> None:
        """Tell the last price in ticks of the market's new grid."""
        if self.last is not None:
            self.last = msgspec.structs.replace(self.last, price=old.onto(new, self.last.price))

    def per_minute(self, now: float) -> int:
        """Trades of the last 60 seconds."""
        self._forget(now)
        return len(self._recent)

    def _forget(self, now: float) -> None:
        recent = self._recent
        while recent and recent[0] <= now - RATE_WINDOW_SEC:
            recent.popleft()
