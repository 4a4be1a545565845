"""What the operator's acts are about, and whether that has just changed by itself: pure but for a clock handed in.

A key is pressed on what was seen a moment ago. When a market vanishes and another takes its place, or the order under
the cursor is replaced, an act of that moment would hit something nobody looked at.
"""

import math
from dataclasses import dataclass
from typing import Final

MOVED_FOR_S: Final = 0.4
"""Time after such a change in which acts on what is selected are dropped: the time to see it and to keep a finger
back."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What is selected at one moment; "" and None where nothing is."""

    market: str = ""
    place: int | None = None
    """Row of the selected market in the table as shown."""
    order: str = ""
    """Id of the order under the cursor."""
    alarm: str = ""
    """Key of the selected alarm."""


class AimWatch:
    """Notices when the aim moves without the operator."""

    def __init__(self) -> None:
        self._aim: Aim | None = None
        self._market_at = self._order_at = self._alarm_at = -math.inf

    def chosen(self, aim: Aim) -> None:
        """The operator moved: this is what is wanted."""
        self._aim = aim

    def seen(self, aim: Aim, now: float) -> None:
        """A view was drawn; what it moved is remembered with the time, monotonic seconds."""
        old, self._aim = self._aim, aim
        if old is None:
            return
        if old.market and (old.market != aim.market or _other(old.place, aim.place)):
            self._market_at = now
        if old.order and aim.order and old.order != aim.order:
            self._order_at = now
        if old.alarm and aim.alarm and old.alarm != aim.alarm:
            self._alarm_at = now

    def moved_lately(self, now: float, group: str = "market") -> bool:
        """What acts of a group are about has moved by itself within :data:`MOVED_FOR_S`.

        Args:
            now: monotonic seconds.
            group: of the act: ``market``, ``order`` (moves with its market too) or ``alarm``; others aim at nothing.
        """
        moved = {
            "market": self._market_at,
            "order": max(self._market_at, self._order_at),
            "alarm": self._alarm_at,
        }.get(group, -math.inf)
        return now - moved < MOVED_FOR_S


def _other(old: int | None, new: int | None) -> bool:
    return old is not None and new is not None and old != new
