"""How far beyond the middle of the proven book an order may reach, on the side where that costs."""

from typing import NamedTuple

from core.config import Settings
from core.units import MICRO, Ticks


class Collar(NamedTuple):
    """How far beyond the middle of the book an order may reach: the tighter of both.

    Source: reliability.md 2.0, ``COLLAR``.
    """

    ticks: int
    millionths: int
    """Of the middle's price: of YES for a bid, of NO for an ask."""

    def bounds(self, best_bid: Ticks, best_ask: Ticks, k: int) -> tuple[Ticks, Ticks]:
        """Highest bid and lowest ask within it, exact in integers; ``k`` ticks are a dollar."""
        middle = best_bid + best_ask  # half ticks
        most = 2 * MICRO * self.ticks
        beyond_bid = min(most, self.millionths * middle)
        beyond_ask = min(most, self.millionths * (2 * k - middle))
        high = (middle * MICRO + beyond_bid) // (2 * MICRO)
        low = -((beyond_ask - middle * MICRO) // (2 * MICRO))
        return Ticks(high), Ticks(low)


def collar_of(settings: Settings) -> Collar:
    """The collar of one market's settings."""
    return Collar(settings.collar_ticks, round(settings.collar_frac * MICRO))
