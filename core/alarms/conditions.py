"""What of a view wants an operator: every condition that holds now, of the session and of each market.

Pure: nothing is remembered here but what is handed in. How long a condition has to hold, and what becomes of it, is
:mod:`core.alarms.board`'s.
"""

from collections.abc import Iterator
from typing import Final

from core.alarms.condition import Condition, key_of
from core.alarms.kinds import (
    BUDGET_FINE,
    BUDGET_LOW,
    BY_CODE,
    CAP_FINE,
    CAP_NEAR,
    FINDING_SEC,
    FRESH_SEC,
    JOB_FAILED_SEC,
    SKEW_FINE_SEC,
)
from core.alarms.market_conditions import market_conditions
from core.risk.heartbeat import NO_NEW_SEC
from core.risk.vitals import JOURNAL_NO_NEW_SEC, LAG_NO_NEW_SEC, SKEW_NO_NEW_SEC, SKEW_WARN_SEC, skew_words
from core.units import MICRO, Usd
from core.views import CapView, ConsoleView, ControlView, FeedView, FindingView, KillReportView

_OWN_KINDS: Final = frozenset({"unknown_order", "unsettled", "books"})
"""Findings that are conditions of kinds of their own."""
_PROTECTIONS: Final = frozenset({"repeat", "markout", "streak", "rejects"})
"""Sources of control states that a protection sets for a market or a side."""
_OF_SOURCE: Final = {"loss": "loss_stop", "drawdown": "drawdown_stop", "venue": "venue_stop"}
"""Sources whose states are about everything, with the kinds that they are."""
_AT_THE_END: Final = frozenset({"killed", "kill_unproven", "unknown_order", "books", "journal"})
"""A session that stops takes leave of its feeds and heartbeats: only these want somebody then."""


def conditions(view: ConsoleView, standing: frozenset[str] = frozenset()) -> list[Condition]:
    """Every condition that holds, the session's first.

    Args:
        view: of now.
        standing: keys of the alarms that stand: what is measured ends at another value than it begins at.
    """
    if view.finished:
        return []
    found = [
        *_kill(view),
        *_controls(view),
        *_findings(view),
        *_vitals(view, standing),
        *_channels(view),
        *_venue(view, standing),
        *_caps(view, standing),
        *_account(view),
        *_gate(view),
        *_market_list(view),
        *market_conditions(view),
    ]
    return [one for one in found if one.kind.code in _AT_THE_END] if view.stopping else found


def _of(code: str, text: str, market: str = "", subject: str = "") -> Condition:
    return Condition(BY_CODE[code], text, market, subject)


# What stops everything


def _kill(view: ConsoleView) -> Iterator[Condition]:
    kill = view.kill
    if kill.killed:
        why = f": {kill.reason}" if kill.reason else ""
        yield _of("killed", f"by {kill.by or 'nobody known'}{why}; {view.open_orders} orders may be open")
        if kill.report is None or not kill.report.zero:
            yield _of("kill_unproven", _report_words(kill.report))
    if kill.guarded and not kill.watchdog_up:
        seen = "" if kill.watchdog_age_s is None else f", last sign of life {kill.watchdog_age_s:.0f} s ago"
        yield _of("no_watchdog", f"{kill.watchdog_detail or 'it shows no life'}{seen}")


def _report_words(report: KillReportView | None) -> str:
    if report is None:
        return "no report yet"
    left = "not listed yet" if report.left is None else f"{report.left} open on the last list"
    trouble = f"; {report.detail}" if report.detail else ""
    return f"{report.sent} requests sent, {report.confirmed} cancelled, {left}, {report.unknown} unknown{trouble}"


def _controls(view: ConsoleView) -> Iterator[Condition]:
    for control in view.controls:
        if not control.market and control.source in _OF_SOURCE:
            yield _of(_OF_SOURCE[control.source], control.reason or control.author)
        elif control.market and control.source in _PROTECTIONS:
            subject = f"{control.source}:{control.side}" if control.side else control.source
            yield _of("protection", _held_words(control), market=control.market, subject=subject)


def _held_words(control: ControlView) -> str:
    until = "until somebody resumes it" if control.left_s is None else f"{control.left_s:.0f} s left"
    what = control.state.replace("_", " ").lower()
    return f"{control.source}: {control.side or 'market'} {what}, {until}: {control.author or control.reason}"


def _findings(view: ConsoleView) -> Iterator[Condition]:
    """Alarms among the findings of the last minutes, those of a code and a market together."""
    closed = frozenset(market.market for market in view.markets if market.closed)
    newest: dict[tuple[str, str], tuple[FindingView, int]] = {}
    for finding in view.findings:
        if finding.severity != "alarm" or finding.code in _OWN_KINDS or view.unix - finding.unix > FINDING_SEC:
            continue
        place = (finding.market, finding.code)
        count = newest[place][1] if place in newest else 0
        newest[place] = (finding, count + 1)
    for (market, subject), (finding, count) in newest.items():
        many = f" x{count}" if count > 1 else ""
        text = f"{subject.replace('_', ' ')}{many}: {finding.text}{_both_sides(finding)}"
        causes = (key_of("closed", market),) if market in closed else ()
        yield Condition(BY_CODE["finding"], text, market, subject, causes, finding.unix)


def _both_sides(finding: FindingView) -> str:
    said = [f"{who} {what}" for who, what in (("ours", finding.ours), ("the venue's", finding.venue)) if what]
    return f" ({', '.join(said)})" if said else ""


# The session itself


def _vitals(view: ConsoleView, standing: frozenset[str]) -> Iterator[Condition]:
    if view.journal_stalled_s >= JOURNAL_NO_NEW_SEC:
        yield _of("journal", f"waiting {view.journal_stalled_s:.0f} s for the disk")
    if view.loop_lag_ms >= LAG_NO_NEW_SEC * 1000:
        yield _of("loop_lag", f"it stood still for {view.loop_lag_ms / 1000:.1f} s")
    skew_s = view.clock_skew_s
    if skew_s is None:
        return
    if abs(skew_s) > SKEW_NO_NEW_SEC:
        yield _of("clock_off", f"our clock is {skew_words(skew_s)}")
    elif abs(skew_s) > (SKEW_FINE_SEC if "clock_skew" in standing else SKEW_WARN_SEC):
        yield _of("clock_skew", f"our clock is {skew_words(skew_s)}")


def _channels(view: ConsoleView) -> Iterator[Condition]:
    """Nothing is said of channels before there are markets: a start takes its time."""
    for feed in view.feeds if view.markets else ():
        if not feed.connected or feed.sockets_up < feed.sockets:
            yield _of("market_feed" if feed.name == "market" else "user_feed", _feed_words(feed))


def _feed_words(feed: FeedView) -> str:
    up = f"{feed.sockets_up} of {feed.sockets} sockets up" if feed.sockets > 1 else "down"
    heard = "nothing heard yet" if feed.age_s is None else f"last heard {feed.age_s:.0f} s ago"
    return f"{up}, {heard}{f': {feed.detail}' if feed.detail else ''}"


def _venue(view: ConsoleView, standing: frozenset[str]) -> Iterator[Condition]:
    venue, beat, budget = view.venue, view.venue.heartbeat, view.venue.budget
    if venue.mode != "NORMAL":
        said = f": {venue.detail}" if venue.detail else ""
        yield _of("venue_mode", f"{venue.mode.replace('_', ' ')} for {venue.since_s:.0f} s{said}")
    if beat is not None and not view.kill.killed and (beat.trouble or (beat.age_s or 0.0) >= NO_NEW_SEC):
        last = "none acknowledged yet" if beat.age_s is None else f"last acknowledged {beat.age_s:.0f} s ago"
        yield _of("heartbeat", f"{last}{f': {beat.trouble}' if beat.trouble else ''}")
    low = BUDGET_FINE if "rate_budget" in standing else BUDGET_LOW
    buckets = () if budget is None else (
        ("orders", budget.orders, budget.orders_burst), ("cancels", budget.cancels, budget.cancels_burst),
    )  # fmt: skip
    short = [f"{left} of {burst} {name} left" for name, left, burst in buckets if left < low * burst]
    if venue.short or short:
        yield _of("rate_budget", "; ".join([*([venue.short] if venue.short else []), *short]))
    if view.recovering:
        yield _of("recovering", view.recovering)


# Money


def _caps(view: ConsoleView, standing: frozenset[str]) -> Iterator[Condition]:
    """The fullest cap of the account, of the events together, and of each market.

    A token's cap is left out: quotes lean against it long before, and orders that rest may well use it up.
    """
    fullest: dict[tuple[str, str], tuple[float, CapView, int]] = {}
    for cap in (each for each in view.caps if each.scope != "token"):
        place = (cap.market, "" if cap.market else cap.scope)
        used = cap.used / cap.cap if cap.cap > 0 else float(cap.used > 0)
        if used >= (CAP_FINE if key_of("cap", *place) in standing else CAP_NEAR):
            most, worst, count = fullest.get(place, (-1.0, cap, 0))
            fullest[place] = (max(used, most), cap if used > most else worst, count + 1)
    for (market, subject), (used, cap, count) in fullest.items():
        name = {"group": f"event {cap.name} ", "account": "account "}.get(cap.scope, "")
        more = f"; {count - 1} more" if count > 1 else ""
        text = f"{name}{used:.0%} used: {_usd(cap.used)} of {_usd(cap.cap)}{more}"
        yield _of("cap", text, market=market, subject=subject)


def _usd(amount: Usd) -> str:
    return f"${amount / MICRO:,.2f}"


def _account(view: ConsoleView) -> Iterator[Condition]:
    account = view.account
    if account.trouble:
        yield _of("books", account.trouble)
    if account.sources:
        what, who, words = account.sources[0]
        more = f"; {len(account.sources) - 1} more" if len(account.sources) > 1 else ""
        yield _of("sources", f"{what} by {who}: {words}{more}")
    for job in account.jobs:
        is_lost = job.state == "unknown"
        if is_lost or (job.state in ("failed", "refused") and job.age_s < JOB_FAILED_SEC):
            size = f"{job.size / MICRO:,.2f}".rstrip("0").rstrip(".")
            text = f"#{job.job_id} {job.kind} {size} {job.state}{f': {job.detail}' if job.detail else ''}"
            code = "job_unknown" if is_lost else "job_failed"
            yield _of(code, text, market=job.market, subject=str(job.job_id))


# Orders that came to nothing, and what is not ours


def _gate(view: ConsoleView) -> Iterator[Condition]:
    denials = [each for each in view.denials if each.age_s < FRESH_SEC]
    if denials:
        newest = min(denials, key=lambda each: each.age_s)
        yield _of("denials", f"{newest.code.replace('_', ' ')}, {newest.count} in all: {newest.text}")
    if view.last_reject_age_s is not None and view.last_reject_age_s < FRESH_SEC:
        yield _of("rejects", f"{view.rejects} in all, the last {view.last_reject_age_s:.0f} s ago")
    if view.foreign_orders:
        count = len(view.foreign_orders)
        yield _of("foreign_orders", f"{count} open order{'' if count == 1 else 's'} on this account not ours")
    for recording in view.recordings:
        if recording.running and recording.trouble:
            yield _of("recording", f"{recording.path}: {recording.trouble}")
            return


def _market_list(view: ConsoleView) -> Iterator[Condition]:
    listing = view.market_list
    if listing is None:
        return
    if listing.proposal is not None:
        count = len(listing.proposal.lines)
        text = f"{count} change{' waits' if count == 1 else 's wait'}: {listing.proposal.why}"
        yield _of("list_waiting", text, subject=listing.proposal.token)
    if listing.trouble:
        yield _of("list_trouble", listing.trouble)
    if listing.rejected:
        first, count = listing.rejected[0], len(listing.rejected)
        text = f"{count} row{'' if count == 1 else 's'}: row {first.row}, {first.column}: {first.reason}"
        yield _of("list_rows", text)
