"""Orders, fills and files for the tests of the store."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from core.clock import ManualClock
from core.events import FillSeen
from core.orders.fills import Fill, TrackedFill
from core.orders.manager import StateChange, Touched
from core.orders.order import Order, State
from core.store.changes import Changes
from core.store.database import Store
from core.units import Grid, Shares, Ticks, grid_of
from tests.builders import MARKET, YES, shares

NOW = 1_800_000_000.0
CLOCK = ManualClock(unix=NOW, monotonic=100.0)


async def opened(path: Path, clock: ManualClock = CLOCK) -> Store:
    store = Store(path, clock)
    await store.open("demo", "0.1.0", 7, {"k_vol": 2.0})
    return store


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()


def an_order(intent: int = 1, state: State = State.LIVE, **over: Any) -> Order:
    facts: dict[str, Any] = {
        "market": MARKET, "token": YES, "outcome": "YES", "order_side": "BUY", "grid": grid_of("0.01"),
        "price": Ticks(47), "size": shares(600), "side": "bid", "layer": 1, "reason": "new target", "now": 99.0,
    }  # fmt: skip
    facts |= over
    grid: Grid = facts["grid"]
    yes_price = facts["price"] if facts["outcome"] == "YES" else grid.complement(facts["price"])
    order = Order(intent=intent, yes_price=yes_price, **facts)
    order.state, order.order_id = state, f"0x{intent}"
    order.settings_hash, order.book = "s1", "book-7"
    return order


def a_fill(
    order: Order, trade: str = "t1", size: float = 5.0, settlement: Any = "matched", unix: float = NOW, **word: Any
) -> TrackedFill:
    told = FillSeen(
        trade_id=trade, order_id=order.order_id, size=shares(size), settlement=settlement, unix=unix, **word
    )
    fill = Fill(
        trade_id=trade, order_id=order.order_id, intent=order.intent, market=order.market, outcome=order.outcome,
        order_side=order.order_side, price=order.price, yes_price=order.yes_price, usd=order.usd, side=order.side,
        size=Shares(told.size), layer=order.layer, unix=unix,
    )  # fmt: skip
    return TrackedFill(fill, told, 100.0, {told.source})


def changes(
    orders: list[Order] = [],  # noqa: B006  # never changed
    fills: list[TrackedFill] = [],  # noqa: B006
    states: list[StateChange] = [],  # noqa: B006
    **others: Any,
) -> Changes:
    """What these orders and fills make a session write; each fill's word is a step."""
    return Changes(Touched(orders, states, fills, [(100.0, known.word) for known in fills]), **others)
