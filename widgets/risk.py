"""Everything that stands between a wish and an order: kill switch, states, flattenings, caps, protections, denials."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Final

from core.views import CapScope, CapView, ConsoleView, ControlView, DenialView, MarketView, ProtectionView
from widgets.control_words import (
    kill_words,
    left_words,
    report_course,
    report_words,
    skew_role,
    skew_words,
    state_role,
    state_words,
    watchdog_role,
    watchdog_words,
    why_words,
)
from widgets.figures import usd_figure
from widgets.format import NOTHING, age, brief, clean, fit, number, shares, usd, wrap_words
from widgets.line_widget import PagedLineWidget, Row, Span, message_rows, row

_LABEL: Final = 11
_TEXT_LINES: Final = 3
_REPORT_LINES: Final = 2
_INDENT: Final = 3

_STATE: Final = 12
_SCOPE_LEAST: Final = 26
_SCOPE_MOST: Final = 46
_TIME: Final = 6
_WHY_LEAST: Final = 40
"""Cells from which the reason of a state stands beside it."""

_BAR_LEAST: Final = 8
_BAR_MOST: Final = 40
_AMOUNT: Final = 11
_CAP_LABEL: Final = 60
_NEAR: Final = 0.5
"""Part of a cap from which it is shown whatever market is selected."""
_CLOSE: Final = 0.9
"""Part of a cap from which it is worth a colour; orders that rest may well use most of one."""
_SCOPE_NAMES: Final[dict[CapScope, str]] = {
    "account": "account",
    "group": "event",
    "market": "market",
    "token": "token",
}

_NAME: Final = 11
_TWO_COLUMNS: Final = 70
"""Cells from which what a protection measures stands beside what trips it."""
_COLUMN_LINES: Final = 2
_THRESHOLD_MOST: Final = 60
_TRIPS: Final = 6
_CODE: Final = 15
_COUNT: Final = 7


def risk_rows(view: ConsoleView | None, market: MarketView | None, width: int) -> list[Row]:
    """All lines: what stops everything, then states, flattenings, caps, protections, and what the gate denied.

    Args:
        view: what to draw; None before the first.
        market: the selected one, whose caps are shown first.
        width: cells.
    """
    if view is None:
        return message_rows(["no figures yet"], 6)
    titles = {each.market: brief(each.title) for each in view.markets}
    selected = market.market if market else ""
    return [
        *_switch_rows(view, width),
        row(),
        *_state_rows(view, titles, width),
        *_flatten_rows(view, width),
        row(),
        *_cap_rows(view.caps, titles, selected, width),
        row(),
        *_protection_rows(view.protections, width),
        row(),
        *_denial_rows(view.denials, titles, width),
    ]


def _labelled(label: str, text: str, width: int, role: str = "") -> list[Row]:
    """A label and a clean text over a few lines."""
    lines = wrap_words(text, width - _LABEL - 2)[:_TEXT_LINES] or [""]
    return [
        row((f" {label if place == 0 else '':<{_LABEL}}", "muted"), (line, role)) for place, line in enumerate(lines)
    ]


def _heading(name: str, rest: str, width: int) -> Row:
    return row((f" {name}", "strong"), (fit(f"  {rest}", max(0, width - len(name) - 1)).rstrip(), "muted"))


# What stops everything


def _switch_rows(view: ConsoleView, width: int) -> list[Row]:
    """The kill switch and its report, the watchdog, the clock and the journal."""
    kill = view.kill
    rows = []
    if kill.killed:
        rows += _labelled("KILLED", kill_words(kill), width, "alarm")
        rows += _labelled("orders", report_words(kill.report), width, _report_role(view))
        if course := report_course(kill.report):
            rows += _labelled("", course, width, "muted")[:_REPORT_LINES]
        rows += _labelled("", "nothing is placed before a re-arm (palette)", width, "muted")
    else:
        rows += _labelled("kill", "armed", width, "good")
    rows += _labelled("watchdog", watchdog_words(kill), width, watchdog_role(kill))
    rows += _labelled("clock", skew_words(view.clock_skew_s), width, skew_role(view.clock_skew_s))
    if stalled := view.journal_stalled_s:
        return [*rows, *_labelled("journal", f"waiting {stalled:.1f}s for the disk", width, "warn")]
    return [*rows, *_labelled("journal", "written", width)]


def _report_role(view: ConsoleView) -> str:
    report = view.kill.report
    return "good" if report is not None and report.zero else "alarm"


# Control states


def _state_rows(view: ConsoleView, titles: Mapping[str, str], width: int) -> list[Row]:
    """Every state that is not ACTIVE: how strict, of what, since when, for how long, why and by whom."""
    if not view.controls:
        return [_heading("STATES", "everything is active", width)]
    scope_cells = max(_SCOPE_LEAST, min(_SCOPE_MOST, width // 4 - 3))
    head = f"   {'STATE':<{_STATE}}{'OF':<{scope_cells}}{'SINCE':>{_TIME}}{'LEFT':>{_TIME}}  WHY"
    rows = [row((fit(head, width).rstrip(), "muted"))]
    for control in sorted(view.controls, key=lambda each: (each.market != "", each.side != "")):
        rows += _state_lines(control, view.unix, titles, scope_cells, width)
    return rows


def _state_lines(
    control: ControlView, unix: float, titles: Mapping[str, str], scope_cells: int, width: int
) -> list[Row]:
    """A state; where there is no room beside it, the reason stands below."""
    scope = titles.get(control.market) or clean(control.market) or "all markets"
    side = f" {control.side}" if control.side else ""
    left = NOTHING if control.left_s is None else age(control.left_s)
    beside = width - _INDENT - _STATE - scope_cells - 2 * _TIME - 3 >= _WHY_LEAST
    indent = _INDENT + _STATE + scope_cells + 2 * _TIME + 2 if beside else _INDENT + _STATE
    lines = wrap_words(why_words(control), width - indent - 1)[:_TEXT_LINES]
    first = lines.pop(0) if beside else ""
    return [
        row(
            " " * _INDENT,
            (state_words(control.state), state_role(control.state)),
            " " * (_STATE - len(control.state)),
            fit(fit(scope, scope_cells - 1 - len(side)).rstrip() + side, scope_cells),
            (number(age(unix - control.since_unix), _TIME), "muted"),
            (number(left, _TIME), "warn" if control.left_s is not None else "muted"),
            "  ",
            first,
        ),
        *[row(" " * indent, (line, "" if beside else "muted")) for line in lines],
    ]


# Flattenings


def _flatten_rows(view: ConsoleView, width: int) -> list[Row]:
    """What is being closed, how far it is, and what it cost so far."""
    rows: list[Row] = []
    for market in view.markets:
        if (flatten := market.flatten) is None:
            continue
        left = f", next step in {age(flatten.left_s)}" if flatten.left_s is not None else ""
        head = (
            f"{brief(market.title)}: {flatten.step}, {shares(flatten.left)} of {shares(flatten.start)} left, "
            f"cost {usd(flatten.spent)} of at most {usd(flatten.cap)}{left}"
        )
        rows += [row(), *_labelled("flattening", head, width, "own")]
        rows += _labelled("", clean(flatten.text), width, "muted") if flatten.text else []
    return rows


# Caps


def _cap_rows(caps: Sequence[CapView], titles: Mapping[str, str], selected: str, width: int) -> list[Row]:
    """How much of every cap is used, the account's first; of tokens those of the selected market and those near."""
    if not caps:
        return [_heading("CAPS", "nothing is known of them yet", width)]
    shown = [cap for cap in caps if _is_shown(cap, selected)]
    rows = [_heading("CAPS", "worst case at cost, of tokens the value; with every order at risk filled", width)]
    rows += [_cap_row(cap, titles, selected, width) for cap in shown]
    if hidden := len(caps) - len(shown):
        rows.append(row((fit(f"   and {hidden} more, none of them used by half", width).rstrip(), "muted")))
    return rows


def _is_shown(cap: CapView, selected: str) -> bool:
    used = _part(cap)
    return cap.scope in ("account", "group") or cap.market == selected or used is None or used >= _NEAR


def _part(cap: CapView) -> float | None:
    """How much is used of a cap; None of one of nothing that is used."""
    return cap.used / cap.cap if cap.cap > 0 else 0.0 if cap.used <= 0 else None


def _cap_row(cap: CapView, titles: Mapping[str, str], selected: str, width: int) -> Row:
    used = _part(cap)
    bar_cells = max(_BAR_LEAST, min(_BAR_MOST, (width - 60) // 2))
    label_cells = max(_LABEL, min(_CAP_LABEL, width - bar_cells - 2 * _AMOUNT - 18))
    title = titles.get(cap.market, "")
    name = brief(cap.name)
    said = f"{name} of {title}" if cap.scope == "token" and title else name or title
    label = f"{_SCOPE_NAMES[cap.scope]:<8}{said}"
    role = "" if used is not None and used < _CLOSE else "warn"
    filled = bar_cells if used is None else max(0, min(bar_cells, round(bar_cells * used)))
    percent = ">9x" if used is None or used >= 9.995 else f"{used:.0%}"
    return row(
        ("›" if cap.market and cap.market == selected else " ", "strong"),
        "  ",
        fit(label, label_cells),
        (number(percent, 6), role),
        " ",
        ("█" * filled, "warn" if role else "area"),
        ("░" * (bar_cells - filled), "muted"),
        number(usd_figure(cap.used, _AMOUNT), _AMOUNT),
        (" of", "muted"),
        (number(usd_figure(cap.cap, _AMOUNT), _AMOUNT), "muted"),
    )


# Protections


def _protection_rows(protections: Sequence[ProtectionView], width: int) -> list[Row]:
    """Every protection: whether it is on, what trips it, how near that is, how often it did, until when it holds."""
    if not protections:
        return [_heading("PROTECTIONS", "nothing is known of them yet", width)]
    room = max(0, width - _INDENT - _NAME - 4 - _TRIPS - 2 * _TIME)
    beside = room >= _TWO_COLUMNS
    threshold = min(_THRESHOLD_MOST, room // 2) if beside else room
    present = min(_THRESHOLD_MOST, room - threshold) if beside else 0
    head = f"   {'PROTECTION':<{_NAME + 3}} {fit('TRIPS AT', threshold)}{fit('NOW', present)}"
    rows = [row((f"{head}{'TRIPS':>{_TRIPS}}{'UNTIL':>{2 * _TIME}}", "muted"))]
    for each in protections:
        rows += _protection_lines(each, threshold, present)
    return rows


def _protection_lines(each: ProtectionView, threshold_cells: int, present_cells: int) -> list[Row]:
    """Both texts in columns that keep a blank between them; what is measured stands below where it has no column."""
    role = "warn" if each.holds else "" if each.on else "muted"
    until = "" if not each.holds else "resumed" if each.left_s is None else left_words(each.left_s)
    limits = wrap_words(clean(each.threshold), threshold_cells - 1)[:_COLUMN_LINES] or [""]
    present = clean(each.present)
    if present_cells:
        measured = wrap_words(present or NOTHING, present_cells - 1)[:_COLUMN_LINES]
    else:
        limits += [f"now {present}"] if present else []
        measured = [""]
    more = list(zip_longest(limits, measured, fillvalue=""))
    return [
        row(
            (" ▲ " if each.holds and place == 0 else "   ", "warn"),
            (fit(clean(each.name) if place == 0 else "", _NAME), role),
            (("on  " if each.on else "off ") if place == 0 else "    ", "good" if each.on else "muted"),
            (fit(limit, threshold_cells), role),
            (fit(measure, present_cells), role),
            *([] if place else _trips(each, until)),
        )
        for place, (limit, measure) in enumerate(more)
    ]


def _trips(each: ProtectionView, until: str) -> tuple[Span, Span]:
    count = Span(number(f"{each.trips:,}", _TRIPS), "warn" if each.trips else "muted")
    return count, Span(until.rjust(2 * _TIME), "warn")


# Denials


def _denial_rows(denials: Sequence[DenialView], titles: Mapping[str, str], width: int) -> list[Row]:
    """What the gate let not through, by reason, with the last text of each."""
    if not denials:
        return [_heading("DENIALS", "the gate let every order through", width)]
    rows = [row((f"   {'DENIED':<{_CODE}}{'COUNT':>{_COUNT}}{'LAST':>{_TIME}}  WHY", "muted"))]
    indent = _INDENT + _CODE + _COUNT + _TIME + 2
    for each in denials:
        title = titles.get(each.market) or clean(each.market)
        first, *rest = wrap_words(clean(each.text) + (f" [{title}]" if title else ""), width - indent) or [""]
        rows.append(
            row(
                " " * _INDENT,
                fit(fit(clean(each.code.replace("_", " ")), _CODE - 1), _CODE),
                number(f"{each.count:,}", _COUNT),
                (number(age(each.age_s), _TIME), "muted"),
                "  ",
                (first, "muted"),
            )
        )
        rows += [row(" " * indent, (line, "muted")) for line in rest[: _TEXT_LINES - 1]]
    return rows


class Risk(PagedLineWidget):
    """Draws :func:`risk_rows`, scrolled where the terminal is low."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._view: ConsoleView | None = None
        self._market: MarketView | None = None

    def show(self, view: ConsoleView, market: MarketView | None) -> None:
        """Draw the risk of a view; the caps of one market are shown whatever they are."""
        self._view, self._market = view, market
        self.update_rows()

    def all_rows(self, width: int) -> list[Row]:
        """See :func:`risk_rows`."""
        return risk_rows(self._view, self._market, width)

    def retitle(self) -> None:
        """Say whether the switch was pulled, and how much is out of sight."""
        killed = self._view is not None and self._view.kill.killed
        self.set_titles("Risk, KILLED" if killed else "Risk", self.place() or "dollars")
