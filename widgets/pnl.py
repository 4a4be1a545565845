"""Profit and loss of the selected market beside all markets together."""

from typing import Final

from core.views import ConsoleView, MarketView
from widgets.format import NOTHING, number, shares, short_shares, signed_usd, usd, whole_usd
from widgets.line_widget import LineWidget, Row, Span, message_rows, row

_LABEL: Final = 11


def pnl_rows(view: ConsoleView | None, market: MarketView | None, width: int, height: int) -> list[Row]:
    """A small table: realised, unrealised, total, fills and turnover; then cash and equity of the account."""
    if view is None:
        return message_rows(["no figures yet"], height)
    cells = max(9, min(14, (width - _LABEL - 2) // 2))
    columns = (market.pnl if market else None, view.pnl)
    rows = [
        row((f" {'':<{_LABEL}}{'this market':>{cells}}{'all':>{cells}}", "muted")),
        _line("realised", [_amount(pnl.realised if pnl else None, cells) for pnl in columns]),
        _line("unrealised", [_amount(pnl.unrealised if pnl else None, cells) for pnl in columns]),
        _line("total", [_amount(pnl.total if pnl else None, cells) for pnl in columns], "strong"),
        _line("fills", [_text(f"{pnl.fills:,}" if pnl else NOTHING, cells) for pnl in columns]),
        _line("bought", [_text(_turnover(pnl.bought if pnl else None, cells), cells) for pnl in columns]),
        _line("sold", [_text(_turnover(pnl.sold if pnl else None, cells), cells) for pnl in columns]),
        _line("equity", [_text("", cells), _text(_short_usd(view.equity, cells), cells)]),
    ]
    return rows[:height]


def _line(label: str, values: list[Span], role: str = "muted") -> Row:
    return row((f" {label:<{_LABEL}}", role), *values)


def _text(text: str, cells: int) -> Span:
    return Span(number(text, cells))


def _amount(amount: int | None, cells: int) -> Span:
    if amount is None:
        return Span(number(NOTHING, cells), "muted")
    return Span(number(signed_usd(amount), cells), "bid" if amount > 0 else "ask" if amount < 0 else "")


def _short_usd(amount: int, cells: int) -> str:
    text = usd(amount)
    return text if len(text) < cells else whole_usd(amount)


def _turnover(size: int | None, cells: int) -> str:
    if size is None:
        return NOTHING
    text = shares(size)
    return text if len(text) < cells else short_shares(size)


class Pnl(LineWidget):
    """Draws :func:`pnl_rows`."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._view: ConsoleView | None = None
        self._market: MarketView | None = None
        self.set_titles("PnL this session", "dollars")

    def show(self, view: ConsoleView | None, market: MarketView | None) -> None:
        """Draw the profit of one market of a view and of all."""
        self._view, self._market = view, market
        self.update_rows()

    def make_rows(self, width: int, height: int) -> list[Row]:
        """See :func:`pnl_rows`."""
        return pnl_rows(self._view, self._market, width, height)
