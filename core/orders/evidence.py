"""What it takes to believe that an order is not at the venue (reliability.md 4.3).

One answer "not found" proves nothing: the order may still be on its way, the venue may have just restarted, a list may
lack a page. Reads of three kinds do together, all asked late enough after the last sign of the order: two by its id,
and after these a complete list of the open orders and one of the trades.
"""

import math
from typing import Final

RECENT_GUARD_SEC: Final = 5.0
"""What was asked earlier than this after the last sign of an order says nothing about it (reliability.md 2.0)."""
APART_SEC: Final = 2.0
"""Two reads of one order that are closer than this count as one."""
READS_WANTED: Final = 2


class Evidence:
    """What has been found of one order since the last sign of it. All times are monotonic seconds."""

    __slots__ = ("_absent_s", "absences", "is_traded", "is_unlisted", "since_s")

    def __init__(self, since_s: float) -> None:
        """``since_s`` is the last sign of the order: when it was sent or seen, or when the venue came back."""
        self.since_s = since_s
        self.absences = 0
        """Reads by id that found nothing and prove something."""
        self.is_unlisted = False
        """A complete list of open orders lacked it."""
        self.is_traded = False
        """The account's trades since its making are known completely; its own are booked."""
        self._absent_s = -math.inf

    def counts(self, asked_s: float) -> bool:
        """An answer to a question asked at ``asked_s`` says something about the order."""
        return asked_s - self.since_s >= RECENT_GUARD_SEC

    def absent(self, asked_s: float) -> None:
        """A read by id found nothing."""
        if self.counts(asked_s) and asked_s - self._absent_s >= APART_SEC:
            self.absences += 1
            self._absent_s = asked_s

    def unlisted(self, asked_s: float) -> None:
        """A complete list of open orders lacked it."""
        self.is_unlisted = self.is_unlisted or self._is_late_enough(asked_s)

    def traded(self, asked_s: float) -> None:
        """A complete list of trades, from its making on, has been booked."""
        self.is_traded = self.is_traded or self._is_late_enough(asked_s)

    @property
    def proves_absence(self) -> bool:
        """The order is not at the venue, and all its fills are known."""
        return self.absences >= READS_WANTED and self.is_unlisted and self.is_traded

    @property
    def wants_lists(self) -> bool:
        """A list of open orders or of trades, asked for now, would say something that is not known yet."""
        return self.absences >= READS_WANTED and not self.proves_absence

    def words(self) -> str:
        """What is known so far, for people."""
        parts = [f"read {self.absences} of {READS_WANTED}"]
        parts.append("not listed" if self.is_unlisted else "list wanted")
        parts.append("trades read" if self.is_traded else "trades wanted")
        return ", ".join(parts)

    def _is_late_enough(self, asked_s: float) -> bool:
        return self.absences >= READS_WANTED and asked_s >= self._absent_s
