"""Every widget with the views it is shown, and views in which every text is a stranger's."""

import typing
from collections.abc import Callable
from functools import cache
from typing import Any, Final, Literal

import msgspec
from textual.widget import Widget

from core.units import Ticks
from core.views import (
    ConsoleView,
    RecordingView,
    TradeView,
)
from tests.widgets.view_builders import HOSTILE, NOON, a_fill, an_alarm, shares, usd, with_title
from widgets.account import Account
from widgets.alarms import Alarms
from widgets.chart import Chart
from widgets.charts import Charts
from widgets.data_health import DataHealth
from widgets.events import EventLog
from widgets.fills import Fills
from widgets.findings import Findings
from widgets.inventory import AccountLine, Inventory
from widgets.key_bar import KeyBar, KeyHint
from widgets.ladder import Ladder
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

TEXTS: Final = (
    *HOSTILE,
    "[bold]bold[/bold] [link=https://x]y[/link] [@click=app.quit]z[/] [#ff0000]r[/] \\[x] [",
    "\x1b]52;c;aGVsbG8=\x07\x1b]8;;https://x\x1b\\link\x1b]8;;\x1b\\ \x1bP1$q\x1b\\ \x9d0;title\x9c",
    "\x1b[6n\x1b[5;5H\x1b[?1049l\x1b[?25l\x1bc\x90q\x9b2J\x08\x08\x08back\x0bup\x0cfeed\x85next",
    "zero\u200b\u200c\u200d\u2060\ufeff\u00ad\u180ewidth \u2028line\u2029paragraph",
    "\u202dpdf\u202c \u2067rli\u2069 \u061cmark \u200e\u200f \U000e0041\U000e0042tags \ufff9a\ufffab\ufffb",
    "Z" + "\u0338\u0321\u0489" * 200 + "algo " + "e\u0301" * 300,
    "👨‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇺🇸 1️⃣ ☎️ \u2764\ufe0f ﷽ ꧅ 𒐫 ⸻",
    "ＷＩＤＥ　ｆｏｒｍｓ ｱｲｳ ㍿ Ａ" * 30,
    "שלום עולם مرحبا بالعالم " * 40,
    "\t\ttabs\t" * 50 + "\n\n\nlines\r\r",
    "\u3164\u115f\uffa0\u2800\u00a0\u2003blank",
    "🚀" * 10_000,
    "\ud83d\ude80 \udc00 half \ud83d",
)
"""Texts of strangers that have broken terminal programs: markup, sequences, direction, width, length."""

_KEPT: Final = frozenset(("market", "act", "mode", "profiles", "key", "code", "pane", "tier"))
"""Fields that name a thing of ours; the rest of all texts may be foreign as far as a widget knows."""


def hostile(value: Any, text: str) -> Any:
    """A view with ``text`` in the place of every text in it, but names of things and states that are a closed list."""
    if isinstance(value, msgspec.Struct):
        hints = _hints(type(value))
        changes = {
            name: _changed(getattr(value, name), hints[name], text)
            for name in value.__struct_fields__
            if name not in _KEPT
        }
        return msgspec.structs.replace(value, **changes)
    if isinstance(value, tuple):
        return tuple(hostile(item, text) for item in value)
    return value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _changed(value: Any, hint: Any, text: str) -> Any:
    if isinstance(value, str):
        return text if value and _is_open(hint) else value
    if isinstance(value, tuple):
        closed = [_is_open(part) for part in typing.get_args(hint)]
        if value and not isinstance(value[0], msgspec.Struct | tuple):
            opened = closed if len(closed) == len(value) else [closed[0]] * len(value) if closed else []
            return tuple(
                text if isinstance(item, str) and is_open else item
                for item, is_open in zip(value, opened or [False] * len(value), strict=True)
            )
        return tuple(hostile(item, text) for item in value)
    return hostile(value, text) if isinstance(value, msgspec.Struct) else value


def _is_open(hint: Any) -> bool:
    """Whether any text may stand there, not one of a list."""
    return hint is str or (typing.get_origin(hint) is not Literal and str in typing.get_args(hint))


@cache
def a_view_of(text: str) -> ConsoleView:
    """A view whose every text is ``text``, with everything in it that a widget may show."""
    view = with_title(text)
    markets = tuple(
        msgspec.structs.replace(
            market,
            tape=(TradeView(1, 3.0, Ticks(41), shares(7), True),),
            volumes=((Ticks(41), shares(9)),),
        )
        for market in view.markets
    )
    recording = RecordingView(text, NOON, 60.0, 1_000, 10, 2, text, trouble=text)
    view = msgspec.structs.replace(
        view,
        markets=markets,
        fills=(a_fill(1), a_fill(2, market="0xgone", status="MATCHED", taker=True)),
        alarms=(an_alarm(), an_alarm(key="b", priority=1, shelved_s=60.0, reason="x", by="y", acknowledged=True)),
        recordings=(recording, msgspec.structs.replace(recording, running=True, path="/x/" + text)),
    )
    found: ConsoleView = hostile(view, text)
    return found


def _charts(widget: Charts, view: ConsoleView) -> None:
    for second in range(3):
        widget.note(msgspec.structs.replace(view, unix=view.unix + second, equity=usd(50_000 + second)))
    widget.show(view, view.markets[0])
    widget.retitle()


Show = Callable[[Any, ConsoleView], None]
WIDGETS: Final[dict[str, tuple[Callable[[], Widget], Show]]] = {
    "strip": (StatusStrip, lambda widget, view: widget.show(view)),
    "strip of a dead session": (StatusStrip, lambda widget, view: widget.show(view, 30.0, "x", view.kill)),
    "table": (MarketTable, lambda widget, view: widget.show(view.markets, view.markets[2].market, view.controls)),
    "ladder": (Ladder, lambda widget, view: widget.show(view.markets[2], view.unix)),
    "empty ladder": (Ladder, lambda widget, view: widget.show(view.markets[4], view.unix)),
    "inventory": (Inventory, lambda widget, view: widget.show(view.markets[0], view)),
    "line": (AccountLine, lambda widget, view: widget.show(view, view.markets[0])),
    "pnl": (Pnl, lambda widget, view: widget.show(view, view.markets[0])),
    "health": (DataHealth, lambda widget, view: widget.show(view.markets[2])),
    "health of a quiet market": (DataHealth, lambda widget, view: widget.show(view.markets[1])),
    "quote": (Quote, lambda widget, view: widget.show(view.markets[2])),
    "why": (Why, lambda widget, view: widget.show(view.markets[0])),
    "why of an order": (Why, lambda widget, view: widget.show(view.markets[0], view.markets[0].orders[0])),
    "results": (Results, lambda widget, view: widget.show(view.markets[0], 210.0)),
    "orders": (Orders, lambda widget, view: widget.show(view.markets, view.markets[0].market)),
    "fills": (Fills, lambda widget, view: widget.show(view.fills, view.unix)),
    "tape": (TapeLog, lambda widget, view: widget.show(view.markets[0], view.unix, view.fills)),
    "alarms": (Alarms, lambda widget, view: widget.show(view.alarms, _titles(view), view.unix)),
    "recordings": (Recordings, lambda widget, view: widget.show(view.recordings, view.unix)),
    "account": (Account, lambda widget, view: widget.show(view, view.markets[0])),
    "risk": (Risk, lambda widget, view: widget.show(view, view.markets[0])),
    "findings": (Findings, lambda widget, view: widget.show(view)),
    "market list": (MarketList, lambda widget, view: widget.show(view, "0xfed", "A: approve")),
    "events": (EventLog, lambda widget, view: widget.show(view.events, _titles(view))),
    "charts": (Charts, _charts),
    "chart": (Chart, lambda widget, view: widget.note(view.unix, view.equity)),
    "tabs": (TabBar, lambda widget, view: widget.show([Tab("3", "orders", 3, True)])),
    "keys": (KeyBar, lambda widget, view: widget.show([KeyHint("x", "cancel", 1)])),
    "notice": (lambda: Notice((40, 12)), lambda widget, view: widget.show("30x9", [("x", "cancel")])),
}
"""Name to (how it is made, how it is shown a view)."""


def _titles(view: ConsoleView) -> dict[str, str]:
    return {each.market: each.title for each in view.markets}
