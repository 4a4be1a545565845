"""Orders, fills and files for the tests of the store."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from core.clock import ManualClock
from core.events import FillSeen
from core.jobs.job import Job, Leg
from core.orders.fills import Fill, TrackedFill
from core.orders.manager import StateChange, Touched
from core.orders.order import Order, State
from core.portfolio.entries import Booking, Entry, EquityMark
from core.store.changes import Changes
from core.store.database import Store
from core.units import Grid, Shares, Ticks, grid_of
from tests.builders import MARKET, YES, shares, usd

NOW = 1_800_000_000.0
WALLET = "0xfeed"
CLOCK = ManualClock(unix=NOW, monotonic=100.0)


async def opened(path: Path, clock: ManualClock = CLOCK, mode: str = "demo", wallet: str = WALLET) -> Store:
    """The store of a session of a wallet; "" for a session with an account of its own."""
    store = Store(path, clock)
    await store.open(mode, "0.1.0", 7, {"k_vol": 2.0})
    await store.use_account(wallet)
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
    order: Order,
    trade: str = "t1",
    size: float = 5.0,
    settlement: Any = "matched",
    unix: float = NOW,
    seq: int = 0,
    **word: Any,
) -> TrackedFill:
    told = FillSeen(
        trade_id=trade, order_id=order.order_id, size=shares(size), settlement=settlement, unix=unix, **word
    )
    fill = Fill(
        trade_id=trade, order_id=order.order_id, intent=order.intent, market=order.market, outcome=order.outcome,
        order_side=order.order_side, price=order.price, yes_price=order.yes_price, usd=order.usd, side=order.side,
        size=Shares(told.size), layer=order.layer, unix=unix,
    )  # fmt: skip
    return TrackedFill(fill, told, 100.0, {told.source}, seq=seq)


def a_line(seq: int, entry: Entry, market: str = MARKET, key: str = "", unix: float = NOW, text: str = "") -> Booking:
    """A line that no fill made; known by its number where no key is given."""
    return Booking(seq, market, key or f"line {seq}", unix, entry, "balance", text=text)


def a_mark(unix: float, seq: int = 1, **over: Any) -> EquityMark:
    """A valuation in which every amount is another."""
    amounts = dict(zip(EquityMark.__struct_fields__[2:], range(1, 14), strict=False))
    return EquityMark(**{"unix": unix, "seq": seq, **amounts, "is_latched": False, **over})


def a_job(job_id: int, **over: Any) -> Job:
    """A merge of five pairs."""
    legs = (Leg(MARKET, "YES", YES, shares(-5)),)
    facts = {"kind": "merge", "market": MARKET, "size": shares(5), "legs": legs, "cash": usd(5), "route": "relayer"}
    return Job(job_id=job_id, by="auto", reason="pairs", created_unix=NOW - 9, **(facts | over))  # type: ignore[arg-type]


def changes(
    orders: list[Order] = [],  # noqa: B006  # never changed
    fills: list[TrackedFill] = [],  # noqa: B006
    states: list[StateChange] = [],  # noqa: B006
    **others: Any,
) -> Changes:
    """What these orders and fills make a session write; each fill's word is a step."""
    return Changes(Touched(orders, states, fills, [(100.0, known.word) for known in fills]), **others)
