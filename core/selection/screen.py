"""Which markets are worth making at all."""

from typing import Final, Literal

import msgspec

from core.config import Settings

Failure = Literal["liquidity", "weekly_volume", "trend", "score"]

_SLACK: Final = 1e-9


class Screening(msgspec.Struct, frozen=True):
    """What the filter says of one market."""

    score: float
    """Dollars to the power 1.5: a ranking, not a forecast."""
    trend: float
    """Share of the month's volume done in the last week; 0 without volume."""
    failures: tuple[Failure, ...]
    """In fixed order; empty when the market passes."""


def screen(liquidity: float, volume_7d: float, volume_30d: float, settings: Settings) -> Screening:
    """Score a market; all arguments in dollars. A value that is no number fails its check.

    Steady volume has a trend of 7/30 and does not pass the default; at both minimums the default score never rejects.

    Source: market-making.md 1.13, ``mm_score``.
    """
    score = liquidity * max(1.0, volume_7d) ** 0.5
    trend = volume_7d / volume_30d if volume_30d > 0.0 else 0.0
    checks: tuple[tuple[Failure, float, float], ...] = (
        ("liquidity", liquidity, settings.min_liquidity),
        ("weekly_volume", volume_7d, settings.min_weekly_volume),
        ("trend", trend, settings.min_trend),
        ("score", score, settings.mm_score_min),
    )
    # "not >=" and not "<": a NaN must fail.
    return Screening(score, trend, tuple(name for name, value, least in checks if not value >= least - _SLACK))
