"""Our fills, newest first: what they were, how far they are settled, and what they were worth afterwards."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from core.units import MICRO
from core.views import FillView
from widgets.format import (
    NOTHING,
    age,
    brief,
    cents,
    clean,
    fit,
    level_cents,
    markout_cents,
    number,
    point_cells,
    short_shares,
    usd,
    utc_clock,
)
from widgets.line_widget import Row, ScrollingLineWidget, Span, message_rows, newer_than, row

HORIZONS: Final = ("1s", "5s", "30s", "5m")
"""Times after a fill at which it is judged, as in :attr:`FillView.markouts`."""
_DAY_S: Final = 86_400.0
_DUST: Final = MICRO // 100
_WIDE_FROM: Final = 100
_TITLE_LEAST: Final = 12
_TITLE_MOST: Final = 60
_STATUS: Final = {
    "MATCHED": ("~", "provisional", "muted"),
    "MINED": ("~", "provisional", "muted"),
    "CONFIRMED": ("✓", "settled", ""),
    "RETRYING": ("△", "retrying", "warn"),
    "FAILED": ("✕", "FAILED", "warn"),
}
_STATUS_CELLS: Final = 14


class _Columns(NamedTuple):
    """Cells of the columns that depend on the width; 0 leaves one out."""

    title: int
    markout: int
    """Of each horizon on show."""
    horizons: int
    size: int
    wide: bool
    """Layer, token, taker, fee and status have columns and words of their own."""


_BEFORE: Final = 10
"""Cursor, clock and a blank."""
_NUMBERS: Final = 5 + 7
"""Side, price."""
_SIGNS: Final = 6
"""Layer, token, taker and status as signs."""
_WORDS: Final = 6 + 6 + 6 + 8 + 1 + _STATUS_CELLS
"""The same with the fee, as columns."""


def _columns(width: int) -> _Columns:
    wide = width >= _WIDE_FROM
    markout = 8 if wide else 7
    size = 10 if wide else 9
    room = width - _BEFORE - 1 - _NUMBERS - size - (_WORDS if wide else _SIGNS)
    horizons = max(0, min(len(HORIZONS), (room - _TITLE_LEAST) // markout))
    return _Columns(max(0, min(_TITLE_MOST, room - horizons * markout)), markout, horizons, size, wide)


def fill_rows(fills: Sequence[FillView], selected: int, skip: int, width: int, height: int, unix: float) -> list[Row]:
    """Header and fills, the newest on top.

    Args:
        fills: oldest first.
        selected: ``seq`` of the fill under the cursor; -1 without one.
        skip: newest fills that are scrolled away.
        width: cells.
        height: lines.
        unix: session time; what is older than a day tells its age.
    """
    if not fills:
        return message_rows(["no fills in this session yet"], height)
    columns = _columns(width)
    places = max(point_cells(fill.decimals) for fill in fills)
    end = len(fills) - skip
    shown = reversed(fills[max(0, end - height + 1) : end])
    return [_header(columns), *(_fill_row(fill, columns, places, fill.seq == selected, unix) for fill in shown)]


def _header(columns: _Columns) -> Row:
    marks = "".join(f"{horizon:>{columns.markout}}" for horizon in HORIZONS[: columns.horizons])
    words = (
        f"{'LAYER':>6}{'TOKEN':>6}{'':6}{'FEE':>8} {'STATUS':<{_STATUS_CELLS}}"
        if columns.wide
        else f"{'L':>2}{'':{_SIGNS - 2}}"
    )
    return row(
        (
            f" {'UTC':<8} {fit('MARKET', columns.title)} {'SIDE':<5}{'PRICE':>7}{'SIZE':>{columns.size}}{words}{marks}",
            "muted",
        )
    )


def _fill_row(fill: FillView, columns: _Columns, places: int, selected: bool, unix: float) -> Row:
    status_sign, word, role = fill_status(fill)
    size = fill_size(fill.size, columns.size)
    layer = str(fill.layer + 1) if fill.layer is not None else NOTHING
    if columns.wide:
        marks = [
            Span(f"{number(layer, 6)}{'NO' if fill.on_no else 'YES':>6}"),
            Span(f"{'taker' if fill.taker else '':>6}", "warn"),
            Span(number(usd(fill.fee), 8), "" if fill.fee else "muted"),
            Span(fit(f" {status_sign} {word}", _STATUS_CELLS + 1), role),
        ]
    else:
        marks = [
            Span(f"{number(layer, 2)}{'N' if fill.on_no else ' '}"),
            Span("T" if fill.taker else " ", "warn"),
            Span(f" {status_sign}", role),
        ]
    return row(
        ("›" if selected else " ", "strong"),
        (f"{_when(fill, unix):<8} ", "muted"),
        fit(brief(fill.title), columns.title) + " ",
        (f"{fill.side:<5}", fill.side),
        number(level_cents(fill.price, fill.grid_k, fill.decimals, places), 7),
        (number(size, columns.size), "own"),
        *marks,
        *_markouts(fill, columns),
        ground="cursor" if selected else "",
    )


def fill_size(micro: int, cells: int) -> str:
    """Shares in fewer than ``cells``, point under point; whole ones from a hundred on, dust as less than 0.01."""
    if 0 < micro < _DUST:
        return "<0.01"
    whole, rest = divmod(micro * 100 // MICRO, 100)
    if whole < 100:
        return f"{whole}.{rest:02d}"
    text = f"{whole:,}"
    return f"{text if len(text) + 3 < cells else short_shares(micro)}   "


def _when(fill: FillView, unix: float) -> str:
    old_s = unix - fill.unix
    return fit(f"{age(old_s)} ago", 8) if old_s >= _DAY_S else utc_clock(fill.unix)


def _markouts(fill: FillView, columns: _Columns) -> list[Span]:
    cells: list[Span] = []
    for place in range(columns.horizons):
        worth = fill.markouts[place] if place < len(fill.markouts) else None
        role = "muted" if not worth else "bid" if worth > 0 else "ask"
        cells.append(Span(number(markout_cents(worth), columns.markout), role))
    return cells


def fill_status(fill: FillView) -> tuple[str, str, str]:
    """How far a fill is settled: sign, word, role."""
    return _STATUS.get(fill.status, ("?", clean(fill.status), "warn"))


def fill_words(fill: FillView) -> str:
    """One fill in a line, with what narrow columns leave out."""
    layer = f"layer {fill.layer + 1}" if fill.layer is not None else "order not known"
    who = "taker" if fill.taker else "maker"
    price = cents(fill.price, fill.grid_k, fill.decimals)
    status = fill_status(fill)[1]
    token = "NO" if fill.on_no else "YES"
    return f"{fill.side} {price}c, {layer} on {token}, {who}, fee {usd(fill.fee)}, {status}"


def summary(fills: Sequence[FillView]) -> str:
    """What is not settled, what failed, what the fees were."""
    words = [fill_status(fill)[1] for fill in fills]
    open_ones = sum(word not in ("settled", "FAILED") for word in words)
    told = [f"{open_ones} not settled" if open_ones else "all settled"]
    told += [f"{words.count('FAILED')} FAILED"] if "FAILED" in words else []
    fees = sum(fill.fee for fill in fills)
    return ", ".join([*told, *([f"fees {usd(fees)}"] if fees else [])])


class Fills(ScrollingLineWidget):
    """Draws :func:`fill_rows`. While scrolled back, or with a cursor, the lines on show stay where they are."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._fills: Sequence[FillView] = ()
        self._selected = -1
        self._unix = 0.0
        self.set_titles("Fills")

    def show(self, fills: Sequence[FillView], unix: float = 0.0) -> None:
        """Draw fills, oldest first, at a session time."""
        if self._fills and (self._skip or self._selected >= 0):
            self._skip += newer_than(fills, self._fills[-1].seq)
        self._fills, self._unix = fills, unix
        if self.selected is None:
            self._selected = -1
        self.update_rows()

    @property
    def selected(self) -> FillView | None:
        """The fill under the cursor; None without one."""
        return next((fill for fill in reversed(self._fills) if fill.seq == self._selected), None)

    def move(self, step: int) -> None:
        """Move the cursor by fills, down to older ones; above the newest it goes away, and the newest are followed."""
        if not self._fills:
            return
        place = next((i for i, fill in enumerate(reversed(self._fills)) if fill.seq == self._selected), -1)
        place = min(place + step, len(self._fills) - 1)
        if place < 0:
            self._selected, self._skip = -1, 0
        else:
            self._selected = self._fills[-1 - place].seq
            visible = self._visible()
            self._skip = max(min(self._skip, place), place - visible + 1)
        self.update_rows()

    def make_rows(self, width: int, height: int) -> list[Row]:
        """See :func:`fill_rows`."""
        skip = self.clamp_skip(len(self._fills), self._visible())
        return fill_rows(self._fills, self._selected, skip, width, height, self._unix)

    def retitle(self) -> None:
        """Say how many fills there are, what the selected one was or what is not settled, and where one stands."""
        fills, chosen = self._fills, self.selected
        if not fills:
            self.set_titles("Fills")
            return
        place = f"{self._skip} newer above" if self._skip else "newest first"
        self.set_titles(f"Fills {len(fills)}", f"{fill_words(chosen) if chosen else summary(fills)} · {place}")

    def _visible(self) -> int:
        return max(1, self.size.height - 1)
