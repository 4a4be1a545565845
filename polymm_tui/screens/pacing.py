"""How often things are drawn, and how the console notices that it is late."""

import math
from typing import Final

_BUSY: Final = 0.5
"""Share of the time spent drawing above which the frame rate is halved."""
_IDLE: Final = 0.2
_WINDOW: Final = 10
"""Frames over which that share is judged."""
_LATE_S: Final = 0.5
BYTES_PER_S: Final = 36_000.0
"""To the terminal, in steady state: less than half a Mbit/s, which a bad line still carries."""
_SAID_FOR_S: Final = 3.0
"""Time for which a late frame is mentioned."""


class Pace:
    """Lets a thing through at most once a period, and only when there is a newer view."""

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._last = -math.inf
        self._seq = -1

    def due(self, now: float, seq: int) -> bool:
        """Whether to draw the view ``seq`` at time ``now``; a yes is remembered."""
        if seq == self._seq or now - self._last < self._period_s:
            return False
        self._last, self._seq = now, seq
        return True


class FrameClock:
    """Watches the frames: halves their rate when drawing takes too long, says how late they come."""

    def __init__(self, fps: float) -> None:
        self._period_s = 1.0 / fps
        self._last_wall: float | None = None
        self._marks: list[tuple[float, float]] = []
        self._skipped = False
        self._late_at = -math.inf
        self._late_s = 0.0
        self._halved = False
        self._busy = 0.0

    @property
    def words(self) -> str:
        """What the operator should know about the console itself; "" when all is well."""
        if self._last_wall is not None and self._last_wall - self._late_at < _SAID_FOR_S:
            return f"UI behind {self._late_s:.1f}s"
        return f"UI busy {self._busy:.0%}, half rate" if self._halved else ""

    def tick(self, wall: float, cpu: float) -> bool:
        """Note a tick of the timer.

        Args:
            wall: monotonic time, seconds.
            cpu: processor time of the drawing thread, seconds.

        Returns:
            Whether to draw now.
        """
        late = wall - self._last_wall - self._period_s if self._last_wall is not None else 0.0
        self._last_wall = wall
        if late > _LATE_S:
            self._late_at, self._late_s = wall, late
        self._marks.append((wall, cpu))
        if len(self._marks) > _WINDOW:
            first = self._marks.pop(0)
            self._busy = (cpu - first[1]) / max(wall - first[0], 1e-9)
            self._halved = self._busy > (_IDLE if self._halved else _BUSY)
        self._skipped = self._halved and not self._skipped
        return not self._skipped


class ByteBudget:
    """What may be sent to the terminal in the long run; the ladders wait for it, as nothing else moves as much."""

    def __init__(self, per_s: float = BYTES_PER_S) -> None:
        self._per_s = per_s
        self._level = per_s
        """Bytes that may be sent at once; at most those of a second."""
        self._octets = 0
        self._now = math.inf

    def is_spent(self, now: float, octets: int) -> bool:
        """Whether more was sent than the budget allows; ``octets`` in all until ``now``, monotonic seconds."""
        earned = max(0.0, now - self._now) * self._per_s
        self._level = min(self._per_s, self._level + earned) - (octets - self._octets)
        self._octets, self._now = octets, now
        return self._level < 0


class EngineWatch:
    """Notices that the engine's own time stands still."""

    def __init__(self) -> None:
        self._unix: float | None = None
        self._since = 0.0

    def silent_s(self, now: float, unix: float) -> float:
        """Seconds for which the engine's time has not moved."""
        if unix != self._unix:
            self._unix, self._since = unix, now
        return now - self._since
