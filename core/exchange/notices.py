"""What the venue tells an API key besides its channels: GET /notifications (polymarket-api.md 4.3)."""

from collections import deque
from typing import Any, Final

import msgspec

CANCELLED: Final = 1
FILLED: Final = 2
RESOLVED: Final = 4
REWARDED: Final = 5
FILL_FAILED: Final = 8
AUTO_REDEEMED: Final = 9

_KEPT: Final = 500
_LIFETIME_MS: Final = 48 * 3_600_000


class Notice(msgspec.Struct, frozen=True):
    """One notification."""

    number: int
    kind: int
    at_ms: int
    payload: dict[str, Any]


class Notices:
    """The notifications of every API key, the last two days of them."""

    def __init__(self) -> None:
        self._count = 0
        self._held: dict[str, deque[Notice]] = {}

    def tell(self, owner: str, kind: int, now_ms: int, payload: dict[str, Any]) -> None:
        """Add one."""
        self._count += 1
        notice = Notice(number=self._count, kind=kind, at_ms=now_ms, payload=payload)
        self._held.setdefault(owner, deque(maxlen=_KEPT)).append(notice)

    def of(self, owner: str, now_ms: int) -> list[Notice]:
        """Those that are not too old, oldest first."""
        return [notice for notice in self._held.get(owner, ()) if now_ms - notice.at_ms < _LIFETIME_MS]

    def drop(self, owner: str, numbers: set[int]) -> None:
        """Forget some."""
        held = self._held.get(owner, deque())
        self._held[owner] = deque((notice for notice in held if notice.number not in numbers), maxlen=_KEPT)
