"""Trading profit as if NO did not exist: one signed position on YES at an average price.

A round trip through NO is profit at once, not at the merge. Use it for the strategy's panes; the venue is reconciled
with :mod:`core.portfolio.ledger`. Identity: realised and unrealised sum to the ledger's total before fees and income.
"""

from core.portfolio.ledger import Holding, Pico, Posting
from core.units import Shares, Usd


class NetLedger:
    """Signed position, its cost and what it has realised.

    Source: market-making.md 3.3, ``pnl.net``.
    """

    __slots__ = ("_held", "payout", "realised")

    def __init__(self) -> None:
        self._held = Holding()
        self.realised = Pico(0)
        self.payout: Usd | None = None
        """See :class:`core.portfolio.ledger.Ledger`."""

    def post(self, change: Posting) -> None:
        """Book what an entry changes: a pair, cash alone, a fee and income change nothing here."""
        size, price = change.net
        realised = change.gain + (self._held.move(size, price) if size else 0)
        if change.payout is not None:
            self.payout = change.payout
        if self.payout is not None:
            realised += self._held.revalue(self.payout)
        self.realised = Pico(self.realised + realised)

    @property
    def position(self) -> Shares:
        """Negative when short YES."""
        return self._held.shares

    @property
    def cost(self) -> Pico:
        """Of the position; negative when short."""
        return self._held.cost

    @property
    def average(self) -> float | None:
        """Dollars a YES share; None when flat."""
        return self._held.average

    def unrealised(self, mark: Usd) -> Pico:
        """What the position would gain at ``mark`` micro-dollars a YES share over its cost; 0 if there is a payout."""
        return Pico(self.position * (mark if self.payout is None else self.payout) - self.cost)

    def copy(self) -> "NetLedger":
        """One that goes its own way."""
        twin = NetLedger()
        twin._held, twin.realised, twin.payout = self._held.copy(), self.realised, self.payout
        return twin
