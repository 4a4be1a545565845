"""The synthetic participants who take: for no good reason, for a good one, and out of malice (market-making.md 4.7)."""

import math
from typing import Final

from core.exchange.crowd.agents import SIDES, Trader
from core.exchange.crowd.belief import Belief, Hawkes
from core.exchange.crowd.desk import Desk
from core.exchange.orders import Order
from core.units import Side

_DOLLAR_BETS: Final = (5, 10, 20, 25, 50, 100, 250)
_NEVER_S: Final = 1e8


class NoiseTaker(Trader):
    """Takes the touch in bursts, for no good reason, or for a rumour of where the truth is."""

    def __init__(self, desk: Desk, belief: Belief, *, rate: float, size: float, tilt: float, insight: float) -> None:
        """``rate`` is orders a second in the long run, two fifths of them set off by others."""
        super().__init__(desk, belief)
        self._insight = insight
        self._arrivals = Hawkes(mu=rate * 0.6, alpha=rate, beta=rate * 2.5)
        self._size = size
        self._tilt = tilt
        self._last: Side = "bid"

    def wake(self) -> float:
        """Take something off one side; bursts tend to keep their direction."""
        rumour = self.desk.mark(self.belief.truth - self.belief.public())
        up = self.dice.random() < 0.5 + self._tilt + self._insight * math.tanh(rumour)
        side: Side = self._last if self.dice.random() < 0.35 else ("bid" if up else "ask")
        self._last = side
        slip = self.dice.choice((0, 0, 1, 2, 4))
        if self.dice.random() < 0.3:
            self.desk.spend(side, slip, self.dice.choice(_DOLLAR_BETS))
        else:
            size = self.dice.lognormal(self._size, 1.2)
            self.desk.take(side, slip, max(5.0, min(2_500.0, size)))
        return self._arrivals.next_wait(self.dice)


class Informed(Trader):
    """Knows the truth and trades when the book is wrong by more than its edge and the fee."""

    def __init__(
        self, desk: Desk, belief: Belief, *, edge: float, size: tuple[float, float], patience_s: float
    ) -> None:
        super().__init__(desk, belief)
        self._edge = edge
        self._size = size
        self._patience_s = patience_s

    def wake(self) -> float:
        """Look at the book once in a while."""
        self.strike()
        return self.dice.expovariate(1 / self._patience_s)

    def strike(self) -> None:
        """Take what is offered too cheaply, up to the limit where the edge ends."""
        fair = self.desk.mark(self.belief.truth)
        margin = self._edge + self.desk.fee_marks(fair)
        self.desk.take_to("bid", fair - margin, self.dice.uniform(*self._size))
        self.desk.take_to("ask", fair + margin, self.dice.uniform(*self._size))


class Sniper(Informed):
    """Comes 50 to 400 ms after news, and again until the public knows them: who still quotes the old price is taken.

    The delays are the network's and the same at any speed.
    """

    def wake(self) -> float:
        """Wait for news."""
        return _NEVER_S

    def hear(self) -> float | None:
        """On the way."""
        return self.dice.uniform(0.05, 0.4)

    def react(self) -> float | None:
        """Take what is still offered at the old price."""
        self.strike()
        truth = self.desk.mark(self.belief.truth)
        is_news = abs(truth - self.fair()) > self._edge + self.desk.fee_marks(truth)
        return self.dice.expovariate(1 / self._patience_s) if is_news else None


class Baiter(Trader):
    """Improves the touch by five shares to a price that is wrong, and takes whoever follows (market-making.md 1.1)."""

    machine = True
    _BAIT = 5.0
    _EDGE = 0.75
    _WORTH = 20.0
    """Shares that must have followed."""
    _LOOKS = 4

    def __init__(self, desk: Desk, belief: Belief) -> None:
        super().__init__(desk, belief)
        self.laid = 0
        """Baits so far."""
        self._looks = 0

    def wake(self) -> float:
        """Lay a bait, look at it a few times, spring or remove it."""
        baits = self.desk.open_orders()
        if not baits:
            self._looks = 0
            self._lay(self.dice.choice(SIDES))
            return self.dice.uniform(0.5, 1.5)
        self._looks += 1
        if self._sprung(baits[0]) or self._looks >= self._LOOKS:
            for order in self.desk.open_orders():
                self.desk.withdraw(order)
            return self.dice.uniform(1.0, 3.0)
        return self.dice.uniform(0.5, 1.5)

    def _lay(self, side: Side) -> None:
        """Two marks short of the other side's touch, where a follower would pay too much; nowhere if it would not."""
        sign = 1 if side == "bid" else -1
        other = self.desk.touch("ask" if side == "bid" else "bid")
        if other is None:
            return
        mark = other - 2 * sign
        if (mark - self._limit(side)) * sign >= 0:
            self.desk.rest(side, mark, self._BAIT)
            self.laid += 1

    def _sprung(self, bait: Order) -> bool:
        """Take those who stand at the bait or beyond it, if it pays."""
        side = bait.yes_side
        mark = self.desk.mark_of(bait)
        followers = self.desk.others_above(side, mark)
        limit = self._limit(side)
        if followers < self._WORTH or (mark - limit if side == "bid" else limit - mark) < 0:
            return False
        self.desk.withdraw(bait)
        self.desk.take_to("ask" if side == "bid" else "bid", mark, followers)
        return True

    def _limit(self, side: Side) -> float:
        """The price on ``side`` from which taking it pays: fair, the fee and an edge."""
        fair = self.fair()
        margin = self._EDGE + self.desk.fee_marks(fair)
        return fair + margin if side == "bid" else fair - margin
