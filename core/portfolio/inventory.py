"""What we hold in one market, seen as a position on YES."""

import msgspec

from core.units import MICRO, Shares


class Inventory(msgspec.Struct, frozen=True, gc=False):
    """Shares of both tokens; negative while more of one has been sold than the book has."""

    yes: Shares
    no: Shares

    @property
    def net(self) -> Shares:
        """YES minus NO: the position at risk."""
        return Shares(self.yes - self.no)

    @property
    def pairs(self) -> Shares:
        """Complete sets, worth a dollar each whatever happens."""
        return Shares(max(0, min(self.yes, self.no)))

    def exposure(self, fair: float) -> float:
        """Dollars lost at a fair value of ``fair`` dollars if the market resolves against us.

        Source: market-making.md 1.6.
        """
        net = self.net
        return net / MICRO * (fair if net >= 0 else fair - 1.0)
