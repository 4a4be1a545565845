"""What the venue lets us do, what on the account is not ours, and what does not fit between our books and its."""

from collections.abc import Iterable, Mapping
from typing import Final

from core.views import ConsoleView, FindingView, ForeignOrderView
from widgets.control_words import global_control, state_words, why_words
from widgets.format import age, brief, clean, fit, shares, wrap_words
from widgets.inventory import foreign_words
from widgets.line_widget import PagedLineWidget, Row, Span, message_rows, row
from widgets.venue_words import beat_role, beat_words, budget_role, budget_words, mode_role, mode_words

_LABEL: Final = 11
_LINES: Final = 3
"""Lines of a text with a label; a venue may say more than anybody reads."""
_TITLE: Final = 32
_INDENT: Final = 7
_SUBJECT: Final = 18
"""Characters of an order or trade id: enough to find it in the journal."""
_SAID: Final = 80
"""Cells of what a side says: a number or a word of state, unless the venue answers with a page."""
_ORDERS: Final = 8
"""Orders that are not ours which are named; with more of them the findings below would be out of sight."""
_SUBJECTS: Final = 3
"""Ids that are named where several findings are alike."""
_SIGNS: Final = {"info": " ", "fill": " ", "warning": "▲", "alarm": "!"}
_SIGN_ROLES: Final = {"info": "", "fill": "", "warning": "warn", "alarm": "warn"}
_EFFECTS: Final = {"none": "", "hold": "the market rests", "quarantine": "closed the market", "halt": "HALTED ALL"}


def finding_rows(view: ConsoleView | None, width: int) -> list[Row]:
    """All lines: what holds all markets, the venue, closed markets, what is not ours, then findings, newest first."""
    if view is None:
        return message_rows(["no figures yet"], 6)
    titles = {market.market: brief(market.title) for market in view.markets}
    rows = [*_control_rows(view, width), *_venue_rows(view, width), *_closed_rows(view, width)]
    rows += [*_foreign_rows(view, titles, width), row()]
    if not view.findings:
        return [*rows, row((" no findings so far", "muted"))]
    for group in _alike(reversed(view.findings)):
        rows += _finding_lines(group, view.unix, titles, width)
    return rows


def _control_rows(view: ConsoleView, width: int) -> list[Row]:
    """What holds all markets, why, and what ends it: the venue may be well again while we are not."""
    control = global_control(view)
    if control is None:
        return []
    said = f"{state_words(control.state).lower()}: {why_words(control)}"
    return _labelled("control", said, width, "warn")


# The venue


def _venue_rows(view: ConsoleView, width: int) -> list[Row]:
    venue = view.venue
    mode = mode_words(venue) or venue.mode
    rows = _labelled("venue", f"{mode}: {venue.detail}" if venue.detail else mode, width, mode_role(venue))
    if venue.heartbeat is None:
        rows += _labelled("heartbeat", "none in this mode", width, "muted")
    else:
        rows += _labelled("heartbeat", beat_words(venue.heartbeat), width, beat_role(venue.heartbeat))
    if venue.budget is not None:
        rows += _labelled("rates", budget_words(venue.budget), width, budget_role(venue.budget))
    if venue.short:
        rows += _labelled("", venue.short, width, "warn")
    if view.recovering:
        rows += _labelled("start", view.recovering, width, "warn")
    return rows


def _closed_rows(view: ConsoleView, width: int) -> list[Row]:
    """Markets in which nothing is placed because something does not fit in them."""
    closed = [market for market in view.markets if market.closed]
    return [
        line for each in closed for line in _labelled("closed", f"{brief(each.title)}: {each.closed}", width, "warn")
    ]


# What is not ours


def _foreign_rows(view: ConsoleView, titles: Mapping[str, str], width: int) -> list[Row]:
    held = [(market, words) for market in view.markets if (words := foreign_words(market.inventory))]
    orders = view.foreign_orders
    if not held and not orders and not view.foreign_trades:
        return _labelled("not ours", "nothing that is known of", width, "muted")
    told = [
        f"{count} {thing}{'' if count == 1 else 's'}"
        for count, thing in ((len(orders), "open order"), (view.foreign_trades, "trade"))
        if count
    ]
    told += [f"shares in {len(held)} market{'' if len(held) == 1 else 's'}"] if held else []
    fate = "left alone, but cancel all and KILL cancel orders" if orders else "left alone"
    rows = _labelled("not ours", f"{', '.join(told)}: {fate}", width, "warn")
    rows += [_foreign_order(order, titles, width) for order in orders[:_ORDERS]]
    if len(orders) > _ORDERS:
        rows.append(_indented(f"and {len(orders) - _ORDERS} orders more", width))
    rows += [_indented(f"holds {words}, {titles[market.market]}", width) for market, words in held]
    return rows


def _foreign_order(order: ForeignOrderView, titles: Mapping[str, str], width: int) -> Row:
    left = shares(order.size - order.matched)
    what = " ".join(part for part in (order.side or "side not told", left, order.outcome) if part)
    where = titles.get(order.market) or f"a market that is not made, {order.market[:_SUBJECT]}"
    return _indented(f"{what} at {order.price}, {fit(where, _TITLE).rstrip()}, {order.order_id[:_SUBJECT]}", width)


# Findings


def _alike(findings: Iterable[FindingView]) -> list[list[FindingView]]:
    """Findings that differ in nothing but their subject, together; the order is that of the first of each."""
    groups: dict[tuple[str, ...], list[FindingView]] = {}
    for each in findings:
        key = (each.code, each.severity, each.effect, each.market, each.text, each.ours, each.venue)
        groups.setdefault(key, []).append(each)
    return list(groups.values())


def _finding_lines(group: list[FindingView], unix: float, titles: Mapping[str, str], width: int) -> list[Row]:
    """Age of the newest, code, effect and market; then the text, both numbers and what it is about."""
    newest = group[0]
    parts = [clean(newest.code.replace("_", " ")), f"x{len(group)}" if len(group) > 1 else "", _EFFECTS[newest.effect]]
    title = titles.get(newest.market) or clean(newest.market[:_SUBJECT])
    head = f" {', '.join(part for part in parts if part)}  {title}"
    subjects = [each.subject[:_SUBJECT] for each in group[:_SUBJECTS]]
    subjects += [f"and {len(group) - _SUBJECTS} more"] if len(group) > _SUBJECTS else []
    text = f"{newest.text}{_both_numbers(newest)} [{', '.join(subjects)}]"
    return [
        row(
            (f"{age(unix - newest.unix):>4} ", "muted"),
            (_SIGNS[newest.severity], _SIGN_ROLES[newest.severity]),
            (fit(head, width - _INDENT).rstrip(), "strong" if newest.severity == "alarm" else ""),
        ),
        *[row(" " * _INDENT, (line, "muted")) for line in wrap_words(clean(text), width - _INDENT)],
    ]


def _both_numbers(finding: FindingView) -> str:
    ours, venue = (fit(clean(each), _SAID).rstrip() for each in (finding.ours, finding.venue))
    if ours and venue:
        return f": ours {ours}, the venue's {venue}"
    return f": the venue says {venue}" if venue else f": ours {ours}" if ours else ""


def _labelled(label: str, text: str, width: int, role: str = "") -> list[Row]:
    """A label and a text, which may be foreign, over a few lines."""
    lines = wrap_words(clean(text), width - _LABEL - 2)[:_LINES] or [""]
    return [
        row((f" {label if place == 0 else '':<{_LABEL}}", "muted"), (line, role)) for place, line in enumerate(lines)
    ]


def _indented(text: str, width: int) -> Row:
    return row(" " * (_LABEL + 1), Span(fit(clean(text), width - _LABEL - 2).rstrip()))


class Findings(PagedLineWidget):
    """Draws :func:`finding_rows`, scrolled where the terminal is low."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._view: ConsoleView | None = None

    def show(self, view: ConsoleView) -> None:
        """Draw the findings of a view."""
        self._view = view
        self.update_rows()

    def all_rows(self, width: int) -> list[Row]:
        """See :func:`finding_rows`."""
        return finding_rows(self._view, width)

    def retitle(self) -> None:
        """Count the findings, and say how much is out of sight."""
        findings = self._view.findings if self._view else ()
        alarms = sum(finding.severity == "alarm" for finding in findings)
        told = f", {alarms} alarm{'' if alarms == 1 else 's'}" if alarms else ""
        self.set_titles(f"Findings {len(findings)}{told}", self.place() or "newest first")
