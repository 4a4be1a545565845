"""A participant's way into its market: it places and takes in the YES frame, whichever token that means.

Prices are in *marks*, ticks of the market's first grid, as model numbers; the desk rounds them onto the present grid.
"""

import hashlib
import math

from core.exchange.crowd.dice import Dice
from core.exchange.exchange import Exchange
from core.exchange.orders import NewOrder, Order
from core.units import MICRO, Grid, OrderSide, Outcome, Shares, Side, Ticks, Usd, grid_of, shares_from_float

_POCKET = Usd(50_000_000 * MICRO)
_SETS = Shares(5_000_000 * MICRO)
_SLACK = 1e-9


class Desk:
    """One account in one market, with cash and both tokens in plenty; buys and sells either token at whim."""

    def __init__(self, exchange: Exchange, market: str, name: str) -> None:
        self._exchange = exchange
        self._market = market
        self._orders = 0
        plot = exchange.listings[market].plot
        self._key = f"{market}/{name}"
        self.dice = Dice(exchange.seed, self._key)
        self.marks = grid_of(plot.tick_text).k
        """Marks in one dollar."""
        self._min_size = exchange.engine.instrument(market).min_size
        self._fee = plot.fee_bps / 10_000
        self.account = "0x" + hashlib.sha256(f"{exchange.seed}/{self._key}".encode()).hexdigest()[:40]
        exchange.ledger.deposit(self.account, _POCKET)
        exchange.ledger.split(self.account, market, _SETS)

    @property
    def _grid(self) -> Grid:
        return self._exchange.engine.instrument(self._market).grid

    def mark(self, probability: float) -> float:
        """A probability in marks."""
        return probability * self.marks

    def mark_of(self, order: Order) -> float:
        """Where a resting order stands, in marks."""
        return order.yes_price * self.marks / order.instrument.grid.k

    def fee_marks(self, fair: float) -> float:
        """Taker fee of one share at a fair price, in marks."""
        return self._fee * fair * (1 - fair / self.marks)

    def open_orders(self) -> list[Order]:
        """This participant's resting orders, oldest first."""
        return self._exchange.engine.open_orders(self.account)

    def withdraw(self, order: Order) -> None:
        """Cancel one of them."""
        self._exchange.withdraw(order.new.order_id)

    def touch(self, side: Side) -> float | None:
        """The best price of a side in marks; None when it is empty."""
        best = self._exchange.engine.books[self._market].touch(side)
        return None if best is None else best * self.marks / self._grid.k

    def others_above(self, side: Side, mark: float) -> float:
        """Shares of others resting on a side at ``mark`` or better."""
        limit = mark * self._grid.k / self.marks
        sign = 1 if side == "bid" else -1
        levels = self._exchange.engine.books[self._market].levels(side)
        shown = sum(size for price, size in levels if (price - limit) * sign > -_SLACK)
        mine = (order for order in self.open_orders() if order.yes_side == side)
        own = sum(order.remaining for order in mine if (order.yes_price - limit) * sign > -_SLACK)
        return (shown - own) / MICRO

    def rest(self, side: Side, mark: float, size: float) -> None:
        """Rest an order post-only, rounded away from the middle; where it would cross, just behind the other touch."""
        grid = self._grid
        price = mark * grid.k / self.marks
        best = self._exchange.engine.books[self._market].touch("ask" if side == "bid" else "bid")
        if side == "bid":
            tick = math.floor(price + _SLACK) if best is None else min(math.floor(price + _SLACK), best - 1)
        else:
            tick = math.ceil(price - _SLACK) if best is None else max(math.ceil(price - _SLACK), best + 1)
        if 0 < tick < grid.k:
            amount = Shares(max(self._min_size, shares_from_float(size)))
            self._send(side, tick, amount, grid, post_only=True)

    def take(self, side: Side, slip: float, size: float) -> None:
        """Take up to ``size`` shares at the touch and ``slip`` marks through it."""
        limit = self._reach(side, slip)
        if limit is not None:
            self._send(side, limit, shares_from_float(size), self._grid)

    def take_to(self, side: Side, limit: float, size: float) -> None:
        """Take up to ``size`` shares at ``limit`` marks or better, if anything is there."""
        grid = self._grid
        price = limit * grid.k / self.marks
        tick = math.floor(price + _SLACK) if side == "bid" else math.ceil(price - _SLACK)
        if 0 < tick < grid.k and self._exchange.engine.books[self._market].crosses(side, tick):
            self._send(side, tick, shares_from_float(size), grid)

    def spend(self, side: Side, slip: float, dollars: int) -> None:
        """Buy for a sum of dollars: YES to lift the ask, NO to hit the bid."""
        limit = self._reach(side, slip)
        if limit is None:
            return
        grid = self._grid
        own = limit if side == "bid" else grid.k - limit
        least = Shares(dollars * MICRO * MICRO // (own * grid.tick_usd))
        self._place("YES" if side == "bid" else "NO", "BUY", own, least, budget=Usd(dollars * MICRO))

    def _reach(self, side: Side, slip: float) -> int | None:
        """The touch a taker meets and ``slip`` marks through it, as a price of the present grid."""
        best = self._exchange.engine.books[self._market].touch("ask" if side == "bid" else "bid")
        if best is None:
            return None
        k = self._grid.k
        through = round(slip * k / self.marks)
        return max(1, min(k - 1, best + through if side == "bid" else best - through))

    def _send(self, side: Side, price: int, size: Shares, grid: Grid, *, post_only: bool = False) -> None:
        """Express a YES-frame wish by either token."""
        outcome: Outcome = "YES" if self.dice.random() < 0.6 else "NO"
        buys = (side == "bid") == (outcome == "YES")
        own = price if outcome == "YES" else grid.k - price
        self._place(outcome, "BUY" if buys else "SELL", own, size, post_only=post_only)

    def _place(
        self,
        outcome: Outcome,
        side: OrderSide,
        price: int,
        size: Shares,
        *,
        post_only: bool = False,
        budget: Usd | None = None,
    ) -> None:
        self._orders += 1
        name = f"{self._exchange.seed}/{self._key}/{self._orders}"
        self._exchange.place(
            NewOrder(
                order_id="0x" + hashlib.sha256(name.encode()).hexdigest(),
                account=self.account,
                owner="",
                market=self._market,
                outcome=outcome,
                side=side,
                price=Ticks(price),
                size=size,
                order_type="GTC" if post_only else "FAK",
                post_only=post_only,
                budget=budget,
            )
        )
