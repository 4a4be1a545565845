"""The widgets of the page: where they stand, and which part of a view each is handed."""

from collections.abc import Mapping

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from core.views import ConsoleView, MarketView, OrderView
from polymm_tui.screens.layout import MINIMUM, Pane
from widgets.account import Account
from widgets.alarms import Alarms, calls
from widgets.chart import Chart
from widgets.charts import Charts
from widgets.data_health import DataHealth
from widgets.events import EventLog
from widgets.fills import Fills
from widgets.findings import Findings
from widgets.inventory import AccountLine, Inventory
from widgets.key_bar import KeyBar
from widgets.ladder import Ladder
from widgets.line_widget import LineWidget
from widgets.market_list import MarketList
from widgets.market_table import MarketTable
from widgets.notice import Notice
from widgets.orders import Orders
from widgets.pnl import Pnl
from widgets.quote import Quote
from widgets.recordings import Recordings
from widgets.results import Results
from widgets.risk import Risk
from widgets.status_strip import StatusStrip
from widgets.tab_bar import Tab, TabBar
from widgets.tape import TapeLog
from widgets.why import Why


class Panes:
    """Every widget of the page. Those that are not on show are handed nothing, but for what must not have gaps."""

    def __init__(self) -> None:
        self.strip = StatusStrip(id="strip")
        self.markets = MarketTable(id="markets")
        self.ladder = Ladder(id="ladder")
        self.second = Ladder(id="second")
        self.quote = Quote(id="quote")
        self.health = DataHealth(id="health")
        self.inventory = Inventory(id="inventory")
        self.pnl = Pnl(id="pnl")
        self.tabs = TabBar(id="tabs")
        self.orders = Orders(id="orders")
        self.fills = Fills(id="fills")
        self.tape = TapeLog(id="tape")
        self.alarms = Alarms(id="alarms")
        self.log = EventLog(id="log")
        self.market_list = MarketList(id="market-list")
        self.recordings = Recordings(id="recordings")
        self.chart = Chart(id="chart")
        self.why = Why(id="why")
        self.results = Results(id="results")
        self.findings = Findings(id="findings")
        self.account = Account(id="account")
        self.risk = Risk(id="risk")
        self.charts = Charts(id="charts")
        self.money = Horizontal(id="lower")
        self.account_line = AccountLine(id="account-line")
        self.key_bar = KeyBar(id="keys")
        self.notice = Notice(MINIMUM, id="notice")
        self.second.can_focus = False

    def compose(self) -> ComposeResult:
        """All widgets; which of them show is decided by the size."""
        yield self.strip
        yield self.key_bar
        yield self.account_line
        yield self.notice
        with Vertical(id="page"):
            with Horizontal(id="upper"):
                yield from (self.markets, self.ladder, self.second)
            with self.money:
                with Horizontal(id="reasons"):
                    yield from (self.quote, self.health)
                with Horizontal(id="worth"):
                    yield from (self.inventory, self.pnl)
            with Vertical(id="bottom"):
                yield self.tabs
                with Horizontal(id="box"):
                    yield from (self.orders, self.fills, self.tape, self.alarms, self.log, self.market_list)
                    yield from (self.recordings, self.chart)
            yield from (self.why, self.results, self.findings, self.account, self.risk, self.charts)

    def by_name(self) -> dict[str, Widget]:
        """Everything that is shown or hidden, by the names of :mod:`polymm_tui.screens.layout`."""
        return {
            "markets": self.markets,
            "ladder": self.ladder,
            "second": self.second,
            "money": self.money,
            "tabs": self.tabs,
            "orders": self.orders,
            "fills": self.fills,
            "tape": self.tape,
            "alarms": self.alarms,
            "log": self.log,
            "list": self.market_list,
            "recordings": self.recordings,
            "chart": self.chart,
            "why": self.why,
            "results": self.results,
            "findings": self.findings,
            "account": self.account,
            "risk": self.risk,
            "charts": self.charts,
        }

    def label(self, keys: Mapping[str, str]) -> None:
        """Write the key of each pane before its title.

        Args:
            keys: name of a pane to the label of its key.
        """
        for name, widget in (*self.by_name().items(), ("money", self.quote)):
            if name in keys and isinstance(widget, LineWidget):
                widget.set_key_label(keys[name])
        if "charts" in keys and self.charts.key_label != keys["charts"]:
            self.charts.key_label = keys["charts"]
            self.charts.retitle()

    def mark_old(self, words: str) -> None:
        """Say in the title of every pane that what it shows is old; "" when it is not."""
        for widget in (*self.by_name().values(), self.quote, self.health, self.inventory, self.pnl):
            if isinstance(widget, LineWidget):
                widget.set_stale(words)

    def show_ladders(
        self, shown: frozenset[str], market: MarketView | None, second: MarketView | None, unix: float
    ) -> None:
        """What moves with every book."""
        if "ladder" in shown:
            self.ladder.show(market, unix)
        if "second" in shown:
            self.second.show(second, unix)

    def show_table(self, view: ConsoleView, selected: str) -> None:
        """The markets; their order is known afterwards, also while the table is hidden."""
        listing = view.market_list
        scores = {each.market: each.score for each in listing.markets if each.score is not None} if listing else {}
        self.markets.show(view.markets, selected, view.controls, scores, view.unix)

    def show_lists(self, shown: frozenset[str], view: ConsoleView, market: MarketView | None, selected: str) -> None:
        """Orders, fills, tape, alarms, log and recordings."""
        titles = {each.market: each.title for each in view.markets}
        if "orders" in shown:
            self.orders.show(view.markets, selected)
        if "fills" in shown:
            self.fills.show(view.fills, view.unix)
        if "tape" in shown:
            self.tape.show(market, view.unix, view.fills)
        if "alarms" in shown:
            self.alarms.show(view.alarms, titles, view.unix)
        if "log" in shown:
            self.log.show(view.events, titles)
        if "recordings" in shown:
            self.recordings.show(view.recordings, view.unix)

    def show_money(
        self,
        shown: frozenset[str],
        view: ConsoleView,
        market: MarketView | None,
        order: OrderView | None,
    ) -> None:
        """What a person reads and does not watch; ``order`` is the one whose reasons are asked for."""
        if view.equity:
            self.chart.note(view.unix, view.equity)
        self.charts.note(view)
        if "chart" in shown:
            self.chart.update_rows()
        if "money" in shown:
            self.quote.show(market)
            self.health.show(market)
            self.inventory.show(market, view)
            self.pnl.show(view, market)
        if "why" in shown:
            self.why.show(market, order)
        if "results" in shown:
            self.results.show(market, view.cancels_per_1000)
        if "findings" in shown:
            self.findings.show(view)
        if "account" in shown:
            self.account.show(view, market)
        if "risk" in shown:
            self.risk.show(view, market)
        if "charts" in shown:
            self.charts.show(view, market)

    def show_tabs(self, names: tuple[Pane, ...], active: Pane, keys: Mapping[str, str], view: ConsoleView) -> None:
        """The bar above the box at the bottom."""
        counts = _counts(view)
        self.tabs.show(
            [
                Tab(keys.get(name, ""), name, count, name == active, role)
                for name in names
                for count, role in [counts.get(name, (None, ""))]
            ]
        )


def _counts(view: ConsoleView) -> dict[str, tuple[int, str]]:
    """How much is behind a tab, and the role of the number where it wants eyes."""
    orders = [order for market in view.markets for order in market.orders]
    calling = [alarm for alarm in view.alarms if calls(alarm)]
    listing = view.market_list
    waiting = len(listing.proposal.lines) if listing and listing.proposal else 0
    return {
        "orders": (len(orders), "warn" if any(order.unknown_s is not None for order in orders) else ""),
        "fills": (len(view.fills), ""),
        "alarms": (len(calling), "" if not calling else "alarm" if any(a.priority == 1 for a in calling) else "warn"),
        "list": (waiting, "warn" if waiting else ""),
        "recordings": (sum(recording.running for recording in view.recordings), "strong"),
    }
