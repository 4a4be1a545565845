"""Profit and loss of the selected market beside that of the whole account."""

from typing import Final, NamedTuple

from core.units import Usd
from core.views import ConsoleView, MarketView
from widgets.figures import day_of, gain_span, share_figure, usd_figure
from widgets.format import NOTHING, number
from widgets.line_widget import LineWidget, Row, Span, message_rows, row

_LABEL: Final = 12
_CELLS: Final = (9, 14)


class PnlLine(NamedTuple):
    """One line of the table; where there is no room for all, the highest rank goes first."""

    label: str
    market: Span
    whole: Span
    rank: int = 0
    role: str = "muted"


def pnl_rows(view: ConsoleView | None, market: MarketView | None, width: int, height: int) -> list[Row]:
    """A small table: the parts of the profit and their sum, the day, this session's causes, turnover and equity.

    Everything at fair values, so that markets add up to all; the day at bids, by which its loss is limited, says so.
    Estimates of what the venue will pay carry a ``~`` and are in no sum.
    """
    if view is None:
        return message_rows(["no figures yet"], height)
    cells = max(_CELLS[0], min(_CELLS[1], (width - _LABEL - 2) // 2))
    lines = pnl_lines(view, market, cells)
    while len(lines) > max(1, height - 1):
        last = max(line.rank for line in lines)
        lines.pop(max(place for place, line in enumerate(lines) if line.rank == last))
    head = row((f" {'':<{_LABEL}}{'this market':>{cells}}{'all':>{cells}}", "muted"))
    return [head, *[_row(line, cells) for line in lines]][:height]


def pnl_lines(view: ConsoleView, market: MarketView | None, cells: int) -> list[PnlLine]:
    """Every line there is, with figures of at most ``cells`` cells."""
    pnl, whole, account = market.pnl if market else None, view.pnl, view.account
    day, equity = day_of(account), account.flows + whole.total
    split, all_split = market.split if market else None, view.split

    def gains(label: str, one: int | None, both: int | None, rank: int = 0, role: str = "muted") -> PnlLine:
        return PnlLine(label, gain_span(one, cells), gain_span(both, cells), rank, role)

    def turnover(label: str, one: int | None, both: int, rank: int) -> PnlLine:
        texts = [NOTHING if size is None else share_figure(size, cells) for size in (one, both)]
        return PnlLine(label, Span(texts[0]), Span(texts[1]), rank)

    return [
        gains("realised", pnl.realised if pnl else None, whole.realised),
        gains("unrealised", pnl.unrealised if pnl else None, whole.unrealised),
        gains("fees", -pnl.fees if pnl else None, -whole.fees, 1),
        gains("income", pnl.income if pnl else None, whole.income, 4),
        gains("total", pnl.total if pnl else None, whole.total, role="strong"),
        gains("today", market.day if market else None, None if day.is_at_bids else day.profit, role="strong"),
        gains(" realised", None, day.realised, 5),
        gains(" unrealised", None, None if day.is_at_bids else day.unrealised, 5),
        gains(" at bids", None, account.day_profit if day.realised is not None else None, 5),
        gains("spread", split.spread if split else None, all_split.spread if all_split else None, 2),
        gains("drift 5m", split.drift if split else None, all_split.drift if all_split else None, 3),
        gains("carry", split.carry if split else None, all_split.carry if all_split else None, 4),
        _estimate("rebates", split.rebates if split else None, all_split.rebates if all_split else None, cells, 5),
        _estimate("rewards", split.rewards if split else None, all_split.rewards if all_split else None, cells, 3),
        PnlLine("fills", Span(f"{pnl.fills:,}" if pnl else NOTHING), Span(f"{whole.fills:,}"), 6),
        turnover("bought", pnl.bought if pnl else None, whole.bought, 7),
        turnover("sold", pnl.sold if pnl else None, whole.sold, 7),
        gains("drawdown", None, -account.drawdown, 6),
        PnlLine("equity", Span(""), Span(usd_figure(equity, cells))),
    ]


def _estimate(label: str, one: Usd | None, both: Usd | None, cells: int, rank: int) -> PnlLine:
    """What the venue may pay for this session: apart, marked, in no sum."""
    texts = [NOTHING if amount is None else f"~{usd_figure(amount, cells - 1)}" for amount in (one, both)]
    return PnlLine(label, Span(texts[0], "muted"), Span(texts[1], "muted"), rank)


def _row(line: PnlLine, cells: int) -> Row:
    return row(
        (f" {line.label:<{_LABEL}}", line.role),
        *[Span(number(span.text, cells), span.role) for span in (line.market, line.whole)],
    )


class Pnl(LineWidget):
    """Draws :func:`pnl_rows`."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._view: ConsoleView | None = None
        self._market: MarketView | None = None
        self.set_titles("PnL of the whole book", "dollars · ~ estimate")

    def show(self, view: ConsoleView | None, market: MarketView | None) -> None:
        """Draw the profit of one market of a view and of all."""
        self._view, self._market = view, market
        self.update_rows()

    def make_rows(self, width: int, height: int) -> list[Row]:
        """See :func:`pnl_rows`."""
        return pnl_rows(self._view, self._market, width, height)
