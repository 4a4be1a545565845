"""How a lost book is won back: read it over REST, then subscribe again, then a new socket; each with a pause.

Bounded: after the last rung the ladder is climbed again ever more slowly (reliability.md N01, N02, N05;
polymarket-api.md 5.4). Whether what comes may be believed is decided in :mod:`core.market.continuity`.
"""

import math
from bisect import bisect_left
from collections import deque
from typing import Final, Literal, NamedTuple

Step = Literal["read", "resubscribe", "reconnect"]


REFUTED: Final = 3
REFUTED_SEC: Final = 60.0
"""So many losses of a book that was right, within so long, say that stated hashes are wrong (reliability.md D04)."""


class _Rung(NamedTuple):
    step: Step
    pause_s: float
    """Until the next rung, if this one did not help."""


_LADDER: Final = (
    _Rung("read", 1.0),
    _Rung("read", 2.0),
    _Rung("read", 2.0),
    _Rung("resubscribe", 1.5),
    _Rung("read", 1.5),
    _Rung("reconnect", 2.5),
    _Rung("read", 2.5),
)
_RESUBSCRIBE: Final = 3
_RECONNECT: Final = 5
FIRST_BOOK_SEC: Final = 3.0
"""A subscription's first book is given this long before it is asked for over REST."""
SLOWEST: Final = 8
"""Factor on the pauses after many rounds: a minute and a half from one new socket to the next."""
MEMORY_SEC: Final = 600.0
"""A second freeze within this time is met with a new socket at once."""


RECOVERY_BOUNDS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds between which recoveries are told apart."""


class Durations:
    """How long things took: counts below fixed bounds, which add up over a session."""

    def __init__(self, bounds: tuple[float, ...] = RECOVERY_BOUNDS) -> None:
        """``bounds`` rise, in seconds."""
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        """Of durations up to each bound and not up to the one before; the last: beyond all."""
        self.sum_s = 0.0

    def add(self, seconds: float) -> None:
        """Take one."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum_s += seconds


class Recovery:
    """The way back of one market's book."""

    __slots__ = (
        "_frozen_s",
        "_lost_s",
        "_refuted",
        "_rung",
        "_slowness",
        "due_s",
        "last_s",
        "last_step",
        "tries",
    )

    def __init__(self) -> None:
        self.due_s = math.inf
        """When the next step is wanted, monotonic seconds; infinity while nothing is to be done."""
        self.tries = 0
        """Steps taken since the loss."""
        self.last_step: Step | None = None
        """What was done last; None before the first step since the loss."""
        self.last_s: float | None = None
        """Seconds the last recovery took; None before the first."""
        self._lost_s: float | None = None
        self._rung = 0
        self._slowness = 1
        self._frozen_s = -math.inf
        self._refuted: deque[tuple[float, int]] = deque(maxlen=REFUTED)

    @property
    def under_way(self) -> bool:
        """Something is being done."""
        return self.due_s < math.inf

    def expect(self, now: float) -> None:
        """A book is on its way by itself: a subscription, or a channel that came up."""
        self._start(0, now + FIRST_BOOK_SEC)

    def begin(self, now: float) -> None:
        """Continuity was lost."""
        self._lose(now)
        self._start(0, now)

    def thaw(self, now: float) -> None:
        """The subscription is dead though its socket lives; the second time within minutes it gets a new socket."""
        again = now - self._frozen_s < MEMORY_SEC
        self._frozen_s = now
        self._lose(now)
        self._start(_RECONNECT if again else _RESUBSCRIBE, now)

    def wait(self, now: float) -> None:
        """Continuity was lost, and nobody can be asked now."""
        self._lose(now)
        self.due_s = math.inf

    def give_up(self) -> None:
        """There will be no book any more."""
        self.due_s = math.inf

    def is_refuted(self, agreed: int, now: float) -> bool:
        """A loss turned out to be none; True when that happened so often that what speaks of losses is wrong itself.

        Args:
            agreed: stated hashes of this market that agreed so far. If one did since, hashes are not all wrong.
            now: monotonic seconds.
        """
        self._refuted.append((now, agreed))
        first_s, first_agreed = self._refuted[0]
        return len(self._refuted) == REFUTED and now - first_s < REFUTED_SEC and agreed == first_agreed

    def step(self, now: float) -> Step:
        """What is to be done now; to be called when ``due_s`` has come."""
        rung = _LADDER[self._rung]
        self.due_s = now + rung.pause_s * self._slowness
        self.tries += 1
        self.last_step = rung.step
        self._rung += 1
        if self._rung == len(_LADDER):
            self._rung = _RESUBSCRIBE
            self._slowness = min(2 * self._slowness, SLOWEST)
        return rung.step

    def done(self, now: float) -> float | None:
        """The book is believed; returns the seconds since it was lost, None when it was the first one."""
        lost_s, self._lost_s = self._lost_s, None
        self.due_s = math.inf
        if lost_s is None:
            return None
        self.last_s = now - lost_s
        return self.last_s

    def _lose(self, now: float) -> None:
        if self._lost_s is None:
            self._lost_s = now

    def _start(self, rung: int, due_s: float) -> None:
        self._rung, self._slowness, self.tries, self.last_step = rung, 1, 0, None
        self.due_s = due_s
