"""The database: what is written is there, what cannot be used is refused."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.actions import Finding
from core.errors import StoreError
from core.events import FillSeen, OrderAnswered, OrderSigned, StopRequested
from core.market.fees import FeeSchedule
from core.orders.manager import OrderManager, StateChange, Touched
from core.orders.order import State
from core.portfolio.entries import Buy, Flow, Merge
from core.quoting.explain import LayerExplanation, Term
from core.store.changes import Changes
from core.store.database import Store
from core.store.schema import SCHEMA_VERSION
from core.units import Shares, Ticks, Usd
from tests.builders import MARKET, NO, YES, a_market, shares, usd
from tests.core.store.ledger import CLOCK, NOW, a_fill, a_line, a_mark, an_order, changes, opened, rows

BAD_FAIR: Any = ("0xm", None, 1, 0, 0)
"""Not what the table takes."""


async def test_orders_and_fills_are_rows_and_change_in_place(tmp_path: Path) -> None:
    """One row an order and a fill, whatever becomes of them, in integers; each step there is a row of its own."""
    path, manager = tmp_path / "mm_state.db", OrderManager()
    store = await opened(path)
    place = manager.place(
        a_market(), outcome="NO", order_side="BUY", price=Ticks(47), size=shares(600), side="ask", layer=1,
        reason="new target", now=99.0,
    )  # fmt: skip
    manager.signed(OrderSigned(intent=place.intent, order_id="0xabc"), 99.0)
    await store.write(Changes(manager.take_touched()))
    manager.answered(OrderAnswered(intent=place.intent, outcome="live"), 100.0)
    for settlement, source in (("matched", "channel"), ("confirmed", "read")):
        told = FillSeen("t1", "0xabc", shares(5), settlement, 1.8e9, source=source, transaction=f"0x{source}")  # type: ignore[arg-type]
        manager.filled(told, 100.0)
        await store.write(Changes(manager.take_touched()))
    await store.end("quit", verified=True)
    query = "SELECT intent, order_id, state, price_micro_usd, tick_micro_usd, size_micro, filled_micro FROM orders"
    assert rows(path, query) == [(1, "0xabc", "PARTIAL", 470_000, 10_000, 600_000_000, 5_000_000)]
    assert rows(path, "SELECT created_unix FROM orders") == [(NOW - 1.0,)]
    assert rows(path, "SELECT trade_id, intent, settlement, source, transaction_hash, size_micro FROM fills") == [
        ("t1", 1, "confirmed", "read", "0xread", 5_000_000)
    ]
    assert rows(path, "SELECT status, source, unix FROM settlements ORDER BY rowid") == [
        ("matched", "channel", NOW),
        ("confirmed", "read", NOW),
    ]
    assert rows(path, "SELECT unix, state FROM order_events WHERE intent = 1 ORDER BY id") == [
        (NOW - 1.0, "INTENT"),
        (NOW - 1.0, "SENDING"),
        (NOW, "LIVE"),
        (NOW, "PARTIAL"),
    ]


async def test_an_order_says_what_it_was_decided_on(tmp_path: Path) -> None:
    """Settings, book and explanation can be looked up from the order's row; settings are kept once."""
    path, order = tmp_path / "mm_state.db", an_order()
    term = Term("fair value", 47_000_000_000)
    order.explanation = LayerExplanation("bid", 1, Ticks(47), shares(600), (term,))
    store = await opened(path)
    for _ in range(2):
        await store.write(changes([order], settings={"s1": {"k_vol": 2.0}}))
    await store.end("quit", verified=True)
    query = (
        "SELECT book, json_extract(explanation, '$.price_terms[0][1]'), json_extract(body, '$.k_vol')"
        " FROM orders JOIN settings ON settings_hash = hash"
    )
    assert rows(path, query) == [("book-7", 47_000_000_000, 2.0)]


async def test_findings_are_rows(tmp_path: Path) -> None:
    """What disagreed can be read afterwards, with its time."""
    path = tmp_path / "mm_state.db"
    store = await opened(path)
    finding = Finding("ghost_fill", "alarm", "quarantine", MARKET, "t1", "a fill was not told", ours="0", venue="5")
    await store.write(Changes(findings=[(90.0, finding)]))
    await store.write(Changes(findings=[(100.0, finding)]))
    await store.end("quit", verified=True)
    told = (1, "ghost_fill", "alarm", "quarantine", MARKET, "t1", "a fill was not told", "0", "5")
    query = "SELECT unix, session, code, severity, effect, market, subject, text, ours, venue FROM findings"
    assert rows(path, query) == [(NOW - 10.0, *told), (NOW, *told)]


async def test_a_market_s_facts_are_the_latest(tmp_path: Path) -> None:
    """One row a market, whatever it changes; what is not known is NULL, not nought."""
    path = tmp_path / "mm_state.db"
    store = await opened(path)
    fees = FeeSchedule(40_000, 2.0, 250_000)
    known = a_market("0.001", event_id="e1", group="g1", neg_risk=True, tags=("a", "b"), end_unix=NOW + 9, fees=fees)
    await store.write(Changes(markets=[a_market("0.01")]))
    query = "SELECT tick_micro_usd, neg_risk, event_group, fee_rate_micro, end_unix, json(tags) FROM markets"
    assert rows(path, query) == [(10_000, 0, "", None, None, "[]")]
    await store.write(Changes(markets=[known]))
    assert rows(path, query) == [(1_000, 1, "g1", 40_000, NOW + 9, '["a","b"]')]
    columns = "market, yes_token, no_token, fee_exponent, rebate_micro, updated_unix"
    assert rows(path, f"SELECT {columns} FROM markets") == [(MARKET, YES, NO, 2.0, 250_000, NOW)]
    await store.end("quit", verified=True)


async def test_estimates_of_a_day_and_market_add_up(tmp_path: Path) -> None:
    """What a session reckoned and what the next one did are one number."""
    path = tmp_path / "mm_state.db"
    for _ in range(2):
        store = await opened(path)
        await store.write(Changes(estimates=[(5, "0xm", 10, 3, 60.0), (6, "0xm", 1, -1, 1.5)]))
        await store.write(Changes(estimates=[(5, "0xm", 1, 2, 0.5)]))
        await store.end("quit", verified=True)
    assert rows(path, "SELECT * FROM estimates") == [
        ("0xfeed", 5, "0xm", 22, 10, 121.0),
        ("0xfeed", 6, "0xm", 2, -2, 3.0),
    ]


async def test_a_number_given_twice_is_refused(tmp_path: Path) -> None:
    """Two lines under one number have no order; written they would be told apart by nobody."""
    path = tmp_path / "mm_state.db"
    store = await opened(path)
    await store.write(Changes(entries=[a_line(1, Flow(usd(5)), key="a")]))
    with pytest.raises(StoreError, match="UNIQUE"):
        await store.write(Changes(entries=[a_line(1, Flow(usd(7)), key="b")]))
    await store.end("quit", verified=True)
    assert rows(path, "SELECT key FROM entries") == [("a",)]


async def test_absurd_sizes_stop_neither_the_writing_nor_the_reading(tmp_path: Path) -> None:
    """The largest sizes the venue can tell are kept as told; sums beyond sqlite's integers are its largest."""
    path, most = tmp_path / "mm_state.db", 2**63 - 1
    order, store = an_order(), await opened(path)
    order.filled = order.matched = Shares(2 * most)
    huge = [a_fill(order, f"t{number}", seq=number) for number in (1, 2, 3)]
    for known in huge:
        known.fill = msgspec.structs.replace(known.fill, size=Shares(most))
    mark = a_mark(NOW, cash=Usd(-(2**70)), equity=Usd(2**70))
    store.journal("event", StopRequested(reason="once"))
    await store.write(changes([order], huge, equity=[mark], entries=[a_line(4, Merge(Shares(most)))]))
    told = await store.recover()
    await store.end("quit", verified=True)
    assert [line.entry for line in told.bookings[:3]] == [Buy("YES", Shares(most), order.usd)] * 3
    assert told.equity is not None and (told.equity.cash, told.equity.equity) == (-most, most)
    assert rows(path, "SELECT filled_micro FROM orders") == [(most,)]
    assert rows(path, "SELECT count(*) FROM journal") == [(1,)]
    assert rows(path, "SELECT outcome, settled_micro, provisional_micro FROM positions") == [
        ("NO", -(2**63), 0),
        ("YES", -(2**63), most),
    ]


async def test_a_word_on_a_fill_is_one_row_however_often_it_comes(tmp_path: Path) -> None:
    """The channel and reads tell the same again and again; the first time counts."""
    path, order = tmp_path / "mm_state.db", an_order()
    store = await opened(path)
    for source in ("channel", "read", "read"):
        await store.write(changes([order], [a_fill(order, source=source)]))
    await store.end("quit", verified=True)
    assert rows(path, "SELECT status, source FROM settlements") == [("matched", "channel")]
    assert rows(path, "SELECT count(*) FROM fills") == [(1,)]


async def test_reading_progress_never_goes_back(tmp_path: Path) -> None:
    """Time that was read stays read, whatever order the answers come in."""
    store = await opened(tmp_path / "mm_state.db")
    for unix in (50.0, 80.0, 70.0, None):
        await store.write(Changes(trades_read_until=unix))
    assert (await store.recover()).read_until_unix == 80.0
    await store.end("quit", verified=True)


async def test_foreign_text_that_is_no_text_is_written_all_the_same(tmp_path: Path) -> None:
    """Lone surrogates, which sqlite refuses, and NUL, which cuts texts short, must not stop the writing for good."""
    path, order = tmp_path / "mm_state.db", an_order(state=State.REJECTED)
    order.detail = "no \ud800 balance\0; \N{SNOWMAN}"
    store = await opened(path)
    finding = Finding("odd", "info", "none", MARKET, "\udfff", "\0", venue="\ud83d")
    store.journal("event", OrderAnswered(intent=1, outcome="refused", detail=order.detail))
    states = [StateChange(1, "REJECTED", 100.0, order.detail)]
    await store.write(changes([order], [a_fill(order, trade="t\ud800\0")], states, findings=[(100.0, finding)]))
    await store.end("quit\ud800", verified=True)
    clean = "no ? balance\ufffd; \N{SNOWMAN}"
    assert rows(path, "SELECT o.detail, e.detail FROM orders o JOIN order_events e USING (intent)") == [(clean, clean)]
    assert rows(path, "SELECT f.trade_id, s.trade_id FROM fills f JOIN settlements s USING (order_id)") == [
        ("t?\ufffd", "t?\ufffd")
    ]
    assert rows(path, "SELECT subject, text, venue FROM findings") == [("?", "\ufffd", "?")]
    assert rows(path, "SELECT json_extract(body, '$.detail') LIKE 'no ? balance%' FROM journal") == [(1,)]


async def test_journal_is_written_in_order(tmp_path: Path) -> None:
    """The journal is append-only and keeps the order of what happened."""
    path = tmp_path / "mm_state.db"
    store = await opened(path)
    store.journal("event", StopRequested(reason="first"))
    store.journal("event", StopRequested(reason="second"))
    await store.write(Changes())
    await store.end("duration", verified=False)
    bodies = [body for (body,) in rows(path, "SELECT body FROM journal ORDER BY id")]
    assert ["first" in body for body in bodies] == [True, False]
    assert rows(path, "SELECT mode, seed, exit_reason, open_orders_verified FROM sessions") == [
        ("demo", 7, "duration", 0)
    ]


async def test_fair_values_and_markouts_are_rows(tmp_path: Path) -> None:
    """The path of the fair value and what came of fills can be read back, in integers."""
    path = tmp_path / "mm_state.db"
    store = await opened(path)
    fairs = [("0xm", 1.8e9, 10_000, 463_100, 462_000), ("0xm", 1.8e9 + 60, 10_000, None, None)]
    markouts = [("t1", "0xabc", horizon, "0xm", "bid", 0, 5_000_000, 7_000, -3_000) for horizon in (30.0, 300.0)]
    await store.write(Changes(fairs=fairs, markouts=markouts))  # type: ignore[arg-type]
    await store.write(Changes(markouts=markouts[:1]))  # type: ignore[arg-type]
    await store.end("quit", verified=True)
    assert rows(path, "SELECT * FROM fairs") == [(1, *row) for row in fairs]
    assert rows(path, "SELECT * FROM markouts") == [(1, *row) for row in markouts]


async def test_sessions_follow_each_other_in_one_file(tmp_path: Path) -> None:
    """A second run adds to the first one's file; an order it takes over stays that of the session that made it."""
    path = tmp_path / "mm_state.db"
    order = an_order()
    for state in (State.LIVE, State.CANCELLED):
        store = await opened(path)
        order.state, order.matched, order.filled = state, Shares(order.matched + 2), Shares(order.filled + 1)
        order.reason, order.detail = f"because {state.value}", f"told {state.value}"
        await store.write(changes([order]))
        await store.end("quit", verified=True)
    assert rows(path, "SELECT count(*) FROM sessions") == [(2,)]
    query = "SELECT session, intent, state, matched_micro, filled_micro, reason, detail FROM orders"
    assert rows(path, query) == [(1, 1, "CANCELLED", 4, 2, "because CANCELLED", "told CANCELLED")]


async def test_the_files_are_for_their_owner_only(tmp_path: Path) -> None:
    """Positions and orders are nobody else's business, also in what sqlite keeps beside the database."""
    path = tmp_path / "mm_state.db"
    for name in ("mm_state.db", "mm_state.db-wal", "mm_state.db-shm"):  # as an older program or a copy left them
        (tmp_path / name).touch(0o644)
        (tmp_path / name).chmod(0o644)
    store = await opened(path)
    await store.write(changes([an_order()]))
    modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}  # noqa: ASYNC240
    assert modes == {"mm_state.db": 0o600, "mm_state.db-wal": 0o600, "mm_state.db-shm": 0o600}
    await store.end("quit", verified=True)


async def test_a_newer_schema_is_refused_and_not_touched(tmp_path: Path) -> None:
    """An old program must not write into a newer one's file."""
    path = tmp_path / "mm_state.db"
    await (await opened(path)).end("quit", verified=True)
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE meta SET value = ?", (str(SCHEMA_VERSION + 1),))
        db.commit()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="newer"):
        await opened(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"this is no database" * 99, b"SQLite format 3\x00" + b"\xff" * 4096])
async def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file that is no database is named, not overwritten."""
    path = tmp_path / "mm_state.db"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"mm_state\.db"):
        await opened(path)
    assert path.read_bytes() == content


async def test_damage_inside_is_found_after_a_crash(tmp_path: Path) -> None:
    """A page that a failing disk has spoilt is told at the start, not in the middle of trading."""
    path = tmp_path / "mm_state.db"
    store = await opened(path)
    await store.write(changes([an_order(intent) for intent in range(1, 400)]))
    await store._close()  # as a crash does: the session's row has no end
    content = path.read_bytes()
    at = 4096 * (len(content) // 4096 // 2)
    path.write_bytes(content[:at] + b"\xa5" * 4096 + content[at + 4096 :])
    with pytest.raises(StoreError, match=r"mm_state\.db.*move the file away or repair it"):
        await opened(path)


async def test_another_program_s_database_is_refused(tmp_path: Path) -> None:
    """Our tables have no business in it."""
    path = tmp_path / "mm_state.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE recipes (name TEXT)")
        db.commit()
    with pytest.raises(StoreError, match="does not tell its schema"):
        await opened(path)
    assert rows(path, "SELECT name FROM sqlite_master") == [("recipes",)]


@pytest.mark.parametrize("statement", ["DELETE FROM meta", "UPDATE meta SET value = 'soon'"])
async def test_a_meta_table_that_says_nothing_is_refused(tmp_path: Path, statement: str) -> None:
    """A file whose schema cannot be told is a damaged file, not a crash."""
    path = tmp_path / "mm_state.db"
    await (await opened(path)).end("quit", verified=True)
    with closing(sqlite3.connect(path)) as db:
        db.execute(statement)
        db.commit()
    with pytest.raises(StoreError, match=r"mm_state\.db"):
        await opened(path)


async def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """No directory, no database, and the path in the message."""
    with pytest.raises(StoreError, match="missing"):
        await opened(tmp_path / "missing" / "mm_state.db")


async def test_nothing_is_written_after_the_end(tmp_path: Path) -> None:
    """A closed store says so instead of losing rows silently."""
    store = await opened(tmp_path / "mm_state.db")
    await store.end("quit", verified=True)
    store.journal("event", StopRequested(reason="late"))
    with pytest.raises(StoreError, match="not open"):
        await store.write(Changes())
    with pytest.raises(StoreError, match="not open"):
        await store.recover()


async def test_a_failed_write_takes_nothing_with_it(tmp_path: Path) -> None:
    """What could not be written is tried again with the next write, and the session still gets its end."""
    path = tmp_path / "mm_state.db"
    store = await opened(path)
    store.journal("event", StopRequested(reason="kept"))
    whole = changes([an_order()], [a_fill(an_order())], trades_read_until=5.0)
    whole.fairs = [BAD_FAIR]
    with pytest.raises(StoreError):
        await store.write(whole)
    assert rows(path, "SELECT count(*) FROM orders") == rows(path, "SELECT count(*) FROM settlements") == [(0,)]
    whole.fairs = []
    await store.write(whole)
    await store.end("quit", verified=True)
    assert rows(path, "SELECT count(*) FROM journal") == [(1,)]
    assert rows(path, "SELECT count(*) FROM orders") == rows(path, "SELECT count(*) FROM settlements") == [(1,)]
    assert rows(path, "SELECT exit_reason FROM sessions") == [("quit",)]


async def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """While there is no room a write says so; with room again the same write, and the journal, are whole."""
    path = tmp_path / "mm_state.db"
    store = await opened(path)
    room = rows(path, "PRAGMA page_count")[0][0]
    await store._connection.execute(f"PRAGMA max_page_count = {room}")  # what sqlite makes of ENOSPC
    orders = [an_order(intent) for intent in range(1, 300)]
    store.journal("event", StopRequested(reason="kept"))
    for _ in range(2):
        with pytest.raises(StoreError, match="full"):
            await store.write(changes(orders))
    assert rows(path, "SELECT count(*) FROM orders") == [(0,)]
    await store._connection.execute("PRAGMA max_page_count = 1000000")
    await store.write(changes(orders))
    await store.end("quit", verified=True)
    assert rows(path, "SELECT count(*) FROM orders") == [(299,)]
    assert rows(path, "SELECT count(*) FROM journal") == [(1,)]


async def test_who_stops_waiting_does_not_stop_the_writing(tmp_path: Path) -> None:
    """A task that is cancelled during a write leaves neither half of it nor its journal a second time."""
    path = tmp_path / "mm_state.db"
    store = await opened(path)
    for beats in range(12):  # cancelled at each of its steps
        store.journal("event", StopRequested(reason="once"))
        task = asyncio.create_task(store.write(changes([an_order(beats + 1)])))
        for _ in range(beats):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await store.write(Changes())
    await store.end("quit", verified=True)
    assert rows(path, "SELECT count(*) FROM journal") == [(12,)]
    written = {intent for (intent,) in rows(path, "SELECT intent FROM orders")}
    assert written >= set(range(2, 13))  # the first was cancelled before it began


async def test_two_writers_wait_for_each_other(tmp_path: Path) -> None:
    """Writes at once are one transaction each: what fails takes only itself back."""
    path = tmp_path / "mm_state.db"
    store = await opened(path)
    bad = Changes(fairs=[BAD_FAIR])
    tasks = [store.write(bad if n == 3 else changes([an_order(n)])) for n in range(1, 6)]
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(answer, StoreError) for answer in answers] == [False, False, True, False, False]
    assert rows(path, "SELECT intent FROM orders") == [(1,), (2,), (4,), (5,)]
    await store.end("quit", verified=True)


async def test_a_write_reaches_the_disk_before_it_returns(tmp_path: Path) -> None:
    """Journal first: what another process reads after the return is the whole write (reliability.md 4.5)."""
    path = tmp_path / "mm_state.db"
    store = await opened(path)
    await store.write(Changes(Touched([an_order(state=State.SENDING)], [], [], [])))
    assert rows(path, "SELECT state FROM orders") == [("SENDING",)]
    assert [tuple(row) for row in await store._connection.execute_fetchall("PRAGMA synchronous")] == [(2,)]  # FULL
    await store.end("quit", verified=True)


async def test_a_store_that_cannot_be_opened_can_be_opened_later(tmp_path: Path) -> None:
    """The first failure leaves no connection behind."""
    store = Store(tmp_path / "late" / "mm_state.db", CLOCK)
    with pytest.raises(StoreError):
        await store.open("demo", "0.1.0", 7, {})
    assert store.account == ""
    (tmp_path / "late").mkdir()
    await store.open("demo", "0.1.0", 7, {})
    await store.write(changes([an_order()], [a_fill(an_order(), size=float(Shares(1)))]))
    await store.end("quit", verified=True)
