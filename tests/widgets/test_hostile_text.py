"""Texts of strangers through every widget: nothing breaks, nothing leaves its line."""

import pytest
from rich.cells import cell_len

from tests.widgets.harness import WidgetApp
from tests.widgets.view_builders import HOSTILE, a_market, with_title
from widgets.account import Account
from widgets.data_health import DataHealth
from widgets.events import EventLog
from widgets.findings import Findings
from widgets.inventory import AccountLine, Inventory
from widgets.ladder import Ladder
from widgets.market_list import MarketList
from widgets.market_table import MarketTable
from widgets.orders import Orders
from widgets.pnl import Pnl
from widgets.quote import Quote
from widgets.results import Results
from widgets.risk import Risk
from widgets.status_strip import StatusStrip
from widgets.why import Why

WIDGETS = {
    "strip": (StatusStrip, lambda widget, view: widget.show(view)),
    "table": (MarketTable, lambda widget, view: widget.show(view.markets, view.markets[2].market, view.controls)),
    "ladder": (Ladder, lambda widget, view: widget.show(view.markets[2])),
    "empty ladder": (Ladder, lambda widget, view: widget.show(view.markets[4])),
    "inventory": (Inventory, lambda widget, view: widget.show(view.markets[0])),
    "line": (AccountLine, lambda widget, view: widget.show(view, view.markets[0])),
    "pnl": (Pnl, lambda widget, view: widget.show(view, view.markets[0])),
    "health": (DataHealth, lambda widget, view: widget.show(view.markets[2])),
    "health of a quiet market": (DataHealth, lambda widget, view: widget.show(view.markets[1])),
    "quote": (Quote, lambda widget, view: widget.show(view.markets[2])),
    "why": (Why, lambda widget, view: widget.show(view.markets[0])),
    "results": (Results, lambda widget, view: widget.show(view.markets[0], 210.0)),
    "orders": (Orders, lambda widget, view: widget.show(view.markets, view.markets[0].market)),
    "account": (Account, lambda widget, view: widget.show(view, view.markets[0])),
    "risk": (Risk, lambda widget, view: widget.show(view, view.markets[0])),
    "findings": (Findings, lambda widget, view: widget.show(view)),
    "market list": (MarketList, lambda widget, view: widget.show(view, "0xfed", "A: approve")),
    "events": (EventLog, lambda widget, view: widget.show(view.events, {"0xfed": view.markets[0].title})),
}


@pytest.mark.parametrize("name", WIDGETS)
@pytest.mark.parametrize("width", [70, 130])
async def test_foreign_text_is_harmless(name, width):
    kind, show = WIDGETS[name]
    widget = kind()
    views = [with_title(text) for text in HOSTILE]
    async with WidgetApp(widget, lambda: show(widget, views[0])).run_test(size=(width, 14)) as pilot:
        for view in views:
            show(widget, view)
            await pilot.pause()
            for y, line in enumerate(widget.rows):
                assert line.text.isprintable()
                assert cell_len(line.text) <= width
                assert widget.render_line(y).cell_length == widget.size.width


async def test_brackets_survive_in_a_title():
    ladder = Ladder()
    market = a_market(title="Will X [YES] or [/x]?")
    async with WidgetApp(ladder, lambda: ladder.show(market)).run_test(size=(80, 14)) as pilot:
        await pilot.pause()
        assert ladder._border_title.plain == "Will X [YES] or [/x]?"
