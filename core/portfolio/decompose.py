"""Where the money came from: the spread we earned, what the price did right after, or the position we carried.

All amounts are products of micro-shares and micro-dollars a share, in Pico, so parts sum to the whole exactly.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final

import msgspec

from core.portfolio.ledger import Pico
from core.units import Shares, Usd

FRESH_SEC: Final = 300.0
"""What the fair value does for so long after a fill is the fill's drift (market-making.md 3.4)."""


class Parts(msgspec.Struct, gc=False):
    """Trading profit by origin, Pico, before fees, rebates and rewards."""

    spread: int = 0
    """Gained by dealing away from the fair value of the moment."""
    drift: int = 0
    """Gained by the fair value moving within :data:`FRESH_SEC` of our fills; negative is adverse selection."""
    rest: int = 0
    """Gained by the fair value moving later, while we held."""

    @property
    def inventory(self) -> Pico:
        """Gained by the fair value moving while we held."""
        return Pico(self.drift + self.rest)

    @property
    def total(self) -> Pico:
        """All of it."""
        return Pico(self.spread + self.drift + self.rest)


class Decomposition:
    """Spread capture and inventory profit of some fills of one market, in the YES frame.

    Source: market-making.md 3.4, ``pnl.decompose``.
    """

    __slots__ = ("_fair", "_fresh", "_fresh_size", "parts", "position")

    def __init__(self) -> None:
        self.parts = Parts()
        self.position = Shares(0)
        """Net YES."""
        self._fair: Usd | None = None
        self._fresh: deque[tuple[float, Shares]] = deque()
        """When fills stop being fresh, seconds, and their signed sizes; oldest first."""
        self._fresh_size = 0

    def parts_at(self, fair: Usd) -> Parts:
        """The parts as they would be at ``fair``, micro-dollars, a moment after the last step; nothing changes."""
        moved = 0 if self._fair is None else fair - self._fair
        fresh = self._fresh_size
        parts = self.parts
        return Parts(parts.spread, parts.drift + fresh * moved, parts.rest + (self.position - fresh) * moved)

    def step(self, unix: float, fair: Usd, fills: Iterable[tuple[Shares, Usd]] = ()) -> None:
        """Revalue what was carried to ``fair``, then book the fills made at it.

        Args:
            unix: seconds, never falling. A fair value told exactly at the end of a fill's drift belongs to the drift.
            fair: micro-dollars.
            fills: signed size (positive when we bought YES or sold NO) and price in the YES frame, micro-dollars.
        """
        fresh, parts = self._fresh, self.parts
        while fresh and fresh[0][0] < unix:
            self._fresh_size -= fresh.popleft()[1]
        if self._fair is not None:
            moved = fair - self._fair
            parts.drift += self._fresh_size * moved
            parts.rest += (self.position - self._fresh_size) * moved
        self._fair = fair
        for size, price in fills:
            parts.spread += size * (fair - price)
            self.position = Shares(self.position + size)
            self._fresh_size += size
            fresh.append((unix + FRESH_SEC, size))
