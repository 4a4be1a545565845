"""The venue's word on which of our orders score for liquidity rewards, held against our own reckoning.

The venue does not publish the midpoint it measures from. Its flag is the only evidence that our reckoning is right, and
an order that should score and does not earns nothing while nobody looks.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final

from core.actions import ReadScoring
from core.events import ScoringSeen
from core.quoting.rewards import OrderScore

SCORING_SEC: Final = 30.0
"""Time between questions: the venue samples once a minute (polymarket-api.md 9.3)."""
CONTRADICTIONS: Final = 2
"""Answers in a row that contradict us before it is said: the midpoint may have moved between one and our look."""


class ScoringWatch:
    """Flags of all our orders."""

    def __init__(self) -> None:
        self._flags: dict[str, bool] = {}
        self._asked_s = -math.inf
        self._fresh: set[str] = set()
        """Answered, and not compared since."""
        self._contradicted: dict[str, int] = {}
        """Answers in a row that said no where we said yes."""

    def ask(self, order_ids: Sequence[str], now: float) -> ReadScoring | None:
        """The question to ask at ``now``; None when it is too early for one, or there is nothing to ask.

        Args:
            order_ids: of all our orders that may score; what is known of others is forgotten.
            now: monotonic seconds.
        """
        if now - self._asked_s < SCORING_SEC:
            return None
        living = frozenset(order_ids)
        self._flags = {order: flag for order, flag in self._flags.items() if order in living}
        self._contradicted = {order: count for order, count in self._contradicted.items() if order in living}
        self._fresh &= living
        if not order_ids:
            return None
        self._asked_s = now
        return ReadScoring(tuple(order_ids))

    def take(self, event: ScoringSeen) -> None:
        """Take the venue's answer."""
        self._flags.update(event.scoring)
        self._fresh.update(order for order, _ in event.scoring)

    def flag(self, order_id: str) -> bool | None:
        """Whether an order scores by the venue's last word; None when it was not asked or did not say."""
        return self._flags.get(order_id)

    def contradictions(self, scores: Iterable[OrderScore]) -> list[OrderScore]:
        """Orders that score by our reckoning and, by now repeatedly, not by the venue's; each is told once.

        Args:
            scores: our reckoning of some of the orders, made after the last answer.
        """
        found = []
        for score in scores:
            if score.order_id not in self._fresh:
                continue
            self._fresh.discard(score.order_id)
            if score.reason != "ok" or self._flags[score.order_id]:
                self._contradicted.pop(score.order_id, None)
                continue
            count = self._contradicted[score.order_id] = self._contradicted.get(score.order_id, 0) + 1
            if count == CONTRADICTIONS:
                found.append(score)
        return found
