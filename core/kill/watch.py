"""Whether a session makes progress, as its watchdog sees it. Pure."""

from typing import Final

STILL_S: Final = 3.0
"""A session that stands still for so long is killed (reliability.md 2.0: ``LAG_KILL``)."""
ASLEEP_S: Final = 1.0
"""Not looking for so long is sleep: the machine's, or of this very process."""


class Watch:
    """Judges the session's stamps. Moments are steady seconds."""

    def __init__(self, now: float) -> None:
        self._looked_s = now
        self._since_s = now
        """Nobody watched before."""

    def still_s(self, session_s: float, now: float) -> float:
        """How long the session has stood still while it was watched.

        Time in which nobody looked does not count: then the machine was suspended, or as busy as it was for us, and
        the session gets the same time to go on as at the start.

        Args:
            session_s: when it last made progress.
            now: the moment of this look.
        """
        if now - self._looked_s > ASLEEP_S:
            self._since_s = now
        self._looked_s = now
        return now - max(min(session_s, now), self._since_s)
