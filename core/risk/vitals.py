"""What the session tells of itself: its clock, its journal, its loop. Each forbids new orders while it is bad.

Times are monotonic seconds. Source: reliability.md 2 (``SKEW_WARN``, ``SKEW_NO_NEW``, ``DB_NO_NEW``, ``DB_KILL``,
``LAG_NO_NEW``).
"""

import math
from typing import Final

from core.actions import Note
from core.events import ClockSeen, JournalSeen, LoopSeen

SKEW_WARN_SEC: Final = 1.0
SKEW_NO_NEW_SEC: Final = 3.0
JOURNAL_NO_NEW_SEC: Final = 2.0
JOURNAL_KILL_SEC: Final = 5.0
LAG_NO_NEW_SEC: Final = 1.0
"""A loop that stood still for longer is told of by :class:`core.events.LoopSeen`."""
DRAIN_SEC: Final = 0.25
"""What arrives so soon after the loop moves again may have waited in a socket: it vouches for nothing."""


class Vitals:
    """Clock, journal and loop of one session."""

    def __init__(self) -> None:
        self.skew_s: float | None = None
        """Seconds that our clock is ahead of the venue's; None while nobody has asked."""
        self.stalled_s = 0.0
        """How long what is to be written has been waiting for the disk; 0 while it is written."""
        self.lag_s = 0.0
        """How long the loop stood still the last time that it did."""
        self._moves_since_s = -math.inf
        """When it moved again after that."""

    # What is told

    def take_clock(self, event: ClockSeen) -> list[Note]:
        """Take what the venue's clock shows; what changes is told."""
        before, self.skew_s = _skew_grade(self.skew_s), event.skew_s
        grade = _skew_grade(event.skew_s)
        if grade == before:
            return []
        text = f"our clock is {skew_words(event.skew_s)}"
        if grade == 2:
            return [Note("alarm", "", f"{text}: no new orders; set it")]
        return [Note("warning", "", f"{text}; set it") if grade else Note("info", "", "our clock is the venue's again")]

    def take_journal(self, event: JournalSeen) -> list[Note]:
        """Take how long the journal has been waiting for the disk; what changes is told."""
        before, self.stalled_s = self.stalled_s, event.stalled_s
        if event.stalled_s < JOURNAL_NO_NEW_SEC <= before:
            return [Note("info", "", "the journal is written again")]
        if before < JOURNAL_NO_NEW_SEC <= event.stalled_s:
            return [Note("alarm", "", f"{self.journal}: no new orders")]
        return []

    def take_loop(self, event: LoopSeen, now: float) -> list[Note]:
        """The loop stood still: every book has to be proven anew."""
        self.lag_s, self._moves_since_s = event.stood_s, now
        return [
            Note("warning", "", f"the loop stood still for {event.stood_s:.1f} s: every book has to be proven anew")
        ]

    # What follows

    @property
    def clock(self) -> str:
        """Why our clock forbids new orders, in words; "" when it does not."""
        return (
            ""
            if self.skew_s is None or abs(self.skew_s) <= SKEW_NO_NEW_SEC
            else f"our clock is {skew_words(self.skew_s)}"
        )

    @property
    def journal(self) -> str:
        """Why the journal forbids new orders, in words; "" when it does not."""
        if self.stalled_s < JOURNAL_NO_NEW_SEC:
            return ""
        return f"the journal has been waiting for the disk for {self.stalled_s:.0f} s"

    @property
    def kills(self) -> bool:
        """The journal has been waiting for so long that nothing may rest at the venue any more."""
        return self.stalled_s >= JOURNAL_KILL_SEC

    def lag(self, proven_s: float) -> str:
        """Why a book for which somebody last vouched at ``proven_s`` has to be proven anew; "" when it has not."""
        if proven_s >= self._moves_since_s + DRAIN_SEC:
            return ""
        return f"the loop stood still for {self.lag_s:.1f} s: waiting for a fresh book"


def skew_words(skew_s: float) -> str:
    """How far our clock is from the venue's, in words."""
    return f"{abs(skew_s):.1f} s {'ahead of' if skew_s > 0 else 'behind'} the venue's"


def _skew_grade(skew_s: float | None) -> int:
    """0: fine or not known, 1: worth a warning, 2: no new orders."""
    size = abs(skew_s or 0.0)
    return 2 if size > SKEW_NO_NEW_SEC else int(size > SKEW_WARN_SEC)
