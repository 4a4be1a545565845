"""Sends the heartbeat, but only while progress is proven: silence makes the venue cancel everything for us.

Source: polymarket-api.md 4.3, reliability.md 4.7, X21, X23 to X25, I-33.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from core.clock import Clock
from core.events import HeartbeatSeen
from core.risk.heartbeat import HeartbeatChain
from core.venue.gateway import Gateway, HeartbeatAnswer

ANSWER_SEC: Final = 3.0
"""Longest wait for an answer; a beat without one is repeated (reliability.md N16)."""
LOOK_SEC: Final = 0.25
"""Longest pause between looks at what is due and at what stands still."""


class Liveness(msgspec.Struct, frozen=True):
    """One part of the session that has to make progress."""

    name: str
    progress: Callable[[], float]
    """When it last did, monotonic seconds."""
    limit_s: float
    """How long it may stand still."""


class Heartbeat:
    """The task of one session's heartbeat; beats are never sent two at a time."""

    def __init__(
        self,
        gateway: Gateway,
        clock: Clock,
        emit: Callable[[HeartbeatSeen], None],
        liveness: Sequence[Liveness],
        is_killed: Callable[[float], bool] = lambda now: False,
    ) -> None:
        """Nothing is sent until it is run.

        Args:
            gateway: where beats go.
            clock: of the pauses.
            emit: takes the result of each beat, and why one is withheld when that changes.
            liveness: what has to move for a beat to be sent.
            is_killed: at this moment, monotonic seconds, the kill switch withholds beats: nothing of ours is open any
                more, or the venue is to cancel it for want of them (reliability.md 4.6, I-33).
        """
        self.chain = HeartbeatChain()
        self._gateway = gateway
        self._clock = clock
        self._emit = emit
        self._liveness = tuple(liveness)
        self._is_killed = is_killed
        self._is_stopped = False
        self._withheld_by = ""
        """What stood still at the last look; "" when a beat went out since."""

    def stop(self) -> None:
        """Send no further beat: nothing of ours is open any more."""
        self._is_stopped = True

    async def run(self) -> None:
        """Beat until stopped or until somebody else turns out to beat with our credentials."""
        while not self._is_stopped and not self.chain.is_forked:
            now = self._clock.monotonic()
            if now < self.chain.due_s:
                await asyncio.sleep(min(LOOK_SEC, self.chain.due_s - now))
            elif standstill := self._standstill(now):
                self._withhold(*standstill)
                await asyncio.sleep(LOOK_SEC)
            else:
                self._withheld_by = ""
                await self._beat(now)

    def _standstill(self, now: float) -> tuple[str, str] | None:
        """What forbids a beat, and that in words: a kill, or the first part that has stood still for too long."""
        if self._is_killed(now):
            return "kill", "killed"
        for part in self._liveness:
            still_s = now - part.progress()
            if still_s > part.limit_s:
                return part.name, f"{part.name} still for {still_s:.0f} s"
        return None

    def _withhold(self, by: str, words: str) -> None:
        """Tell why no beat goes out, once for each reason: the last one told is the one that holds."""
        if by != self._withheld_by:
            self._withheld_by = by
            self._emit(HeartbeatSeen(acknowledged=False, detail=f"withheld: {words}"))

    async def _beat(self, now: float) -> None:
        heartbeat_id = self.chain.send(now)
        try:
            async with asyncio.timeout(ANSWER_SEC):
                answer = await self._gateway.heartbeat(heartbeat_id)
        except TimeoutError:
            answer = HeartbeatAnswer(status="failed", detail=f"no answer within {ANSWER_SEC:g} s")
        seen = self.chain.answered(answer.status, answer.heartbeat_id, answer.detail, self._clock.monotonic())
        self._emit(seen)
