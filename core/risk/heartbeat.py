"""The chain of heartbeats as this side knows it: which id comes next, when it is due, and whether it is ours alone.

Once armed, a venue that hears no valid heartbeat for 10 s cancels everything of our credentials (polymarket-api.md 4.3;
reliability.md 4.7, X23 to X25).
"""

import math
from collections import deque
from typing import Final, Literal

from core.errors import InvariantBroken
from core.events import HeartbeatSeen

PERIOD_SEC: Final = 5.0
"""From one send to the next (polymarket-api.md 4.3)."""
NO_NEW_SEC: Final = 9.0
"""Without an acknowledgement for so long nothing new is placed (reliability.md 2.0, ``HB_NO_NEW``)."""
PRESUMED_DEAD_SEC: Final = 15.0
"""After so long the venue may have cancelled everything: the sweeper runs every 5 s (``HB_PRESUME_DEAD``)."""
RESEND_SEC: Final = 0.5
"""From a mismatch to the next try, with the id the venue expects (reliability.md X23: within a second)."""
RETRY_SEC: Final = (1.0, 2.0, 4.0)
"""Pauses after failures in a row; the last one is kept."""
FORKED: Final = 3
FORKED_SEC: Final = 30.0
"""So many foreign ids within so long: somebody else heartbeats with our credentials (reliability.md X24)."""


class HeartbeatChain:
    """One chain, one beat in flight at most."""

    __slots__ = (
        "_acknowledged_s",
        "_failures",
        "_foreign",
        "_id",
        "_in_doubt",
        "_in_flight",
        "_sent_s",
        "due_s",
        "is_forked",
    )

    def __init__(self) -> None:
        self.due_s = -math.inf
        """When the next beat is to be sent, monotonic seconds; infinity while one is in flight and once forked."""
        self.is_forked = False
        """Somebody else heartbeats with our credentials; the chain has ended."""
        self._id = ""
        self._sent_s = -math.inf
        self._acknowledged_s = -math.inf
        self._in_flight = False
        self._in_doubt = True
        """A mismatch may be our own doing: an earlier session's chain, or a beat whose answer was lost."""
        self._failures = 0
        self._foreign: deque[float] = deque()
        """When the venue expected an id that we did not know, monotonic seconds."""

    @property
    def is_armed(self) -> bool:
        """A beat was acknowledged, so silence makes the venue cancel everything; there is no disarming."""
        return self._acknowledged_s > -math.inf

    def send(self, now: float) -> str:
        """The id to send at this moment; its answer has to be told before the next.

        Raises:
            InvariantBroken: a beat is in flight, or the chain is forked.
        """
        if self._in_flight or self.is_forked:
            raise InvariantBroken("a heartbeat out of turn")
        self._in_flight, self._sent_s, self.due_s = True, now, math.inf
        return self._id

    def answered(
        self, status: Literal["ok", "mismatch", "failed"], heartbeat_id: str, detail: str, now: float
    ) -> HeartbeatSeen:
        """Take what became of the beat in flight.

        Args:
            status: as in :class:`core.venue.gateway.HeartbeatAnswer`.
            heartbeat_id: the id the venue expects next; "" when it told none.
            detail: in words.
            now: monotonic seconds.

        Returns:
            What the engine is to know of it.
        """
        self._in_flight = False
        if status == "ok":
            self._id, self._acknowledged_s, self.due_s = heartbeat_id, now, self._sent_s + PERIOD_SEC
            self._failures, self._in_doubt = 0, False
            return HeartbeatSeen(acknowledged=True, detail=detail)
        if status == "failed":
            self.due_s = now + RETRY_SEC[min(self._failures, len(RETRY_SEC) - 1)]
            self._failures, self._in_doubt = self._failures + 1, True
            return HeartbeatSeen(acknowledged=False, detail=detail or "the heartbeat failed")
        return self._mismatched(heartbeat_id, now)

    def _mismatched(self, expected: str, now: float) -> HeartbeatSeen:
        self._id, self._failures = expected, 0
        if not self._in_doubt:
            self._foreign.append(now)
        self._in_doubt = False
        while self._foreign and now - self._foreign[0] > FORKED_SEC:
            self._foreign.popleft()
        if len(self._foreign) < FORKED:
            self.due_s = now + RESEND_SEC
            return HeartbeatSeen(
                acknowledged=False, detail="the venue expects another heartbeat id; going on with that"
            )
        self.is_forked = True
        detail = f"{FORKED} foreign heartbeat ids within {FORKED_SEC:g} s: another process uses our credentials"
        return HeartbeatSeen(acknowledged=False, forked=True, detail=detail)
