"""The charts: equity, drawdown, and the markouts of the selected market with their error bars.

The plotting library is loaded when the pane is shown for the first time, and not before: numpy comes with it.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Final

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.events import Resize
from textual.geometry import Size

from core.units import MICRO, SIDES
from core.views import ConsoleView, MarketView
from widgets.chart_series import (
    Axis,
    Curve,
    History,
    age_axis,
    cent_axis,
    dollar_axis,
    horizon_axis,
    markout_curve,
    markout_fills,
)
from widgets.format import age, brief, usd
from widgets.line_widget import LineWidget, Row, message_rows

if TYPE_CHECKING:
    from widgets.plot import Plot

DRAW_SEC: Final = 1.0
"""Least session time between two looks at what is to be drawn."""
MOST_DRAW_SEC: Final = 5.0
"""Longest time without the newest value: over hours, a second is less than a column, and a drawing costs as before."""
_WIDE: Final = 110
"""Cells from which the markouts stand beside the account's charts."""
_LINES_A_LABEL: Final = 2
_CELLS_A_LABEL: Final = 12


class Words(LineWidget):
    """Why there is no chart, in words."""

    def __init__(self) -> None:
        super().__init__()
        self._text = ""

    def show(self, text: str) -> None:
        """Say it."""
        self._text = text
        self.update_rows()

    def make_rows(self, width: int, height: int) -> list[Row]:
        """The text, a third of the way down."""
        return message_rows([self._text] if self._text else [], height)


class ChartBox(Vertical):
    """A title, and below it a plot or the reason why there is none."""

    DEFAULT_CSS = """
    ChartBox {
        border-top: solid $line;
        border-title-color: $foreground;
        background: $surface;
        & > Words { display: none; height: 1fr; border: none !important; }
        &.-empty > Words { display: block; }
        &.-empty > Plot { display: none; }
    }
    """

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.plot: Plot | None = None
        """None until the pane is shown."""
        self._words = Words()
        self._drawn: tuple[Sequence[Curve], Axis, Axis, Size] | None = None

    def compose(self) -> ComposeResult:
        """The words; the plot comes later."""
        yield self._words

    async def unfold(self) -> None:
        """Load the library and make the plot."""
        plot: Plot = import_module("widgets.plot").Plot()
        await self.mount(plot)
        self.plot = plot

    def say(self, words: str, *title: str) -> None:
        """Show words instead of the plot."""
        self.head(*title)
        self.add_class("-empty")
        self._words.show(words)

    def draw(self, curves: Sequence[Curve], across: Axis, up: Axis) -> None:
        """Show these curves, unless they are on show."""
        self.remove_class("-empty")
        drawn = (curves, across, up, self.size)
        if self.plot is not None and drawn != self._drawn:
            self._drawn = drawn
            self.plot.draw(curves, across, up)

    def holds(self, value: float) -> bool:
        """A value is between the ends of the axis on show."""
        return self._drawn is not None and self._drawn[2].low <= value <= self._drawn[2].high

    def head(self, *parts: str) -> None:
        """Write the title; cleaned texts only."""
        self.border_title = Content(" · ".join(part for part in parts if part))

    @property
    def columns(self) -> int:
        """Columns of which each has its lowest and its highest value."""
        return max(8, self.size.width)

    @property
    def labels_up(self) -> int:
        """Labels that there is room for on the axis that goes up."""
        return max(3, (self.size.height - 4) // _LINES_A_LABEL)

    @property
    def labels_across(self) -> int:
        """Labels that there is room for on the axis that goes across."""
        return max(2, self.size.width // _CELLS_A_LABEL)


class Charts(Vertical, can_focus=True):
    """Three plots. Told of every view; draws when shown, once a second at most."""

    key_label = ""
    """Key that leads to the pane; stands before its first title."""

    DEFAULT_CSS = """
    Charts {
        background: $surface;
        &:focus ChartBox { border-top: solid $focus-line; }
        & > #charts-account { height: 3fr; }
        & > #charts-account > #chart-equity { height: 3fr; }
        & > #charts-account > #chart-drawdown { height: 2fr; }
        & > #chart-markouts { height: 2fr; }
        &.-beside { layout: horizontal; }
        &.-beside > #charts-account { width: 1fr; height: 1fr; }
        &.-beside > #chart-markouts { width: 1fr; height: 1fr; margin-left: 1; }
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._history = History()
        self._equity = ChartBox(id="chart-equity")
        self._drawdown = ChartBox(id="chart-drawdown")
        self._markouts = ChartBox(id="chart-markouts")
        self._shown: tuple[ConsoleView, MarketView | None] | None = None
        self._drawn_unix, self._drawn_market = float("-inf"), ""
        self._account_due = 0.0
        """Session time at which the lines of the account are drawn again, if not before."""
        self._unfolding = False

    def compose(self) -> ComposeResult:
        """Empty boxes."""
        with Vertical(id="charts-account"):
            yield self._equity
            yield self._drawdown
        yield self._markouts

    def note(self, view: ConsoleView) -> None:
        """Remember the account of a view, whether or not the pane is shown; nothing before the account is known."""
        if view.equity or len(self._history):
            self._history.note(view.unix, view.equity, view.account.drawdown)

    def show(self, view: ConsoleView, market: MarketView | None) -> None:
        """Draw what was noted and the markouts of a market, if what is on show is old enough, or of another market."""
        self._shown = (view, market)
        if not self._unfolding:
            self._unfolding = True
            self.call_later(self._unfold)
        name = "" if market is None else market.market
        if name != self._drawn_market or not 0 <= view.unix - self._drawn_unix < DRAW_SEC:
            self._drawn_unix, self._drawn_market = view.unix, name
            self._draw()

    def retitle(self) -> None:
        """Write the titles anew."""
        self._draw()

    async def _unfold(self) -> None:
        for box in (self._equity, self._drawdown, self._markouts):
            await box.unfold()
        self.call_after_refresh(self._draw)

    def on_resize(self, event: Resize) -> None:
        """Columns and labels depend on the size."""
        self.set_class(event.size.width >= _WIDE, "-beside")
        self._account_due = 0.0
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        if self._shown is None or self._markouts.plot is None:
            return
        view, market = self._shown
        self._draw_account(self._history, view.unix)
        self._draw_markouts(self._markouts, market)

    def _draw_account(self, history: History, unix: float) -> None:
        key = f"[{self.key_label}] " if self.key_label else ""
        if history.equity is None or len(history) < 2:
            words = "the account is not known yet" if history.equity is None else "the lines begin with the next value"
            self._equity.say(words, f"{key}Equity at bids")
            self._drawdown.say(words, "Drawdown")
            return
        now, deepest = usd(-history.drawdown), usd(-history.deepest)
        since = f"since the console started, {age(history.span_s)}"
        self._equity.head(f"{key}Equity at bids {usd(history.equity)}", since)
        self._drawdown.head(f"Drawdown {now}", f"deepest {deepest} since then")
        equity, fallen = history.equity / MICRO, -history.drawdown / MICRO
        if unix < self._account_due and self._equity.holds(equity) and self._drawdown.holds(fallen):
            return
        self._account_due = unix + min(MOST_DRAW_SEC, history.span_s / self._equity.columns)
        curve = history.equity_curve(self._equity.columns)
        values = [dollars for _, dollars in curve]
        self._draw_line(self._equity, Curve("equity", curve), min(values), max(values))
        curve = history.drawdown_curve(self._drawdown.columns)
        self._draw_line(self._drawdown, Curve("drawdown", curve), min(dollars for _, dollars in curve), 0.0)

    def _draw_line(self, box: ChartBox, curve: Curve, low: float, high: float) -> None:
        box.draw([curve], age_axis(self._history.span_s, box.labels_across), dollar_axis(low, high, box.labels_up))

    def _draw_markouts(self, box: ChartBox, market: MarketView | None) -> None:
        if market is None:
            box.say("no market selected", "Markout in cents")
            return
        title = brief(market.title)
        if not market.detailed:
            box.say("on its way …", "Markout in cents", title)
            return
        curves = [markout_curve(market, side) for side in SIDES]
        fills, young = zip(*(markout_fills(market, side) for side in SIDES), strict=True)
        if not any(curve.points for curve in curves):
            words = (
                f"{sum(young)} fill{'s' if sum(young) != 1 else ''}, all too young to be measured"
                if any(young)
                else "no fills yet"
            )
            box.say(words, "Markout in cents", title)
            return
        told = [f"{side[0].upper()} {side} {count}" for side, count in zip(SIDES, fills, strict=True)]
        box.head("Markout in cents ± error", *told[:-1], f"{told[-1]} fill{'s' if fills[-1] != 1 else ''}", title)
        box.draw(curves, horizon_axis(), cent_axis(curves, box.labels_up))
