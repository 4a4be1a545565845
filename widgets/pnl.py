"""Profit and loss of the selected market beside that of the whole account."""

from typing import Final

from core.views import ConsoleView, MarketView
from widgets.figures import gain_span, share_figure, usd_figure
from widgets.format import NOTHING, number
from widgets.line_widget import LineWidget, Row, Span, message_rows, row

_LABEL: Final = 11


def pnl_rows(view: ConsoleView | None, market: MarketView | None, width: int, height: int) -> list[Row]:
    """A small table: the parts of the profit and their sum, fills and turnover; then the account's equity.

    Where there is no room for all, the turnover goes first.
    """
    if view is None:
        return message_rows(["no figures yet"], height)
    cells = max(9, min(14, (width - _LABEL - 2) // 2))
    columns = (market.pnl if market else None, view.pnl)
    rows = [
        row((f" {'':<{_LABEL}}{'this market':>{cells}}{'all':>{cells}}", "muted")),
        _line("realised", [_amount(pnl.realised if pnl else None, cells) for pnl in columns]),
        _line("unrealised", [_amount(pnl.unrealised if pnl else None, cells) for pnl in columns]),
        _line("fees", [_amount(-pnl.fees if pnl else None, cells) for pnl in columns]),
        _line("income", [_amount(pnl.income if pnl else None, cells) for pnl in columns]),
        _line("total", [_amount(pnl.total if pnl else None, cells) for pnl in columns], "strong"),
        _line("fills", [_text(f"{pnl.fills:,}" if pnl else NOTHING, cells) for pnl in columns]),
        _line("bought", [_turnover(pnl.bought if pnl else None, cells) for pnl in columns]),
        _line("sold", [_turnover(pnl.sold if pnl else None, cells) for pnl in columns]),
        _line("equity", [_text("", cells), _text(usd_figure(view.equity, cells), cells)]),
    ]
    for turnover in (rows[8], rows[7]):
        if len(rows) > height:
            rows.remove(turnover)
    return rows[:height]


def _line(label: str, values: list[Span], role: str = "muted") -> Row:
    return row((f" {label:<{_LABEL}}", role), *values)


def _text(text: str, cells: int) -> Span:
    return Span(number(text, cells))


def _amount(amount: int | None, cells: int) -> Span:
    figure = gain_span(amount, cells)
    return Span(number(figure.text, cells), figure.role)


def _turnover(size: int | None, cells: int) -> Span:
    return _text(NOTHING if size is None else share_figure(size, cells), cells)


class Pnl(LineWidget):
    """Draws :func:`pnl_rows`."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._view: ConsoleView | None = None
        self._market: MarketView | None = None
        self.set_titles("PnL of the whole book", "dollars")

    def show(self, view: ConsoleView | None, market: MarketView | None) -> None:
        """Draw the profit of one market of a view and of all."""
        self._view, self._market = view, market
        self.update_rows()

    def make_rows(self, width: int, height: int) -> list[Row]:
        """See :func:`pnl_rows`."""
        return pnl_rows(self._view, self._market, width, height)
