"""The page: strip, panes, bottom line. It hands each pane its part of a view, and only to panes on show."""

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.events import Resize
from textual.screen import Screen

from core.views import ConsoleView, MarketView
from polymm_tui.screens.bindings import bindings_of, hints_of, live_keys
from polymm_tui.screens.layout import MINIMUM, PANES, Layout, Pane, layout_for, shown_panes
from widgets.account import Account
from widgets.chart import Chart
from widgets.data_health import DataHealth
from widgets.events import EventLog
from widgets.findings import Findings
from widgets.inventory import AccountLine, Inventory
from widgets.key_bar import KeyBar
from widgets.ladder import Ladder
from widgets.line_widget import ScrollingLineWidget
from widgets.market_list import MarketList
from widgets.market_table import MarketTable
from widgets.notice import Notice
from widgets.orders import Orders
from widgets.pnl import Pnl
from widgets.quote import Quote
from widgets.results import Results
from widgets.risk import Risk
from widgets.status_strip import StatusStrip
from widgets.why import Why

PAGE_CSS: Final = """
MainScreen { background: $background; overflow: hidden; }
#account-line { dock: bottom; height: 1; background: $panel; margin-bottom: 1; display: none; }
#notice { display: none; }
#page { height: 1fr; }
#page LineWidget {
    border: round $line;
    border-title-color: $foreground;
    border-title-style: bold;
    border-subtitle-color: $muted;
    height: 1fr;
    width: 1fr;
}
#page LineWidget:focus { border: round $focus-line; border-title-color: $key; }
#page #upper { height: 1fr; }
#page #left { width: 51; }
#page #events { height: 8; }
#page #middle { height: 13; }
#page #chart { width: 69; }
#page #lower { height: 10; }
#page #worth { width: 2fr; }
#page #health { display: none; }

.-wide #page #left { width: 62; }
.-wide #page #events { height: 14; }
.-wide #page #reasons { width: 2fr; }
.-wide #page #health { display: block; }
.-compact #account-line { display: block; }
.-tiny #notice { display: block; }
.-tiny #page { display: none; }

.-zoomed #page #left { width: 1fr; }
.-zoomed #page #events { height: 1fr; }
.-zoomed #page #middle { height: 1fr; }
.-zoomed #page #lower { height: 1fr; }
.-zoomed #page #worth { layout: vertical; width: 1fr; }
.-zoomed #page #reasons { layout: vertical; width: 1fr; }
.-zoomed #page #health { display: block; }
.-compact #page #inventory { height: 10; }
"""
"""Loaded by the app, which owns the default screen."""
_LAYOUT_CLASSES: Final = ("tiny", "compact", "normal", "wide")


class MainScreen(Screen[None], inherit_bindings=False):
    """Strip, markets, ladders, orders, events, money and keys in four layouts."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of("main")
    AUTO_FOCUS = None

    def __init__(self) -> None:
        super().__init__()
        self._layout_name: Layout = "normal"
        self._zoomed: Pane | None = None
        self._compact_pane: Pane = "markets"
        self._shown: frozenset[str] = frozenset()
        self._view: ConsoleView | None = None
        self._selected = ""
        self._made_before = ""
        """The last market that was selected and is made: selected again when the market list is left."""
        self._had_market = False
        self._silent_s = 0.0
        self._trouble = ""
        self.strip = StatusStrip(id="strip")
        self.markets = MarketTable(id="markets")
        self.ladder = Ladder(id="ladder")
        self.second = Ladder(id="second")
        self.orders = Orders(id="orders")
        self.events = EventLog(id="events")
        self.chart = Chart(id="chart")
        self.quote = Quote(id="quote")
        self.health = DataHealth(id="health")
        self.inventory = Inventory(id="inventory")
        self.pnl = Pnl(id="pnl")
        self.why = Why(id="why")
        self.results = Results(id="results")
        self.findings = Findings(id="findings")
        self.account = Account(id="account")
        self.risk = Risk(id="risk")
        self.market_list = MarketList(id="market-list")
        self.money = Horizontal(id="lower")
        self.account_line = AccountLine(id="account-line")
        self.key_bar = KeyBar(id="keys")
        self.notice = Notice(MINIMUM, id="notice")

    def compose(self) -> ComposeResult:
        """All panes; which of them show is decided by the size."""
        yield self.strip
        yield self.key_bar
        yield self.account_line
        yield self.notice
        with Vertical(id="page"):
            with Horizontal(id="upper"):
                with Vertical(id="left"):
                    yield self.markets
                    yield self.events
                yield self.ladder
                yield self.second
            with Horizontal(id="middle"):
                yield self.orders
                yield self.chart
            with self.money:
                with Horizontal(id="reasons"):
                    yield self.quote
                    yield self.health
                with Horizontal(id="worth"):
                    yield self.inventory
                    yield self.pnl
            yield self.why
            yield self.results
            yield self.findings
            yield self.account
            yield self.risk
            yield self.market_list

    def on_mount(self) -> None:
        """Keep the bottom line true to the keys."""
        self.bindings_updated_signal.subscribe(self, lambda _: self._show_keys())
        self.arrange_panes(layout_for(*self.app.size))
        self.strip.show(None)

    def on_resize(self, event: Resize) -> None:
        """Choose the layout for the new size."""
        layout = layout_for(event.size.width, event.size.height)
        if layout != self._layout_name:
            self.arrange_panes(layout)
        self.notice.show(f"{event.size.width}x{event.size.height}")

    # What is drawn

    @property
    def market(self) -> MarketView | None:
        """The selected market as last shown; None also when the one selected in the market list is not made."""
        return next((market for market in self._markets if market.market == self._selected), None)

    @property
    def readable(self) -> bool:
        """The terminal is large enough to see what one acts on."""
        return self._layout_name != "tiny"

    @property
    def shown(self) -> frozenset[str]:
        """Names of the panes on show."""
        return self._shown

    def show(self, view: ConsoleView, *, table: bool = True, money: bool = True) -> None:
        """Draw a view.

        Args:
            view: what to draw.
            table: also the table, the orders, the events and the strip.
            money: also quote, data, inventory, profit, chart, reasons, results, findings,
                account, risk and market list.
        """
        first = self._view is None
        self._view = view
        if self.market is None and view.markets and not self._selects_unmade:
            self._selected = view.markets[0].market
        has_market = self.market is not None
        if first or has_market != self._had_market:
            self._had_market = has_market
            self.refresh_bindings()
        self._show_ladders()
        if table:
            self._show_table()
        if money:
            self._show_money()

    def show_health(self, silent_s: float, console: str) -> None:
        """Say in the strip how long the engine has been silent and what is wrong with the console."""
        if (silent_s, console) != (self._silent_s, self._trouble):
            self._silent_s, self._trouble = silent_s, console
            self.strip.show(self._view, silent_s, console)

    @property
    def _markets(self) -> tuple[MarketView, ...]:
        return self._view.markets if self._view else ()

    @property
    def _selects_unmade(self) -> bool:
        """The market list is on show and one of its markets is selected that is not made."""
        listing = self._view.market_list if self._view else None
        if listing is None or "market_list" not in self._shown or self.market is not None:
            return False
        return any(listed.market == self._selected for listed in listing.markets)

    def _show_all(self) -> None:
        if self._view is not None:
            self.show(self._view)

    def _show_ladders(self) -> None:
        market = self.market
        if "ladder" in self._shown:
            self.ladder.show(market)
        if "second" in self._shown:
            others = [other for other in self._markets if other is not market]
            after = [other for other in others if self._place(other) > self._place(market)]
            self.second.show(next(iter(after or others), None))

    def _place(self, market: MarketView | None) -> int:
        return next((i for i, other in enumerate(self._markets) if other is market), -1)

    def _show_table(self) -> None:
        view = self._view
        if view is None:
            return
        self.strip.show(view, self._silent_s, self._trouble)
        if "markets" in self._shown:
            self.markets.show(view.markets, self._selected, view.controls)
        if "orders" in self._shown:
            self.orders.show(view.markets, self._selected)
        if "events" in self._shown:
            self.events.show(view.events, {market.market: market.title for market in view.markets})

    def _show_money(self) -> None:
        view, market = self._view, self.market
        if view is None:
            return
        if view.equity:
            self.chart.note(view.unix, view.equity)
        if "chart" in self._shown:
            self.chart.update_rows()
        if "money" in self._shown:
            self.quote.show(market)
            self.health.show(market)
            self.inventory.show(market)
            self.pnl.show(view, market)
        if "why" in self._shown:
            self.why.show(market)
        if "results" in self._shown:
            self.results.show(market, view.cancels_per_1000)
        if "findings" in self._shown:
            self.findings.show(view)
        if "inventory" in self._shown:
            self.account.show(view, market)
        if "risk" in self._shown:
            self.risk.show(view, market)
        if "market_list" in self._shown:
            self.market_list.show(view, self._selected, self._list_keys())
        if self._layout_name == "compact":
            self.account_line.show(view, market)

    def _list_keys(self) -> str:
        """What answers the proposal of a market list, with the keys as they are."""
        live = live_keys(self)
        acts = (("list.approve", "approve"), ("list.reject", "reject"))
        answers = [f"{live[identity][0][0]}: {word}" for identity, word in acts if identity in live]
        return "; ".join([*answers, "both show it and ask first"])

    def _show_keys(self) -> None:
        if self.is_mounted:
            self.key_bar.show(hints_of(self))

    # Where things stand

    def arrange_panes(self, layout: Layout) -> None:
        """Put the panes of a layout on show and give them the newest view."""
        self._layout_name = layout
        zoomed = self._compact_pane if layout == "compact" and self._zoomed is None else self._zoomed
        self._shown = shown_panes(layout, zoomed)
        if self.market is None and not self._selects_unmade:
            self._selected = self._made_before
        for name in _LAYOUT_CLASSES:
            self.set_class(name == layout, f"-{name}")
        self.set_class(zoomed is not None, "-zoomed")
        for name, widget in self._panes().items():
            widget.display = name in self._shown
        for container in ("#left", "#upper", "#middle"):
            for box in self.query(container):  # there is none if a signal came while the page was made
                box.display = any(child.display for child in box.children)
        self._focus_shown()
        self._show_all()
        self._show_keys()

    def _panes(self) -> dict[str, Vertical | Horizontal | ScrollingLineWidget | Chart]:
        return {
            "markets": self.markets,
            "events": self.events,
            "ladder": self.ladder,
            "second": self.second,
            "orders": self.orders,
            "chart": self.chart,
            "money": self.money,
            "why": self.why,
            "results": self.results,
            "findings": self.findings,
            "inventory": self.account,
            "risk": self.risk,
            "market_list": self.market_list,
        }

    def _focus_shown(self) -> None:
        names = self._focusable()
        if self._focused_pane() not in names:
            self.set_focus(self._scrolling(names[0]) if names else None, scroll_visible=False)

    def _focusable(self) -> list[Pane]:
        return [name for name in PANES if name in self._shown and name != "money"]

    def _scrolling(self, name: Pane) -> ScrollingLineWidget | None:
        widget = self._panes()[name]
        return widget if isinstance(widget, ScrollingLineWidget) else None

    def _focused_pane(self) -> Pane | None:
        return next((name for name in PANES if self._scrolling(name) is self.focused is not None), None)

    # Acts of the operator table

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Dim the zoom where there is one pane only."""
        if action == "zoom" and self._layout_name in ("compact", "tiny"):
            return None
        return True

    def action_select(self, step: int) -> None:
        """Select another market; the list does not wrap round. The market list goes through its own."""
        if "market_list" in self._shown:
            listed = self.market_list.neighbour(step)
            if listed is not None:
                self._select_listed(listed)
            return
        markets = self._markets
        if markets:
            place = min(max(self._place(self.market) + step, 0), len(markets) - 1)
            self.select_market(markets[place].market)

    def select_market(self, market: str) -> None:
        """Show another market in every pane."""
        self._selected = market
        self._show_all()

    def _select_listed(self, market: str) -> None:
        """Select a market of the list and tell its rules; acts on it are dimmed while it is not made."""
        if self.market is not None:
            self._made_before = self._selected
        self.select_market(market)
        self.market_list.unfold(market)

    def on_market_list_picked(self, message: MarketList.Picked) -> None:
        """A click in the market list selects."""
        self._select_listed(message.market)

    def on_market_table_picked(self, message: MarketTable.Picked) -> None:
        """A click in the table selects."""
        self.select_market(message.market)

    def action_recentre(self) -> None:
        """Centre both ladders."""
        self.ladder.recentre()
        self.second.recentre()

    def action_switch_pane(self) -> None:
        """From the table to the ladder and back."""
        self.action_pane("markets" if self._main_pane() == "ladder" else "ladder")

    def _main_pane(self) -> Pane | None:
        return self._compact_pane if self._layout_name == "compact" else self._focused_pane()

    def action_pane(self, name: Pane) -> None:
        """Focus a pane; one that is not on the page takes the whole page."""
        if name == "market_list":
            self.market_list.fold()
        if self._layout_name == "compact":
            self._compact_pane = name
            self._zoomed = None
        elif self._zoomed is not None or name not in self._shown:
            self._zoomed = name
        self.arrange_panes(self._layout_name)
        if name != "money":
            self.set_focus(self._scrolling(name), scroll_visible=False)

    def action_zoom(self) -> None:
        """Give the page to the focused pane, or take it back."""
        self._zoomed = None if self._zoomed else self._focused_pane()
        self.arrange_panes(self._layout_name)

    def action_focus_pane(self, step: int) -> None:
        """Focus the next or previous pane on show; in the compact layout, show the next one."""
        names: list[Pane] = list(PANES) if self._layout_name == "compact" else self._focusable()
        current = self._main_pane()
        if names:
            place = names.index(current) if current in names else -step
            self.action_pane(names[(place + step) % len(names)])

    def action_page(self, step: int) -> None:
        """Scroll the focused pane by a page."""
        focused = self.focused
        if isinstance(focused, ScrollingLineWidget):
            focused.scroll_lines(step * focused.page_lines())
