"""Shares that leave in the order they came."""

from collections import deque
from typing import Self

from core.portfolio.ledger import Holding, Pico
from core.units import Shares, Usd


class LotHolding(Holding):
    """Lots of one token, the oldest consumed first; no cost is ever rounded.

    Source: market-making.md 3.2, ``pnl.fifo``: ``Ledger(LotHolding)``.
    """

    __slots__ = ("_lots",)

    def __init__(self) -> None:
        super().__init__()
        self._lots: deque[tuple[Shares, Usd]] = deque()
        """Size and price; all of one sign, negative when short. Neighbours of one price are one lot."""

    def move(self, size: Shares, price: Usd) -> int:
        """Shares come in or, negative, leave at ``price``; returns the profit, Pico, of the lots they close."""
        lots, left, profit, cost = self._lots, int(size), 0, 0
        while left and lots and (lots[0][0] > 0) != (left > 0):
            lot, paid = lots[0]
            closed = -left if abs(left) < abs(lot) else int(lot)
            profit += closed * (price - paid)
            cost -= closed * paid
            left += closed
            if closed == lot:
                lots.popleft()
            else:
                lots[0] = (Shares(lot - closed), paid)
        if left and lots and lots[-1][1] == price:
            lots[-1] = (Shares(lots[-1][0] + left), price)
        elif left:
            lots.append((Shares(left), price))
        self.shares = Shares(self.shares + size)
        self.cost = Pico(self.cost + cost + left * price)
        return profit

    def revalue(self, price: Usd) -> int:
        """Make one lot of all, at ``price``; returns the profit, Pico."""
        self._lots = deque([(self.shares, price)] if self.shares else ())
        return super().revalue(price)

    def copy(self) -> Self:
        """One that goes its own way."""
        twin = super().copy()
        twin._lots = self._lots.copy()
        return twin
