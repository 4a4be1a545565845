"""What the flow that hits one side takes from us, and how much further away that side asks for it."""

import math
from collections.abc import Iterable
from typing import Final

import msgspec

from core.portfolio.markouts import Drift

_SLACK: Final = 1e-9
"""Thresholds written ">=" accept values short by this (market-making.md 0.4)."""


class ToxicityRules(msgspec.Struct, frozen=True):
    """How adverse drift becomes spread (market-making.md 2.6).

    Raises:
        ValueError: a figure is outside its range.
    """

    beta: float
    """Weight of the newest drift in the average, in (0, 1]."""
    prior_fills: float
    """Fills without drift that the average is shrunk with."""
    k: float
    """Share of the adverse drift that is asked back; 1 breaks even."""
    cap_ticks: float
    """Most that is ever added, ticks."""

    def __post_init__(self) -> None:
        if not (
            0.0 < self.beta <= 1.0
            and all(0.0 <= each < math.inf for each in (self.prior_fills, self.k, self.cap_ticks))
        ):
            raise ValueError(f"no rules of toxicity: {self!r}")


class Toxicity:
    """Adverse drift after the fills of one side of one market.

    Drifts come in the order of their fills, all at the same horizon. Nothing is added before the first fill, and luck
    never tightens. A fill that is taken back cannot be taken out of an average: make it anew with :meth:`of`.

    Source: market-making.md 2.6, ``toxicity.widen``.
    """

    __slots__ = ("_asked", "_rules", "_sum", "n")

    def __init__(self, rules: ToxicityRules) -> None:
        self._rules = rules
        self._sum = 0.0
        self._asked = 0.0
        """Dollars before the cap."""
        self.n = 0
        """Drifts seen."""

    @classmethod
    def of(cls, rules: ToxicityRules, drifts: Iterable[float]) -> "Toxicity":
        """The state after these drifts, oldest first."""
        toxicity = cls(rules)
        for drift in drifts:
            toxicity.observe(drift)
        return toxicity

    def observe(self, drift: float) -> None:
        """Take the drift after the next fill, dollars a share; negative was against us.

        Raises:
            ValueError: it is no number, or more than a share can be worth.
        """
        if not -1.0 <= drift <= 1.0:
            raise ValueError(f"no drift: {drift!r}")
        beta = self._rules.beta
        self._sum = (1.0 - beta) * self._sum + beta * drift
        self.n += 1
        self._asked = self._rules.k * max(0.0, -self.shrunk)

    @property
    def ewma(self) -> float:
        """Average drift without the bias of its start, dollars; 0 before the first fill."""
        return self._sum / (1.0 - (1.0 - self._rules.beta) ** self.n) if self.n else 0.0

    @property
    def shrunk(self) -> float:
        """The average pulled towards none while fills are few, dollars."""
        return self.ewma * self.n / (self.n + self._rules.prior_fills)

    def widen(self, tick: float) -> float:
        """Dollars to add to the half-spread of this side (a_tox), never negative; ``tick`` in dollars."""
        return min(self._rules.cap_ticks * tick, self._asked)


def adverse_share(drifts: Iterable[Drift], tick: float) -> float | None:
    """Share of our volume after which the price moved against us by a tick or more; None without volume.

    Args:
        drifts: of one horizon, such as :meth:`core.portfolio.markouts.Markouts.drifts` gives at 30 s.
        tick: dollars.

    Source: market-making.md 2.9 (the simple measure in place of VPIN).
    """
    volume = adverse = 0
    for each in drifts:
        volume += each.size
        if each.drift <= _SLACK - tick:
            adverse += each.size
    return adverse / volume if volume else None
