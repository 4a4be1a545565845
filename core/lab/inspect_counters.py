"""Counters over a recording that need no more room the longer it is."""

import math
from collections import Counter
from typing import Final

import msgspec

_BUCKETS_KEPT: Final = 1_024
_EXACT_LATENCY_MS: Final = 10_000


class Span(msgspec.Struct):
    """From the earliest to the latest of some moments, milliseconds since 1970."""

    first_ms: float = math.inf
    last_ms: float = -math.inf

    def stretch(self, ms: float) -> None:
        """Take one more moment in."""
        self.first_ms, self.last_ms = min(self.first_ms, ms), max(self.last_ms, ms)

    @property
    def seconds(self) -> float:
        """Its length; 0 without a moment."""
        return max(0.0, (self.last_ms - self.first_ms) / 1000)


class Peak:
    """Most messages in one bucket of time, by the venue's clock."""

    def __init__(self, width_ms: int) -> None:
        self.most = 0
        self._width_ms = width_ms
        self._counts: dict[int, int] = {}

    def count(self, stamp_ms: int) -> None:
        """Count a message."""
        bucket = stamp_ms // self._width_ms
        self._counts[bucket] = count = self._counts.get(bucket, 0) + 1
        self.most = max(self.most, count)
        if len(self._counts) > _BUCKETS_KEPT:
            for old in sorted(self._counts)[: _BUCKETS_KEPT // 2]:
                del self._counts[old]


class Latencies:
    """Receive time minus the venue's stamp, in milliseconds; exact up to ten seconds, beyond to the second."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def count(self, ms: float) -> None:
        """Count a message."""
        whole = round(max(-1e9, min(1e9, ms)))
        if abs(whole) > _EXACT_LATENCY_MS:
            step = 1_000 if abs(whole) < 1_000_000 else 1_000_000
            whole = whole // step * step
        self._counts[whole] += 1

    @property
    def least_median_most(self) -> tuple[int, int, int] | None:
        """None when no message had a receive time."""
        if not self._counts:
            return None
        ranked, seen, half = sorted(self._counts), 0, (self._counts.total() + 1) // 2
        for value in ranked:
            seen += self._counts[value]
            if seen >= half:
                return ranked[0], value, ranked[-1]
        raise AssertionError("half of all is reached at the end at the latest")
