"""Time that passes faster: a clock and an event loop, so that a recovery of ten seconds takes two.

Several processes share one such time: the machine's monotonic clock is the same for all of them.
"""

import asyncio
import selectors
import time
from typing import Any


class QuickClock:
    """The machine's time, ``factor`` times as fast from ``origin_s`` on."""

    def __init__(self, factor: float, unix_s: float, origin_s: float) -> None:
        """``unix_s`` is the wall time at the machine's monotonic ``origin_s``."""
        self.factor = factor
        self.unix_s = unix_s
        self.origin_s = origin_s

    def monotonic(self) -> float:
        return (time.monotonic() - self.origin_s) * self.factor

    def unix(self) -> float:
        return self.unix_s + self.monotonic()


class _QuickSelector(selectors.DefaultSelector):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self._factor = factor

    def select(self, timeout: float | None = None) -> Any:
        return super().select(None if timeout is None else timeout / self._factor)


class QuickLoop(asyncio.SelectorEventLoop):
    """Sleeps and deadlines are those of a quick clock."""

    def __init__(self, clock: QuickClock) -> None:
        self._quick = clock
        super().__init__(_QuickSelector(clock.factor))

    def time(self) -> float:
        return self._quick.monotonic()
