"""What a session tells its engine of itself: how far its clock is off, and how long its journal waits for the disk."""

import asyncio
from collections.abc import Callable
from typing import Final

from core.clock import Clock
from core.errors import VenueError
from core.events import ClockSeen, JournalSeen
from core.risk.vitals import JOURNAL_NO_NEW_SEC
from core.runtime.journaling import Journaling
from core.runtime.reader import Rest

CLOCK_SEC: Final = 60.0
CLOCK_AGAIN_SEC: Final = 10.0
"""After a question without a usable answer."""
SLOWEST_SEC: Final = 1.0
"""An answer that took longer says too little: the clock may have been read at either end of it."""
LOOK_SEC: Final = 0.25
"""Between looks at the journal."""


async def watch_clock(rest: Rest, clock: Clock, emit: Callable[[ClockSeen], None]) -> None:
    """Compare our clock with the venue's once a minute, until cancelled.

    The venue tells whole seconds, so that the skew is known to half a second and half the time of the answer. What
    cannot be asked leaves what is known.
    """
    while True:
        asked_s, asked_unix = clock.monotonic(), clock.unix()
        try:
            seconds = await rest.time()
        except VenueError:
            took_s = SLOWEST_SEC
        else:
            took_s = clock.monotonic() - asked_s
            if took_s < SLOWEST_SEC:
                emit(ClockSeen(skew_s=asked_unix + took_s / 2 - (seconds + 0.5)))
        await asyncio.sleep(CLOCK_SEC if took_s < SLOWEST_SEC else CLOCK_AGAIN_SEC)


async def watch_journal(journal: Journaling, clock: Clock, emit: Callable[[JournalSeen], None]) -> None:
    """Tell of a write that waits for the disk for seconds, and of its end, until cancelled.

    What one look adds is bounded: a loop that stood still is no stalled disk.
    """
    waiting, stalled_s, looked_s = journal.writing_since_s, 0.0, clock.monotonic()
    is_told = False
    while True:
        await asyncio.sleep(LOOK_SEC)
        now = clock.monotonic()
        passed_s, looked_s = min(now - looked_s, 2 * LOOK_SEC), now
        before, waiting = waiting, journal.writing_since_s
        stalled_s = stalled_s + passed_s if waiting is not None and waiting == before else 0.0
        if stalled_s >= JOURNAL_NO_NEW_SEC or is_told:
            is_told = stalled_s >= JOURNAL_NO_NEW_SEC
            emit(JournalSeen(stalled_s if is_told else 0.0))
