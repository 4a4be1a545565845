"""How many transactions the relayer takes from one sender (polymarket-api.md 10.1, 11)."""

from collections import deque
from typing import Final

MINUTE_MOST: Final = 25
DAY_MOST: Final = {"relayer": 100, "builder": 3_000}
"""By kind of key: an unverified account's own, or a verified builder's."""
_MINUTE_MS: Final = 60_000
_DAY_MS: Final = 86_400_000


class Quota:
    """Counts in sliding windows; at what hour the venue's own day begins is not known."""

    def __init__(self) -> None:
        self._taken: dict[str, deque[int]] = {}

    def take(self, sender: str, kind: str, now_ms: int) -> int:
        """Count one transaction; returns 0, or when it is one too many the seconds until the next is taken."""
        taken = self._taken.setdefault(sender, deque(maxlen=DAY_MOST[kind]))
        for most, span_ms in ((MINUTE_MOST, _MINUTE_MS), (DAY_MOST[kind], _DAY_MS)):
            if len(taken) >= most and taken[-most] + span_ms > now_ms:
                return -(-(taken[-most] + span_ms - now_ms) // 1000)
        taken.append(now_ms)
        return 0
