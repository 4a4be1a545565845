"""Where the money came from: the spread we earned, or the position we carried."""

from collections.abc import Iterable

from core.units import MICRO, Shares


class Decomposition:
    """Spread capture and inventory profit, dollars in the YES frame; their sum is the whole trading profit.

    Source: market-making.md 3.4, ``pnl.decompose``.
    """

    __slots__ = ("_fair", "inventory", "position", "spread")

    def __init__(self) -> None:
        self.spread = 0.0
        """Gained by dealing away from the fair value of the moment."""
        self.inventory = 0.0
        """Gained by the fair value moving while we held."""
        self.position = Shares(0)
        """Net YES."""
        self._fair: float | None = None

    def step(self, fair: float, fills: Iterable[tuple[Shares, float]] = ()) -> None:
        """Revalue what was carried to ``fair``, then book the fills made at it.

        Args:
            fair: dollars.
            fills: signed size (positive when we bought YES or sold NO) and price in the YES frame, dollars.
        """
        if self._fair is not None:
            self.inventory += self.position / MICRO * (fair - self._fair)
        self._fair = fair
        for size, price in fills:
            self.spread += size / MICRO * (fair - price)
            self.position = Shares(self.position + size)

    @property
    def total(self) -> float:
        """Trading profit in dollars, before fees, rebates and rewards."""
        return self.spread + self.inventory
