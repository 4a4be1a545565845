"""What a reader of a report has to know: what is estimated, what is missing, and what could not be told."""

from collections.abc import Iterator
from typing import Final

from core.report.figures import Report
from core.report.parts import FRESH_SEC

STALE_SEC: Final = 600.0
"""A mark that is older at the end of the span is noted, and a session silent for so long is not taken as running."""


def notes_of(report: Report, wrong: list[str], ahead: int) -> Iterator[str]:
    """What is estimated, what is missing, and what could not be told."""
    if ahead:
        yield f"lines of the book that lie in the future by their time, and are in no span yet: {ahead:,}"
    if report.provisional_fills:
        yield f"{_many(report.provisional_fills, 'fill')} counted that may still fail: not final yet"
    if report.failed_fills:
        yield f"{_many(report.failed_fills, 'fill')} left out: the trade failed"
    if report.unpriced_fills:
        yield (
            f"of {_many(report.unpriced_fills, 'fill')} nobody knew a fair value at the time: the gain until the next "
            "border of a day is not attributed"
        )
    if report.unmeasured_fills:
        yield (
            f"of {_many(report.unmeasured_fills, 'fill')} nobody knew a fair value {FRESH_SEC:.0f} s later: all later "
            "moves are in carry"
        )
    at_cost = [one for one in report.positions if one.mark_micro_usd is None]
    if at_cost:
        yield f"{_many(len(at_cost), 'market')} never had a fair value: what is held there stands at cost"
    stale = [one.mark_age_s for one in report.positions if one.mark_age_s is not None and one.mark_age_s > STALE_SEC]
    if stale:
        yield f"{_many(len(stale), 'market')} at marks up to {max(stale):,.0f} s older than the end of the span"
    if report.is_running:
        yield "a session is running: the newest orders, fills and marks may not be in the file yet"
    lost = [one.number for one in report.sessions if not one.is_over]
    if lost and not (report.is_running and len(lost) == 1):
        yield f"{_many(len(lost), 'session')} never said that it was over: the last sign stands for the end"
    if wrong:
        yield f"{_many(len(wrong), 'line')} of the book could not be, and stands where money moved: {wrong[0]}"
    if any(one.estimated_rewards_micro_usd or one.estimated_rebates_micro_usd for one in report.income):
        yield "estimated rewards and rebates are reckoned from our own orders and fills; the venue knows all others"
    if report.other_accounts:
        yield f"the file holds {_many(report.other_accounts, 'more account')}; --account chooses"
    yield (
        "exposure is sampled; uptime counts from the first fair value that a session wrote of a market; an order of "
        "unknown outcome does not count as quoted"
    )


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
