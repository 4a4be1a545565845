"""Tables of figures and pairs of label and figure, fitted to a width: pure text, every column right-aligned."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from rich.cells import cell_len

from core.units import Usd
from core.views import AccountView
from widgets.format import MINUS, NOTHING, fit, number, shares, short_shares, signed_usd, usd, whole_usd
from widgets.line_widget import Row, Span, row

LABEL_LEAST: Final = 18
"""Cells of a table's first column, its signs included."""
_LABEL_MOST: Final = 46
"""Beyond it the eye loses the line between a title and its figures."""


class Column(NamedTuple):
    """One column of figures."""

    head: str
    cells: int
    """With the blank before it."""
    rank: int
    """Where there is no room for all, the highest rank goes first."""


class Day(NamedTuple):
    """What the account has earned since 00:00 UTC, micro-dollars; each None when nobody knows."""

    profit: Usd | None
    realised: Usd | None
    """What of it no price can take back."""
    unrealised: Usd | None
    """The rest."""
    is_at_bids: bool
    """Holdings count at what others bid, not at their fair values."""


def day_of(account: AccountView) -> Day:
    """The day at fair values, as each market tells its own; at bids where an opening or a fair value is not known."""
    realised = account.day_realised
    if account.day_fair is not None:
        rest = None if realised is None else Usd(account.day_fair - realised)
        return Day(account.day_fair, realised, rest, is_at_bids=False)
    if realised is None:
        return Day(None, None, None, is_at_bids=False)
    return Day(account.day_profit, realised, account.day_unrealised, is_at_bids=True)


def fitting_columns(columns: Sequence[Column], width: int) -> list[int]:
    """Places of the columns for which there is room beside a label, in their order."""
    kept = list(range(len(columns)))
    while len(kept) > 1 and sum(columns[place].cells for place in kept) > width - LABEL_LEAST:
        last = max(columns[place].rank for place in kept)
        kept.remove(max(place for place in kept if columns[place].rank == last))
    return kept


def label_cells(columns: Sequence[Column], width: int) -> int:
    """Cells that the columns leave to the label."""
    return min(_LABEL_MOST, max(0, width - sum(column.cells for column in columns)))


def head_row(label: str, columns: Sequence[Column], width: int) -> Row:
    """The line above a table."""
    heads = "".join(f"{column.head:>{column.cells}}" for column in columns)
    return row((fit(label, label_cells(columns, width)) + heads, "muted"))


def figure_row(
    label: Sequence[Span], figures: Sequence[Span], columns: Sequence[Column], width: int, ground: str = ""
) -> Row:
    """A line of a table.

    Args:
        label: clean texts; the last one is cut or padded so that the figures stand in their columns.
        figures: one for each column.
        columns: those for which there is room.
        width: cells of the table.
        ground: role of the whole line.
    """
    *signs, title = label
    room = label_cells(columns, width) - sum(cell_len(sign.text) for sign in signs)
    cells = [
        Span(number(figure.text, column.cells), figure.role) for figure, column in zip(figures, columns, strict=True)
    ]
    return row(*signs, Span(fit(title.text, room), title.role), *cells, ground=ground)


def fit_spans(spans: Sequence[Span], width: int) -> list[Span]:
    """Spans of clean text cut or padded to exactly ``width`` cells together."""
    fitted: list[Span] = []
    room = width
    for span in spans:
        text = span.text if cell_len(span.text) <= room else fit(span.text, room)
        fitted.append(Span(text, span.role))
        room -= cell_len(text)
    return [*fitted, Span(" " * room)]


# Figures in few cells: one cell always stays free, so that two columns never touch


def share_figure(micro: int, cells: int, *, signed: bool = False) -> str:
    """Micro-shares, shortened to thousands or millions where they are too long; ``signed`` with a plus."""
    plus = "+" if signed and micro > 0 else ""
    return first_fitting(cells, f"{plus}{shares(micro)}", f"{plus}{short_shares(micro)}")


def usd_figure(micro: int, cells: int) -> str:
    """Micro-dollars to the cent, to the dollar, or in thousands or millions, whichever fits first."""
    short = f"{MINUS if micro < 0 else ''}${short_shares(abs(micro))}"
    return first_fitting(cells, usd(micro), whole_usd(micro), short)


def gain_figure(micro: int, cells: int) -> str:
    """The same with a sign and without the dollar; zero has no sign."""
    sign = "+" if micro > 0 else MINUS if micro < 0 else ""
    dollars = whole_usd(abs(micro)).removeprefix("$")
    return first_fitting(cells, signed_usd(micro), f"{sign}{dollars}", f"{sign}{short_shares(abs(micro))}")


def gain_span(micro: int | None, cells: int) -> Span:
    """A gain or a loss with its colour; its sign says the same."""
    if micro is None:
        return Span(NOTHING, "muted")
    return Span(gain_figure(micro, cells), "bid" if micro > 0 else "ask" if micro < 0 else "")


def first_fitting(cells: int, *texts: str) -> str:
    """The first text that leaves a cell free; the last one when none does."""
    return next((text for text in texts if len(text) < cells), texts[-1])
