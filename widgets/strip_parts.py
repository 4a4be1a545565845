"""What the status strip says, statement by statement, each with the rank by which it gives way. Pure.

Ranks: 0 stays on any width; 1 wants an operator; 2 is always watched; from 3 on it is told where there is room. Only
KILLED and an alarm of the first priority that nobody acknowledged stand on the alarm's ground.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from core.units import Usd
from core.views import AlarmView, CapView, ConsoleView, FeedView, KillView
from widgets.control_words import (
    SKEW_WARNS_S,
    exceptions,
    global_control,
    least_left,
    left_words,
    report_counts,
    report_verdict,
    state_role,
    state_words,
)
from widgets.data_words import is_believed
from widgets.figures import Day, day_of
from widgets.format import MINUS, NOTHING, age, brief, clean, fit, signed_usd, usd, whole_usd
from widgets.jobs import job_words, troubled_jobs
from widgets.line_widget import Span
from widgets.market_list import list_news
from widgets.venue_words import beat_role, budget_used, mode_role, mode_words

_FEED_OLD_S: Final = 5.0
_LAG_SLOW_MS: Final = 50.0
_BUDGET_HIGH: Final = 0.8
_CAP_NEAR: Final = 0.9
_DETAIL: Final = 40
_KILLER: Final = 60
"""Cells of who killed and why."""
TINY: Final = 60
"""Below this width only what cannot be done without is told."""
_NARROW: Final = 100
"""Below this width the cap stands without its label."""
_SENTENCE: Final = (24, 60)
"""Cells that a sentence has at least, and at most."""
_WIDE: Final = 180
"""From this width on everything is told at length; below it the first line has room for the rate."""
_CAP_NAME: Final = 24
_CAP_BRIEF: Final = 9
_CAP_NARROW: Final = 7
"""Cells of what a cap is of: where there is room, on most terminals, on narrow ones."""
_TOKEN: Final = 3
_MOST_USED: Final = 9.99
_LIST_ONLY: Final = 3
"""Priority of alarms that are counted and never told here."""
_SAID_OTHERWISE: Final = frozenset(
    {
        "killed", "kill_unproven", "unknown_order", "heartbeat", "no_watchdog", "books", "journal", "loop_lag",
        "clock_off", "clock_skew", "market_feed", "user_feed", "venue_mode", "recovering", "book", "cap",
        "rate_budget", "job_unknown", "job_failed", "list_waiting", "list_trouble",
    }
)  # fmt: skip
"""Kinds of alarms whose condition the strip tells in its own words: it repeats no text of theirs."""


class Part(NamedTuple):
    """A statement of the strip; the highest rank is left out first when the line is too short."""

    spans: tuple[Span, ...]
    rank: int
    least: int = 0
    """Cells that it is reckoned with at least: what is left out shall not depend on a figure of the moment."""


def part(text: str, role: str, rank: int) -> Part:
    """A statement in one style."""
    return Part((Span(text, role),), rank)


def labelled(label: str, text: str, rank: int, role: str = "", least: int = 0) -> Part:
    """A value behind its name; room for ``least`` cells of it is kept."""
    return Part((Span(f"{label} ", "muted"), Span(text, role)), rank, len(label) + 1 + least)


def sentence(text: str, width: int) -> str:
    """Foreign text cut to what a sentence may take on a strip of this width: a third of it."""
    least, most = _SENTENCE
    return fit(clean(text), max(least, min(most, width // 3))).rstrip()


# First line: what is allowed, what is heard, what is out


def mode_part(view: ConsoleView) -> Part:
    """Real money is told by word, brackets and badge; nothing else has them."""
    if view.mode == "live":
        return part("[LIVE]", "badge", 0)
    return part(f" {view.mode.upper()} ", "strong", 0)


def first_line(view: ConsoleView, width: int, access: str = "") -> list[Part]:
    """Mode, control, who looks on, venue, feeds, books, orders, and how the session keeps pace."""
    quoting = sum(market.quoting for market in view.markets)
    brief_feed = width < _WIDE
    parts = [
        mode_part(view),
        *_control_parts(view),
        *access_parts(view, access),
        *_venue_parts(view),
        *_unknown_parts(view, when_none=False),
        *[each for feed in view.feeds if feed.name == "market" for each in _feed_parts(feed, brief_feed)],
        _oldest_part(view),
        *[each for feed in view.feeds if feed.name != "market" for each in _feed_parts(feed)],
        *_books_parts(view),
        labelled("orders", f"{view.open_orders} {whole_usd(view.open_notional)}", 0, least=10),
        *_unknown_parts(view, when_none=True),
        labelled("in flight", str(view.in_flight), 4, least=2),
        *(_pace_parts(view) if _NARROW <= width < _WIDE else ()),
        part(f"quoting {quoting}/{len(view.markets)}", "" if quoting == len(view.markets) else "warn", 6),
    ]
    if view.rejects:
        parts.append(labelled("rejects", f"{view.rejects}, last {age(view.last_reject_age_s)} ago", 5))
    if view.denials:
        parts.append(labelled("denied", f"{sum(each.count for each in view.denials):,}", 7))
    if view.wallet:
        parts.append(labelled("wallet", wallet_label(view.wallet), 8))
    return parts


def last_known(view: ConsoleView) -> list[Part]:
    """What a session that is silent said last, as what was: the first line under NO ENGINE."""
    return [
        mode_part(view),
        part(f"was {state_words(view.control)}", "", 0),
        part(f"orders were {view.open_orders} {whole_usd(view.open_notional)}", "", 1),
        part(f"unknown were {view.unknown_orders}", "", 1),
    ]


def access_parts(view: ConsoleView, access: str) -> list[Part]:
    """Whether this console is attached to a session elsewhere, or only looks on, and how many are attached.

    Args:
        view: what is drawn.
        access: how the console holds the session: ``attached``, ``watching ...``, or anything else for its own.
    """
    others = view.consoles
    if access.startswith("watching") or access == "attached":
        word = "ATTACHED" if access == "attached" else "WATCHING"
        return [part(f"{word} 1 of {others}" if others > 1 else word, "strong", 1)]
    return [part(f"{others} console{'s' if others != 1 else ''} attached", "", 1)] if others else []


def wallet_label(wallet: str) -> str:
    """An address by its ends."""
    address = clean(wallet)
    return address if len(address) <= 11 else f"{address[:6]}…{address[-4:]}"


def _control_parts(view: ConsoleView) -> list[Part]:
    """What is allowed: of everything, with the time left; then how many markets and sides differ from that."""
    if view.kill.killed:
        return kill_parts(view.kill)
    if view.finished:
        return [part(f"ENDED: {clean(view.finished)}", state_role(view.control), 0)]
    if view.stopping:
        return [part("STOPPING: cancelling all orders", "warn", 0)]
    if not view.markets and view.control == "ACTIVE":
        return [part("STARTING", state_role(view.control), 0)]
    parts = [part(state_words(view.control), state_role(view.control), 0)]
    held = global_control(view)
    if held is not None and held.left_s is not None:
        parts.append(part(left_words(held.left_s), "warn", 0))
    if apart := exceptions(view):
        timer = least_left(apart)
        parts.append(part(f"{len(apart)} exception{'s' if len(apart) > 1 else ''}", "warn", 1))
        if timer is not None:
            parts.append(part(left_words(timer), "warn", 2))
    return parts


def kill_parts(kill: KillView) -> list[Part]:
    """KILLED, whether zero is proven, and all four counts, on any width; by whom and why where there is room."""
    why = f": {clean(kill.reason)}" if kill.reason else ""
    return [
        part("KILLED", "", 0),
        part(report_verdict(kill.report), "", 0),
        part(report_counts(kill.report), "", 0),
        part(fit(f"by {clean(kill.by) or 'nobody known'}{why}", _KILLER).rstrip(), "", 2),
    ]


def _venue_parts(view: ConsoleView) -> list[Part]:
    """What the venue or an earlier session forbids, on any width; nothing while nothing is."""
    parts: list[Part] = []
    if words := mode_words(view.venue):
        parts.append(labelled("venue", words, 0, mode_role(view.venue)))
    if view.recovering:
        parts.append(part("RECOVERING", "warn", 0))
    return parts


def _unknown_parts(view: ConsoleView, *, when_none: bool) -> list[Part]:
    """Orders of which nobody knows: on any width once there are some."""
    if bool(view.unknown_orders) is when_none:
        return []
    if view.unknown_orders:
        return [part(f"▲ unknown {view.unknown_orders}", "warn", 0)]
    return [labelled("unknown", "0", 2)]


def _feed_parts(feed: FeedView, is_brief: bool = False) -> list[Part]:
    """Sockets and what is wrong with them; the market channel's books have a statement of their own.

    ``is_brief``: sockets alone say that something is heard, until it is old.
    """
    name = "feed" if feed.name == "market" else feed.name
    if not feed.connected:
        detail = fit(clean(feed.detail), _DETAIL).rstrip()
        return [part(f"▲ {name} DOWN", "warn", 0), *([part(detail, "warn", 4)] if detail else [])]
    old = feed.age_s is None or feed.age_s > _FEED_OLD_S
    lacks = feed.sockets_up < feed.sockets
    count = f"{feed.sockets_up}/{feed.sockets} " if feed.sockets > 1 or lacks else ""
    sockets = [Span(count, "warn" if lacks else "")] if count else []
    heard = [Span(age(feed.age_s), "warn" if old else "")]
    if is_brief and not old and feed.sockets > 1:
        sockets, heard = [Span(count.rstrip(), "warn" if lacks else "")], []
    rank, least = 1 if lacks else 2 if feed.name == "market" else 3, len(name) + 4
    parts = [Part((Span(f"{name} ", "muted"), *sockets, *heard), rank, least)]
    if feed.reconnects:
        parts.append(part(f"({feed.reconnects} reconnect{'s' if feed.reconnects > 1 else ''})", "muted", 8))
    return parts


def _books_parts(view: ConsoleView) -> list[Part]:
    """How many books are believed, on any width once it is not all of them."""
    believed = sum(is_believed(market.data) for market in view.markets)
    count = f"{believed}/{len(view.markets)}"
    return [part(f"▲ books {count}", "warn", 1) if believed < len(view.markets) else labelled("books", count, 6)]


def _oldest_part(view: ConsoleView) -> Part:
    """How long ago the book was proven that was not for longest."""
    proven = [market.data.proven_s for market in view.markets if market.data.proven_s is not None]
    return labelled("oldest", age(max(proven, default=None)), 3, least=3)


# Second line: money, exposure, what keeps watch


def second_line(view: ConsoleView, width: int, console: str) -> list[Part]:
    """The day's profit, trouble, exposure, heartbeat; what is wrong with the console itself first."""
    parts = [
        *money_parts(view, width, console),
        *_beat_parts(view, width),
        *(() if _NARROW <= width < _WIDE else _pace_parts(view)),
        _hashes_part(view),
        labelled("cash", usd(view.cash), 6),
        labelled("fills", f"{view.pnl.fills:,}", 7),
        labelled("messages", f"{view.messages_per_s:,.0f}/s", 8),
    ]
    if not any(calls(alarm) for alarm in view.alarms):
        standing = sum(alarm.standing for alarm in view.alarms)
        parts.append(labelled("alarms", f"{standing} seen" if standing else "none", 5))
    return parts


def money_parts(view: ConsoleView, width: int, console: str) -> list[Part]:
    """What is worth knowing of a session that is silent too: profit, trouble, exposure, equity."""
    day = day_of(view.account)
    return [
        _day_part(day),
        *([part(fit(clean(console), width // 2).rstrip(), "warn", 1)] if console else []),
        *_trouble_parts(view, width),
        *_profit_parts(view, day, width),
        *_exposure_parts(view, width),
        labelled("equity", usd(Usd(view.account.flows + view.pnl.total)), 5),
    ]


def _day_part(day: Day) -> Part:
    """At fair values as in all panes, else it says otherwise; nothing where the day's beginning is not known."""
    label = "day at bids" if day.is_at_bids else "day"
    if day.profit is None:
        return labelled(label, NOTHING, 1)
    role = "bid" if day.profit > 0 else "ask" if day.profit < 0 else ""
    return labelled(label, signed_usd(day.profit), 1, role, least=8)


def _profit_parts(view: ConsoleView, day: Day, width: int) -> list[Part]:
    """What of the day's profit is certain and what hangs on prices; estimated rewards are in no sum."""
    parts = []
    if day.realised is not None and day.unrealised is not None:
        sums = [
            labelled(name, signed_usd(part), 4) for name, part in (("real", day.realised), ("unreal", day.unrealised))
        ]
        parts.append(Part((*sums[0].spans, Span("  "), *sums[1].spans), 4, len("real +123.45  unreal +123.45")))
    else:
        parts.append(labelled("all time", signed_usd(view.pnl.total), 3))
    if view.split is not None:
        rewards = f"~{signed_usd(view.split.rewards).lstrip('+')}"
        parts.append(labelled("rewards" if width >= _WIDE else "rew", rewards, 5, least=5))
    return parts


def _exposure_parts(view: ConsoleView, width: int) -> list[Part]:
    """What is lost if every order fills and everything goes wrong, and how much of the tightest cap is used."""
    account = next((cap for cap in view.caps if cap.scope == "account"), None)
    worst = account.used if account is not None else view.gross_exposure
    parts = [labelled("worst", whole_usd(-abs(worst)), 2, least=7)]
    tight = tightest_cap(view)
    if tight is None:
        return parts
    used = cap_used(tight)
    titles = {market.market: market.title for market in view.markets}
    cells = _CAP_NAME if width >= _WIDE else _CAP_BRIEF if width >= _NARROW else _CAP_NARROW
    over = "▲ " if used > 1.0 else ""
    told = f"{over}{min(used, _MOST_USED):.0%} {cap_words(tight, titles, cells, is_brief=width < _WIDE)}"
    label = (Span("cap ", "muted"),) if width >= _NARROW else ()
    near = used >= _CAP_NEAR
    least = sum(len(span.text) for span in label) + len("100% ") + cells
    return [*parts, Part((*label, Span(told, "warn" if near else "")), 1 if near else 2, least if width < _WIDE else 0)]


def cap_used(cap: CapView) -> float:
    """Part of a cap that is used; a cap of nothing is used up by anything."""
    if cap.cap <= 0:
        return 0.0 if cap.used <= 0 else float("inf")
    return cap.used / cap.cap


def tightest_cap(view: ConsoleView) -> CapView | None:
    """The cap of which most is used; None without caps."""
    return max(view.caps, key=cap_used, default=None)


def cap_words(cap: CapView, titles: Mapping[str, str], cells: int, is_brief: bool = False) -> str:
    """What a cap is of: its scope, the token, and its market's or event's name in ``cells``; brief without scope."""
    name = brief(titles.get(cap.market, "")) or clean(cap.name)
    token = f"{fit(clean(cap.name), _TOKEN).rstrip()} " if cap.scope == "token" and cap.market and cap.name else ""
    if not name:
        return cap.scope
    if is_brief:
        return fit(f"{token}{name}", cells).rstrip()
    return f"{cap.scope} {token}{fit(name, cells).rstrip()}"


def _beat_parts(view: ConsoleView, width: int) -> list[Part]:
    beat = view.venue.heartbeat
    if beat is None:
        return []
    role = beat_role(beat)
    sign = "▲ " if role == "warn" else ""
    rank, least = 0 if sign else 2, len("beat 10s")
    parts = [Part((Span(f"{sign}beat ", role or "muted"), Span(age(beat.age_s), role)), rank, least)]
    if beat.trouble:
        parts.append(part(sentence(beat.trouble, width), "warn", 1))
    return parts


def _pace_parts(view: ConsoleView) -> list[Part]:
    """How much of the rate is used, and how late the session's loop is."""
    return [*_budget_parts(view), _lag_part(view)]


def _lag_part(view: ConsoleView) -> Part:
    slow = view.loop_lag_ms >= _LAG_SLOW_MS
    label, rank, role = ("▲ lag", 1, "warn") if slow else ("lag", 4, "")
    return labelled(label, f"{view.loop_lag_ms:,.0f}ms", rank, role, least=4)


def _budget_parts(view: ConsoleView) -> list[Part]:
    """How much of the rate is used; in words once too little is left to place more."""
    budget = view.venue.budget
    used = budget_used(budget) if budget is not None else 0.0
    if used >= _BUDGET_HIGH:
        return [part(f"▲ rate {used:.0%}", "warn", 1)]
    if view.venue.short:
        return [part("▲ rate short", "warn", 1)]
    return [labelled("rate", f"{used:.0%}", 3, least=4)] if budget is not None else []


def _hashes_part(view: ConsoleView) -> Part:
    """How thoroughly the books are proven; anything less than every hash is said on any width."""
    touch_only = sum(market.data.check_every == 0 and market.data.state == "SYNCED" for market in view.markets)
    said = [f"1 in {view.hash_every}"] if view.hash_every > 1 else []
    said += [f"△ {touch_only} touch only"] if touch_only else []
    if said:
        return labelled("hashes", ", ".join(said), 1, "warn")
    return labelled("hashes", "all", 8)


def _trouble_parts(view: ConsoleView, width: int) -> Iterator[Part]:
    """What wants somebody's eyes, the worst first; nothing while all is well."""
    if view.kill.guarded and not view.kill.watchdog_up:
        yield part("▲ NO WATCHDOG", "warn", 0)
    if view.account.trouble:
        yield part("▲ BOOKS DO NOT ADD UP", "warn", 0)
    if view.journal_stalled_s:
        yield part(f"▲ journal waits {age(view.journal_stalled_s)}", "warn", 0)
    called = [alarm for alarm in view.alarms if calls(alarm) and alarm.code not in _SAID_OTHERWISE]
    first = min(called, key=lambda alarm: alarm.priority, default=None)
    if first is not None and first.priority < _LIST_ONLY:
        told = f"{first.code.replace('_', ' ')}: {first.text}"
        yield part(f"▲ {sentence(told, width)}", "warn", first.priority)
    skew_s = view.clock_skew_s
    if skew_s is not None and abs(skew_s) > SKEW_WARNS_S:
        yield part(f"▲ clock {skew_s:+.1f}s".replace("-", MINUS), "warn", 1)
    if jobs := troubled_jobs(view.account):
        yield part(f"▲ {job_words(jobs[0])}", "warn", 1)
        if len(jobs) > 1:
            yield part(f"and {len(jobs) - 1} more", "warn", 2)
    if news := list_news(view.market_list):
        yield part(f"▲ list: {news[0]}", "warn", 1)
        for more in news[1:]:
            yield part(f"and {more}", "warn", 2)


# Alarms


def calls(alarm: AlarmView) -> bool:
    """It waits for somebody to acknowledge it."""
    return not alarm.acknowledged and alarm.shelved_s is None and not alarm.cause


def alarm_spans(view: ConsoleView, width: int) -> tuple[Span, ...]:
    """How many alarms wait for an acknowledgement, by priority; those of the first stand on the alarm's ground.

    On a strip below :data:`TINY` nothing is said of the third.
    """
    waiting = Counter(alarm.priority for alarm in view.alarms if calls(alarm))
    spans: list[Span] = []
    if waiting[1]:
        spans += [Span(f" !{waiting[1]} P1 ", "alarm"), Span(" ")]
    if waiting[2]:
        spans += [Span(f"{waiting[2]} P2", "warn"), Span(" ")]
    if waiting[3] and width >= TINY:
        spans += [Span(f"{waiting[3]} P3", "muted"), Span(" ")]
    return tuple(spans)
