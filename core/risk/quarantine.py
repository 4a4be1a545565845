"""Markets in which nothing new is placed because our books and the venue's do not fit there (reliability.md 4.4)."""

import math
from collections import deque
from collections.abc import Iterable
from typing import Final

COOL_OFF_SEC: Final = 60.0
"""After a failed trade its market rests so long (reliability.md 2.2, X07)."""
FAILURES: Final = 3
FAILURES_SEC: Final = 3600.0
"""So many failed trades in so long close their market."""


class Quarantine:
    """Closed markets: for a while, or until an operator resumes them. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._closed: dict[str, tuple[float, str]] = {}
        self._failures: dict[str, deque[float]] = {}

    def close(self, market: str, reason: str, until_s: float = math.inf) -> None:
        """Close a market; a longer closure stays."""
        if self._closed.get(market, (-math.inf, ""))[0] < until_s:
            self._closed[market] = (until_s, reason)

    def release(self, market: str) -> None:
        """An operator has looked into it."""
        self._closed.pop(market, None)
        self._failures.pop(market, None)

    def failed(self, market: str, now: float) -> bool:
        """A trade failed; True when there were too many of them."""
        times = self._failures.setdefault(market, deque(maxlen=FAILURES))
        times.append(now)
        too_many = len(times) == FAILURES and now - times[0] <= FAILURES_SEC
        if too_many:
            self.close(market, f"{FAILURES} trades failed within an hour; resume the market to quote it again")
        else:
            self.close(market, "a trade failed", now + COOL_OFF_SEC)
        return too_many

    def restore(
        self, closures: Iterable[tuple[str, str]], failures: Iterable[tuple[str, float]], now: float, unix: float
    ) -> None:
        """Take over what an earlier session closed: a restart opens nothing.

        Args:
            closures: (market, why).
            failures: (market, unix seconds) of failed trades, oldest first.
            now: monotonic seconds.
            unix: the same moment in seconds since 1970.
        """
        for market, reason in closures:
            self.close(market, reason)
        for market, at_unix in failures:
            self.failed(market, min(now, now - (unix - at_unix)))

    def why(self, market: str, now: float) -> str:
        """Why a market is closed, in words; "" when it is not."""
        until_s, reason = self._closed.get(market, (-math.inf, ""))
        return f"quarantined: {reason}" if now < until_s else ""
