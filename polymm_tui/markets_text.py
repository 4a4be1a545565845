"""The ``markets`` command's answers as text of 80 columns, or as many as the terminal has; all of it is cleaned."""

import math
import shutil
from collections.abc import Iterator, Sequence
from typing import Final

from rich.cells import cell_len

from core.selection.discover import Candidate, Discovery
from core.selection.showing import income_view
from core.views import (
    ListedMarketView,
    ListView,
    ProposalLineView,
    ProposalView,
    RejectedRowView,
    RuleView,
)
from polymm_tui.status_text import moment
from widgets.format import MINUS, NOTHING, age, clean, fit, usd, wrap_words

LEAST_WIDTH: Final = 80
MOST_WIDTH: Final = 200
_ROW: Final = 6
_STANDING: Final = 9
_AMOUNT: Final = 10
_PART: Final = 8
_SCORE: Final = 7
_LARGE: Final = 99_999.995
_MOST_PART: Final = 99.0
_DOLLAR: Final = 100.0
_RULE: Final = 14
_VALUE: Final = 22
_SIGNS: Final = {"add": "+", "remove": MINUS, "change": "~"}


def width() -> int:
    """Cells of a line: those of the terminal, within bounds; 80 where there is none."""
    return min(MOST_WIDTH, max(LEAST_WIDTH, shutil.get_terminal_size((LEAST_WIDTH, 24)).columns))


def list_lines(view: ListView, *, is_running: bool, cells: int | None = None) -> list[str]:
    """Every market with its standing and why, the rows that cannot be used, and what waits."""
    room = cells or width()
    lines = [*_head(view, room, is_running=is_running), ""]
    lines += _table(view.markets, room)
    lines += _rejected(view.rejected, room)
    if view.proposal is not None:
        count = len(view.proposal.lines)
        lines += [
            "",
            *_wrapped(f"{count} {_plural('change', count)} wait: {view.proposal.why}; see `markets diff`", room),
        ]
    return lines


def screen_lines(view: ListView, *, is_running: bool, cells: int | None = None) -> list[str]:
    """Every rule with number and bound for every market, where its figures are from, and its expected income."""
    room = cells or width()
    lines = _head(view, room, is_running=is_running)
    for market in view.markets:
        lines += ["", fit(_name(market.title, market.market), room).rstrip()]
        reason = f": {market.reason}" if market.reason else ""
        lines += _wrapped(f"row {market.row}, {market.standing}{reason}", room, "  ")
        if market.figures:
            lines += _wrapped(f"figures: {market.figures}", room, "  ")
        for note in market.notes:
            lines += _wrapped(f"told: {note}", room, "  ")
        lines += [line for rule in market.rules for line in _rule_lines(rule, room)]
        if market.rules:
            lines += _income_lines(market, room)
    return [*lines, *_rejected(view.rejected, room)]


def diff_lines(
    view: ListView,
    would: Sequence[ProposalLineView],
    held: Sequence[tuple[str, str]],
    would_wait: ProposalView | None = None,
    *,
    is_running: bool,
    cells: int | None = None,
) -> list[str]:
    """The changes that wait, and how to answer; else what a reading now changes.

    Args:
        view: of the list.
        would: what applies by itself.
        held: (market, why) of rows in force that stay although the reading has others.
        would_wait: what a session that runs would propose at its next reading; nobody can answer it before.
        is_running: a session was asked.
        cells: of a line; None for the terminal's.
    """
    room = cells or width()
    lines = [*_head(view, room, is_running=is_running), ""]
    if view.proposal is not None:
        told = view.proposal
        count = len(told.lines)
        since = f"{count} {_plural('change', count)} wait since {moment(told.since_unix)}"
        lines += _wrapped(f"{since}: {told.why}", room)
        lines += [line for each in told.lines for line in _change_lines(each, room)]
        token = clean(told.token)
        lines += ["", f"to approve: polymm-tui markets approve {token}"]
        lines += [f"to reject:  polymm-tui markets reject {token}"]
    elif would_wait is not None:
        count = len(would_wait.lines)
        head = f"{count} {_plural('change', count)} would wait for you {_next_reading(view)}: {would_wait.why}"
        lines += _wrapped(head, room)
        lines += [line for each in would_wait.lines for line in _change_lines(each, room)]
    elif would:
        when = _next_reading(view) if is_running else "at the next start"
        lines += _wrapped(f"{len(would)} {_plural('change', len(would))}, applied by itself {when}:", room)
        lines += [line for each in would for line in _change_lines(each, room)]
    else:
        lines += ["nothing waits, and the list says what is in force"]
    for market, why in held:
        lines += _wrapped(f"stays: {_brief(market)}: {why}", room)
    return [*lines, *_rejected(view.rejected, room)]


def _next_reading(view: ListView) -> str:
    return "at its next reading" if view.next_s is None else f"at its next reading, in {age(view.next_s)}"


def discovery_lines(found: Discovery, *, cells: int | None = None) -> list[str]:
    """Open markets, best first, with what they are expected to earn and why some are none for the list."""
    room = cells or width()
    passing = sum(1 for candidate in found.candidates if not candidate.against)
    shown = f"the best {len(found.candidates)}" if found.candidates else "none"
    head = f"{found.scanned:,} open markets looked at; {shown} shown, of which {passing} pass; incomes are estimates"
    lines = [*_wrapped(head, room), *(line for note in found.notes for line in _wrapped(note, room)), ""]
    title = room - 3 - 2 * (_AMOUNT + 1) - _PART - _SCORE - 3
    columns = f"{'income/day':>{_AMOUNT}} {'per $':>{_PART}} {'break-even':>{_AMOUNT}} {'score':>{_SCORE}}"
    lines.append(f"{'':>3} {fit('market', title)} {columns}")
    for rank, candidate in enumerate(found.candidates, 1):
        lines += _candidate_lines(rank, candidate, title, room)
    return lines


def _candidate_lines(rank: int, candidate: Candidate, title: int, room: int) -> Iterator[str]:
    income = candidate.screening.income
    total, frac = (None, None) if income is None else (income.usd_per_day, income.frac)
    drift = None if income is None else income_view(income).break_even_cents
    figures = (
        f"{_money(total):>{_AMOUNT}} {_percent(frac):>{_PART}} {_drift(drift):>{_AMOUNT}} "
        f"{_short(candidate.screening.score):>{_SCORE}}"
    )
    name = fit(_name(candidate.title, candidate.sourced.row.market), title)
    yield f"{'-' if candidate.against else str(rank):>3} {name} {figures}"
    if candidate.against:
        yield from _wrapped(candidate.against, room, "      ")


def _head(view: ListView, room: int, *, is_running: bool) -> list[str]:
    """Where the list is from, and what is the matter with it."""
    read = "" if view.read_unix is None else f", as of {moment(view.read_unix)}"
    again = "" if view.next_s is None else f", read again in {age(view.next_s)}"
    lines = _wrapped(f"{view.source}{read}{again}", room)
    if not is_running:
        lines += _wrapped("no session runs: standings are those of a start now", room)
    if view.trouble:
        lines += _wrapped(f"TROUBLE: {view.trouble}", room)
    for note in view.notes:
        lines += _wrapped(f"note: {note}", room)
    return lines


def _table(markets: Sequence[ListedMarketView], room: int) -> Iterator[str]:
    if not markets:
        return
    title = room - _ROW - _STANDING - _AMOUNT - _PART - _SCORE - 5
    columns = f"{'income/day':>{_AMOUNT}} {'per $':>{_PART}} {'score':>{_SCORE}}"
    yield f"{'row':>{_ROW}} {fit('state', _STANDING)} {fit('market', title)} {columns}"
    for market in markets:
        figures = f"{_money(market.income_usd):>{_AMOUNT}} {_percent(market.income_frac):>{_PART}}"
        name = fit(_name(market.title, market.market), title)
        state = fit(market.standing, _STANDING)
        yield f"{market.row:>{_ROW}} {state} {name} {figures} {_short(market.score):>{_SCORE}}"
        limits = [f"profile {market.profile}"] if market.profile else []
        limits += [f"at most {usd(market.max_usd)}"] if market.max_usd is not None else []
        note = "" if clean(market.note) == clean(market.title) else market.note
        for text in (market.reason, ", ".join(limits), note):
            yield from _wrapped(text, room, "      ")


def _rejected(rows: Sequence[RejectedRowView], room: int) -> list[str]:
    if not rows:
        return []
    count = len(rows)
    lines = ["", f"{count} {_plural('row', count)} cannot be used:"]
    for row in rows:
        value = f" {clean(row.value)!r}" if row.value else ""
        lines += _wrapped(f"row {row.row}, {clean(row.column) or 'as a whole'}{value}: {row.reason}", room, "  ")
    return lines


def _rule_lines(rule: RuleView, room: int) -> Iterator[str]:
    mark = "ok  " if rule.passed else "FAIL"
    name = fit(clean(rule.rule).replace("_", " "), _RULE)
    value, bound = clean(rule.value) or NOTHING, clean(rule.bound)
    before = f"  {mark} {name} "
    if cell_len(value) > _VALUE:
        yield from _wrapped(f"{value}, wanted {bound}", room, before)
        return
    yield from _wrapped(bound, room, f"{before}{fit(value, _VALUE)} ")


def _income_lines(market: ListedMarketView, room: int) -> Iterator[str]:
    income = market.income
    if income is None:
        yield from _wrapped("no estimate of its income: neither price nor depth is told", room, "  ")
        return
    part = f", {_percent(market.income_frac)} of ${income.at_risk_usd:,.2f} at risk" if income.at_risk_usd else ""
    drift = income.break_even_cents
    even = "" if drift is None else f"; it breaks even at {_drift(drift)} of adverse drift a share"
    yield from _wrapped(f"expected to earn {_money(market.income_usd)} a day{part}{even}", room, "  ")
    terms = (
        f"rewards {_money(income.reward_usd)}, rebates {_money(income.rebate_usd)}, spread "
        f"{_money(income.spread_usd)}, drift {_money(-income.drift_usd)}, capital {_money(-income.capital_usd)}"
    )
    yield from _wrapped(terms, room, "    ")
    for words in income.words:
        yield from _wrapped(words, room, "    ")


def _change_lines(change: ProposalLineView, room: int) -> Iterator[str]:
    yield from _wrapped(f"{_name(change.title, change.market)}: {change.text}", room, f"  {_SIGNS[change.kind]} ")


def _wrapped(text: str, room: int, before: str = "") -> list[str]:
    """Cleaned text in lines of at most ``room`` cells; the first begins with ``before``, the others below it."""
    indent = cell_len(before)
    lines = wrap_words(clean(text), room - indent)
    return [f"{' ' * indent if index else before}{line}" for index, line in enumerate(lines)]


def _name(title: str, market: str) -> str:
    return clean(title) or _brief(market)


def _brief(market: str) -> str:
    return clean(market)[:14]


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def _money(dollars: float | None) -> str:
    """Dollars in at most ten cells."""
    if dollars is None:
        return NOTHING
    amount = abs(round(dollars, 2))
    sign = MINUS if dollars < 0 and amount else ""
    return f"{sign}${amount:,.2f}" if amount < _LARGE else f"{sign}${_short(amount)}"


def _percent(part: float | None) -> str:
    """A part in at most eight cells."""
    if part is None:
        return NOTHING
    if abs(part) >= _MOST_PART:
        return f"{'<' + MINUS if part < 0 else '>'}{_MOST_PART:.0%}"
    return f"{part:.2%}".replace("-", MINUS)


def _drift(cents: float | None) -> str:
    """An adverse drift; a whole dollar is more than any."""
    if cents is None:
        return NOTHING
    if abs(cents) >= _DOLLAR:
        return f"{'<' + MINUS if cents < 0 else '>'}100¢"
    return f"{cents:.2f}¢".replace("-", MINUS)


def _short(number: float | None) -> str:
    """A large number in at most six cells: ``"21.9M"``."""
    if number is None or math.isnan(number):
        return NOTHING
    if abs(number) < 1.0:
        return f"{number:.0f}"
    for limit, divisor, letter in ((999.5, 1.0, ""), (999.5e3, 1e3, "k"), (999.5e6, 1e6, "M"), (999.5e9, 1e9, "G")):
        if abs(number) < limit:
            return f"{number / divisor:.3g}{letter}"
    return f"{number:.0e}"
