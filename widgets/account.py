"""The whole account: what it is worth, what each market holds and earned, and the operations on the inventory."""

from collections.abc import Sequence
from typing import Final

import msgspec

from core.units import MICRO
from core.views import ConsoleView, MarketView, PnlView, SplitView
from widgets.figures import (
    Column,
    day_of,
    figure_row,
    first_fitting,
    fitting_columns,
    gain_span,
    head_row,
    share_figure,
    usd_figure,
)
from widgets.format import NOTHING, brief, clean, fit, model_cents, number, short_shares, wrap_words
from widgets.inventory import fact_spans, inventory_facts
from widgets.jobs import job_rows
from widgets.line_widget import PagedLineWidget, Row, Span, message_rows, row

_LABEL: Final = 12
_COLUMN: Final = 26
_COLUMN_MOST: Final = 40
_FIGURE: Final = 13
_TEXT_LINES: Final = 3
_HALF_A_CENT: Final = MICRO // 200
_FACT: Final = 39
"""Least cells of a column of facts about one market."""


def account_rows(view: ConsoleView | None, market: MarketView | None, width: int) -> list[Row]:
    """All lines: the account, holdings, profits, this session's profit by cause, the selected market, operations."""
    if view is None:
        return message_rows(["no figures yet"], 6)
    titles = {each.market: brief(each.title) for each in view.markets}
    selected = market.market if market else ""
    return [
        *_trouble_rows(view, width),
        *_worth_rows(view, width),
        *_operations_row(view, width),
        row(),
        *_holding_rows(view, selected, width),
        row(),
        *_profit_rows(view, selected, width),
        row(),
        *_split_rows(view, market, width),
        *_market_rows(market, width),
        row(),
        row((" OPERATIONS ON THE INVENTORY", "muted")),
        *(job_rows(view.account, titles, width) or [row((" none so far", "muted"))]),
    ]


# The account


def _trouble_rows(view: ConsoleView, width: int) -> list[Row]:
    """What does not add up, and where two sources differ: nothing while all is well."""
    account, rows = view.account, []
    if account.trouble:
        text = f"! our own books do not add up, so nothing new is risked: {account.trouble}"
        rows += [row(" ", (line, "warn")) for line in wrap_words(clean(text), width - 2)[:_TEXT_LINES]]
    for what, source, words in account.sources:
        rows += _labelled("differs", f"{what}, {source}: {words}", width, "warn")
    return rows


def _worth_rows(view: ConsoleView, width: int) -> list[Row]:
    """What there is, where it came from, and the day: at fair values, and where it says so at bids."""
    account, profit, day = view.account, view.pnl.total, day_of(view.account)
    at_bids = account.day_profit if account.day_realised is not None else None
    equity = account.flows + profit
    columns = (
        (
            ("cash", _usd(view.cash)),
            ("holdings", _usd(equity - view.cash)),
            ("equity, fair", _usd(equity, "strong")),
            ("in pairs", _usd(account.pairs, "muted")),
            ("claims", _usd(account.claims, "strong" if account.claims else "muted")),
        ),
        (
            ("deposits", _usd(account.flows)),
            ("profit", _gain(profit)),
            ("drawdown", _gain(-account.drawdown)),
            ("equity, bids", _usd(view.equity, "muted")),
            ("day's flows", _gain(account.day_flows)),
        ),
        (
            ("today", gain_span(None if day.is_at_bids else day.profit, _FIGURE)),
            ("  realised", gain_span(day.realised, _FIGURE)),
            ("  unrealised", gain_span(None if day.is_at_bids else day.unrealised, _FIGURE)),
            ("today, bids", gain_span(at_bids, _FIGURE)),
            ("rewards est", _estimate(view.split)),
        ),
    )
    cells = max(_COLUMN, min(_COLUMN_MOST, width // len(columns)))
    beside = max(1, width // cells)
    return [
        row(*[span for label, figure in line for span in _pair(label, figure, cells)])
        for first in range(0, len(columns), beside)
        for line in zip(*columns[first : first + beside], strict=True)
    ]


def _usd(micro: int, role: str = "") -> Span:
    return Span(usd_figure(micro, _FIGURE), role)


def _gain(micro: int) -> Span:
    return gain_span(micro, _FIGURE)


def _estimate(split: SplitView | None) -> Span:
    """What the venue may pay for this session: in no sum."""
    return Span(NOTHING if split is None else f"~{usd_figure(split.rewards, _FIGURE - 1)}", "muted")


def _pair(label: str, figure: Span, cells: int) -> list[Span]:
    """A label and its figure in one of several columns."""
    between = cells - _LABEL - _FIGURE - 1
    return [Span(f" {label:<{_LABEL}}", "muted"), Span(number(figure.text, _FIGURE), figure.role), Span(" " * between)]


def _operations_row(view: ConsoleView, width: int) -> list[Row]:
    note = view.account.jobs_note
    if not note:
        return _labelled("operations", "none under way; one may be begun", width, "muted")
    return _labelled("operations", note, width, "warn")


def _labelled(label: str, text: str, width: int, role: str) -> list[Row]:
    lines = wrap_words(clean(text), width - _LABEL - 2)[:_TEXT_LINES]
    return [
        row((f" {label if place == 0 else '':<{_LABEL}}", "muted"), (line, role)) for place, line in enumerate(lines)
    ]


# Holdings

_HOLDINGS: Final = (
    Column("YES", 9, 0),
    Column("NO", 9, 0),
    Column("NET", 10, 0),
    Column("PAIRS", 8, 1),
    Column("PENDING", 8, 2),
    Column("SELL YES", 9, 8),
    Column("SELL NO", 9, 8),
    Column("AVG YES", 8, 6),
    Column("AVG NO", 8, 6),
    Column("MARK", 7, 5),
    Column("VALUE $", 11, 0),
    Column("AT BIDS $", 11, 4),
    Column("AT RISK $", 10, 3),
    Column("CAP", 5, 1),
)


def _holding_rows(view: ConsoleView, selected: str, width: int) -> list[Row]:
    """Shares of every market and what they are worth; the sums, and what is held elsewhere."""
    places = fitting_columns(_HOLDINGS, width)
    columns = [_HOLDINGS[place] for place in places]
    value = view.account.flows + view.pnl.total - view.cash
    rest = value - sum(market.inventory.value for market in view.markets)
    known = [market.inventory.conservative for market in view.markets]
    at_bids = rest + sum(each or 0 for each in known) if None not in known else None
    sums = {
        "PAIRS": _shares(view.account.pairs, 8),
        "PENDING": _pending(view.account.provisional),
        "VALUE $": Span(usd_figure(value, 11)),
        "AT BIDS $": Span(NOTHING if at_bids is None else usd_figure(at_bids, 11)),
        "AT RISK $": Span(usd_figure(view.gross_exposure, 10)),
    }
    rows = [head_row("   HOLDINGS", columns, width)]
    for market in view.markets:
        figures = _holdings_of(market)
        rows.append(
            figure_row(
                _market_label(market, selected),
                [figures[place] for place in places],
                columns,
                width,
                "cursor" if market.market == selected else "",
            )
        )
    if abs(rest) >= _HALF_A_CENT:
        worth = Span(usd_figure(rest, 11))
        rows.append(_sum_row("elsewhere", {"VALUE $": worth, "AT BIDS $": worth}, columns, width, "muted"))
    return [*rows, _sum_row("all", sums, columns, width, "strong")]


def _holdings_of(market: MarketView) -> list[Span]:
    """One figure for each of ``_HOLDINGS``."""
    held = market.inventory
    places = market.decimals
    mark = None if held.mark is None else held.mark / MICRO
    return [
        _shares(held.yes, 9),
        _shares(held.no, 9),
        Span(share_figure(held.net, 10, signed=True), "strong" if held.net else "muted"),
        _shares(held.pairs, 8),
        _pending(held.provisional),
        _shares(held.sellable_yes, 9),
        _shares(held.sellable_no, 9),
        Span(model_cents(held.average_yes, places)),
        Span(model_cents(held.average_no, places)),
        Span(model_cents(mark, places), "model"),
        Span(usd_figure(held.value, 11), "strong" if held.payout is not None and held.value else ""),
        Span(NOTHING if held.conservative is None else usd_figure(held.conservative, 11)),
        Span(usd_figure(held.exposure, 10)),
        _cap(market),
    ]


def _shares(micro: int, cells: int) -> Span:
    return Span(share_figure(micro, cells), "" if micro > 0 else "warn" if micro < 0 else "muted")


def _pending(micro: int) -> Span:
    return Span(share_figure(micro, 8), "warn" if micro else "muted")


def _cap(market: MarketView) -> Span:
    held = market.inventory
    if held.hard_cap <= 0:
        return Span(NOTHING, "muted")
    used = held.exposure / held.hard_cap
    text = f"{used:.0%}" if used < 9.995 else ">9x"
    return Span(text, "warn" if held.exposure >= held.soft_cap else "muted" if not held.exposure else "")


def _market_label(market: MarketView, selected: str) -> list[Span]:
    """Marks of the selected and of a resolved market, and the title."""
    is_selected = market.market == selected
    claim = "$" if market.inventory.payout is not None else " "
    return [
        Span("›" if is_selected else " ", "strong"),
        Span(f"{claim} ", "strong"),
        Span(brief(market.title), "strong" if is_selected else ""),
    ]


def _sum_row(name: str, figures: dict[str, Span], columns: Sequence[Column], width: int, role: str) -> Row:
    cells = [figures.get(column.head, Span("")) for column in columns]
    return figure_row([Span("   "), Span(name, role)], cells, columns, width)


# Profits

_PROFITS: Final = (
    Column("REALISED", 11, 0),
    Column("UNREALISED", 11, 0),
    Column("FEES", 8, 0),
    Column("INCOME", 9, 0),
    Column("TOTAL", 11, 0),
    Column("FILLS", 7, 1),
    Column("BOUGHT", 10, 2),
    Column("SOLD", 10, 2),
)


def _profit_rows(view: ConsoleView, selected: str, width: int) -> list[Row]:
    """Parts of every market's profit, which add up to its total; elsewhere and all."""
    places = fitting_columns(_PROFITS, width)
    columns = [_PROFITS[place] for place in places]

    def line(label: list[Span], pnl: PnlView, ground: str = "") -> Row:
        figures = _profits_of(pnl)
        return figure_row(label, [figures[place] for place in places], columns, width, ground)

    rows = [head_row("   PROFIT, $", columns, width)]
    for market in view.markets:
        ground = "cursor" if market.market == selected else ""
        rows.append(line(_market_label(market, selected), market.pnl, ground))
    rest = _elsewhere(view)
    if any(msgspec.structs.astuple(rest)):
        rows.append(line([Span("   "), Span("elsewhere", "muted")], rest))
    return [*rows, line([Span("   "), Span("all", "strong")], view.pnl)]


def _profits_of(pnl: PnlView) -> list[Span]:
    """One figure for each of ``_PROFITS``; a fee with the sign that it has in the total."""
    return [
        gain_span(pnl.realised, 11),
        gain_span(pnl.unrealised, 11),
        gain_span(-pnl.fees, 8),
        gain_span(pnl.income, 9),
        gain_span(pnl.total, 11),
        Span(first_fitting(7, f"{pnl.fills:,}", short_shares(pnl.fills * MICRO))),
        _shares(pnl.bought, 10),
        _shares(pnl.sold, 10),
    ]


def _elsewhere(view: ConsoleView) -> PnlView:
    """What markets that are not made now, and the account itself, add to the profit."""
    whole, made = msgspec.structs.astuple(view.pnl), [msgspec.structs.astuple(each.pnl) for each in view.markets]
    return PnlView(*[total - sum(parts) for total, *parts in zip(whole, *made, strict=True)])


# This session's profit by cause

_CAUSES: Final = (
    Column("SPREAD", 9, 0),
    Column("DRIFT 5M", 9, 0),
    Column("CARRY", 9, 0),
    Column("TRADING", 9, 0),
    Column("REBATES est", 12, 1),
    Column("REWARDS est", 12, 1),
)


def _split_rows(view: ConsoleView, market: MarketView | None, width: int) -> list[Row]:
    """Trading profit of this session by cause; what the venue may pay for it stands apart and in no sum."""
    if view.split is None:
        return [row(("   THIS SESSION  no fills yet: nothing to take apart", "muted"))]
    columns = [_CAUSES[place] for place in fitting_columns(_CAUSES, width)]
    rows = [head_row("   THIS SESSION, $", columns, width)]
    if market is not None and market.split is not None:
        rows.append(
            _split_row([Span("›  ", "strong"), Span(brief(market.title), "strong")], market.split, columns, width)
        )
    note = "   drift: within 300 s of our fills; carry: the rest; ~ is an estimate, in no sum"
    total = _split_row([Span("   "), Span("all", "strong")], view.split, columns, width)
    return [*rows, total, row((fit(note, width).rstrip(), "muted"))]


def _split_row(label: list[Span], split: SplitView, columns: Sequence[Column], width: int) -> Row:
    figures = {
        "SPREAD": gain_span(split.spread, 9),
        "DRIFT 5M": gain_span(split.drift, 9),
        "CARRY": gain_span(split.carry, 9),
        "TRADING": gain_span(split.spread + split.drift + split.carry, 9),
        "REBATES est": Span(f"~{usd_figure(split.rebates, 11)}", "muted"),
        "REWARDS est": Span(f"~{usd_figure(split.rewards, 11)}", "muted"),
    }
    return figure_row(label, [figures[column.head] for column in columns], columns, width)


# The selected market


def _market_rows(market: MarketView | None, width: int) -> list[Row]:
    """Everything known of one market's inventory, in as many columns as there is room for."""
    if market is None:
        return []
    count = max(1, width // _FACT)
    cells = width // count
    facts = inventory_facts(market, cells)
    lines = -(-len(facts) // count)
    heading = row((fit(f" {brief(market.title)}", width).rstrip(), "strong"))
    return [
        row(),
        heading,
        *[row(*[span for fact in facts[line::lines] for span in fact_spans(fact, cells)]) for line in range(lines)],
    ]


class Account(PagedLineWidget):
    """Draws :func:`account_rows`, scrolled where the terminal is low."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._view: ConsoleView | None = None
        self._market: MarketView | None = None

    def show(self, view: ConsoleView, market: MarketView | None) -> None:
        """Draw the account of a view, and one market of it in full."""
        self._view, self._market = view, market
        self.update_rows()

    def all_rows(self, width: int) -> list[Row]:
        """See :func:`account_rows`."""
        return account_rows(self._view, self._market, width)

    def retitle(self) -> None:
        """Say whether the books add up, and how much is out of sight."""
        wrong = self._view is not None and self._view.account.trouble
        place, units = self.place(), "shares, dollars, cents a share"
        self.set_titles(
            "Inventory and account, ! it does not add up" if wrong else "Inventory and account",
            f"{place} · {units}" if place else units,
        )
