"""The two lines that are always visible: mode, control, venue, feeds, orders; money, heartbeat, alarms, engine time."""

from typing import Final, NamedTuple

from rich.cells import cell_len

from core.views import ConsoleView, FeedView, KillView
from widgets.control_words import (
    SKEW_WARNS_S,
    STALL_STOPS_S,
    exceptions,
    global_control,
    least_left,
    left_words,
    report_counts,
    report_verdict,
    skew_role,
    state_role,
    state_words,
)
from widgets.data_words import is_believed
from widgets.format import MINUS, age, clean, fit, signed_usd, usd, utc_clock, whole_usd
from widgets.jobs import job_words, troubled_jobs
from widgets.line_widget import LineWidget, Row, Span, row
from widgets.market_list import list_news
from widgets.venue_words import beat_role, mode_role, mode_words

SILENT_AFTER_S: Final = 2.0
"""An engine whose time has not moved for longer is said to be gone."""
STARTING_AFTER_S: Final = 15.0
"""The same before there are markets: loading the order client keeps the engine from its work for seconds."""
_FEED_OLD_S: Final = 5.0
_LAG_SLOW_MS: Final = 50.0
_DETAIL: Final = 40
_KILLER: Final = 60
"""Cells of who killed and why."""
_BEAT_DETAIL: Final = 28
"""Cells of what is wrong with the heartbeat: what is left of 80 beside profit and clock."""
_BEAT_LONGEST: Final = 60


class Part(NamedTuple):
    """A statement of the strip; the highest rank is left out first when the line is too short."""

    spans: tuple[Span, ...]
    rank: int


def status_rows(
    view: ConsoleView | None, width: int, silent_s: float = 0.0, console: str = "", kill: KillView | None = None
) -> list[Row]:
    """The two lines of the strip.

    Args:
        view: the newest view; None before the first.
        width: cells.
        silent_s: seconds for which the engine's time has stood still.
        console: what is wrong with the console itself, in words; "" when nothing is.
        kill: of use before the first view only, which has its own.
    """
    if view is None and kill is not None and kill.killed:
        top = [_part(" starting …", "", 0), *_kill_parts(kill)]
        return [_line(top, width, "alarm"), row(" waiting for the session", ground="alarm")]
    if view is None:
        return [row((" starting …", "strong"), ground="bar"), row((" waiting for the session", "muted"), ground="bar")]
    top, bottom = _orders_line(view), _money_line(view, width, console)
    clock = Span(f"{utc_clock(view.unix)} UTC ", "muted")
    patience_s = SILENT_AFTER_S if view.markets else STARTING_AFTER_S
    is_silent = silent_s > patience_s and not view.finished
    is_killed = view.control == "KILLED" or view.kill.killed
    if is_silent and is_killed:  # the switch answers for itself: what became of the orders stays in the first line
        bottom = [_part(f" NO ENGINE for {age(silent_s)}: figures are old", "", 0), *bottom]
    elif is_silent:
        top = [_part(f" NO ENGINE for {age(silent_s)}: what stands below is old", "", 0), *top[:2]]
    if is_silent or is_killed:
        return [_line(top, width, "alarm"), _line(bottom, width, "alarm", clock)]
    return [_line(top, width, "bar"), _line(bottom, width, "bar", clock)]


def _orders_line(view: ConsoleView) -> list[Part]:
    quoting = sum(market.quoting for market in view.markets)
    live = view.mode == "live"
    parts = [
        _part(f" {view.mode.upper()} ", "badge" if live else "strong", 0),
        *_control_parts(view),
        *_venue_parts(view),
        _part(f"quoting {quoting}/{len(view.markets)}", "" if quoting == len(view.markets) else "warn", 3),
        *[part for feed in view.feeds for part in _feed_parts(feed)],
        *_books_parts(view),
        Part((Span("orders ", "muted"), Span(f"{view.open_orders} {whole_usd(view.open_notional)}")), 1),
        Part((Span("unknown ", "muted"), Span(str(view.unknown_orders), "warn" if view.unknown_orders else "")), 1),
        Part((Span("in flight ", "muted"), Span(str(view.in_flight))), 5),
    ]
    if view.rejects:
        parts.append(
            Part((Span("rejects ", "muted"), Span(f"{view.rejects}, last {age(view.last_reject_age_s)} ago")), 4)
        )
    if view.denials:
        parts.append(Part((Span("denied ", "muted"), Span(f"{sum(each.count for each in view.denials):,}")), 5))
    return parts


def _control_parts(view: ConsoleView) -> list[Part]:
    """What is allowed: of everything, with the time left; then how many markets and sides differ from that."""
    if view.kill.killed:
        return _kill_parts(view.kill)
    if view.finished:
        return [_part(f"ENDED: {clean(view.finished)}", state_role(view.control), 0)]
    if view.stopping:
        return [_part("STOPPING: cancelling all orders", "warn", 0)]
    if not view.markets and view.control == "ACTIVE":
        return [_part("STARTING", state_role(view.control), 0)]
    parts = [_part(state_words(view.control), state_role(view.control), 0)]
    held = global_control(view)
    if held is not None and held.left_s is not None:
        parts.append(_part(left_words(held.left_s), "warn", 0))
    if apart := exceptions(view):
        timer = least_left(apart)
        parts.append(_part(f"{len(apart)} exception{'s' if len(apart) > 1 else ''}", "warn", 1))
        if timer is not None:
            parts.append(_part(left_words(timer), "warn", 2))
    return parts


def _kill_parts(kill: KillView) -> list[Part]:
    """KILLED, whether zero is proven, and all four counts, on any width; by whom and why where there is room."""
    why = f": {clean(kill.reason)}" if kill.reason else ""
    return [
        _part("KILLED", "", 0),
        _part(report_verdict(kill.report), "", 0),
        _part(report_counts(kill.report), "", 0),
        _part(fit(f"by {clean(kill.by) or 'nobody known'}{why}", _KILLER).rstrip(), "", 2),
    ]


def _venue_parts(view: ConsoleView) -> list[Part]:
    """What the venue or an earlier session forbids, on any width; nothing while nothing is."""
    parts: list[Part] = []
    if words := mode_words(view.venue):
        parts.append(Part((Span("venue ", "muted"), Span(words, mode_role(view.venue))), 0))
    if view.recovering:
        parts.append(_part("RECOVERING", "warn", 0))
    return parts


def _feed_parts(feed: FeedView) -> list[Part]:
    name = "feed" if feed.name == "market" else feed.name
    if not feed.connected:
        detail = fit(clean(feed.detail), _DETAIL).rstrip()
        return [_part(f"{name} DOWN", "warn", 1), *([_part(detail, "warn", 4)] if detail else [])]
    old = feed.age_s is None or feed.age_s > _FEED_OLD_S
    lacks = feed.sockets_up < feed.sockets
    sockets = [Span(f"{feed.sockets_up}/{feed.sockets} ", "warn" if lacks else "muted")] if feed.sockets > 1 else []
    parts = [Part((Span(f"{name} ", "muted"), *sockets, Span(age(feed.age_s), "warn" if old else "")), 2)]
    if feed.reconnects:
        parts.append(_part(f"({feed.reconnects} reconnect{'s' if feed.reconnects > 1 else ''})", "muted", 7))
    return parts


def _books_parts(view: ConsoleView) -> list[Part]:
    """How many books are believed; said on any width once it is not all of them."""
    believed = sum(is_believed(market.data) for market in view.markets)
    count = f"{believed}/{len(view.markets)}"
    if believed < len(view.markets):
        return [_part(f"▲ books {count}", "warn", 2)]
    return [Part((Span("books ", "muted"), Span(count)), 4)]


def _hashes_part(view: ConsoleView) -> Part:
    """How thoroughly the books are proven; anything less than every hash is said on any width."""
    touch_only = sum(market.data.check_every == 0 and market.data.state == "SYNCED" for market in view.markets)
    said = [f"1 in {view.hash_every}"] if view.hash_every > 1 else []
    said += [f"△ {touch_only} touch only"] if touch_only else []
    if said:
        return Part((Span("hashes ", "muted"), Span(", ".join(said), "warn")), 1)
    return Part((Span("hashes ", "muted"), Span("all")), 6)


def _money_line(view: ConsoleView, width: int, console: str) -> list[Part]:
    pnl = view.pnl
    parts = [
        Part((Span(" pnl ", "muted"), Span(signed_usd(pnl.total), _gain(pnl.total))), 0),
        *_account_parts(view, width),
        Part((Span("real ", "muted"), Span(signed_usd(pnl.realised))), 5),
        Part((Span("unreal ", "muted"), Span(signed_usd(pnl.unrealised))), 5),
        Part((Span("at risk ", "muted"), Span(usd(view.gross_exposure))), 2),
        Part((Span("equity ", "muted"), Span(usd(view.equity))), 3),
        Part((Span("cash ", "muted"), Span(usd(view.cash))), 4),
        Part((Span("lag ", "muted"), Span(f"{view.loop_lag_ms:.0f}ms", _slow(view.loop_lag_ms))), 3),
        Part((Span("fills ", "muted"), Span(f"{pnl.fills:,}")), 6),
        _hashes_part(view),
        Part((Span("messages ", "muted"), Span(f"{view.messages_per_s:,.0f}/s")), 7),
        Part((Span("decisions ", "muted"), Span(f"{view.decisions:,}")), 8),
    ]
    if console:
        parts.insert(1, _part(console, "warn", 1))
    return parts


def _account_parts(view: ConsoleView, width: int) -> list[Part]:
    """Our own books, alarms, operations, the heartbeat, a short budget, the market list: said once they are bad."""
    parts = [*_safety_parts(view), *([_part(" BOOKS DO NOT ADD UP ", "alarm", 0)] if view.account.trouble else [])]
    alarms = [finding for finding in view.findings if finding.severity == "alarm"]
    if alarms:
        parts.append(_part(f" {len(alarms)} alarm{'s' if len(alarms) > 1 else ''} ", "alarm", 0))
        parts.append(_part(f"last {age(view.unix - alarms[-1].unix)} ago", "muted", 3))
    if jobs := troubled_jobs(view.account):
        parts.append(_part(f"▲ {job_words(jobs[0])}", "warn", 1))
        if len(jobs) > 1:
            parts.append(_part(f"and {len(jobs) - 1} more", "warn", 2))
    beat = view.venue.heartbeat
    if beat is not None:
        parts.append(Part((Span("beat ", "muted"), Span(age(beat.age_s), beat_role(beat))), 0))
        if beat.trouble:
            room = min(_BEAT_LONGEST, max(_BEAT_DETAIL, width - _BEAT_LONGEST))
            parts.append(_part(fit(clean(beat.trouble), room).rstrip(), "warn", 1))
    if view.venue.short:
        parts.append(_part("rate budget short", "warn", 1))
    if news := list_news(view.market_list):
        parts.append(_part(f"▲ list: {news[0]}", "warn", 1))
        parts += [_part(f"and {more}", "warn", 2) for more in news[1:]]
    return parts


def _safety_parts(view: ConsoleView) -> list[Part]:
    """A watchdog that is down, a journal that stands still, a clock that is off; nothing while all is well."""
    parts = []
    if view.kill.guarded and not view.kill.watchdog_up:
        parts.append(_part(" NO WATCHDOG ", "alarm", 0))
    if view.journal_stalled_s:
        role = "alarm" if view.journal_stalled_s >= STALL_STOPS_S else "warn"
        parts.append(_part(f" journal waits {view.journal_stalled_s:.0f}s ", role, 0))
    skew_s = view.clock_skew_s
    if skew_s is not None and abs(skew_s) > SKEW_WARNS_S:
        said = f"clock {skew_s:+.1f}s".replace("-", MINUS)
        parts.append(_part(said, skew_role(skew_s), 1))
    return parts


def _line(parts: list[Part], width: int, ground: str, right: Span | None = None) -> Row:
    room = width - (len(right.text) + 1 if right else 0)
    kept = list(parts)
    while len(kept) > 1 and _width(kept) > room:
        last = max(part.rank for part in kept)
        kept.pop(max(i for i, part in enumerate(kept) if part.rank == last))
    plain = ground == "alarm"
    spans: list[Span] = []
    for index, part in enumerate(kept):
        if index:
            spans.append(Span(" │ " if index == 1 else "  ", "" if plain else "muted"))
        spans += [Span(span.text) if plain else span for span in part.spans]
    if right:
        gap = width - sum(cell_len(span.text) for span in spans) - len(right.text)
        spans += [Span(" " * max(1, gap)), Span(right.text) if plain else right]
    return row(*spans, ground=ground)


def _width(parts: list[Part]) -> int:
    """Cells of the parts with what stands between them."""
    between = 2 * (len(parts) - 1) + 1
    return sum(cell_len(span.text) for part in parts for span in part.spans) + between


def _part(text: str, role: str, rank: int) -> Part:
    return Part((Span(text, role),), rank)


def _gain(amount: int) -> str:
    return "bid" if amount > 0 else "ask" if amount < 0 else ""


def _slow(lag_ms: float) -> str:
    return "warn" if lag_ms >= _LAG_SLOW_MS else ""


class StatusStrip(LineWidget):
    """Draws :func:`status_rows`; repeats nothing that did not change."""

    DEFAULT_CSS = """
    StatusStrip { dock: top; height: 2; width: 1fr; background: $panel; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._view: ConsoleView | None = None
        self._silent_s = 0.0
        self._trouble = ""
        self._kill: KillView | None = None

    def show(
        self, view: ConsoleView | None, silent_s: float = 0.0, console: str = "", kill: KillView | None = None
    ) -> None:
        """Draw a view; see :func:`status_rows` for the rest."""
        self._view, self._silent_s, self._trouble, self._kill = view, silent_s, console, kill
        self.update_rows()

    def make_rows(self, width: int, height: int) -> list[Row]:
        """See :func:`status_rows`."""
        return status_rows(self._view, width, self._silent_s, self._trouble, self._kill)
