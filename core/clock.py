"""The only source of time.

Durations come from ``monotonic``; ``unix`` is for stamps that people or the venue read. Pure code never sees a
clock: it is handed ``now`` with each event.
"""

import time
from typing import Final, Protocol


class Clock(Protocol):
    """Two readings of time, both in seconds."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        ...

    def unix(self) -> float:
        """Seconds since 1970-01-01 UTC; may be stepped by the system."""
        ...


_STEADY: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        """Seconds of the machine's monotonic clock; on Linux the time it slept is counted too.

        So what was known before a laptop was closed is as old as it is, and nobody trusts it (reliability.md 2.4, C03).
        """
        return time.clock_gettime(_STEADY)

    def unix(self) -> float:
        """Seconds of the machine's wall clock."""
        return time.time()


class ManualClock:
    """A clock that stands still until it is moved; replay and tests drive it."""

    def __init__(self, unix: float = 0.0, monotonic: float = 0.0) -> None:
        self._unix_offset = unix - monotonic
        self._now = monotonic

    def monotonic(self) -> float:
        """Seconds set by the last ``advance_to``."""
        return self._now

    def unix(self) -> float:
        """Wall time that moves with the monotonic reading."""
        return self._now + self._unix_offset

    def advance_to(self, monotonic: float) -> None:
        """Move forward to a monotonic time; an earlier one changes nothing."""
        self._now = max(self._now, monotonic)
