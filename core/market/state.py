"""One book's state, what changes it, and what waits while it is not SYNCED.

Full books and changes, which decide most of that, come in :mod:`core.market.continuity`.
"""

import math
from typing import Final, NamedTuple

import msgspec

from core.errors import MalformedMessage
from core.events import MarketMessage
from core.market.doubt import DOUBT_SEC, Backlog, StaleRun
from core.market.instrument import Instrument
from core.market.proof import ProofPolicy
from core.market.proven import ProvenBook
from core.units import UnitError, grid_of
from core.views import BookState

DISTRUSTED: Final = "stated hashes are wrong: only the touch is checked"


class Applied(NamedTuple):
    """What a message did: whether the book changed, and why continuity was lost if it was."""

    changed: bool
    lost: str = ""


NOTHING: Final = Applied(False)
"""Nothing changed."""
UPDATED: Final = Applied(True)
"""The book changed and is believed, or in doubt."""
BEHIND: Final = Applied(True)
"""It changed behind an unchanged touch, is believed, and nothing is in doubt: what most messages do."""


class StatefulBook(ProvenBook):
    """A book that is believed or not."""

    __slots__ = (
        "_backlog",
        "_calm",
        "_grid_ms",
        "_passes",
        "_stale_run",
        "_touch_told",
        "duplicates",
        "gaps",
        "reason",
        "since_s",
        "stale",
        "state",
    )

    def __init__(self, instrument: Instrument, policy: ProofPolicy | None = None) -> None:
        self.gaps = 0
        """Losses of continuity."""
        self.duplicates = 0
        """Messages that had been applied already."""
        self.stale = 0
        """Messages older than the book that had not."""
        self._grid_ms = 0
        """Venue time of the last change of tick."""
        self.since_s = 0.0
        """Last change of state, monotonic seconds."""
        self._backlog = Backlog()
        self._stale_run = StaleRun()
        super().__init__(instrument, policy)

    def _open(self, instrument: Instrument) -> None:
        super()._open(instrument)
        self.state: BookState = "EMPTY"
        self.reason = "waiting for the first book"
        self._passes = 0
        """Full books in a row that fitted their hashes."""
        self._touch_told: tuple[int, tuple[int, int]] | None = None
        """Newest stated touch, with its time, since the book was lost."""
        self._stale_run.end()
        self._calm = False
        """Nothing but the next change is to be thought of."""

    # What is known

    @property
    def synced(self) -> bool:
        """Only a synced book without a doubt may be quoted on."""
        return self.state == "SYNCED"

    @property
    def doubt_since_s(self) -> float | None:
        """Since when something about the book is unproven, monotonic seconds; None when nothing is."""
        return self._doubt.since_s

    @property
    def doubt_until_s(self) -> float:
        """When :meth:`judge_doubt` is to be called, monotonic seconds; infinity without a doubt."""
        since_s = self._doubt.since_s
        return math.inf if since_s is None else since_s + DOUBT_SEC

    @property
    def doubt(self) -> str:
        """What is unproven, in words; "" when nothing is."""
        return self._doubt.words

    @property
    def unexplained(self) -> int:
        """Stated hashes that differ and may still be explained."""
        return len(self._doubt.unexplained)

    @property
    def grid_floor_ms(self) -> int:
        """A book older than this that is on another tick is of the past."""
        return max(self.newest_ms, self._grid_ms)

    # What happens to the state

    def lose(self, reason: str, now: float) -> None:
        """Stop believing the book; its levels stay for show until a full book comes."""
        if self.state == "SYNCED":
            self.gaps += 1
            self._calm = False
            if self._doubt.since_s is None:
                self._remember_moment()
            self._doubt.forget()
        if self.state != "EMPTY":
            if self.state != "SUSPECT":
                self.since_s = now
            self.state, self.reason = "SUSPECT", reason

    def resyncing(self, now: float) -> None:
        """A fresh book has been asked for."""
        if self.state == "SUSPECT":
            self.state, self.since_s = "RESYNCING", now

    def judge_doubt(self, now: float) -> Applied:
        """End a doubt whose time is over: an unexplained hash is a loss, a held change is taken to be in the book."""
        doubt = self._doubt
        if now < self.doubt_until_s:
            return NOTHING
        if doubt.unexplained:
            return self._lost(doubt.words, now)
        doubt.forget()
        self._settle(now)
        return NOTHING

    def settle_pending(self) -> None:
        """No message will follow: what is still unexplained stays so."""
        self._doubt.forget()

    def distrust_hashes(self, now: float) -> None:
        """Stated hashes are wrong while contents are right: check the touch only, until two full books fit theirs."""
        self._weakness, self._passes, self._calm = DISTRUSTED, 0, False
        self._doubt.forget()
        if self.state == "SYNCED":
            self.reason = DISTRUSTED

    def change_tick(self, tick_text: str, now: float, timestamp_ms: int = 0) -> None:
        """A new tick size starts a new epoch: nothing is known until a full book comes on the new grid.

        Args:
            tick_text: as told.
            now: monotonic seconds.
            timestamp_ms: told with it; no older book turns the grid back. One on the new grid may be older: a book has
                the stamp of its last change, which may have come before the change of tick.

        Raises:
            MalformedMessage: the tick is no fraction of a dollar.
        """
        try:
            grid_of(tick_text)
        except UnitError as error:
            raise MalformedMessage(str(error)) from error
        self._open(msgspec.structs.replace(self.instrument, tick_text=tick_text))
        self._grid_ms = max(self._grid_ms, timestamp_ms)
        self.since_s = now
        self.reason = f"tick changed to {tick_text}: waiting for a book on the new grid"

    def _keep(self, message: MarketMessage, now: float) -> Applied:
        """Keep a change for the book that is to come."""
        timestamp = message.timestamp
        self._backlog.keep(message)
        if timestamp < self.newest_ms:
            return self._run_on(timestamp, now)
        self.newest_ms = timestamp
        self._stale_run.end()
        return NOTHING

    def _run_on(self, timestamp: int, now: float) -> Applied:
        """A message was older than the book: after a long run of them it is the book's stamp that was false."""
        self._calm = False
        newest_ms = self._stale_run.add(timestamp, now)
        if not newest_ms:
            return NOTHING
        self.newest_ms, self.timestamp_ms = newest_ms, min(newest_ms, self.timestamp_ms)
        self._backlog.cut(newest_ms)
        if self.state != "SYNCED":
            return NOTHING
        return self._lost("the venue's messages are older than our book", now)

    def compare_touch(self, message: MarketMessage, now: float) -> Applied:
        """Compare a ``best_bid_ask`` with the book, if it speaks of the book we have.

        Raises:
            MalformedMessage: a price is off the grid.
        """
        stated, timestamp = self._lenses.touch(message), message.timestamp
        if stated is None or timestamp < self.timestamp_ms:
            return NOTHING
        touch = self.book.touch
        if self.state == "SYNCED":
            if stated != touch and timestamp == self.timestamp_ms and self._may_be_told(stated):
                return NOTHING
            self.evidence.top_checked += 1
            if stated == touch:
                self.evidence.top_agreed += 1
                return NOTHING
        if self._touch_told is None or timestamp >= self._touch_told[0]:
            self._touch_told = (timestamp, stated)
        if self.state != "SYNCED":
            return NOTHING
        return self._lost("best bid or ask differs from the venue's", now)

    def _may_be_told(self, touch: tuple[int, int]) -> bool:
        """Another touch may be stated in the present millisecond: it is in doubt, or a change stated it before."""
        if self._doubt.since_s is not None:
            return True
        if self._moment is not None:
            return self._moment.touches(touch, self._lenses)
        return any(entry.touch == touch for entry in self._lenses.changes(self._newest))

    def _is_outdated(self, timestamp: int, touch: tuple[int, int]) -> bool:
        """A newer message has stated another touch since the book was lost."""
        told = self._touch_told
        return told is not None and told[0] > timestamp and told[1] != touch

    def _rest_on(self, timestamp: int, now: float) -> None:
        """Believe the book: it is a full book as of this time."""
        if self.state != "SYNCED":
            self.state, self.since_s = "SYNCED", now
        self.reason = self._weakness
        self.proven_s, self._unchecked, self._touch_told = now, 0, None
        self._doubt.forget()
        self._begin_at(timestamp)
        self._settle(now)

    def _settle(self, now: float) -> None:
        """See whether a doubt began or ended, and whether all is calm."""
        doubt = self._doubt
        was_in_doubt = doubt.since_s is not None
        doubt.settle(now)
        if doubt.since_s is None:
            self._backlog.clear()
        elif not was_in_doubt:
            self._remember_moment()
        self._calm = doubt.since_s is None and self._moment is None

    def _remember_moment(self) -> None:
        """Keep the changes of the newest millisecond: a book read later may be older than they are."""
        told = (self._newest,) if self._moment is None else self._moment.told
        for changes in filter(None, told):
            self._backlog.keep(
                MarketMessage(event_type="price_change", timestamp=self.timestamp_ms, price_changes=changes)
            )

    def _lost(self, reason: str, now: float, message: MarketMessage | None = None) -> Applied:
        self.lose(reason, now)
        if message is not None:
            self.newest_ms = max(self.newest_ms, message.timestamp)
            self._backlog.keep(message)
        return Applied(True, reason)
