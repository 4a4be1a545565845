"""The ladder of one market; its lines are made in :mod:`widgets.ladder_rows`."""

from typing import Final

from core.units import Side, Ticks
from core.views import MarketView, OrderView
from widgets.data_words import data_words
from widgets.format import cents, clean, fit, model_cents, signed_shares, signed_usd
from widgets.ladder_axis import DEPTHS, LEAST_COLUMNS, centre_of, clamp_top, lowest_tick, price_lines
from widgets.ladder_marks import filled_levels
from widgets.ladder_rows import Look, ladder_rows
from widgets.line_widget import Row, ScrollingLineWidget

_EDGE: Final = 2
"""The axis follows by itself when the middle of the market comes this near to its end."""
_FILL_SHOWN_S: Final = 1.0
"""Session time for which the sign of a fill stays."""


class Ladder(ScrollingLineWidget):
    """Shows one market on a static price axis.

    The axis moves when another market is shown, when the market's middle leaves it, and by :meth:`recentre`. Once
    the operator scrolled, it stays where it is until recentred. The cursor stays at its price; an axis that leaves it
    behind takes it away, so that nobody acts on a line that is out of sight.
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._market: MarketView | None = None
        self._top: int | None = None
        """Number of the first price line: its ticks begin at ``top * step``."""
        self._step = DEPTHS[0]
        self._scrolled = False
        self._cursor: int | None = None
        """Tick."""
        self._filled: dict[tuple[Side, Ticks], float] = {}
        """Until when the sign of a fill is shown, by the session's clock."""
        self.set_titles("Ladder")

    def show(self, market: MarketView | None, unix: float = 0.0) -> None:
        """Draw a market.

        Args:
            market: None when there is none to show.
            unix: the view's time; the sign of a fill goes away by it.
        """
        old = self._market
        if market is None or old is None or (market.market, market.grid_k) != (old.market, old.grid_k):
            self._top, self._scrolled, self._cursor = None, False, None
            self._filled = {}
        else:
            self._filled = {place: until for place, until in self._filled.items() if until > unix}
            self._filled |= dict.fromkeys(filled_levels(old, market), unix + _FILL_SHOWN_S)
        self._market = market
        self.update_rows()

    # Cursor and axis

    @property
    def cursor(self) -> int | None:
        """The price under the cursor: a tick, the lowest of its line; None without a cursor."""
        return None if self._cursor is None else lowest_tick(self._cursor // self._step, self._step)

    @property
    def order_at_cursor(self) -> OrderView | None:
        """Our order at the cursor's line: of several the innermost that is not being cancelled; None without one."""
        if self._cursor is None or self._market is None:
            return None
        line = self._cursor // self._step
        orders = [order for order in self._market.orders if order.price // self._step == line]
        return min(orders, key=lambda order: (order.state == "CANCEL_SENT", order.layer), default=None)

    def move(self, step: int) -> None:
        """Move the cursor by lines, positive to lower prices; the first move puts it into the middle of the market."""
        market, lines = self._market, price_lines(self.size.height)
        if market is None or self._top is None or not lines or self.size.width < LEAST_COLUMNS:
            return
        if self._cursor is None:
            line = (centre_of(market) or lowest_tick(self._top, self._step)) // self._step
            line = max(self._top - lines + 1, min(line, self._top))
        else:
            line = self._cursor // self._step - step
        line = max(1 // self._step, min(line, (market.grid_k - 1) // self._step))
        if not self._top - lines < line <= self._top:
            self._top = line if line > self._top else line + lines - 1
            self._scrolled = True
        self._cursor = lowest_tick(line, self._step)
        self.update_rows()

    def finer(self) -> None:
        """Fewer ticks a line."""
        self._change_depth(-1)

    def coarser(self) -> None:
        """More ticks a line: sizes are added up, prices are the lowest of their line."""
        self._change_depth(1)

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

    def page_lines(self) -> int:
        """Price lines that a page key scrolls."""
        return max(1, price_lines(self.size.height) - 1)

    def size_changed(self) -> None:
        """Another height has another middle."""
        if not self._scrolled:
            self._top = None
        self.update_rows()

    def _change_depth(self, by: int) -> None:
        """The cursor's line stays where it is on the screen; without one the axis is centred again."""
        old = self._step
        self._step = DEPTHS[max(0, min(DEPTHS.index(old) + by, len(DEPTHS) - 1))]
        if self._step != old:
            if self._cursor is not None and self._top is not None:
                self._top = self._cursor // self._step + self._top - self._cursor // old
                self._scrolled = True
            else:
                self._top, self._scrolled = None, False
            self.update_rows()

    # What is drawn

    def make_rows(self, width: int, height: int) -> list[Row]:
        """See :func:`widgets.ladder_rows.ladder_rows`."""
        lines = price_lines(height)
        top = self._place(lines)
        if self._cursor is not None and not top - lines < self._cursor // self._step <= top:
            self._cursor = None
        look = Look(
            self._step,
            None if self._cursor is None else self._cursor // self._step,
            frozenset((side, tick // self._step) for side, tick in self._filled),
        )
        return ladder_rows(self._market, top, width, height, look)

    def retitle(self) -> None:
        """Name the market and its tick; before the name stands what keeps its book from being believed."""
        market = self._market
        if market is None:
            self.set_titles("Ladder")
            return
        words = data_words(market.data)
        doubt = f"{words.sign} {words.word} · " if words.word else ""
        room = max(8, self.size.width - 8)
        title = fit(doubt + clean(market.title), room).rstrip()
        depth = f"{self._step} ticks a line, from its price up" if self._step > 1 else ""
        parts = [self._out_of_sight(market), _position(market), depth, f"tick {_tick(market)}"]
        self.set_titles(title, fit(" · ".join(part for part in parts if part), room).rstrip())

    def _out_of_sight(self, market: MarketView) -> str:
        """How many of our orders stand beyond the ends of the axis; "" where none does."""
        lines = price_lines(self.size.height)
        if self._top is None or not lines or self.size.width < LEAST_COLUMNS:
            return ""
        own = [order.price // self._step for order in market.orders]
        above, below = sum(line > self._top for line in own), sum(line <= self._top - lines for line in own)
        told = [f"{count} own {where}" for count, where in ((above, "above"), (below, "below")) if count]
        return ", ".join(told)

    def _place(self, lines: int) -> int:
        """The first line of the axis, which follows the market unless the operator scrolled."""
        market = self._market
        if market is None:
            return 0
        centre = centre_of(market)
        if centre is not None and (self._top is None or self._left_behind(centre // self._step, lines)):
            self._top = centre // self._step + (lines - 1) // 2
        if self._top is None:
            return clamp_top(market.grid_k // self._step // 2 + lines // 2, market.grid_k, lines, self._step)
        self._top = clamp_top(self._top, market.grid_k, lines, self._step)
        return self._top

    def _left_behind(self, centre: int, lines: int) -> bool:
        if self._scrolled or self._top is None or self._market is None:
            return False
        first, last = 1 // self._step, (self._market.grid_k - 1) // self._step
        low, high = self._top - lines + 1 + _EDGE, self._top - _EDGE
        return centre < low > first + _EDGE or centre > high < last - _EDGE


def _tick(market: MarketView) -> str:
    return f"{cents(1, market.grid_k, market.decimals)}c"


def _position(market: MarketView) -> str:
    """What is held net, what it cost and what it would bring at the mark."""
    held = market.inventory
    if not held.net:
        return "flat"
    average = f" at {model_cents(held.average, market.decimals)}" if held.average is not None else ""
    token = "YES" if held.net > 0 else "NO"
    return f"{signed_shares(held.net)} {token}{average}, open {signed_usd(market.pnl.unrealised)}"
