"""The table of markets: sorted, filtered, stable under updates."""

from collections.abc import Mapping, Sequence

from textual.events import Click
from textual.message import Message

from core.views import ControlView, MarketView
from widgets.data_words import is_believed
from widgets.format import clean, fit
from widgets.line_widget import Row, ScrollingLineWidget, message_rows
from widgets.market_order import Ordering, fits_filter
from widgets.market_rows import NO_SCORES, lines_per_market, markets_visible, table_rows


class MarketTable(ScrollingLineWidget):
    """Draws :func:`table_rows` in an order that holds still, and keeps the selected market in sight.

    Clicking a market selects it.
    """

    class Picked(Message):
        """The operator clicked a market."""

        def __init__(self, market: str) -> None:
            super().__init__()
            self.market = market

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._markets: Sequence[MarketView] = ()
        self._shown: Sequence[MarketView] = ()
        self._selected = ""
        self._controls: Sequence[ControlView] = ()
        self._scores: Mapping[str, float] = {}
        self._unix = 0.0
        self._ordering = Ordering()
        self._filter = ""
        self.set_titles("Markets")

    def show(
        self,
        markets: Sequence[MarketView],
        selected: str,
        controls: Sequence[ControlView] = (),
        scores: Mapping[str, float] = NO_SCORES,
        unix: float = 0.0,
    ) -> None:
        """Draw the markets with one of them selected; see :func:`table_rows`.

        Args:
            markets: all, in the order of the market list.
            selected: condition id.
            controls: states that are not ACTIVE.
            scores: of the market list, by condition id.
            unix: session time, by which the order is made again.
        """
        moved = selected != self._selected
        self._markets, self._selected, self._controls = markets, selected, controls
        self._scores, self._unix = scores, unix
        self._arrange(follow=moved)

    @property
    def order(self) -> tuple[str, ...]:
        """Condition ids of the markets on show, scrolled away ones included, from the top."""
        return tuple(market.market for market in self._shown)

    @property
    def sort_name(self) -> str:
        """What the markets are ordered by, in words."""
        return self._ordering.sort.name

    @property
    def filter_text(self) -> str:
        """What titles must contain; "" for all."""
        return self._filter

    def sort_by(self, step: int) -> None:
        """Go to the next (1) or the previous (-1) order, at once."""
        self._ordering.step(step)
        self._arrange(follow=True)

    def filter_by(self, text: str) -> None:
        """Show only markets with these words in their titles; "" shows all."""
        self._filter = text
        self._arrange(follow=True)

    def _arrange(self, *, follow: bool) -> None:
        before = self.order
        self._ordering.update(self._markets, self._scores, self._selected, self._unix)
        by_id = {market.market: market for market in self._markets}
        ordered = (by_id[identity] for identity in self._ordering.order)
        self._shown = [market for market in ordered if fits_filter(market, self._filter)]
        if follow or self.order != before:
            self._follow()
        self.update_rows()

    def make_rows(self, width: int, height: int) -> list[Row]:
        """See :func:`table_rows`."""
        if self._markets and not self._shown:
            told = f"no title of {len(self._markets)} has “{clean(self._filter)}”"
            return message_rows([fit(told, max(0, width - 2)).rstrip()], height)
        skip = self.clamp_skip(len(self._shown), markets_visible(width, height))
        return table_rows(self._shown, self._selected, skip, width, height, self._controls, self._scores)

    def retitle(self) -> None:
        """Say how the markets are ordered and filtered, how many are quoted and believed, and which are in sight."""
        wanted = f" · /{clean(self._filter)}" if self._filter else ""
        sort = f" by {self.sort_name}" if self._ordering.sort.moves or self.sort_name == "name" else ""
        self.set_titles(f"Markets{sort}{wanted}", self._range(markets_visible(*self.size)))

    def on_click(self, event: Click) -> None:
        """Select the market under the pointer."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        lines = lines_per_market(self.size.width)
        index = self._skip + (offset.y - 1) // lines
        if offset.y and index < len(self._shown):
            self.post_message(self.Picked(self._shown[index].market))

    def size_changed(self) -> None:
        """Keep the selected market in sight at the new size."""
        self._follow()
        self.update_rows()

    def _follow(self) -> None:
        width, height = self.size
        index = next((i for i, market in enumerate(self._shown) if market.market == self._selected), None)
        if index is None or not height:
            return
        visible = markets_visible(width, height)
        self._skip = max(min(self._skip, index), index - visible + 1)

    def _range(self, visible: int) -> str:
        count, shown = len(self._markets), len(self._shown)
        quoting = sum(market.quoting for market in self._markets)
        doubtful = sum(not is_believed(market.data) for market in self._markets)
        rest = f"{quoting} of {count} quoting"
        if shown > visible:
            rest = f"{self._skip + 1}–{self._skip + visible} of {shown}, {quoting} quoting"
        parts = [rest, f"{doubtful} not proven" if doubtful else ""]
        if self._filter:
            parts.insert(0, f"{shown} of {count} fit")
            hidden = self._selected not in self.order and any(m.market == self._selected for m in self._markets)
            parts.append("selected one is hidden" if hidden else "")
        return ", ".join(part for part in parts if part)
