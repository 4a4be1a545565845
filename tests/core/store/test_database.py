"""The database: what is written is there, what cannot be used is refused."""

import sqlite3

import pytest

from core.clock import ManualClock
from core.errors import StoreError
from core.events import FillSeen, OrderAnswered, OrderSigned, StopRequested
from core.orders.manager import OrderManager
from core.store import database as database_module
from core.store.database import SCHEMA_VERSION, Store
from core.units import Shares, Ticks
from tests.builders import a_market

CLOCK = ManualClock(unix=1_800_000_000.0, monotonic=100.0)


async def opened(path):
    store = Store(path, CLOCK)
    await store.open("demo", "0.1.0", 7, {"k_vol": 2.0})
    return store


def rows(path, query):
    with sqlite3.connect(path) as db:
        found = db.execute(query).fetchall()
    db.close()
    return found


def an_order(manager, instrument):
    place = manager.place(
        instrument,
        outcome="NO",
        order_side="BUY",
        price=Ticks(47),
        size=Shares(600_000_000),
        side="ask",
        layer=1,
        reason="new target",
        now=99.0,
    )
    manager.signed(OrderSigned(intent=place.intent, order_id="0xabc"), 99.0)
    return manager.by_intent(place.intent)


async def test_orders_and_fills_are_rows_and_change_in_place(tmp_path):
    """One row an order and a fill, whatever becomes of them; money in integers."""
    path, manager, instrument = tmp_path / "mm_state.db", OrderManager(), a_market()
    store = await opened(path)
    order = an_order(manager, instrument)
    await store.write([(order, instrument.grid)], [])
    manager.answered(OrderAnswered(intent=order.intent, outcome="live"), 100.0)
    for settlement in ("matched", "confirmed"):
        fill = FillSeen(trade_id="t1", order_id="0xabc", size=Shares(5_000_000), settlement=settlement, unix=1.8e9)
        manager.filled(fill, 100.0)
        orders, fills = manager.take_touched()
        await store.write([(o, instrument.grid) for o in orders], [(f, s, instrument.grid) for f, s in fills])
    await store.end("quit", verified=True)
    assert rows(path, "SELECT order_id, state, price_ticks, tick_micro_usd, size_micro, filled_micro FROM orders") == [
        ("0xabc", "PARTIAL", 47, 10_000, 600_000_000, 5_000_000)
    ]
    assert rows(path, "SELECT trade_id, settlement, size_micro FROM fills") == [("t1", "confirmed", 5_000_000)]
    assert rows(path, "SELECT created_unix FROM orders") == [(1_800_000_000.0 - 1.0,)]


async def test_journal_and_marks_are_written_in_order(tmp_path):
    """The journal is append-only and keeps the order of what happened; marks close the session."""
    path = tmp_path / "mm_state.db"
    store = await opened(path)
    store.journal("event", StopRequested(reason="first"))
    store.journal("event", StopRequested(reason="second"))
    await store.write([], [], [("0xm", 500_000, 1, 2, 3, 4)])
    await store.end("duration", verified=False)
    bodies = [body for (body,) in rows(path, "SELECT body FROM journal ORDER BY id")]
    assert ["first" in body for body in bodies] == [True, False]
    assert rows(path, "SELECT fair_micro_usd, yes_micro, unrealised_micro_usd FROM marks") == [(500_000, 1, 4)]
    assert rows(path, "SELECT mode, seed, exit_reason, open_orders_verified FROM sessions") == [
        ("demo", 7, "duration", 0)
    ]


async def test_the_file_is_for_its_owner_only(tmp_path):
    """Positions and orders are nobody else's business."""
    store = await opened(tmp_path / "mm_state.db")
    await store.end("quit", verified=True)
    assert (tmp_path / "mm_state.db").stat().st_mode & 0o777 == 0o600


async def test_sessions_follow_each_other_in_one_file(tmp_path):
    """A second run adds to the first one's file."""
    for _ in range(2):
        await (await opened(tmp_path / "mm_state.db")).end("quit", verified=True)
    assert rows(tmp_path / "mm_state.db", "SELECT count(*) FROM sessions") == [(2,)]


async def test_a_newer_schema_is_refused(tmp_path):
    """An old program must not write into a newer one's file."""
    path = tmp_path / "mm_state.db"
    await (await opened(path)).end("quit", verified=True)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE meta SET value = ?", (str(SCHEMA_VERSION + 1),))
    db.close()
    with pytest.raises(StoreError, match="newer"):
        await opened(path)


@pytest.mark.parametrize("content", [b"this is no database" * 99, b"SQLite format 3\x00" + b"\xff" * 4096])
async def test_a_damaged_file_is_refused(tmp_path, content):
    """A file that is no database is named, not overwritten."""
    path = tmp_path / "mm_state.db"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"mm_state\.db"):
        await opened(path)
    assert path.read_bytes() == content


async def test_a_place_that_cannot_be_written_is_told(tmp_path):
    """No directory, no database, and the path in the message."""
    with pytest.raises(StoreError, match="missing"):
        await opened(tmp_path / "missing" / "mm_state.db")


async def test_nothing_is_written_after_the_end(tmp_path):
    """A closed store says so instead of losing rows silently."""
    store = await opened(tmp_path / "mm_state.db")
    await store.end("quit", verified=True)
    store.journal("event", StopRequested(reason="late"))
    with pytest.raises(StoreError, match="not open"):
        await store.write([], [])


@pytest.mark.parametrize("statement", ["DELETE FROM meta", "UPDATE meta SET value = 'soon'"])
async def test_a_meta_table_that_says_nothing_is_refused(tmp_path, statement):
    """A file whose schema cannot be told is a damaged file, not a crash."""
    path = tmp_path / "mm_state.db"
    await (await opened(path)).end("quit", verified=True)
    with sqlite3.connect(path) as db:
        db.execute(statement)
    db.close()
    with pytest.raises(StoreError, match=r"mm_state\.db"):
        await opened(path)


async def test_a_file_that_others_could_read_is_closed_to_them(tmp_path):
    """A file left open by an older program or a copy does not stay so."""
    path = tmp_path / "mm_state.db"
    path.touch(0o644)
    path.chmod(0o644)
    await (await opened(path)).end("quit", verified=True)
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_write_after_the_end_is_refused(tmp_path):
    """Nothing is taken and then silently not kept."""
    store = await opened(tmp_path / "mm_state.db")
    store.journal("event", StopRequested(reason="first"))
    await store.end("quit", verified=True)
    with pytest.raises(StoreError, match="not open"):
        await store.write([], [])


async def test_a_failed_write_takes_nothing_with_it(tmp_path):
    """What could not be written is tried again with the next write, and the session still gets its end."""
    path = tmp_path / "mm_state.db"
    store = await opened(path)
    store.journal("event", StopRequested(reason="kept"))
    with pytest.raises(StoreError):
        await store.write([], [], [("0xm", 2**70, 0, 0, 0, 0)])  # no integer of sqlite's
    await store.write([], [], [("0xm", 1, 0, 0, 0, 0)])
    await store.end("quit", verified=True)
    assert rows(path, "SELECT count(*) FROM journal") == [(1,)]
    assert rows(path, "SELECT fair_micro_usd FROM marks") == [(1,)]
    assert rows(path, "SELECT exit_reason FROM sessions") == [("quit",)]


async def test_fair_values_and_markouts_are_rows(tmp_path):
    """The path of the fair value and what came of fills can be read back, in integers."""
    path = tmp_path / "mm_state.db"
    store = await opened(path)
    fairs = [("0xm", 1.8e9, 10_000, 463_100, 462_000), ("0xm", 1.8e9 + 60, 10_000, None, None)]
    markouts = [("t1", "0xabc", horizon, "0xm", "bid", 0, 5_000_000, 7_000, -3_000) for horizon in (30.0, 300.0)]
    await store.write([], [], fairs=fairs, markouts=markouts)
    await store.write([], [], markouts=markouts[:1])
    await store.end("quit", verified=True)
    assert rows(path, "SELECT * FROM fairs") == [(1, *row) for row in fairs]
    assert rows(path, "SELECT * FROM markouts") == [(1, *row) for row in markouts]


async def a_file_of_schema_1(path, monkeypatch):
    """A database as the first schema's program left it, with a session in it."""
    with monkeypatch.context() as past:
        past.setattr(database_module, "SCHEMA_VERSION", 1)
        await (await opened(path)).end("quit", verified=True)


async def test_an_older_file_is_brought_up_and_keeps_its_rows(tmp_path, monkeypatch):
    """Nobody loses the past for a new table."""
    path = tmp_path / "mm_state.db"
    await a_file_of_schema_1(path, monkeypatch)
    assert rows(path, "SELECT name FROM sqlite_master WHERE name = 'fairs'") == []
    store = await opened(path)
    await store.write([], [], fairs=[("0xm", 1.8e9, 10_000, 1, 2)])
    await store.end("quit", verified=True)
    assert rows(path, "SELECT value FROM meta WHERE key = 'schema'") == [("2",)]
    assert rows(path, "SELECT id, exit_reason FROM sessions") == [(1, "quit"), (2, "quit")]
    assert rows(path, "SELECT session FROM fairs") == [(2,)]


async def test_a_step_up_that_fails_changes_nothing(tmp_path, monkeypatch):
    """Half a schema would be refused by every program."""
    path = tmp_path / "mm_state.db"
    await a_file_of_schema_1(path, monkeypatch)
    broken = {**database_module._STEPS, 2: "CREATE TABLE fairs (x) STRICT;"}  # strict tables want types
    monkeypatch.setattr(database_module, "_STEPS", broken)
    with pytest.raises(StoreError, match=r"mm_state\.db"):
        await opened(path)
    assert rows(path, "SELECT value FROM meta WHERE key = 'schema'") == [("1",)]
    assert rows(path, "SELECT name FROM sqlite_master WHERE name = 'fairs'") == []
