"""What the venue lets us do and whether it hears that we live, as text and role, the same in every widget."""

from typing import Final

from core.views import BudgetView, HeartbeatView, VenueView
from widgets.format import MINUS, age, clean

BEAT_OLD_S: Final = 7.0
"""A beat is due every 5 s (polymarket-api.md 4.3); from this age on one is missing."""
_LOW: Final = 0.25
"""Part of a full bucket below which what is left is worth a colour."""


def mode_words(venue: VenueView) -> str:
    """The mode and since when it holds; "" while it is normal."""
    if venue.mode == "NORMAL":
        return ""
    return f"{venue.mode.replace('_', ' ')} {age(venue.since_s)}"


def mode_role(venue: VenueView) -> str:
    """Anything but normal is a warning: red is for alarms that nobody has acknowledged."""
    return "" if venue.mode == "NORMAL" else "warn"


def beat_role(beat: HeartbeatView) -> str:
    """How bad the age of the last acknowledgement is; before the first one nothing is placed, which is no alarm."""
    if beat.age_s is None:
        return "warn" if beat.trouble else "muted"
    return "warn" if beat.age_s >= BEAT_OLD_S or beat.trouble else ""


def beat_words(beat: HeartbeatView) -> str:
    """The last acknowledgement and what is wrong with the one after it."""
    when = f"acknowledged {age(beat.age_s)} ago" if beat.age_s is not None else "none acknowledged yet"
    return f"{when}; {clean(beat.trouble)}" if beat.trouble else when


def budget_words(budget: BudgetView) -> str:
    """The tier, what is left of both buckets, warnings and refusals."""
    parts = [
        f"{clean(budget.tier)} tier: orders {_true_minus(budget.orders)}/{budget.orders_burst:,}",
        f"cancels {_true_minus(budget.cancels)}/{budget.cancels_burst:,} left",
    ]
    for count, what in ((budget.warnings, "warning"), (budget.refusals, "refusal")):
        if count:
            parts.append(f"{count:,} {what}{'' if count == 1 else 's'}")
    return ", ".join(parts)


def budget_used(budget: BudgetView) -> float:
    """Part of the fuller used of both buckets that is used; above 1 in debt."""
    buckets = ((budget.orders, budget.orders_burst), (budget.cancels, budget.cancels_burst))
    return max((1 - left / burst for left, burst in buckets if burst > 0), default=0.0)


def budget_role(budget: BudgetView) -> str:
    """A bucket that is nearly empty, and what the venue has warned of, are worth a colour."""
    is_low = budget.orders < _LOW * budget.orders_burst or budget.cancels < _LOW * budget.cancels_burst
    return "warn" if is_low or budget.warnings or budget.refusals else ""


def _true_minus(tokens: int) -> str:
    return f"{tokens:,}".replace("-", MINUS)
