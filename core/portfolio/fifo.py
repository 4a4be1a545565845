"""Shares that leave in the order they came."""

from collections import deque

from core.errors import InvariantBroken
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

    def add(self, size: Shares, price: Usd) -> None:
        """Take a lot in at ``price`` micro-dollars a share."""
        super().add(size, price)
        self._lots.append((size, price))

    def remove(self, size: Shares) -> Pico:
        """Give the oldest shares away and return what exactly they cost.

        Raises:
            InvariantBroken: more than is held.
        """
        if size > self.shares:
            raise InvariantBroken(f"ledger: {size} micro-shares leave, {self.shares} are held")
        left, cost = int(size), 0
        while left:
            lot, price = self._lots.popleft()
            used = min(lot, left)
            if lot > used:
                self._lots.appendleft((Shares(lot - used), price))
            cost += used * price
            left -= used
        self.shares = Shares(self.shares - size)
        self.cost = Pico(self.cost - cost)
        return Pico(cost)
