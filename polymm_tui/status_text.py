"""The ``status`` command's answer as text of 80 columns: first what stops, then what runs, then every market."""

import time
from collections.abc import Iterable, Sequence
from typing import Final

from core.kill.latch import LatchRecord
from core.runtime.places import Places
from core.standing import MarketStanding, Standing
from core.store.left import Left
from core.views import ControlState, ControlView, FeedView, KillReportView, KillView
from widgets.format import NOTHING, age, clean, fit, shares, signed_usd, usd, wrap_words

WIDTH: Final = 80
_LABEL: Final = 11
_TITLE: Final = 30
_STATE: Final = 11
_REARM: Final = "after looking into it: `polymm-tui rearm --reason TEXT`"


def standing_lines(told: Standing) -> list[str]:
    """What a running session says of itself."""
    titles = {one.market: one.title for one in told.markets}
    quoting = sum(one.quoting for one in told.markets)
    state = "stopping" if told.stopping else state_words(told.control)
    head = f"{clean(told.mode)}: {state}, quoting {quoting} of {len(told.markets)} markets, {moment(told.unix)}"
    lines = wrap_words(head, WIDTH)
    lines += _labelled("control", control_lines(told.controls, titles))
    lines += _labelled("kill", _kill_words(told.kill))
    lines += _labelled("waiting", [clean(told.recovering)] if told.recovering else [])
    lines += _labelled("protection", [f"{clean(one.name)} holds{_left(one.left_s)}" for one in told.protections])
    lines += _labelled("denied", [", ".join(f"{clean(code)} {times:,}" for code, times in told.denials)])
    lines += _labelled("feeds", [", ".join([*map(_feed_words, told.feeds), *_venue_words(told)])])
    orders = f"{told.open_orders} open, {usd(told.open_notional)}; {told.unknown_orders} unknown, "
    lines += _labelled("orders", [f"{orders}{told.in_flight} in flight"])
    lines += _labelled("exposure", [f"{usd(told.exposure)} at the fair values", *_cap_words(told)])
    money = f"equity {usd(told.equity)}, cash {usd(told.cash)}, profit {signed_usd(told.profit)}, "
    lines += _labelled(
        "money", [f"{money}today {signed_usd(told.day_profit)}, drawdown {usd(told.drawdown)}", clean(told.trouble)]
    )
    return [*lines, "", *_market_table(told.markets)] if told.markets else lines


def left_lines(places: Places, silent: str, latch: LatchRecord | None, left: Left | str) -> list[str]:
    """What is known without a session's word.

    Args:
        places: of the session.
        silent: why a session that is there says nothing; "" when none runs.
        latch: what the kill latch says; None without one.
        left: what the database shows; why it shows nothing, "" where there is none.
    """
    head = clean(silent) if silent else f"{places.mode}: no session runs in {clean(str(places.directory))}"
    lines = wrap_words(head, WIDTH)
    if silent:
        lines += wrap_words("`polymm-tui kill` works without its answer; below is what it wrote down", WIDTH)
    lines += _labelled("kill", [_latch_words(latch)])
    if isinstance(left, str):
        return [*lines, *_labelled("database", [clean(left) or "none, or no session in it"])]
    lines += _labelled("control", control_lines(left.controls, left.titles))
    begun = f"began {moment(left.started_unix)}"
    if left.ended_unix is None:
        end = "" if silent else "; it never said that it ended"
    else:
        proof = "zero open orders verified" if left.verified else "NOT verified that no order is open"
        end = f", ended {moment(left.ended_unix)} ({clean(left.reason) or 'no reason'}): {proof}"
    lines += _labelled("session", [begun + end])
    lines += _labelled("orders", [f"{left.orders} may be open, by what it wrote down"])
    if left.equity is not None and left.equity_unix is not None:
        lines += _labelled("money", [f"equity {usd(left.equity)} at {moment(left.equity_unix)}"])
    return lines


def control_lines(controls: Sequence[ControlView], titles: dict[str, str]) -> list[str]:
    """A line for each control state; one that says so when there is none."""
    if not controls:
        return ["active"]
    lines = []
    for one in controls:
        where = clean(titles.get(one.market, "")) or one.market[:12] or "all markets"
        side = f", {one.side}s" if one.side else ""
        why = ", ".join(filter(None, (clean(one.reason), clean(one.author) and f"by {clean(one.author)}")))
        source = "" if one.source == "operator" else f" ({one.source})"
        lines.append(f"{where}{side}: {state_words(one.state)}{source}{f': {why}' if why else ''}{_left(one.left_s)}")
    return lines


def state_words(state: ControlState) -> str:
    """A control state as it is written in a sentence."""
    return state if state == "KILLED" else state.lower().replace("_", "-")


def kill_report_words(report: KillReportView) -> str:
    """What a kill has done so far: sent is not confirmed, and what is not known is said."""
    left = NOTHING if report.left is None else str(report.left)
    zero = "zero open orders verified" if report.zero else "NOT verified that no order is open"
    took = "" if report.took_s is None else f" after {report.took_s:.1f} s"
    by = f", by the {clean(report.by)}" if report.by else ""
    detail = f"; {clean(report.detail)}" if report.detail else ""
    return (
        f"{zero}{took}{by}: {report.sent} cancel-all sent, {report.confirmed} orders confirmed cancelled, {left} left,"
        f" {report.unknown} unknown{detail}"
    )


def _kill_words(kill: KillView) -> list[str]:
    lines = []
    if kill.killed:
        when = "" if kill.unix is None else f", {moment(kill.unix)}"
        reason = f": {clean(kill.reason)}" if kill.reason else ""
        lines.append(f"KILLED by {clean(kill.by) or 'nobody knows'}{when}{reason}")
        lines += [kill_report_words(kill.report)] if kill.report else []
        lines.append(_REARM)
    else:
        lines.append("armed")
    if kill.guarded:
        up = f"up, last sign {age(kill.watchdog_age_s)} ago" if kill.watchdog_up else "DOWN: nothing is quoted"
        lines.append(f"watchdog {up}{f': {clean(kill.watchdog_detail)}' if kill.watchdog_detail else ''}")
    return lines


def _latch_words(latch: LatchRecord | None) -> str:
    if latch is None or latch.state != "killed":
        return "armed"
    reason = f": {clean(latch.reason)}" if latch.reason else ""
    return f"KILLED by {clean(latch.by) or 'nobody knows'}, {moment(latch.unix)}{reason}; {_REARM}"


def _feed_words(feed: FeedView) -> str:
    name = clean(feed.name)
    if not feed.connected:
        return f"{name} DOWN{f' ({clean(feed.detail)})' if feed.detail else ''}"
    sockets = f" {feed.sockets_up}/{feed.sockets}" if feed.sockets > 1 else ""
    return f"{name}{sockets} {age(feed.age_s)}"


def _venue_words(told: Standing) -> Iterable[str]:
    venue = told.venue
    yield f"venue {venue.mode.lower().replace('_', '-')}{f' ({clean(venue.detail)})' if venue.detail else ''}"
    if venue.heartbeat is not None:
        trouble = f" ({clean(venue.heartbeat.trouble)})" if venue.heartbeat.trouble else ""
        yield f"heartbeat {age(venue.heartbeat.age_s)}{trouble}"
    if told.clock_skew_s is not None:
        yield f"clock {told.clock_skew_s:+.1f} s"
    if told.journal_stalled_s:
        yield f"journal STALLED for {told.journal_stalled_s:.1f} s"
    yield f"loop lag {told.loop_lag_ms:.0f} ms"


def _cap_words(told: Standing) -> Iterable[str]:
    """The account's cap, and of every other scope the one that is fullest."""
    fullest: dict[str, tuple[float, str]] = {}
    titles = {one.market: one.title for one in told.markets}
    for cap in told.caps:
        part = cap.used / cap.cap if cap.cap > 0 else 0.0
        if part > fullest.get(cap.scope, (-1.0, ""))[0]:
            name = " ".join(dict.fromkeys(filter(None, (clean(titles.get(cap.market, "")), clean(cap.name)))))
            words = f"{cap.scope}: {usd(cap.used)} of {usd(cap.cap)}, {part:.0%}"
            fullest[cap.scope] = part, f"{words}{f': {name}' if name else ''}"
    return [words for _, words in fullest.values()]


def _market_table(markets: Sequence[MarketStanding]) -> Iterable[str]:
    yield f"{fit('market', _TITLE)} {fit('state', _STATE)} {'orders':>6} {'net':>9} {'profit':>9}".rstrip()
    for one in markets:
        name = clean(one.title) or clean(one.market)
        figures = f"{one.orders:>6} {shares(one.net):>9} {signed_usd(one.profit):>9}"
        yield f"{fit(name, _TITLE)} {fit(state_words(one.control), _STATE)} {figures}".rstrip()
        if one.blocked_by:
            yield from _indented(f"not quoted: {clean(one.blocked_by)}")
        if one.flatten is not None:
            told = one.flatten
            cost = f"{shares(told.left)} of {shares(told.start)} left, {usd(told.spent)} of {usd(told.cap)} spent"
            yield from _indented(f"flattening: {clean(told.text)}{_left(told.left_s)}; {cost}")


def _indented(text: str) -> Iterable[str]:
    return (f"  {line}" for line in wrap_words(text, WIDTH - 2))


def _labelled(label: str, texts: Iterable[str]) -> list[str]:
    """Texts beside a label, broken into lines; nothing without any text."""
    lines = [line for text in texts if text for line in wrap_words(text, WIDTH - _LABEL)]
    return [f"{label if index == 0 else '':<{_LABEL}}{line}" for index, line in enumerate(lines)]


def _left(left_s: float | None) -> str:
    return "" if left_s is None else f", {age(left_s)} left"


def moment(unix: float) -> str:
    """A time in UTC, to the second; what is no time as a number."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(unix))
    except (OverflowError, ValueError, OSError):
        return f"unix time {unix:g}"
