"""Where a resting order stands in its queue, guessed from level sizes: the feed does not show orders.

Level sizes are those of others. Results are reported under both models, since the truth lies between them.
"""

from core.units import Shares, floor_size


class RiskAverseQueue:
    """Everything cancelled was behind us: the queue in front shrinks only by trades and by the level itself.

    Source: market-making.md 4.1, ``queue.risk_averse``.
    """

    __slots__ = ("ahead", "remaining")

    def __init__(self, level_size: Shares, own_size: Shares) -> None:
        """Join the back of a level.

        Args:
            level_size: displayed size of others when the order is accepted.
            own_size: of the order.
        """
        self.ahead = level_size
        self.remaining = own_size

    def trade(self, size: Shares) -> Shares:
        """A trade at our price; returns what of it fills us."""
        ahead = self.ahead - size
        if ahead >= 0:
            self.ahead = Shares(ahead)
            return Shares(0)
        self.ahead = Shares(0)
        filled = Shares(min(self.remaining, -ahead))
        self.remaining = Shares(self.remaining - filled)
        return filled

    def depth(self, previous: Shares, size: Shares) -> None:
        """The level changed from ``previous`` to ``size``."""
        self.ahead = min(self.ahead, size)

    def sweep(self) -> Shares:
        """The price went through ours: returns the whole remainder, filled."""
        filled, self.remaining = self.remaining, Shares(0)
        return filled


class ProbabilisticQueue:
    """A cancelled share was in front of us with a probability that falls with our place in the queue.

    Places are expectations and therefore model values: micro-shares as floats. Fills are handed out in whole
    hundredths of a share of what they sum to.

    Source: market-making.md 4.1, ``queue.prob_power``.
    """

    __slots__ = ("_handed_out", "_power", "_size", "_traded", "ahead", "filled")

    def __init__(self, level_size: Shares, own_size: Shares, power: float = 3.0) -> None:
        """Join the back of a level.

        Args:
            level_size: displayed size of others when the order is accepted.
            own_size: of the order.
            power: above 0; a larger one puts more of the cancels behind us.
        """
        self.ahead: float = level_size
        self.filled = 0.0
        """Expected fill so far; at most the order's size."""
        self._size = own_size
        self._power = power
        self._traded = 0
        self._handed_out = Shares(0)

    @property
    def remaining(self) -> Shares:
        """What has not been handed out as filled."""
        return Shares(self._size - self._handed_out)

    def trade(self, size: Shares) -> Shares:
        """A trade at our price; returns what of it fills us."""
        self._traded += size
        ahead = self.ahead - size
        self.ahead = max(0.0, ahead)
        if ahead >= 0.0:
            return Shares(0)
        self.filled = min(float(self._size), self.filled - ahead)
        return self._hand_out(self._size if self.filled >= self._size else floor_size(self.filled))

    def depth(self, previous: Shares, size: Shares) -> None:
        """The level changed from ``previous`` to ``size``, trades since the last change included."""
        change = previous - size - self._traded
        self._traded = 0
        front = self.ahead
        if change < 0:
            self.ahead = min(front, size)
            return
        back = max(previous - front, 0.0)
        total = front + back
        behind = 1.0 - (front / total) ** self._power if total > 0.0 else 1.0
        self.ahead = max(0.0, min(front - (1.0 - behind) * change + min(back - behind * change, 0.0), size))

    def sweep(self) -> Shares:
        """The price went through ours: returns the whole remainder, filled."""
        self.filled = float(self._size)
        return self._hand_out(self._size)

    def _hand_out(self, total: Shares) -> Shares:
        filled = Shares(total - self._handed_out)
        self._handed_out = total
        return filled
