"""The trades of others in one market, in the YES frame, as the market channel tells them.

Times of arrival, not of matching, decide the rate: the channel tells a trade 70 to 230 ms late (real-data.md 3). The
last minute is kept in slices of a second, so that a burst of trades costs no memory.
"""

from collections import deque
from collections.abc import Hashable
from typing import Final

import msgspec

from core.units import Grid, Shares, Ticks

RATE_WINDOW_SEC: Final = 60.0
SLICE_SEC: Final = 1.0
KNOWN_TRADES: Final = 64
KEPT_TRADES: Final = 200
"""Trades that are told one by one."""


class Trade(msgspec.Struct, frozen=True, gc=False):
    """One trade of the tape."""

    now: float
    """Arrival, monotonic seconds."""
    price: Ticks
    """YES frame."""
    size: Shares
    taker_buys_yes: bool
    """As told; the direction is unreliable and must not drive quotes (market-making.md 2.7)."""


class _Slice(msgspec.Struct):
    """The trades of one second."""

    begin_s: float
    trades: int = 0
    bought: int = 0
    """Micro-shares that takers bought."""
    sold: int = 0


class Tape:
    """Recent trades, their rate and their direction."""

    __slots__ = ("_at", "_known", "_recent", "_volumes", "last", "total", "trades")

    def __init__(self) -> None:
        self._recent: deque[_Slice] = deque()
        self._known: deque[Hashable] = deque(maxlen=KNOWN_TRADES)
        self.last: Trade | None = None
        self.total = 0
        self.trades: deque[Trade] = deque(maxlen=KEPT_TRADES)
        """The last ones, oldest first, in ticks of the present grid; the newest is number ``total``."""
        self._at: dict[Ticks, int] = {}
        """Micro-shares traded by tick of the present grid: at most one entry a tick."""
        self._volumes: tuple[tuple[Ticks, Shares], ...] | None = ()

    def add(self, trade: Trade, key: Hashable) -> bool:
        """Take a trade; one whose ``key`` was seen just before is the same, told by another socket: False."""
        if key in self._known:
            return False
        self._known.append(key)
        self.last = trade
        self.total += 1
        self.trades.append(trade)
        self._count(trade.price, trade.size)
        self._forget(trade.now)
        if not self._recent or trade.now - self._recent[-1].begin_s >= SLICE_SEC:
            self._recent.append(_Slice(trade.now))
        newest = self._recent[-1]
        newest.trades += 1
        if trade.taker_buys_yes:
            newest.bought += trade.size
        else:
            newest.sold += trade.size
        return True

    def change_grid(self, old: Grid, new: Grid) -> None:
        """Tell prices in the nearest ticks of the market's new grid; volumes that meet on one are added up."""
        if self.last is None:
            return
        told = [msgspec.structs.replace(trade, price=old.onto(new, trade.price)) for trade in self.trades]
        self.trades, self.last = deque(told, maxlen=KEPT_TRADES), told[-1]
        traded, self._at = self._at, {}
        for tick, size in traded.items():
            self._count(old.onto(new, tick), size)

    @property
    def volumes(self) -> tuple[tuple[Ticks, Shares], ...]:
        """(price, shares traded there since this began), by price."""
        if self._volumes is None:
            self._volumes = tuple([(tick, Shares(size)) for tick, size in sorted(self._at.items())])
        return self._volumes

    def _count(self, tick: Ticks, size: int) -> None:
        self._at[tick] = self._at.get(tick, 0) + size
        self._volumes = None

    def per_minute(self, now: float) -> int:
        """Trades of the last 60 seconds."""
        self._forget(now)
        return sum(one.trades for one in self._recent)

    def taken_per_s(self, now: float, *, bought: bool) -> float:
        """Micro-shares of YES a second that takers bought, or sold, in the last 60 seconds."""
        self._forget(now)
        return sum(one.bought if bought else one.sold for one in self._recent) / RATE_WINDOW_SEC

    def imbalance(self, now: float) -> float | None:
        """Volume that takers bought less what they sold, over their sum, last 60 seconds; None without trades."""
        self._forget(now)
        bought, sold = sum(one.bought for one in self._recent), sum(one.sold for one in self._recent)
        return (bought - sold) / (bought + sold) if bought + sold else None

    def _forget(self, now: float) -> None:
        recent = self._recent
        while recent and recent[0].begin_s <= now - RATE_WINDOW_SEC:
            recent.popleft()
