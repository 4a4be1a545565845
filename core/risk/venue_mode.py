"""What the venue lets us do, by its own signs and by time (polymarket-api.md 10.3; reliability.md X01, X03).

A restart (425) ends with the first request that is answered otherwise; after it only post-only orders are taken for two
minutes. No read tells the end of cancel-only or of a halt: after a pause the mode is ``NORMAL`` on trial, which means
that one order is sent alone, and its answer decides.
"""

import math
from hashlib import sha256
from typing import Final

from core.views import VenueMode

OUTAGES: Final[frozenset[VenueMode]] = frozenset({"RESTARTING", "DISABLED"})
"""Neither orders nor cancels are carried out; what was sent has an unknown outcome."""
PLACING: Final[frozenset[VenueMode]] = frozenset({"NORMAL", "POST_ONLY"})
"""Our orders are taken: all of them are post-only."""
RETRY_SEC: Final = (1.0, 2.0, 4.0, 8.0)
"""Pauses between tries during an outage; the last one is kept (reliability.md X01)."""
JITTER: Final = 0.25
"""Largest part by which such a pause is longer, so that not everybody comes back at once."""
POST_ONLY_SEC: Final = 120.0
"""After a restart (polymarket-api.md 10.3)."""
TRIAL_SEC: Final = 30.0
"""Until the end of cancel-only or of a halt is tried, when the venue does not say; doubled with every failed trial."""
LONGEST_TRIAL_SEC: Final = 300.0
LONGEST_PAUSE_SEC: Final = 60.0
"""Longest pause of a restart that the venue may ask for; it says about 90 s (polymarket-api.md 10.3), in steps."""


class VenueModes:
    """The mode now, and when to try what. Times are monotonic seconds."""

    def __init__(self, seed: int) -> None:
        """``seed`` makes the jitter of the pauses."""
        self.mode: VenueMode = "NORMAL"
        self.since_s = -math.inf
        """Since when."""
        self.detail = ""
        """In words, "" when there is nothing to tell."""
        self.is_trial = False
        """``NORMAL`` is a guess: one order is to find out."""
        self._seed = seed
        self._next_s = -math.inf
        """Of an outage: the next try."""
        self._tries = 0
        self._all_tries = 0
        self._ends_s = math.inf
        """When time alone changes the mode."""
        self._failed_trials = 0

    @property
    def may_place(self) -> bool:
        """Post-only orders are taken as far as known."""
        return self.mode in PLACING

    @property
    def cancel_at_s(self) -> float:
        """When a cancel may go next; the past when it may at once."""
        return self._next_s if self.mode in OUTAGES else -math.inf

    @property
    def probe_at_s(self) -> float:
        """When a read is to look whether a restart is over; infinity when there is none."""
        return self._next_s if self.mode == "RESTARTING" else math.inf

    def told(
        self,
        mode: VenueMode,
        now: float,
        *,
        at_least: bool = False,
        retry_after_s: float | None = None,
        detail: str = "",
    ) -> None:
        """Take what an answer shows.

        Args:
            mode: what the venue says it is in, or with ``at_least`` what a request that was carried out proves.
            now: monotonic seconds.
            at_least: the venue may be in a better mode; a cancel proves ``CANCEL_ONLY``, an order ``POST_ONLY``.
            retry_after_s: what the venue asks to wait.
            detail: its words.
        """
        if at_least:
            self._proven(mode, now)
            return
        match mode:
            case "NORMAL" | "POST_ONLY":
                self._enter(mode, now, detail)
                pause = POST_ONLY_SEC if retry_after_s is None else retry_after_s
                self._ends_s = now + pause if mode == "POST_ONLY" else math.inf
            case "RESTARTING":
                self._enter(mode, now, detail)
                self._ends_s = math.inf
                self._put_off(now, retry_after_s)
            case "CANCEL_ONLY" | "DISABLED":
                self._refused(mode, now, retry_after_s, detail)

    def advance(self, now: float) -> None:
        """Let time do what it does alone: end a post-only time, begin a trial."""
        if now < self._ends_s:
            return
        self._ends_s = math.inf
        if self.mode == "POST_ONLY":
            self._enter("NORMAL", now, "")
        else:
            self._try_out(now)

    def _proven(self, mode: VenueMode, now: float) -> None:
        """Something was carried out, which ends a restart; and whatever forbids what was carried out."""
        if self.mode == "RESTARTING":
            self._enter("POST_ONLY", now, "the venue has restarted")
            self._ends_s = now + POST_ONLY_SEC
        elif mode == "CANCEL_ONLY":
            if self.mode == "DISABLED":
                self._try_out(now)
        elif not self.may_place or self.is_trial:
            self._enter("NORMAL", now, "")
            self._ends_s, self.is_trial, self._failed_trials = math.inf, False, 0

    def _try_out(self, now: float) -> None:
        before, began_s = self.mode, self.since_s
        self._enter(
            "NORMAL", now, f"{before.lower().replace('_', '-')} for {now - began_s:.0f} s: one order tries its end"
        )
        self._ends_s = math.inf
        self.is_trial = True

    def _refused(self, mode: VenueMode, now: float, retry_after_s: float | None, detail: str) -> None:
        if self.is_trial:
            self._failed_trials += 1
        if self.mode != mode:
            pause = TRIAL_SEC * 2 ** min(self._failed_trials, 8) if retry_after_s is None else retry_after_s
            self._ends_s = now + min(LONGEST_TRIAL_SEC, pause)
        self._enter(mode, now, detail)
        if mode == "DISABLED":
            self._put_off(now, None)

    def _put_off(self, now: float, retry_after_s: float | None) -> None:
        """Choose the next try of an outage; answers to one round of tries are one try."""
        if now < self._next_s:
            return
        pause = RETRY_SEC[min(self._tries, len(RETRY_SEC) - 1)]
        digest = sha256(f"{self._seed}|venue-mode|{self._all_tries}".encode()).digest()
        pause *= 1 + JITTER * int.from_bytes(digest[:8], "big") / 2**64
        self._next_s = now + max(pause, min(LONGEST_PAUSE_SEC, retry_after_s or 0.0))
        self._tries += 1
        self._all_tries += 1

    def _enter(self, mode: VenueMode, now: float, detail: str) -> None:
        self.detail = detail
        if mode == self.mode:
            return
        if mode in OUTAGES and self.mode not in OUTAGES:
            self._tries, self._next_s = 0, -math.inf
        self.mode, self.since_s, self.is_trial = mode, now, False
