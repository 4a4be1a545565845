"""The seed's requote triggers read word for word, as a baseline to compare with; never for money.

They give a place in the queue away for every tick and every twelve seconds; what that costs is what
:mod:`core.quoting.requote` is judged by.
"""

from typing import Final

from core.quoting.requote import LiveOrder, RequoteRules, Situation, Verdict
from core.quoting.routing import Target
from core.units import Shares

_KEEP: Final = Verdict("keep", "in_tolerance")
_STALE: Final = Verdict("cancel", "stale")
_NO_TARGET: Final = Verdict("cancel", "no_target")
_AGED: Final = Verdict("replace", "aged")
_AGGRESSIVE: Final = Verdict("replace", "aggressive")
_PASSIVE: Final = Verdict("replace", "passive")
_BEHIND: Final = Verdict("replace", "behind")
_OVERSIZE: Final = Verdict("replace", "oversize")
_UNDERSIZE: Final = Verdict("replace", "undersize")


def decide_literal(
    live: LiveOrder, remaining: Shares, target: Target | None, situation: Situation, rules: RequoteRules
) -> Verdict:
    """What the literal triggers do with one order; takes and gives what :func:`core.quoting.requote.decide` does.

    An order is replaced when it is older than ORDER_MAX_AGE_SEC however well it stands, when its target is
    REQUOTE_MID_TICKS away in either direction or nearer with REQUOTE_QUEUE_LEVELS in front of it, and when its size is
    off by more than the tolerance. There is no lease, no hysteresis, no least life and no top-up.

    Source: market-making.md 1.12 and 1.14, the defaults of the seed.
    """
    if situation.data_age_s > rules.stale_s:
        return _STALE
    if target is None:
        return _NO_TARGET
    if live.age_s > rules.max_age_s:
        return _AGED
    ticks = live.yes_ticks
    gap = target.yes_ticks - ticks if live.side == "bid" else ticks - target.yes_ticks
    far = max(1, rules.literal_ticks)
    if gap <= -far:
        return _AGGRESSIVE
    if gap >= far:
        return _PASSIVE
    if gap > 0 and live.levels_ahead >= rules.queue_levels:
        return _BEHIND
    tolerated = target.size * rules.size_tolerance
    if remaining > target.size + tolerated:
        return _OVERSIZE
    if remaining < target.size - tolerated:
        return _UNDERSIZE
    return _KEEP
