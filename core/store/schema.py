"""The tables of ``mm_state.db``, and how a file is brought from one schema to the next: whole, or not at all.

What happened is in append-only tables (``journal``, ``order_events``, ``settlements``, ``findings``, ``corrections``);
``orders`` and ``fills`` are what follows from it, one row each, changed in place. ``positions`` is a view over fills
and corrections, so it cannot drift from them. Journal-first persistence: reliability.md 4.5.
"""

import os
from pathlib import Path
from typing import Final

import aiosqlite

from core.errors import StoreError
from core.units import SIZE_QUANTUM

SCHEMA_VERSION: Final = 3
LIVING: Final = "state NOT IN ('MATCHED', 'DONE', 'CANCELLED', 'REJECTED', 'DENIED', 'NOT_PLACED')"
"""Orders that may be at the venue."""
OWED: Final = f"matched_micro - filled_micro >= {SIZE_QUANTUM}"
"""Orders of which the venue says more is matched than their fills tell."""
PROVISIONAL: Final = "settlement NOT IN ('confirmed', 'failed')"
"""Fills that may still fail (polymarket-api.md 6.3)."""
_SCHEMA_1: Final = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
    """CREATE TABLE sessions (
      id INTEGER PRIMARY KEY, mode TEXT NOT NULL, version TEXT NOT NULL, seed INTEGER NOT NULL, settings TEXT NOT NULL,
      started_unix REAL NOT NULL, ended_unix REAL, exit_reason TEXT, open_orders_verified INTEGER
    ) STRICT""",
    """CREATE TABLE journal (
      id INTEGER PRIMARY KEY, session INTEGER NOT NULL REFERENCES sessions, unix REAL NOT NULL, kind TEXT NOT NULL,
      body TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE orders (
      session INTEGER NOT NULL REFERENCES sessions, intent INTEGER NOT NULL, order_id TEXT NOT NULL,
      market TEXT NOT NULL, token TEXT NOT NULL, outcome TEXT NOT NULL, order_side TEXT NOT NULL,
      price_ticks INTEGER NOT NULL, tick_micro_usd INTEGER NOT NULL, size_micro INTEGER NOT NULL,
      filled_micro INTEGER NOT NULL, side TEXT NOT NULL, layer INTEGER NOT NULL, state TEXT NOT NULL,
      reason TEXT NOT NULL, detail TEXT NOT NULL, created_unix REAL NOT NULL, updated_unix REAL NOT NULL,
      PRIMARY KEY (session, intent)
    ) STRICT""",
    """CREATE TABLE fills (
      session INTEGER NOT NULL REFERENCES sessions, trade_id TEXT NOT NULL, order_id TEXT NOT NULL,
      intent INTEGER NOT NULL, market TEXT NOT NULL, outcome TEXT NOT NULL, order_side TEXT NOT NULL,
      price_ticks INTEGER NOT NULL, tick_micro_usd INTEGER NOT NULL, size_micro INTEGER NOT NULL,
      settlement TEXT NOT NULL, matched_unix REAL NOT NULL, PRIMARY KEY (session, trade_id, order_id)
    ) STRICT""",
    """CREATE TABLE marks (
      session INTEGER NOT NULL REFERENCES sessions, market TEXT NOT NULL, unix REAL NOT NULL,
      fair_micro_usd INTEGER, yes_micro INTEGER NOT NULL, no_micro INTEGER NOT NULL,
      realised_micro_usd INTEGER NOT NULL, unrealised_micro_usd INTEGER NOT NULL, PRIMARY KEY (session, market)
    ) STRICT""",
)
_SCHEMA_2: Final = (
    """CREATE TABLE fairs (
      session INTEGER NOT NULL REFERENCES sessions, market TEXT NOT NULL, unix REAL NOT NULL,
      tick_micro_usd INTEGER NOT NULL, fair_micro_usd INTEGER, microprice_micro_usd INTEGER,
      PRIMARY KEY (session, market, unix)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE markouts (
      session INTEGER NOT NULL REFERENCES sessions, trade_id TEXT NOT NULL, order_id TEXT NOT NULL,
      horizon_s REAL NOT NULL, market TEXT NOT NULL, side TEXT NOT NULL, layer INTEGER NOT NULL,
      size_micro INTEGER NOT NULL, spread_micro_usd INTEGER NOT NULL, drift_micro_usd INTEGER NOT NULL,
      PRIMARY KEY (session, trade_id, order_id, horizon_s)
    ) STRICT, WITHOUT ROWID""",
)
_FINEST_TICK: Final = 100
"""Micro-dollars. Of older orders that lay beside their market's grid: all prices are on this one."""
_PAPER: Final = "session IN (SELECT id FROM sessions WHERE mode = 'paper')"
_SCHEMA_3: Final = (
    # Intents are numbered through all sessions, fills belong to an account and not to a session.
    # Paper sessions began their ids anew each time.
    f"UPDATE orders SET order_id = order_id || '@' || session WHERE order_id != '' AND {_PAPER}",
    f"UPDATE fills SET trade_id = trade_id || '@' || session, order_id = order_id || '@' || session WHERE {_PAPER}",
    f"UPDATE markouts SET trade_id = trade_id || '@' || session, order_id = order_id || '@' || session WHERE {_PAPER}",
    "ALTER TABLE orders RENAME TO orders_2",
    "ALTER TABLE fills RENAME TO fills_2",
    """CREATE TABLE orders (
      intent INTEGER PRIMARY KEY, session INTEGER NOT NULL REFERENCES sessions, order_id TEXT NOT NULL,
      market TEXT NOT NULL, token TEXT NOT NULL, outcome TEXT NOT NULL, order_side TEXT NOT NULL,
      price_micro_usd INTEGER NOT NULL, tick_micro_usd INTEGER NOT NULL, size_micro INTEGER NOT NULL,
      filled_micro INTEGER NOT NULL, matched_micro INTEGER NOT NULL, side TEXT NOT NULL, layer INTEGER NOT NULL,
      state TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL, settings_hash TEXT NOT NULL, book TEXT NOT NULL,
      explanation TEXT, created_unix REAL NOT NULL, updated_unix REAL NOT NULL
    ) STRICT""",
    f"""INSERT INTO orders
      SELECT rowid, session, order_id, market, token, outcome, order_side, price_ticks * tick_micro_usd,
        CASE tick_micro_usd WHEN 1 THEN {_FINEST_TICK} ELSE tick_micro_usd END, size_micro, filled_micro, filled_micro,
        side, layer, state, reason, detail, '', '', NULL, created_unix, updated_unix
      FROM orders_2 ORDER BY rowid""",
    """CREATE TABLE fills (
      trade_id TEXT NOT NULL, order_id TEXT NOT NULL, intent INTEGER NOT NULL REFERENCES orders,
      session INTEGER NOT NULL REFERENCES sessions, market TEXT NOT NULL, outcome TEXT NOT NULL,
      order_side TEXT NOT NULL, price_micro_usd INTEGER NOT NULL, size_micro INTEGER NOT NULL,
      settlement TEXT NOT NULL, source TEXT NOT NULL, transaction_hash TEXT NOT NULL, matched_unix REAL NOT NULL,
      PRIMARY KEY (trade_id, order_id)
    ) STRICT""",
    # what two sessions tell of one trade is one fill, by its latest word
    """INSERT OR REPLACE INTO fills
      SELECT f.trade_id, f.order_id, COALESCE(o.rowid, 0), f.session, f.market, f.outcome, f.order_side,
        f.price_ticks * f.tick_micro_usd, f.size_micro, f.settlement, 'channel', '', f.matched_unix
      FROM fills_2 f LEFT JOIN orders_2 o USING (session, intent) ORDER BY f.rowid""",
    "DROP TABLE fills_2",
    "DROP TABLE orders_2",
    f"CREATE INDEX orders_living ON orders (intent) WHERE {LIVING}",
    f"CREATE INDEX orders_owed ON orders (intent) WHERE {OWED}",
    "CREATE INDEX orders_by_time ON orders (updated_unix)",
    "CREATE INDEX fills_of_orders ON fills (intent)",
    "CREATE INDEX fills_of_markets ON fills (market, outcome, settlement, order_side, size_micro)",
    f"CREATE INDEX fills_provisional ON fills (intent) WHERE {PROVISIONAL}",
    """CREATE TABLE settings (hash TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT""",
    """CREATE TABLE order_events (
      id INTEGER PRIMARY KEY, intent INTEGER NOT NULL REFERENCES orders, unix REAL NOT NULL, state TEXT NOT NULL,
      detail TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX order_events_of_orders ON order_events (intent)",
    """CREATE TABLE settlements (
      trade_id TEXT NOT NULL, order_id TEXT NOT NULL, status TEXT NOT NULL, unix REAL NOT NULL, source TEXT NOT NULL,
      transaction_hash TEXT NOT NULL, PRIMARY KEY (trade_id, order_id, status)
    ) STRICT""",
    "CREATE INDEX journal_commands ON journal (unix) WHERE kind = 'command'",
    """CREATE TABLE findings (
      id INTEGER PRIMARY KEY, session INTEGER NOT NULL REFERENCES sessions, unix REAL NOT NULL, code TEXT NOT NULL,
      severity TEXT NOT NULL, effect TEXT NOT NULL, market TEXT NOT NULL, subject TEXT NOT NULL, text TEXT NOT NULL,
      ours TEXT NOT NULL, venue TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE corrections (
      id INTEGER PRIMARY KEY, session INTEGER NOT NULL REFERENCES sessions, unix REAL NOT NULL, market TEXT NOT NULL,
      outcome TEXT NOT NULL, micro INTEGER NOT NULL, reason TEXT NOT NULL
    ) STRICT""",
    "CREATE TABLE progress (name TEXT PRIMARY KEY, unix REAL NOT NULL) STRICT",
    f"""CREATE VIEW positions AS
      SELECT market, outcome, COALESCE(SUM(micro) FILTER (WHERE settled), 0) AS settled_micro,
        COALESCE(SUM(micro) FILTER (WHERE NOT settled), 0) AS provisional_micro
      FROM (
        SELECT market, outcome, micro, TRUE AS settled FROM corrections
        UNION ALL
        SELECT market, outcome, CASE order_side WHEN 'BUY' THEN size_micro ELSE -size_micro END, NOT ({PROVISIONAL})
        FROM fills WHERE settlement != 'failed'
      ) GROUP BY market, outcome""",
)
_STEPS: Final = {1: _SCHEMA_1, 2: _SCHEMA_2, 3: _SCHEMA_3}
"""The statements that make each schema of the one before."""


async def prepare(db: aiosqlite.Connection, path: Path) -> None:
    """Make a file just opened ready to be written: of this program's schema, whole, and durable by the commit.

    After an error the connection is to be closed, which takes back what was begun.

    A file of an older schema is copied first, to ``mm_state.db.schema2`` for instance. Whatever interrupts the way up,
    the file is of the old schema or of the new one. Pages are checked when the last session did not end in order: that
    takes 0.14 s for 170 MB, 100,000 orders, and grows with the file, so an ordinary start does not wait for it.

    Raises:
        StoreError: the file is not ours, is damaged, or of a newer schema; then it is left as it is.
        sqlite3.Error: sqlite cannot use it.
        OSError: the copy could not be made.
    """
    schema = await _schema_of(db, path)
    if schema > SCHEMA_VERSION:
        raise StoreError(f"{path}: schema {schema} is newer than this program's {SCHEMA_VERSION}; update it")
    await db.execute("PRAGMA journal_mode = WAL")
    await db.execute("PRAGMA synchronous = FULL")  # what is committed survives a power cut (reliability.md 4.5)
    if schema and not await _ended_in_order(db):
        [(verdict,)] = await db.execute_fetchall("PRAGMA quick_check(1)")
        if verdict != "ok":
            raise StoreError(f"{path}: is damaged ({verdict.splitlines()[-1]}); move the file away or repair it")
    if schema < SCHEMA_VERSION:
        if schema:
            await _back_up(db, path.with_name(f"{path.name}.schema{schema}"))
        await _step_up(db, schema)


async def _schema_of(db: aiosqlite.Connection, path: Path) -> int:
    """Schema of a file; 0 for an empty one."""
    tables = {name for (name,) in await db.execute_fetchall("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return 0
    query = "SELECT value FROM meta WHERE key = 'schema'"
    told = [value for (value,) in await db.execute_fetchall(query)] if "meta" in tables else []
    if len(told) != 1 or not told[0].isdecimal():
        raise StoreError(f"{path}: does not tell its schema; move the file away or repair it")
    return int(told[0])


async def _ended_in_order(db: aiosqlite.Connection) -> bool:
    last = list(await db.execute_fetchall("SELECT ended_unix FROM sessions ORDER BY id DESC LIMIT 1"))
    return not last or last[0][0] is not None


async def _back_up(db: aiosqlite.Connection, target: Path) -> None:
    """Copy a database; the name appears when the copy is whole and on the disk."""
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    try:
        await db.execute("VACUUM INTO ?", (str(part),))
        os.fsync(handle)
    finally:
        os.close(handle)
    part.replace(target)
    directory = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


async def _step_up(db: aiosqlite.Connection, schema: int) -> None:
    """Bring the file from ``schema`` to this program's in one transaction, which a failure leaves to be taken back."""
    await db.execute("BEGIN IMMEDIATE")
    for number in range(schema + 1, SCHEMA_VERSION + 1):
        for statement in _STEPS[number]:
            await db.execute(statement)
    await db.execute("INSERT OR REPLACE INTO meta VALUES ('schema', ?)", (str(SCHEMA_VERSION),))
    await db.commit()
