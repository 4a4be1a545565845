"""The resting orders of one market in the YES frame, in price-time priority."""

from bisect import bisect_left, insort
from collections.abc import Iterator

from core.exchange.orders import Order
from core.units import Shares, Side, Ticks


class RestingBook:
    """Levels of first-come first-served queues; both tokens' orders share them (polymarket-api.md 2.2)."""

    def __init__(self) -> None:
        self._queues: dict[Side, dict[int, dict[str, Order]]] = {"bid": {}, "ask": {}}
        self._totals: dict[Side, dict[int, int]] = {"bid": {}, "ask": {}}
        self._prices: dict[Side, list[int]] = {"bid": [], "ask": []}

    def touch(self, side: Side) -> Ticks | None:
        """Best price of a side; None when it is empty."""
        prices = self._prices[side]
        if not prices:
            return None
        return Ticks(prices[-1] if side == "bid" else prices[0])

    def levels(self, side: Side) -> list[tuple[Ticks, Shares]]:
        """All levels of a side, best first."""
        totals = self._totals[side]
        prices = self._prices[side]
        return [(Ticks(p), Shares(totals[p])) for p in (reversed(prices) if side == "bid" else prices)]

    def crosses(self, side: Side, price: int) -> bool:
        """Whether an order on ``side`` at ``price`` would meet a resting one."""
        best = self.touch("ask" if side == "bid" else "bid")
        return best is not None and (price >= best if side == "bid" else price <= best)

    def counterparties(self, side: Side, price: int) -> Iterator[Order]:
        """Resting orders an order on ``side`` with limit ``price`` may take, in the order it takes them."""
        other: Side = "ask" if side == "bid" else "bid"
        prices = self._prices[other]
        for level in prices if other == "ask" else reversed(prices):
            if level > price if side == "bid" else level < price:
                return
            yield from self._queues[other][level].values()

    def orders(self) -> Iterator[Order]:
        """All resting orders; within a level in the order they came."""
        for levels in self._queues.values():
            for queue in levels.values():
                yield from queue.values()

    def add(self, order: Order) -> Shares:
        """Queue an order at the end of its level; returns the level's new total."""
        side, price = order.yes_side, order.yes_price
        queue = self._queues[side].get(price)
        if queue is None:
            queue = self._queues[side][price] = {}
            self._totals[side][price] = 0
            insort(self._prices[side], price)
        queue[order.new.order_id] = order
        self._totals[side][price] += order.remaining
        return Shares(self._totals[side][price])

    def reduce(self, order: Order, size: int) -> Shares:
        """Take shares off a resting order's level, before ``order.matched`` is raised; returns the new total."""
        side, price = order.yes_side, order.yes_price
        self._totals[side][price] -= size
        total = Shares(self._totals[side][price])
        if size == order.remaining:
            self._drop(order)
        return total

    def _drop(self, order: Order) -> None:
        side, price = order.yes_side, order.yes_price
        queue = self._queues[side][price]
        del queue[order.new.order_id]
        if not queue:
            del self._queues[side][price], self._totals[side][price]
            prices = self._prices[side]
            del prices[bisect_left(prices, price)]
