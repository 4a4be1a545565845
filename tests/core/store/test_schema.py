"""The way up from files of older programs: nothing is lost, and nothing is left half done."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import aiosqlite
import pytest

from core.errors import StoreError
from core.jobs.job import FINAL_STATES
from core.orders.order import TERMINAL
from core.portfolio.entries import Found
from core.portfolio.portfolio import Portfolio
from core.store import schema as schema_module
from core.store.changes import Changes
from core.store.lines import LAST_MARK, LINES, MARKS
from core.store.schema import LIVING, OURS, UNDER_WAY, prepare
from core.units import MICRO
from tests.core.store.ledger import NOW, an_order, changes, opened, rows
from tests.core.store.old_files import CORRECTION_3, FILL_3, ORDER_3, an_old_file


@pytest.mark.parametrize("schema", [1, 2])
async def test_an_older_file_keeps_its_rows_under_new_numbers(tmp_path: Path, schema: int) -> None:
    """Intents are numbered through all sessions, their fills follow them, a copy of the old file stays beside it."""
    path = tmp_path / "mm_state.db"
    an_old_file(path, schema)
    store = await opened(path)
    recovered = await store.recover()
    await store.write(Changes(fairs=[("0xm", 1.8e9, 10_000, 1, 2)]))
    await store.end("quit", verified=True)
    assert rows(path, "SELECT value FROM meta WHERE key = 'schema'") == [("5",)]
    assert rows(path, "SELECT id, exit_reason FROM sessions") == [(1, "quit"), (2, "quit"), (3, "quit")]
    assert rows(path, "SELECT session FROM fairs") == [(3,)]
    query = "SELECT intent, session, order_id, price_micro_usd, tick_micro_usd, state, matched_micro FROM orders"
    assert rows(path, query) == [
        (1, 1, "0xa", 470_000, 10_000, "MATCHED", 4_000_000),
        (2, 1, "0xb", 470_000, 10_000, "LIVE", 4_000_000),
        (3, 2, "0xc", 463_100, 100, "CANCELLED", 4_000_000),
        (4, 2, "", 470_000, 10_000, "DENIED", 4_000_000),
    ]
    assert rows(path, "SELECT trade_id, order_id, intent, session, price_micro_usd, settlement FROM fills") == [
        ("t1", "0xa", 1, 1, 470_000, "confirmed"),
        ("t2", "0xc", 3, 2, 470_000, "matched"),
    ]
    assert rows(path, "SELECT settled_micro, provisional_micro FROM positions") == [(4_000_000, -4_000_000)]
    assert [(line.seq, line.key, line.is_final) for line in recovered.bookings] == [
        (1, "t1 0xa", True),
        (2, "t2 0xc", False),
    ]
    assert (recovered.next_intent, recovered.next_seq, recovered.equity) == (5, 3, None)
    assert [(known.intent, known.state, known.tick_text) for known in recovered.orders][1:3] == [
        (2, "LIVE", "0.01"),
        (3, "CANCELLED", "0.0001"),
    ]
    copy = tmp_path / f"mm_state.db.schema{schema}"
    assert copy.stat().st_mode & 0o777 == 0o600
    assert rows(copy, "SELECT count(*) FROM orders WHERE price_ticks") == [(4,)]
    assert sorted(file.name for file in tmp_path.iterdir()) == [path.name, copy.name]  # noqa: ASYNC240


async def test_a_file_of_schema_3_keeps_holdings_cash_and_profit(tmp_path: Path) -> None:
    """The book that the fold makes of it is what the old one showed, fills and corrections in the order of then."""
    path = tmp_path / "mm_state.db"
    an_old_file(path, 3)
    with closing(sqlite3.connect(path)) as db:
        for intent in (5, 6, 7, 8):
            db.execute(ORDER_3, (intent, 1, f"0x{intent}", "DONE", NOW, NOW))
        # told in this order; the second was matched long before
        db.execute(FILL_3, ("t5", "0x5", 5, 1, "NO", "BUY", 300_000, 7_000_000, "confirmed", NOW + 10))
        db.execute(FILL_3, ("t6", "0x6", 6, 2, "NO", "SELL", 350_000, 2_000_000, "confirmed", NOW - 900))
        db.execute(FILL_3, ("t7", "0x7", 7, 2, "NO", "BUY", 900_000, 9_000_000, "failed", NOW + 11))
        db.execute(CORRECTION_3, (2, NOW + 12, "0xm", "NO", -1_000_000, "not on the account any more"))
        db.execute(FILL_3, ("t8", "0x8", 8, 2, "NO", "SELL", 400_000, 1_000_000, "confirmed", NOW + 13))
        db.commit()
    query = "SELECT market, outcome, settled_micro, provisional_micro FROM positions"
    before = rows(path, query)
    store = await opened(path, mode="live")
    told = await store.recover()
    await store.end("quit", verified=True)
    assert rows(path, f"{query} WHERE account = '0xfeed'") == before
    keys = ["t1 0xa", "correction 1", "t2 0xc", "t5 0x5", "t6 0x6", "correction 2", "t8 0x8"]
    assert [line.key for line in told.bookings] == keys
    assert [line.seq for line in told.bookings] == [1, 2, 3, 4, 5, 7, 8]  # the failed one has the sixth
    assert told.next_seq == 9
    found = told.bookings[5]
    assert (found.entry, found.unix) == (Found("NO", -MICRO, MICRO // 2), NOW + 12)  # type: ignore[arg-type]
    assert found.text == "not on the account any more"
    portfolio = Portfolio()
    assert portfolio.restore(told.bookings) == [] and portfolio.check() == ""
    cash = -4 * 470_000 + 4 * 500_000 - 7 * 300_000 + 2 * 350_000 + 400_000
    assert portfolio.cash == cash * MICRO
    # sold above what they cost; what left without a trade was given away at half a dollar
    assert portfolio.realised == (4 * 30_000 + 2 * 50_000 + 200_000 + 100_000) * MICRO


async def test_a_file_of_schema_4_keeps_its_loss_and_knows_no_control_state(tmp_path: Path) -> None:
    """What the last session wrote of the day is as it was; nobody watched a peak, and nothing is held."""
    path = tmp_path / "mm_state.db"
    an_old_file(path, 4)
    store = await opened(path, mode="live")
    told = await store.recover()
    await store.end("quit", verified=True)
    assert told.equity is not None
    assert (told.equity.is_latched, told.equity.bankroll, told.equity.guard_peak) == (True, 98_000, None)
    assert (told.controls, [line.seq for line in told.bookings], told.next_seq) == ((), [1, 2, 3], 4)


async def test_sessions_that_name_no_account_are_the_next_wallet_s(tmp_path: Path) -> None:
    """The program of then went on with them whichever key it was given; a second wallet sees nothing of them."""
    path = tmp_path / "mm_state.db"
    an_old_file(path, 3)
    alone = await opened(path, mode="live", wallet="")  # it never came to its venue
    assert (alone.account, (await alone.recover()).bookings) == ("live 3", ())
    await alone.end("no venue", verified=True)
    first = await opened(path, mode="live", wallet="0xABcd")
    told = await first.recover()
    await first.end("quit", verified=True)
    assert first.account == "0xabcd" and len(told.bookings) == 3
    assert (told.read_until_unix, [order.intent for order in told.orders]) == (NOW + 7, [1, 2, 3, 4])
    second = await opened(path, mode="live", wallet="0xbeef")
    other = await second.recover()
    await second.end("quit", verified=True)
    assert (other.bookings, other.orders, other.read_until_unix, other.next_intent) == ((), (), 0.0, 5)
    assert rows(path, "SELECT account FROM sessions") == [
        ("0xabcd",),
        ("0xabcd",),
        ("live 3",),
        ("0xabcd",),
        ("0xbeef",),
    ]


async def test_each_old_paper_session_is_an_account_of_its_own(tmp_path: Path) -> None:
    """What one took off to begin anew would be shares that its account never had; what it found stays."""
    path = tmp_path / "mm_state.db"
    an_old_file(path, 3, mode="paper")
    store = await opened(path, mode="paper", wallet="")
    assert (await store.recover()).bookings == ()
    await store.end("quit", verified=True)
    query = "SELECT account, market, outcome, settled_micro, provisional_micro FROM positions"
    assert rows(path, query) == [
        ("paper 1", "0xm", "YES", 4_000_000, 0),
        ("paper 2", "0xm", "YES", 0, -4_000_000),
        ("paper 2", "0xn", "NO", 3_000_000, 0),
    ]
    assert rows(path, "SELECT account, seq, key FROM lines ORDER BY account, seq") == [
        ("paper 1", 1, "t1 0xa"),
        ("paper 2", 1, "correction 2"),
        ("paper 2", 2, "t2 0xc"),
    ]


async def test_an_old_file_that_contradicts_itself_is_brought_up(tmp_path: Path) -> None:
    """A trade that two sessions tell is one fill, by its latest word; one of no order we know counts as well."""
    path = tmp_path / "mm_state.db"
    an_old_file(path, 2)
    fill = "INSERT INTO fills VALUES (2, ?, ?, ?, '0xm', 'YES', 'BUY', 47, 10000, 4000000, ?, 0.0)"
    with closing(sqlite3.connect(path)) as db:
        db.execute(fill, ("t1", "0xa", 2, "failed"))
        db.execute(fill, ("t9", "0xz", 77, "confirmed"))
        db.commit()
    await (await opened(path)).end("quit", verified=True)
    assert rows(path, "SELECT trade_id, intent, settlement FROM fills ORDER BY trade_id") == [
        ("t1", 4, "failed"),
        ("t2", 3, "matched"),
        ("t9", 0, "confirmed"),
    ]
    assert rows(path, "SELECT settled_micro FROM positions") == [(4_000_000,)]
    assert rows(path, "SELECT seq FROM fills ORDER BY seq") == [(1,), (2,), (3,)]


async def test_what_paper_sessions_called_the_same_stays_apart(tmp_path: Path) -> None:
    """They began their names anew each time: two fills named alike are two fills."""
    path = tmp_path / "mm_state.db"
    an_old_file(path, 2, mode="paper")
    await (await opened(path)).end("quit", verified=True)
    assert rows(path, "SELECT trade_id, order_id, intent FROM fills") == [
        ("paper-1@1", "paper-order-1@1", 1),
        ("paper-1@2", "paper-order-1@2", 3),
    ]
    assert rows(path, "SELECT f.intent FROM markouts JOIN fills f USING (trade_id, order_id)") == [(1,)]
    assert rows(path, "SELECT order_id FROM orders WHERE intent = 4") == [("",)]


@pytest.mark.parametrize("schema", [1, 2, 3, 4])
async def test_killed_at_any_statement_the_next_start_completes(
    tmp_path: Path, schema: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files as a SIGKILL leaves them before each statement and before the commit: old or new, and whole."""
    path, places = tmp_path / "mm_state.db", []
    an_old_file(path, schema)

    def leave_behind(statement: str) -> None:
        place = tmp_path / f"killed-{len(places)}"
        place.mkdir()
        for file in tmp_path.glob("mm_state.db*"):
            shutil.copy(file, place)
        places.append(place)

    async with aiosqlite.connect(path, isolation_level="IMMEDIATE") as db:
        await db.set_trace_callback(leave_behind)
        await prepare(db, path)
        await db.set_trace_callback(None)  # type: ignore[arg-type]
    assert len(places) > (30 if schema < 4 else 6)
    for place in places:
        await (await opened(place / path.name)).end("quit", verified=True)
        assert not (place / f"{path.name}.schema{schema}.part").exists()
        for table, count in (("orders", 4), ("fills", 2), ("journal", 2), ("sessions", 3)):
            assert rows(place / path.name, f"SELECT count(*) FROM {table}") == [(count,)]
        held = "SELECT account, settled_micro, provisional_micro FROM positions WHERE market = '0xm'"
        assert rows(place / path.name, held) == [("0xfeed", 4_000_000, -4_000_000)]
        assert rows(place / path.name, "SELECT key FROM entries") == [("correction 1",)] * (schema >= 3)
        assert rows(place / path.name, "SELECT count(*) FROM fills WHERE seq = 0") == [(0,)]
        assert rows(place / f"{path.name}.schema{schema}", "SELECT count(*) FROM orders") == [(4,)]


@pytest.mark.parametrize(
    ("step", "at"), [(step, at) for step in (3, 4, 5) for at in range(len(schema_module._STEPS[step]))]
)
async def test_a_step_up_that_fails_changes_nothing(
    tmp_path: Path, step: int, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a schema would be refused by every program; the next start, of a mended one, completes."""
    path = tmp_path / "mm_state.db"
    an_old_file(path, step - 1)
    before = rows(path, "SELECT * FROM sqlite_master") + rows(path, "SELECT * FROM orders")
    statements = schema_module._STEPS[step]
    with monkeypatch.context() as broken:
        bad = (*statements[:at], "CREATE TABLE broken (x) STRICT", *statements[at:])  # strict tables want types
        broken.setattr(schema_module, "_STEPS", {**schema_module._STEPS, step: bad})
        with pytest.raises(StoreError, match=r"mm_state\.db"):
            await opened(path)
    assert rows(path, "SELECT * FROM sqlite_master") + rows(path, "SELECT * FROM orders") == before
    assert rows(path, "SELECT value FROM meta WHERE key = 'schema'") == [(str(step - 1),)]
    await (await opened(path)).end("quit", verified=True)
    assert rows(path, "SELECT value FROM meta WHERE key = 'schema'") == [("5",)]


@pytest.mark.parametrize("schema", [1, 2, 3, 4])
async def test_a_file_brought_up_is_like_a_new_one(tmp_path: Path, schema: int) -> None:
    """Same tables, views and indices, whichever way they came."""
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    an_old_file(old, schema)
    for path in (old, new):
        await (await opened(path)).end("quit", verified=True)
    shapes = [
        {(name, "".join(str(sql).split())) for name, sql in rows(path, "SELECT name, sql FROM sqlite_master")}
        for path in (old, new)
    ]
    assert shapes[0] == shapes[1]


async def test_a_copy_that_cannot_be_made_stops_the_start(tmp_path: Path) -> None:
    """Without a way back there is no way up: the file stays as it is."""
    path = tmp_path / "mm_state.db"
    an_old_file(path, 2)
    (tmp_path / "mm_state.db.schema2.part").mkdir()
    with pytest.raises(StoreError, match="schema2"):
        await opened(path)
    assert rows(path, "SELECT value FROM meta WHERE key = 'schema'") == [("2",)]


def test_every_state_that_is_no_end_is_looked_for() -> None:
    """The tables name states as text; a state added to the code alone would be forgotten at a restart."""
    told = ", ".join(f"'{state.value}'" for state in TERMINAL)
    assert set(LIVING.removeprefix("state NOT IN (").removesuffix(")").split(", ")) == set(told.split(", "))
    over = ", ".join(f"'{state}'" for state in sorted(FINAL_STATES))
    assert f"state NOT IN ({over})" == UNDER_WAY


async def test_the_fold_s_searches_use_their_indices(tmp_path: Path) -> None:
    """Explanations make rows long; a start that read them all would take seconds."""
    path = tmp_path / "mm_state.db"
    store = await opened(path)
    await store.write(changes([an_order()]))
    await store.end("quit", verified=True)
    ours = OURS.replace(":account", "'0xfeed'")
    for condition in (LIVING, schema_module.OWED, "updated_unix >= 5"):
        [(*_, plan), *_] = rows(path, f"EXPLAIN QUERY PLAN SELECT intent FROM orders WHERE {condition} AND {ours}")
        assert "USING" in plan and "INDEX orders_" in plan, plan
    for condition in (schema_module.PROVISIONAL, "intent = 5", "seq = 0"):
        [(*_, plan), *_] = rows(path, f"EXPLAIN QUERY PLAN SELECT intent FROM fills WHERE {condition} AND {ours}")
        assert "INDEX fills_" in plan and "fills_by_time" not in plan, plan


async def test_searches_by_account_and_time_use_their_indices(tmp_path: Path) -> None:
    """A file may hold a thousand paper accounts, and a report a day of them."""
    path = tmp_path / "mm_state.db"
    await (await opened(path)).end("quit", verified=True)
    for query, used in (
        (LINES, {"fills_by_time (session=?)", "PRIMARY KEY (account=?)"}),
        (LAST_MARK, {"SCAN equity"}),  # from the end
        (MARKS, {"equity_by_time (account=? AND unix>? AND unix<?)"}),
        ("SELECT * FROM lines WHERE account = :account AND unix >= :since AND unix < :until", {
            "fills_by_time (session=? AND matched_unix>? AND matched_unix<?)",
            "entries_by_time (account=? AND unix>? AND unix<?)",
        }),
    ):  # fmt: skip
        with closing(sqlite3.connect(path)) as db:
            span = {"account": "0xfeed", "since": 1.0, "until": 2.0}
            plan = " ".join(step for *_, step in db.execute(f"EXPLAIN QUERY PLAN {query}", span))
        assert all(index in plan for index in used), plan
