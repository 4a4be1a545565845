"""How often an operator may be called: one call for what comes together, and no flood of lines (peers.md 5.7)."""

from collections import deque
from typing import Final

WINDOW_SEC: Final = 600.0
MOST_TOLD: Final = 10
"""Alarms that are told one by one in ten minutes (EEMUA 191); what is more is summed up."""
CALM: Final = 5
"""A flood is over when there were no more than so many in ten minutes."""
MOST_CALLS: Final = 10
"""Calls in ten minutes, after which they come more seldom."""
CALL_SEC: Final = 10.0
"""Least time between two calls: what comes in between shares the next."""
SELDOM_SEC: Final = 60.0
"""The same after many calls; none is left out."""


class Calling:
    """Counts calls and lines. ``now`` is monotonic seconds."""

    def __init__(self) -> None:
        self.calls = 0
        """So far: a console rings once for each number."""
        self.summed = 0
        """Alarms of the present flood that were told by no line of their own."""
        self._called: deque[float] = deque(maxlen=MOST_CALLS)
        self._told: deque[float] = deque()

    def call(self, now: float) -> bool:
        """Call for whatever waits to; False while it has to wait a moment longer."""
        many = len(self._called) == MOST_CALLS and now - self._called[0] < WINDOW_SEC
        if self._called and now - self._called[-1] < (SELDOM_SEC if many else CALL_SEC):
            return False
        self._called.append(now)
        self.calls += 1
        return True

    def is_flood(self, now: float) -> bool:
        """So many were told lately that the next would be one too many."""
        self._forget(now)
        return len(self._told) >= MOST_TOLD

    def tell(self, now: float) -> bool:
        """Count an alarm; False when it is only summed up."""
        if self.is_flood(now):
            self.summed += 1
            return False
        self._told.append(now)
        return True

    def calmed(self, now: float) -> int:
        """How many a flood that is over by now left untold; 0 without one, and once it was asked."""
        self._forget(now)
        if len(self._told) > CALM:
            return 0
        summed, self.summed = self.summed, 0
        return summed

    def _forget(self, now: float) -> None:
        while self._told and now - self._told[0] >= WINDOW_SEC:
            self._told.popleft()
