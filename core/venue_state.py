"""What the venue lets us do, as far as it has told: its mode, the signer's buckets, and whether it knows that we live.

Each of these forbids quoting while it is bad, and after it was bad nothing is taken for granted.
"""

from typing import Literal

from core.actions import Action, Note
from core.events import BudgetSeen, HeartbeatSeen, VenueSeen
from core.risk.heartbeat import NO_NEW_SEC, PRESUMED_DEAD_SEC
from core.risk.venue_mode import OUTAGES
from core.views import VenueMode

_MODE_WORDS: dict[VenueMode, str] = {
    "NORMAL": "",
    "POST_ONLY": "",
    "RESTARTING": "the venue is restarting",
    "CANCEL_ONLY": "the venue takes only cancels",
    "DISABLED": "the venue has disabled trading",
}
"""Why a mode forbids quoting; quotes are post-only."""


class VenueState:
    """The venue of one session. Times are monotonic seconds."""

    def __init__(self, needs_heartbeat: bool) -> None:
        """``needs_heartbeat``: without an acknowledged heartbeat nothing is quoted."""
        self.mode: VenueMode = "NORMAL"
        self.mode_since_s = 0.0
        self.mode_detail = ""
        self.short = ""
        """What of the signer's buckets is short, in words; "" when nothing is."""
        self.needs_heartbeat = needs_heartbeat
        self.beat_s: float | None = None
        """Of the last acknowledged heartbeat; None before the first."""
        self.beat_detail = ""
        """Why the last one was not acknowledged; "" when it was."""
        self._is_presumed_dead = False

    @property
    def is_post_only(self) -> bool:
        """It takes no orders that cross at the moment."""
        return self.mode == "POST_ONLY"

    @property
    def is_out(self) -> bool:
        """It takes no requests at the moment."""
        return self.mode in OUTAGES

    def trouble(self, now: float) -> str:
        """Why it is not quoted at, in words; "" when nothing forbids it."""
        words = _MODE_WORDS[self.mode]
        if words:
            return f"{words}: {self.mode_detail}" if self.mode_detail else words
        if not self.needs_heartbeat:
            return ""
        if self.beat_s is None:
            return f"no heartbeat is acknowledged yet{self._why()}"
        age = now - self.beat_s
        return "" if age < NO_NEW_SEC else f"no heartbeat acknowledged for {age:.0f} s{self._why()}"

    def take_mode(self, event: VenueSeen, now: float) -> tuple[list[Action], bool]:
        """Take a change of mode.

        Returns:
            What to tell, and whether an outage has just ended.
        """
        before, self.mode, self.mode_detail = self.mode, event.mode, event.detail
        if before == event.mode:
            return [], False
        self.mode_since_s = now
        words = _MODE_WORDS[event.mode]
        severity: Literal["info", "warning", "alarm"] = "warning" if words else "info"
        if event.mode == "DISABLED":
            severity = "alarm"
        words = words or ("the venue takes post-only orders" if event.mode == "POST_ONLY" else "the venue takes orders")
        text = f"{words}: {event.detail}" if event.detail else words
        return [Note(severity, "", text)], before in OUTAGES and event.mode not in OUTAGES

    def take_budget(self, event: BudgetSeen) -> list[Action]:
        """Take what the buckets allow."""
        before, self.short = self.short, event.short
        if bool(before) == bool(event.short):
            return []
        return [
            Note("warning" if event.short else "info", "", event.short or "the signer's buckets are full enough again")
        ]

    def take_beat(self, event: HeartbeatSeen, now: float) -> tuple[list[Action], bool]:
        """Take what became of a heartbeat.

        Returns:
            What to tell, and whether the venue may have cancelled everything before this one.
        """
        was_bad, self.beat_detail = bool(self.beat_detail), "" if event.acknowledged else event.detail or "no answer"
        if not event.acknowledged:
            return [] if was_bad else [Note("warning", "", f"heartbeat: {self.beat_detail}")], False
        was_away = self.beat_s is not None and now - self.beat_s >= PRESUMED_DEAD_SEC  # asleep, perhaps
        has_fired, self._is_presumed_dead = self._is_presumed_dead or was_away, False
        self.beat_s = now
        return [Note("info", "", "heartbeats are acknowledged again")] if was_bad else [], has_fired

    def presumes_dead(self, now: float) -> bool:
        """The venue has just been without a heartbeat for so long that it may have cancelled everything; told once."""
        if self._is_presumed_dead or self.beat_s is None or now - self.beat_s < PRESUMED_DEAD_SEC:
            return False
        self._is_presumed_dead = True
        return True

    def _why(self) -> str:
        return f": {self.beat_detail}" if self.beat_detail else ""
