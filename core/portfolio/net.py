"""Trading profit as if NO did not exist: one signed position on YES at an average price.

A round trip through NO is profit at once, not at the merge. Use it for the strategy's panes; the venue is reconciled
with :mod:`core.portfolio.ledger`. Identity: realised and unrealised sum to the ledger's total before fees and income.
"""

from core.portfolio.ledger import Buy, Entry, Pico, Sell, Settle
from core.units import MICRO, Shares, Usd


class NetLedger:
    """Signed position, its cost and what it has realised.

    Source: market-making.md 3.3, ``pnl.net``.
    """

    __slots__ = ("cost", "position", "realised")

    def __init__(self) -> None:
        self.position = Shares(0)
        """Negative when short YES."""
        self.cost = Pico(0)
        """Of the position; negative when short."""
        self.realised = Pico(0)

    def apply(self, entry: Entry) -> None:
        """Book one event; a split, a merge, a fee and income change nothing here."""
        match entry:
            case Buy("YES", size, price):
                self._trade(size, price)
            case Sell("YES", size, price):
                self._trade(-size, price)
            case Buy("NO", size, price):
                self._trade(-size, MICRO - price)
            case Sell("NO", size, price):
                self._trade(size, MICRO - price)
            case Settle(payout):
                self._trade(-self.position, payout)

    def unrealised(self, mark: Usd) -> Pico:
        """What the position would gain at ``mark`` micro-dollars a YES share over its cost."""
        return Pico(self.position * mark - self.cost)

    @property
    def average(self) -> float | None:
        """Dollars a YES share; None when flat."""
        return self.cost / self.position / MICRO if self.position else None

    def _trade(self, signed: int, price: int) -> None:
        """Move the position by ``signed`` micro-shares; the part that shrinks it is realised at the average."""
        position = self.position
        if position * signed < 0:
            closed = min(abs(signed), abs(position))
            taken = (self.cost * closed + abs(position) // 2) // abs(position)
            step = closed if signed > 0 else -closed
            self.realised = Pico(self.realised - step * price - taken)
            self.cost = Pico(self.cost - taken)
            position, signed = Shares(position + step), signed - step
        self.position = Shares(position + signed)
        self.cost = Pico(self.cost + signed * price)
