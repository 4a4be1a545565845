"""The synthetic participants who quote (market-making.md 4.7). Each lives in one market, on money of its own.

An agent is woken, acts through its desk, and says how many seconds it will sleep. Distances are in marks, ticks of the
market's first grid, from what it thinks fair; spreads are set so wide that a market maker two ticks off fair is at the
touch.
"""

from abc import ABC, abstractmethod
from typing import Final

from core.exchange.crowd.belief import Belief
from core.exchange.crowd.desk import Desk
from core.exchange.crowd.dice import Dice
from core.exchange.orders import Order
from core.units import Side

SIDES: Final[tuple[Side, Side]] = ("bid", "ask")
_ROOM: Final = 12.0
"""Marks from fair to the nearer end below which all distances shrink in proportion, as spreads of long shots do ..."""
_LEAST_SHRINK: Final = 0.3
"""... but no further than this."""


class Agent(ABC):
    """Somebody, or something, that acts in one market."""

    machine = False
    """Its pauses are counted in the exchange's time, not in participants': a machine is as quick as it is."""

    def __init__(self, dice: Dice) -> None:
        self.dice = dice

    def open(self) -> None:
        """Fill the book before the doors open; most have nothing to do."""
        return

    @abstractmethod
    def wake(self) -> float:
        """Act, and return the seconds until the next waking."""

    def hear(self) -> float | None:
        """There is news: seconds of the exchange's time until ``react`` should run; None to ignore it."""
        return None

    def react(self) -> float | None:
        """Act on news; returns seconds of the exchange's time until it wants to act on them again, None when done."""
        return None


class Trader(Agent):
    """An agent with a desk and an opinion."""

    def __init__(self, desk: Desk, belief: Belief) -> None:
        super().__init__(desk.dice)
        self.desk = desk
        self.belief = belief

    def fair(self, lag_s: float = 0.0) -> float:
        """What the public thought ``lag_s`` ago, in marks."""
        return self.desk.mark(self.belief.public(lag_s))

    def away(self, order: Order, fair: float) -> float:
        """At what distance behind fair an order rests; negative when it gives money away."""
        ahead = (fair - self.desk.mark_of(order)) / self._shrink(fair)
        return ahead if order.yes_side == "bid" else -ahead

    def place_at(self, side: Side, fair: float, distance: float) -> float:
        """The mark at a distance behind fair."""
        distance *= self._shrink(fair)
        return fair - distance if side == "bid" else fair + distance

    def rest_at(self, side: Side, fair: float, distance: float, size: float) -> None:
        """Rest ``size`` shares at a distance behind fair, rounded away from it."""
        self.desk.rest(side, self.place_at(side, fair, distance), size)

    def _shrink(self, fair: float) -> float:
        return min(1.0, max(_LEAST_SHRINK, min(fair, self.desk.marks - fair) / _ROOM))


class Ladder(Trader):
    """A maker with some levels on each side, which follows the public when it has moved far enough."""

    def __init__(
        self,
        desk: Desk,
        belief: Belief,
        *,
        near: tuple[float, float],
        gap: tuple[float, float],
        count: int,
        size: float,
        spread: float,
        lag_s: float,
        sleep_s: tuple[float, float],
        tolerance: float,
        flicker: float = 0.0,
        pull_s: tuple[float, float] | None = None,
    ) -> None:
        """``pull_s`` makes it a machine that takes its quotes out on news, and is how long it then stays out."""
        super().__init__(desk, belief)
        self.machine = pull_s is not None
        self._near = near
        self._gap = gap
        self._count = count
        self._size = size
        self._spread = spread
        self._lag_s = lag_s
        self._sleep_s = sleep_s
        self._tolerance = tolerance
        self._flicker = flicker
        self._pull_s = pull_s
        self._anchor = 0.0
        self._placed = 0
        self._out_s = 0.0

    def open(self) -> None:
        """Build the whole ladder."""
        self._quote(self.fair(self._lag_s), [])

    def wake(self) -> float:
        """Follow the public where it has gone, and replace what was taken."""
        sleep = self.dice.uniform(*self._sleep_s)
        if self._out_s > 0:
            self._out_s -= sleep
            return sleep
        fair = self.fair(self._lag_s)
        orders = self.desk.open_orders()
        renewed = self._flicker and self.dice.random() < self._flicker
        if renewed and orders:
            self.desk.withdraw(orders.pop(self.dice.randrange(len(orders))))
        if renewed or len(orders) < self._placed or abs(fair - self._anchor) >= self._tolerance:
            self._quote(fair, orders)
        return sleep

    def hear(self) -> float | None:
        """A machine hears of news 100 to 300 ms later, which may be too late."""
        return None if self._pull_s is None else self.dice.uniform(0.1, 0.3)

    def react(self) -> float | None:
        """Take all quotes out and wait until the public has made up its mind."""
        for order in self.desk.open_orders():
            self.desk.withdraw(order)
        if self._pull_s is not None:
            self._out_s = self.dice.uniform(*self._pull_s)
        return None

    def _quote(self, fair: float, orders: list[Order]) -> None:
        """Drop what came too near or was left behind, then refill."""
        self._anchor = fair
        most = self._near[1] + self._count * self._gap[1] + 2
        for side in SIDES:
            mine = sorted((o for o in orders if o.yes_side == side), key=lambda order: self.away(order, fair))
            kept = [order for order in mine if self._near[0] - 0.75 <= self.away(order, fair) <= most]
            if len(kept) == self._count and self.away(kept[0], fair) > self._near[1] + 1:
                kept.pop()
            for order in mine:
                if order not in kept:
                    self.desk.withdraw(order)
            self._fill(side, fair, kept)
        self._placed = len(self.desk.open_orders())

    def _fill(self, side: Side, fair: float, kept: list[Order]) -> None:
        taken = {round(self.desk.mark_of(order)) for order in kept}
        distance = self.dice.uniform(*self._near)
        for _ in range(self._count - len(kept)):
            while round(self.place_at(side, fair, distance)) in taken:
                distance += 1
            taken.add(round(self.place_at(side, fair, distance)))
            self.rest_at(side, fair, distance, self.dice.lognormal(self._size, self._spread))
            distance += self.dice.uniform(*self._gap)


class Crowd(Trader):
    """Everybody else: a long uneven tail of orders."""

    def __init__(
        self, desk: Desk, belief: Belief, *, nearest: float, reach: float, levels: int, sleep_s: float
    ) -> None:
        super().__init__(desk, belief)
        self._nearest = nearest
        self._reach = reach
        self._levels = levels
        self._sleep_s = sleep_s

    def open(self) -> None:
        """Fill the tail."""
        for side in SIDES:
            self._add(side, self._levels)

    def wake(self) -> float:
        """Leave where the price came near, and come back elsewhere, not always at once."""
        fair = self.fair()
        counts = dict.fromkeys(SIDES, 0)
        for order in self.desk.open_orders():
            if self.away(order, fair) < self._nearest - 1:
                self.desk.withdraw(order)
            else:
                counts[order.yes_side] += 1
        for side, count in counts.items():
            self._add(side, round((self._levels - count) * self.dice.random() + 0.2))
        return self.dice.expovariate(1 / self._sleep_s)

    def _add(self, side: Side, number: int) -> None:
        fair = self.fair()
        for _ in range(number):
            distance = self._nearest + self.dice.expovariate(1 / self._reach)
            size = self.dice.lognormal(180, 1.3)
            if self.dice.random() < 0.4:
                size = max(10.0, round(size, -1 if size < 500 else -2))
            self.rest_at(side, fair, distance, size)


class Farmer(Trader):
    """Collects rewards: the least scoring size on both sides inside the band, looked after every half minute.

    What still stands well is left alone: young orders do not score (polymarket-api.md 9.3).
    """

    _SLACK = 1.5

    def __init__(self, desk: Desk, belief: Belief, *, distance: float, size: float) -> None:
        super().__init__(desk, belief)
        self._distance = distance
        self._size = size

    def open(self) -> None:
        """Quote from the start."""
        self._quote()

    def wake(self) -> float:
        """Quote anew what has left its place."""
        self._quote()
        return self.dice.uniform(25, 35)

    def _quote(self) -> None:
        fair = self.fair(2.0)
        standing = []
        for order in self.desk.open_orders():
            if abs(self.away(order, fair) - self._distance - 0.5) > self._SLACK or order.matched:
                self.desk.withdraw(order)
            else:
                standing.append(order.yes_side)
        for side in SIDES:
            if side not in standing:
                self.rest_at(side, fair, self._distance, self._size)


class Canceller(Agent):
    """Why other people's orders go away: a little of everything that rests in a market is withdrawn as time passes."""

    def __init__(self, dice: Dice, victims: list[Desk], *, decay: float, sleep_s: float) -> None:
        """``decay`` is the share of the resting orders that goes each second."""
        super().__init__(dice)
        self._victims = victims
        self._decay = decay
        self._sleep_s = sleep_s

    def wake(self) -> float:
        """Withdraw some orders, several at a time as batches of cancels do."""
        chance = self._decay * self._sleep_s
        for desk in self._victims:
            for order in desk.open_orders():
                if self.dice.random() < chance:
                    desk.withdraw(order)
        return self.dice.expovariate(1 / self._sleep_s)
