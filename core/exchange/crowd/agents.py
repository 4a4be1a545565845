"""The synthetic participants (market-making.md 4.7). Each lives in one market, on money of its own.

An agent is woken, acts through its desk, and says how many seconds it will sleep. Distances are in ticks from what it
thinks fair; spreads are set so wide that a market maker two ticks off fair is at the touch.
"""

import math
import random
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Final

from core.exchange.crowd.belief import Belief, Hawkes
from core.exchange.crowd.desk import Desk
from core.exchange.orders import Order
from core.units import Side

SIDES: Final[tuple[Side, Side]] = ("bid", "ask")
_DOLLAR_BETS: Final = (5, 10, 20, 25, 50, 100, 250)


class Agent(ABC):
    """One participant of one market."""

    def __init__(self, desk: Desk, belief: Belief) -> None:
        self.desk = desk
        self.belief = belief

    def open(self, dice: random.Random) -> None:
        """Fill the book before the doors open; most have nothing to do."""
        return

    @abstractmethod
    def wake(self, dice: random.Random) -> float:
        """Act, and return the seconds until the next waking."""

    def jumped(self, dice: random.Random) -> float | None:
        """Seconds after which ``wake`` should run because the truth jumped; None to ignore it."""
        return None

    def away(self, order: Order, fair: float) -> float:
        """How many ticks behind fair an order rests; negative when it gives money away."""
        return fair - order.yes_price if order.yes_side == "bid" else order.yes_price - fair

    def rest_at(self, dice: random.Random, side: Side, fair: float, distance: float, size: float) -> None:
        """Rest ``size`` shares ``distance`` ticks behind fair, rounded away from it."""
        price = math.floor(fair - distance) if side == "bid" else math.ceil(fair + distance)
        self.desk.rest(dice, side, price, size)


class Ladder(Agent):
    """A maker that wants some levels on each side between a near and a far distance."""

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
        moves: int,
    ) -> None:
        super().__init__(desk, belief)
        self._near = near
        self._gap = gap
        self._count = count
        self._size = size
        self._spread = spread
        self._lag_s = lag_s
        self._sleep_s = sleep_s
        self._moves = moves

    def open(self, dice: random.Random) -> None:
        """Build the whole ladder."""
        for side in SIDES:
            self._fill(dice, side, [], self._count)

    def wake(self, dice: random.Random) -> float:
        """Drop what came too near or was left behind, then refill; a few orders at a time."""
        fair = self.desk.ticks(self.belief.public(self._lag_s))
        orders = self.desk.open_orders()
        least = self._near[0] - 0.75
        most = self._near[1] + self._count * self._gap[1] + 2
        wrong = [order for order in orders if not least <= self.away(order, fair) <= most]
        wrong.sort(key=lambda order: self.away(order, fair))
        hurry = any(self.away(order, fair) < 0.5 for order in wrong)
        for order in wrong if hurry else wrong[: self._moves]:
            self.desk.withdraw(order)
        kept = [order for order in orders if order not in wrong]
        if dice.random() < 0.25 and kept:
            self.desk.withdraw(kept.pop(dice.randrange(len(kept))))
        for side in SIDES:
            self._fill(dice, side, [order for order in kept if order.yes_side == side], self._moves)
        return dice.uniform(*self._sleep_s)

    def _fill(self, dice: random.Random, side: Side, mine: list[Order], most: int) -> None:
        fair = self.desk.ticks(self.belief.public(self._lag_s))
        taken: set[int] = {order.yes_price for order in mine}
        distance = dice.uniform(*self._near)
        for _ in range(min(most, self._count - len(mine))):
            while self._price(side, fair, distance) in taken:
                distance += 1
            taken.add(self.desk.tick(self._price(side, fair, distance)))
            self.rest_at(dice, side, fair, distance, dice.lognormvariate(math.log(self._size), self._spread))
            distance += dice.uniform(*self._gap)

    @staticmethod
    def _price(side: Side, fair: float, distance: float) -> int:
        return math.floor(fair - distance) if side == "bid" else math.ceil(fair + distance)


class Crowd(Agent):
    """Everybody else: a long uneven tail of orders that slowly come and go."""

    def __init__(self, desk: Desk, belief: Belief, *, nearest: float, reach: float, levels: int) -> None:
        super().__init__(desk, belief)
        self._nearest = nearest
        self._reach = reach
        self._levels = levels

    def open(self, dice: random.Random) -> None:
        """Fill the tail."""
        for side in SIDES:
            for _ in range(self._levels):
                self._add(dice, side)

    def wake(self, dice: random.Random) -> float:
        """Leave where the price came near; otherwise add or cancel one order."""
        fair = self.desk.ticks(self.belief.public())
        orders = self.desk.open_orders()
        near = [order for order in orders if self.away(order, fair) < self._nearest - 1]
        if near:
            self.desk.withdraw(min(near, key=lambda order: self.away(order, fair)))
        elif orders and dice.random() * 2 * self._levels * 2 < len(orders):
            self.desk.withdraw(orders[dice.randrange(len(orders))])
        else:
            counts = {side: sum(order.yes_side == side for order in orders) for side in SIDES}
            side: Side = "bid" if counts["bid"] <= counts["ask"] else "ask"
            self._add(dice, side)
        return dice.expovariate(1.2)

    def _add(self, dice: random.Random, side: Side) -> None:
        fair = self.desk.ticks(self.belief.public())
        distance = self._nearest + dice.expovariate(1 / self._reach)
        size = dice.lognormvariate(math.log(180), 1.3)
        if dice.random() < 0.4:
            size = max(10.0, round(size, -1 if size < 500 else -2))
        self.rest_at(dice, side, fair, distance, size)


class Farmer(Agent):
    """Collects rewards: the least scoring size on both sides inside the band, refreshed every half minute."""

    def __init__(self, desk: Desk, belief: Belief, *, distance: float, size: float) -> None:
        super().__init__(desk, belief)
        self._distance = distance
        self._size = size

    def open(self, dice: random.Random) -> None:
        """Quote from the start."""
        self._quote(dice)

    def wake(self, dice: random.Random) -> float:
        """Cancel and quote anew."""
        self._quote(dice)
        return dice.uniform(25, 35)

    def _quote(self, dice: random.Random) -> None:
        for order in self.desk.open_orders():
            self.desk.withdraw(order)
        fair = self.desk.ticks(self.belief.public(2.0))
        for side in SIDES:
            self.rest_at(dice, side, fair, self._distance, self._size)


class NoiseTaker(Agent):
    """Takes the touch in bursts, for no good reason, or for a rumour of where the truth is."""

    def __init__(self, desk: Desk, belief: Belief, *, rate: float, size: float, tilt: float, insight: float) -> None:
        super().__init__(desk, belief)
        self._insight = insight
        self._arrivals = Hawkes(mu=rate * 0.6, alpha=0.24, beta=0.6)
        self._size = size
        self._tilt = tilt
        self._last: Side = "bid"

    def wake(self, dice: random.Random) -> float:
        """Take something off one side; bursts tend to keep their direction."""
        rumour = self.desk.ticks(self.belief.truth - self.belief.public())
        up = dice.random() < 0.5 + self._tilt + self._insight * math.tanh(rumour)
        side: Side = self._last if dice.random() < 0.35 else ("bid" if up else "ask")
        self._last = side
        slip = dice.choice((0, 0, 1, 2, 4))
        if dice.random() < 0.3:
            self.desk.spend(dice, side, slip, dice.choice(_DOLLAR_BETS))
        else:
            size = dice.lognormvariate(math.log(self._size), 1.1)
            self.desk.take(dice, side, slip, max(5.0, min(2_500.0, size)))
        return self._arrivals.next_wait(dice)


class Informed(Agent):
    """Knows the truth and trades when the book is wrong by more than its edge and the fee."""

    def __init__(
        self, desk: Desk, belief: Belief, *, edge: float, size: tuple[float, float], patience_s: float, quick: bool
    ) -> None:
        super().__init__(desk, belief)
        self._edge = edge
        self._size = size
        self._patience_s = patience_s
        self._quick = quick

    def jumped(self, dice: random.Random) -> float | None:
        """A sniper comes 50 to 400 ms after a jump."""
        return dice.uniform(0.05, 0.4) if self._quick else None

    def wake(self, dice: random.Random) -> float:
        """Take what is offered too cheaply, up to the limit where the edge ends."""
        fair = self.desk.ticks(self.belief.truth)
        margin = self._edge + self.desk.fee_ticks(fair)
        self.desk.take_to(dice, "bid", math.floor(fair - margin), dice.uniform(*self._size))
        self.desk.take_to(dice, "ask", math.ceil(fair + margin), dice.uniform(*self._size))
        return dice.expovariate(1 / self._patience_s)


def usual_agents(desks: Iterable[Desk], belief: Belief, reward_size: float, reward_cents: float) -> list[Agent]:
    """The demo's cast for one market: ten participants; ``desks`` yields each a desk of its own."""
    desk = iter(desks)
    first = next(desk)
    fine = first.grid.k > 100
    reach = 26.0 if fine else 9.0
    band = reward_cents / 100 * first.grid.k
    agents: list[Agent] = [
        Ladder(
            first, belief, near=(2.6, 3.8), gap=(1.0, 2.0), count=3, size=45, spread=0.7,
            lag_s=0.2, sleep_s=(0.25, 0.55), moves=1,
        ),
        Ladder(
            next(desk), belief, near=(4.0, 5.5), gap=(1.0, 2.6), count=7, size=420, spread=0.6,
            lag_s=5.0, sleep_s=(1.0, 2.6), moves=2,
        ),
        Ladder(
            next(desk), belief, near=(5.0, 8.0), gap=(1.5, 3.5), count=6, size=900, spread=0.5,
            lag_s=5.0, sleep_s=(1.6, 3.4), moves=2,
        ),
        Crowd(next(desk), belief, nearest=6.0, reach=reach, levels=30 if fine else 22),
        Farmer(next(desk), belief, distance=max(3.2, band * 0.55), size=reward_size),
        Farmer(next(desk), belief, distance=max(3.6, band * 0.8), size=reward_size),
        NoiseTaker(next(desk), belief, rate=0.16, size=45, tilt=0.03, insight=0.3),
        NoiseTaker(next(desk), belief, rate=0.06, size=160, tilt=-0.03, insight=0.4),
        Informed(next(desk), belief, edge=1.0, size=(80, 350), patience_s=1e9, quick=True),
        Informed(next(desk), belief, edge=0.5, size=(60, 300), patience_s=12, quick=False),
    ]  # fmt: skip
    return agents
