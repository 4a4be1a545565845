"""A venue for one engine and one position: it answers, fills what rests when told to, and matches what crosses."""

from typing import Any

from core.actions import Action, Note
from core.events import FillSeen, OperatorCommand, OrderAnswered, Taken
from core.market.fees import FeeSchedule, taker_fee
from core.orders.order import Order, State
from core.units import MICRO, Grid, Shares, Ticks, Usd
from tests.builders import MARKET, Driver, VenueBook, a_market, notes, shares

FEES = FeeSchedule(rate=40_000)


class Floor:
    """An engine that holds a position, and the venue around it. Cash counts from 0, micro-dollars."""

    def __init__(self, tick: str = "0.01", fees: FeeSchedule | None = FEES, mid: int = 46, **over: Any) -> None:
        held = {name: over.pop(name) for name in ("yes", "no") if name in over}
        self.book = VenueBook(a_market(tick, fees=fees), mid=mid)
        self.driver = Driver(self.book, **over).quoting(**held)
        self.cash = 0
        self.fees = 0
        self.trades = 0

    @property
    def desk(self) -> Any:
        return self.driver.desk

    def act(self, act: Any, market: str = MARKET, **over: Any) -> list[Action]:
        return self.driver.send(OperatorCommand(act=act, market=market, who="test", **over))

    def preview(self, act: Any = "flatten", market: str = MARKET, **over: Any) -> Note:
        """What the engine says of a preview; the last line it tells."""
        return [note for note in self.act(act, market, preview=True, **over) if isinstance(note, Note)][-1]

    def begin(self, act: Any = "flatten", market: str = MARKET, **over: Any) -> str:
        """Preview and confirm; returns what the engine said of the latter."""
        token = self.preview(act, market, **over).confirm
        assert token
        return notes(self.act(act, market, confirm=token))

    def go(self, seconds: float) -> list[Action]:
        """Time goes on, and the venue answers everything in the second in which it comes."""
        actions: list[Action] = []
        for _ in range(round(seconds * 4)):
            actions += self.driver.pass_time(0.25)
            self.answer()
        return actions

    def answer(self) -> None:
        """Answer placements and cancels; what crosses is matched with the book as it is."""
        for order in self.driver.orders(State.SENDING):
            if order.crosses:
                self.match(order)
            else:
                self.driver.send(OrderAnswered(intent=order.intent, outcome="live"))
        self.driver.answer_cancels()

    def match(self, order: Order) -> None:
        """Match an order that crosses, and tell the answer, the fill and the book afterwards."""
        grid, k = self.book.instrument.grid, self.book.instrument.grid.k
        sells_yes = order.outcome == "YES"
        levels = self.book.bids if sells_yes else self.book.asks
        taken, left = [], int(order.size)
        for tick in sorted(levels, reverse=sells_yes):
            price = tick if sells_yes else k - tick
            size = min(left, levels[tick] * MICRO)
            if price < order.price or not size:
                break
            taken.append(part(grid, Ticks(price), Shares(size)))
            left -= size
            self.driver.send(self.book.set("bid" if sells_yes else "ask", tick, levels[tick] - -(-size // MICRO)))
        if not taken:
            self.driver.send(OrderAnswered(intent=order.intent, outcome="refused", refusal="missed"))
            return
        size = Shares(order.size - left)
        self.driver.send(OrderAnswered(intent=order.intent, outcome="matched", matched=size))
        self.tell(order, size, tuple(taken))

    def tell(self, order: Order, size: Shares, taken: tuple[Taken, ...] = ()) -> None:
        """Tell a fill and that it is final; count the cash."""
        self.trades += 1
        for settlement in ("matched", "confirmed"):
            self.driver.send(
                FillSeen(
                    trade_id=f"trade-{self.trades}",
                    order_id=order.order_id,
                    size=size,
                    settlement=settlement,
                    unix=self.driver.unix,
                    taken=taken,
                )
            )
        schedule = self.book.instrument.fees
        fee = sum(taker_fee(one.price, one.size, schedule) for one in taken) if schedule else 0
        self.fees += fee
        self.cash += (sum(one.cash for one in taken) if taken else order.usd * size // MICRO) - fee

    def fill_resting(self, size: float | None = None) -> None:
        """Somebody takes what rests, all of it or so many shares."""
        [order] = self.driver.orders(State.LIVE, State.PARTIAL)
        self.tell(order, order.remaining if size is None else shares(size))

    def held(self) -> tuple[float, float]:
        inventory = self.desk.inventory
        return inventory.yes / MICRO, inventory.no / MICRO


def part(grid: Grid, price: Ticks, size: Shares) -> Taken:
    usd = grid.dollars_of(price)
    return Taken(usd, size, Usd((usd * size + MICRO // 2) // MICRO))
