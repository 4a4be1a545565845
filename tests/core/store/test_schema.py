"""The way up from files of older programs: nothing is lost, and nothing is left half done."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import aiosqlite
import pytest

from core.errors import StoreError
from core.orders.order import TERMINAL
from core.store import schema as schema_module
from core.store.changes import Changes
from core.store.schema import LIVING, prepare
from tests.core.store.ledger import an_order, changes, opened, rows
from tests.core.store.old_files import an_old_file


@pytest.mark.parametrize("schema", [1, 2])
async def test_an_older_file_keeps_its_rows_under_new_numbers(tmp_path: Path, schema: int) -> None:
    """Intents are numbered through all sessions, their fills follow them, a copy of the old file stays beside it."""
    path = tmp_path / "mm_state.db"
    an_old_file(path, schema)
    store = await opened(path)
    recovered = await store.recover()
    await store.write(Changes(fairs=[("0xm", 1.8e9, 10_000, 1, 2)]))
    await store.end("quit", verified=True)
    assert rows(path, "SELECT value FROM meta WHERE key = 'schema'") == [("3",)]
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
    assert recovered.next_intent == 5 and recovered.holdings == (("0xm", "YES", 4_000_000),)
    assert [(known.intent, known.state, known.tick_text) for known in recovered.orders][1:3] == [
        (2, "LIVE", "0.01"),
        (3, "CANCELLED", "0.0001"),
    ]
    copy = tmp_path / f"mm_state.db.schema{schema}"
    assert copy.stat().st_mode & 0o777 == 0o600
    assert rows(copy, "SELECT count(*) FROM orders WHERE price_ticks") == [(4,)]
    assert sorted(file.name for file in tmp_path.iterdir()) == [path.name, copy.name]  # noqa: ASYNC240


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


@pytest.mark.parametrize("schema", [1, 2])
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
    assert len(places) > 30
    for place in places:
        await (await opened(place / path.name)).end("quit", verified=True)
        assert not (place / f"{path.name}.schema{schema}.part").exists()
        for table, count in (("orders", 4), ("fills", 2), ("journal", 2), ("sessions", 3)):
            assert rows(place / path.name, f"SELECT count(*) FROM {table}") == [(count,)]
        assert rows(place / path.name, "SELECT settled_micro FROM positions") == [(4_000_000,)]
        assert rows(place / f"{path.name}.schema{schema}", "SELECT count(*) FROM orders") == [(4,)]


@pytest.mark.parametrize("at", range(len(schema_module._STEPS[3])))
async def test_a_step_up_that_fails_changes_nothing(tmp_path: Path, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a schema would be refused by every program; the next start, of a mended one, completes."""
    path = tmp_path / "mm_state.db"
    an_old_file(path, 2)
    before = rows(path, "SELECT * FROM sqlite_master") + rows(path, "SELECT * FROM orders")
    statements = schema_module._STEPS[3]
    with monkeypatch.context() as broken:
        bad = (*statements[:at], "CREATE TABLE broken (x) STRICT", *statements[at:])  # strict tables want types
        broken.setattr(schema_module, "_STEPS", {**schema_module._STEPS, 3: bad})
        with pytest.raises(StoreError, match=r"mm_state\.db"):
            await opened(path)
    assert rows(path, "SELECT * FROM sqlite_master") + rows(path, "SELECT * FROM orders") == before
    assert rows(path, "SELECT value FROM meta WHERE key = 'schema'") == [("2",)]
    await (await opened(path)).end("quit", verified=True)
    assert rows(path, "SELECT value FROM meta WHERE key = 'schema'") == [("3",)]


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


async def test_the_fold_s_searches_use_their_indices(tmp_path: Path) -> None:
    """Explanations make rows long; a start that read them all would take seconds."""
    path = tmp_path / "mm_state.db"
    store = await opened(path)
    await store.write(changes([an_order()]))
    await store.end("quit", verified=True)
    for condition in (LIVING, schema_module.OWED, "updated_unix >= 5"):
        [(*_, plan)] = rows(path, f"EXPLAIN QUERY PLAN SELECT intent FROM orders WHERE {condition}")
        assert "USING" in plan and "INDEX orders_" in plan, plan
    for condition in (schema_module.PROVISIONAL, "intent = 5"):
        [(*_, plan)] = rows(path, f"EXPLAIN QUERY PLAN SELECT intent FROM fills WHERE {condition}")
        assert "INDEX fills_" in plan, plan
