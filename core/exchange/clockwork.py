"""What happens later: one queue by due time, so that nothing depends on how often the exchange is stepped."""

import heapq
import itertools
import random
from collections.abc import Callable

Happening = Callable[[int], None]
"""Called with the time at which it happens, unix milliseconds."""


class Clockwork:
    """The exchange's time and everything that is due at some time; only the caller moves it."""

    def __init__(self, seed: int, now_ms: int) -> None:
        self.now_ms = now_ms
        """Unix milliseconds; never goes back."""
        self._seed = seed
        self._queue: list[tuple[int, int, Happening]] = []
        self._ticket = itertools.count()
        self._throws = itertools.count()

    def schedule(self, due_ms: int, action: Happening) -> None:
        """Have ``action(now_ms)`` called by the ``step`` that reaches its time."""
        heapq.heappush(self._queue, (due_ms, next(self._ticket), action))

    def step(self, now_ms: int) -> None:
        """Let everything due up to ``now_ms`` happen, in order of its due time."""
        now_ms = max(self.now_ms, now_ms)
        while self._queue and self._queue[0][0] <= now_ms:
            due, _, action = heapq.heappop(self._queue)
            self.now_ms = max(self.now_ms, due)
            action(self.now_ms)
        self.now_ms = now_ms

    @property
    def next_due_ms(self) -> int:
        """When the next thing is due; there always is one, the heartbeat sweep."""
        return self._queue[0][0]

    def draw(self, span: tuple[int, int]) -> int:
        """A whole number between two bounds, both included; the n-th draw depends on the seed and n only."""
        return random.Random(f"delay/{self._seed}/{next(self._throws)}").randint(*span)
