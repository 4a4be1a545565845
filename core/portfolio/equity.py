"""How far equity has fallen from its peak."""

from core.units import Usd


class Drawdown:
    """Running peak and the largest falls from it.

    Source: market-making.md 3.6, ``equity.drawdown``.
    """

    __slots__ = ("current", "largest", "largest_fraction", "peak")

    def __init__(self, peak: Usd | None = None) -> None:
        """Start, or go on from the ``peak`` of earlier sessions."""
        self.peak = peak
        """None before the first mark."""
        self.current = Usd(0)
        self.largest = Usd(0)
        self.largest_fraction = 0.0
        """Of the peak at that time; peaks that are not positive do not count."""

    def observe(self, equity: Usd) -> None:
        """Take a mark of the equity, deposits and withdrawals already taken out."""
        if self.peak is None or equity > self.peak:
            self.peak = equity
        self.current = Usd(self.peak - equity)
        self.largest = max(self.largest, self.current)
        if self.peak > 0:
            self.largest_fraction = max(self.largest_fraction, self.current / self.peak)
