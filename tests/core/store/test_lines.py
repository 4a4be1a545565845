"""Lines and marks as rows: what is written comes back, member by member."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import get_args

import pytest

from core.errors import StoreError
from core.portfolio.entries import (
    Booking,
    Buy,
    Convert,
    Entry,
    Fee,
    Flow,
    Found,
    Income,
    Merge,
    Redeem,
    Sell,
    Settle,
    Split,
    fill_key,
)
from core.store.changes import Changes
from core.store.lines import LAST_MARK, LINES, booking_of, mark_of
from core.units import Shares, Usd
from tests.core.store.ledger import NOW, WALLET, a_fill, a_mark, an_order, changes, opened

SIZE, PRICE, AMOUNT = Shares(7_000_000), Usd(430_000), Usd(-11)
ENTRIES: tuple[Entry, ...] = (
    Buy("YES", SIZE, PRICE),
    Sell("NO", SIZE, PRICE),
    Split(SIZE, PRICE),
    Merge(SIZE),
    Convert("NO", Shares(-SIZE), PRICE),
    Settle(PRICE),
    Redeem("YES", SIZE, AMOUNT),
    Fee(AMOUNT),
    Income(AMOUNT, "rebate"),
    Flow(AMOUNT),
    Found("NO", Shares(-SIZE), PRICE),
)


async def test_every_kind_of_line_comes_back_as_it_was(tmp_path: Path) -> None:
    """The report reads with a connection of its own what the session wrote; no kind is left out."""
    assert {type(entry) for entry in ENTRIES} == set(get_args(Entry))
    lines = [
        Booking(seq, "0xm", f"key {seq}", NOW + seq, entry, "job", text=f"why {seq}")
        for seq, entry in enumerate(ENTRIES, 1)
    ]
    path = tmp_path / "mm_state.db"
    store = await opened(path)
    await store.write(Changes(entries=lines))
    await store.end("quit", verified=True)
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        assert [booking_of(row) for row in db.execute(LINES, {"account": WALLET})] == lines
        assert list(db.execute(LINES, {"account": "0xother"})) == []


async def test_a_fill_s_line_has_its_key(tmp_path: Path) -> None:
    """The view spells it like the program, or a restart would book every fill again."""
    path, order = tmp_path / "mm_state.db", an_order(3)
    store = await opened(path)
    await store.write(changes([order], [a_fill(order, "t9", settlement="confirmed", seq=1)]))
    await store.end("quit", verified=True)
    with closing(sqlite3.connect(path)) as db:
        [line] = [booking_of(row) for row in db.execute(LINES, {"account": WALLET})]
    assert line == Booking(
        1, order.market, fill_key("t9", "0x3"), NOW, Buy("YES", Shares(5_000_000), order.usd), "fill"
    )


async def test_a_mark_comes_back_as_it_was(tmp_path: Path) -> None:
    """Every amount in its own column, and the latch as a truth value."""
    path, marks = tmp_path / "mm_state.db", [a_mark(NOW), a_mark(NOW + 1, 9, is_latched=True)]
    store = await opened(path)
    await store.write(Changes(equity=marks))
    await store.end("quit", verified=True)
    with closing(sqlite3.connect(path)) as db:
        [last] = [mark_of(row) for row in db.execute(LAST_MARK, {"account": WALLET})]
    assert last == marks[1] and last.is_latched is True


def test_a_line_of_no_known_kind_is_damage() -> None:
    """Left out it would be money that moved and is in no number."""
    row = (5, "0xm", "k", NOW, "gift", None, None, None, 7, None, "venue", 1, "")
    with pytest.raises(StoreError, match=r"line 5 .* 'gift'"):
        booking_of(row)
