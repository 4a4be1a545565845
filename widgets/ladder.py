"""The ladder of one market; its lines are made in :mod:`widgets.ladder_rows`."""

from typing import Final

from core.views import MarketView
from widgets.data_words import data_words
from widgets.format import cents, clean, fit
from widgets.ladder_rows import centre_of, clamp_top, ladder_rows, price_lines
from widgets.line_widget import Row, ScrollingLineWidget

_EDGE: Final = 2
"""The axis follows by itself when the middle of the market comes this near to its end."""


class Ladder(ScrollingLineWidget):
    """Shows one market on a static price axis.

    The axis moves when another market is shown, when the market's middle leaves it, and by :meth:`recentre`. Once
    the operator scrolled, it stays where it is until recentred.
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._market: MarketView | None = None
        self._top: int | None = None
        self._scrolled = False
        self.set_titles("Ladder")

    def show(self, market: MarketView | None) -> None:
        """Draw a market; None when there is none to show."""
        old = self._market
        if market is None or old is None or (market.market, market.grid_k) != (old.market, old.grid_k):
            self._top, self._scrolled = None, False
        self._market = market
        self.update_rows()

    def recentre(self) -> None:
        """Put the middle of the market into the middle of the axis."""
        self._top, self._scrolled = None, False
        self.update_rows()

    def scroll_lines(self, lines: int) -> None:
        """Move the axis; positive looks at lower prices."""
        if self._top is not None:
            self._top -= lines
            self._scrolled = True
            self.update_rows()

    def size_changed(self) -> None:
        """Another height has another middle."""
        if not self._scrolled:
            self._top = None
        self.update_rows()

    def retitle(self) -> None:
        """Name the market and its tick; before the name stands what keeps its book from being believed."""
        market = self._market
        if market is None:
            self.set_titles("Ladder")
        else:
            words = data_words(market.data)
            doubt = f"{words.sign} {words.word} · " if words.word else ""
            title = fit(doubt + clean(market.title), max(8, self.size.width - 4)).rstrip()
            self.set_titles(title, f"cents · tick {_tick(market)}")

    def make_rows(self, width: int, height: int) -> list[Row]:
        """See :func:`widgets.ladder_rows.ladder_rows`."""
        return ladder_rows(self._market, self._place(price_lines(height)), width, height)

    def _place(self, lines: int) -> int:
        market = self._market
        if market is None:
            return 0
        centre = centre_of(market)
        if centre is not None and (self._top is None or self._left_behind(centre, lines)):
            self._top = centre + (lines - 1) // 2
        if self._top is None:
            return clamp_top(market.grid_k // 2 + lines // 2, market.grid_k, lines)
        self._top = clamp_top(self._top, market.grid_k, lines)
        return self._top

    def _left_behind(self, centre: int, lines: int) -> bool:
        if self._scrolled or self._top is None or self._market is None:
            return False
        low, high = self._top - lines + 1 + _EDGE, self._top - _EDGE
        return centre < low > 1 + _EDGE or centre > high < self._market.grid_k - 1 - _EDGE


def _tick(market: MarketView) -> str:
    return f"{cents(1, market.grid_k, market.decimals)}c"
