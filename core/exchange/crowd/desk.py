"""A participant's way into its market: it places and takes in the YES frame, whichever token that means."""

import hashlib
import random

from core.exchange.exchange import Exchange
from core.exchange.orders import NewOrder, Order
from core.units import MICRO, Grid, OrderSide, Outcome, Shares, Side, Ticks, Usd, shares_from_float

_POCKET = Usd(50_000_000 * MICRO)
_SETS = Shares(5_000_000 * MICRO)


class Desk:
    """One account in one market, with cash and both tokens in plenty; buys and sells either token at whim."""

    def __init__(self, exchange: Exchange, market: str, name: str) -> None:
        self._exchange = exchange
        self._market = market
        self._name = name
        self._orders = 0
        instrument = exchange.engine.instrument(market)
        self.grid: Grid = instrument.grid
        self._min_size = instrument.min_size
        self._fee = exchange.listings[market].plot.fee_bps / 10_000
        self.account = "0x" + hashlib.sha256(f"{exchange.seed}/{market}/{name}".encode()).hexdigest()[:40]
        exchange.ledger.deposit(self.account, _POCKET)
        exchange.ledger.split(self.account, market, _SETS)

    @property
    def key(self) -> str:
        """What this participant's dice are keyed by."""
        return f"{self._market}/{self._name}"

    def ticks(self, probability: float) -> float:
        """A probability on the market's grid, not rounded."""
        return probability * self.grid.k

    def tick(self, price: int) -> int:
        """The nearest valid price."""
        return max(1, min(self.grid.k - 1, price))

    def fee_ticks(self, fair: float) -> float:
        """Taker fee of one share at a fair price, in ticks."""
        return self._fee * fair * (1 - fair / self.grid.k)

    def open_orders(self) -> list[Order]:
        """This participant's resting orders, oldest first."""
        return self._exchange.engine.open_orders(self.account)

    def withdraw(self, order: Order) -> None:
        """Cancel one of them."""
        self._exchange.withdraw(order.new.order_id)

    def rest(self, dice: random.Random, side: Side, price: int, size: float) -> None:
        """Rest an order post-only; where it would cross, just behind the other side's touch."""
        best = self._exchange.engine.books[self._market].touch("ask" if side == "bid" else "bid")
        if best is not None:
            price = min(price, best - 1) if side == "bid" else max(price, best + 1)
        if 0 < price < self.grid.k:
            amount = Shares(max(self._min_size, shares_from_float(size)))
            self._send(dice, side, price, amount, post_only=True)

    def take(self, dice: random.Random, side: Side, slip: int, size: float) -> None:
        """Take up to ``size`` shares at the touch and ``slip`` ticks through it."""
        best = self._touch(side)
        if best is not None:
            price = self.tick(best + slip if side == "bid" else best - slip)
            self._send(dice, side, price, shares_from_float(size))

    def take_to(self, dice: random.Random, side: Side, limit: int, size: float) -> None:
        """Take up to ``size`` shares at ``limit`` or better, if anything is there."""
        best = self._touch(side)
        if best is not None and 0 < limit < self.grid.k and (best <= limit if side == "bid" else best >= limit):
            self._send(dice, side, limit, shares_from_float(size))

    def spend(self, dice: random.Random, side: Side, slip: int, dollars: int) -> None:
        """Buy for a sum of dollars: YES to lift the ask, NO to hit the bid."""
        best = self._touch(side)
        if best is None:
            return
        price = self.tick(best + slip if side == "bid" else best - slip)
        own = price if side == "bid" else self.grid.k - price
        least = Shares(dollars * MICRO * MICRO // (own * self.grid.tick_usd))
        self._place("YES" if side == "bid" else "NO", "BUY", own, least, budget=Usd(dollars * MICRO))

    def _touch(self, side: Side) -> Ticks | None:
        return self._exchange.engine.books[self._market].touch("ask" if side == "bid" else "bid")

    def _send(self, dice: random.Random, side: Side, price: int, size: Shares, *, post_only: bool = False) -> None:
        """Express a YES-frame wish by either token."""
        outcome: Outcome = "YES" if dice.random() < 0.6 else "NO"
        buys = (side == "bid") == (outcome == "YES")
        own = price if outcome == "YES" else self.grid.k - price
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
        name = f"{self._exchange.seed}/{self.key}/{self._orders}"
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
