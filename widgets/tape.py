"""The tape of one market: every trade that the venue told of, newest first."""

from collections.abc import Sequence
from typing import Final

from core.views import FillView, MarketView, TradeView
from widgets.format import book_shares, brief, cents, fit, number, short_shares, utc_clock
from widgets.line_widget import Row, ScrollingLineWidget, Span, message_rows, newer_than, row

_OURS_WITHIN_S: Final = 2.0
"""A fill of ours and a trade at its price are taken for the same when they are no further apart."""
_BAR_FROM: Final = 56
"""Width from which sizes are drawn too."""
_BAR_MOST: Final = 40
_VOLUME: Final = 11
_NUMBERS: Final = 1 + 8 + 8 + 9 + 10 + _VOLUME
"""Cells of all columns but the bar; on fewer the volume is left out."""
_SIDES: Final = {True: ("▴", "bought", "bid"), False: ("▾", "sold", "ask")}


def tape_rows(
    market: MarketView | None, skip: int, width: int, height: int, unix: float = 0.0, ours: Sequence[FillView] = ()
) -> list[Row]:
    """Header and trades, the newest on top.

    Args:
        market: the market whose tape it is.
        skip: newest trades that are scrolled away.
        width: cells.
        height: lines.
        unix: session time of the view; ages become times of day by it.
        ours: fills, to mark trades that were probably with us.
    """
    if market is None:
        return message_rows(["no market selected"], height)
    if not market.tape:
        waiting = "no trade since the session began"
        return message_rows([waiting if market.detailed else "on its way …"], height)
    head = f" {'UTC':<8}{'PRICE':>8}  {'TAKER':<7}{'SIZE':>10}{'VOLUME' if width >= _NUMBERS else '':>{_VOLUME}}"
    end = len(market.tape) - skip
    first = max(0, end - height + 1)
    mine = [fill for fill in ours if fill.market == market.market]
    since = _volume_before(market, first)
    most = max(trade.size for trade in market.tape)
    rows: list[Row] = []
    for trade in market.tape[first:end]:
        since += trade.size
        rows.append(_trade_row(market, trade, since, most, width, unix, _is_ours(trade, mine, unix)))
    return [row((fit(head, width), "muted")), *reversed(rows)]


def _volume_before(market: MarketView, place: int) -> int:
    """Shares traded in this session before the trade at ``place`` of the tape, as far as they are counted."""
    tape = sum(trade.size for trade in market.tape)
    whole = max(tape, sum(size for _, size in market.volumes))
    return whole - sum(trade.size for trade in market.tape[place:])


def _is_ours(trade: TradeView, fills: Sequence[FillView], unix: float) -> bool:
    at = unix - trade.age_s
    return any(
        fill.price == trade.price and fill.size <= trade.size and abs(fill.unix - at) <= _OURS_WITHIN_S
        for fill in fills
    )


def _trade_row(
    market: MarketView, trade: TradeView, volume: int, most: int, width: int, unix: float, ours: bool
) -> Row:
    sign, word, role = _SIDES[trade.taker_bought]
    room = min(_BAR_MOST, width - _NUMBERS - 2) if width >= _BAR_FROM else 0
    bar = max(1, round(room * trade.size / most)) if room > 0 and most else 0
    return row(
        ("●" if ours else " ", "own"),
        (f"{utc_clock(unix - trade.age_s):<8}", "muted"),
        (number(cents(trade.price, market.grid_k, market.decimals), 8), role),
        (f" {sign}{word:<7}", role),
        number(_size(trade.size), 10),
        (number(_size(volume), _VOLUME) if width >= _NUMBERS else "", "muted"),
        Span("  ") if bar else "",
        (" " * bar, f"{role}-bar"),
    )


def _size(micro: int) -> str:
    text = book_shares(micro)
    return text if len(text) <= 9 else short_shares(micro)


class TapeLog(ScrollingLineWidget):
    """Draws :func:`tape_rows`. While scrolled back, the lines on show stay where they are."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._market: MarketView | None = None
        self._unix = 0.0
        self._ours: Sequence[FillView] = ()
        self.set_titles("Tape")

    def show(self, market: MarketView | None, unix: float = 0.0, ours: Sequence[FillView] = ()) -> None:
        """Draw the tape of a market at a session time; ``ours`` are fills by which our trades are marked."""
        before, self._market = self._market, market
        self._unix, self._ours = unix, ours
        if before is None or market is None or before.market != market.market:
            self._skip = 0
        elif self._skip and before.tape:
            self._skip += newer_than(market.tape, before.tape[-1].seq)
        self.update_rows()

    def make_rows(self, width: int, height: int) -> list[Row]:
        """See :func:`tape_rows`."""
        count = len(self._market.tape) if self._market else 0
        skip = self.clamp_skip(count, max(1, height - 1))
        return tape_rows(self._market, skip, width, height, self._unix, self._ours)

    def retitle(self) -> None:
        """Name the market; say what takers did, and whether the newest are in sight."""
        market = self._market
        if market is None or not market.tape:
            self.set_titles(f"Tape · {brief(market.title)}" if market else "Tape")
            return
        bought = sum(trade.size for trade in market.tape if trade.taker_bought)
        sold = sum(trade.size for trade in market.tape) - bought
        place = f"{self._skip} newer above" if self._skip else "newest first"
        mine = ", ● like a fill of ours" if self._ours else ""
        told = (
            f"takers bought {short_shares(bought)} and sold {short_shares(sold)} of the last {len(market.tape)}{mine}"
        )
        self.set_titles(f"Tape · {brief(market.title)}", f"{told} · {place}")
