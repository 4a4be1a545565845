"""The tables of ``mm_state.db``, and how a file is brought from one schema to the next: whole, or not at all.

What happened is in append-only tables (``journal``, ``order_events``, ``settlements``, ``findings``, ``entries``,
``equity``, ``controls``, ``adjustments``, ``job_events``); ``orders``, ``fills`` and ``jobs`` are what follows from it,
one row each, changed in place.
``lines`` (the account's book) and ``positions`` are views over fills and entries, so they cannot drift from them.
A session names its account, and what is another account's is never looked at. Journal-first persistence:
reliability.md 4.5.
"""

import os
from pathlib import Path
from typing import Final

import aiosqlite

from core.errors import StoreError
from core.units import MICRO, SIZE_QUANTUM

SCHEMA_VERSION: Final = 5
LIVING: Final = "state NOT IN ('MATCHED', 'DONE', 'CANCELLED', 'REJECTED', 'DENIED', 'NOT_PLACED')"
"""Orders that may be at the venue."""
OWED: Final = f"matched_micro - filled_micro >= {SIZE_QUANTUM}"
"""Orders of which the venue says more is matched than their fills tell."""
PROVISIONAL: Final = "settlement NOT IN ('confirmed', 'failed')"
"""Fills that may still fail (polymarket-api.md 6.3)."""
UNDER_WAY: Final = "state NOT IN ('confirmed', 'failed', 'refused')"
"""Jobs that may still have an effect."""
OURS: Final = "+session IN (SELECT id FROM sessions WHERE account = :account)"
"""Rows of an account; the plus keeps sqlite to the index of the condition beside this one."""
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
_BEGUN_ANEW: Final = "a paper account begins anew"
"""With this reason a paper session of schema 3 took off what the one before it held."""
_NUMBERED: Final = """CREATE TABLE numbered AS
  SELECT fill, correction, ROW_NUMBER() OVER (PARTITION BY account ORDER BY unix, correction, fill) AS seq
  FROM (
    SELECT account, f.rowid AS fill, NULL AS correction,
      MAX(matched_unix) OVER (PARTITION BY account ORDER BY f.rowid) AS unix
    FROM fills f JOIN sessions s ON s.id = f.session
    UNION ALL
    SELECT account, NULL, c.id, unix FROM corrections c JOIN sessions s ON s.id = c.session
  )"""
"""The lines of each account: fills in the order in which they were first told, corrections between them by time."""
_SCHEMA_4: Final = (
    # Every paper session was an account of its own. Others did not tell which they traded for: the next that does
    # takes them over (Store.use_account).
    "DROP TABLE marks",  # lines and fair values tell all of it
    "ALTER TABLE sessions ADD COLUMN account TEXT NOT NULL DEFAULT ''",
    "UPDATE sessions SET account = 'paper ' || id WHERE mode = 'paper'",
    f"DELETE FROM corrections WHERE reason = '{_BEGUN_ANEW}' AND {_PAPER}",
    "ALTER TABLE fills ADD COLUMN seq INTEGER NOT NULL DEFAULT 0",
    _NUMBERED,
    "CREATE INDEX numbered_fills ON numbered (fill)",
    "UPDATE fills SET seq = numbered.seq FROM numbered WHERE numbered.fill = fills.rowid",
    """CREATE TABLE entries (
      account TEXT NOT NULL, seq INTEGER NOT NULL, session INTEGER NOT NULL REFERENCES sessions, unix REAL NOT NULL,
      market TEXT NOT NULL, kind TEXT NOT NULL, outcome TEXT, size_micro INTEGER, price_micro_usd INTEGER,
      amount_micro_usd INTEGER, income TEXT, key TEXT NOT NULL, source TEXT NOT NULL, text TEXT NOT NULL,
      PRIMARY KEY (account, seq), UNIQUE (account, key)
    ) STRICT, WITHOUT ROWID""",
    # nobody wrote down what the shares were worth when they were found
    f"""INSERT INTO entries
      SELECT account, seq, session, unix, market, 'found', outcome, micro, {MICRO // 2}, NULL, NULL,
        'correction ' || c.id, 'balance', reason
      FROM corrections c JOIN sessions s ON s.id = c.session JOIN numbered n ON n.correction = c.id""",
    "DROP TABLE numbered",
    "DROP VIEW positions",
    "DROP TABLE corrections",
    "ALTER TABLE progress RENAME TO progress_3",
    """CREATE TABLE progress (
      account TEXT NOT NULL, name TEXT NOT NULL, unix REAL NOT NULL, PRIMARY KEY (account, name)
    ) STRICT, WITHOUT ROWID""",
    "INSERT INTO progress SELECT '', name, unix FROM progress_3",
    "DROP TABLE progress_3",
    "DROP INDEX fills_of_markets",
    "CREATE INDEX fills_by_time ON fills (session, matched_unix)",
    "CREATE INDEX fills_unbooked ON fills (session) WHERE seq = 0",
    "CREATE INDEX entries_by_time ON entries (account, unix)",
    """CREATE TABLE equity (
      id INTEGER PRIMARY KEY, session INTEGER NOT NULL REFERENCES sessions, account TEXT NOT NULL, unix REAL NOT NULL,
      seq INTEGER NOT NULL, cash_micro_usd INTEGER NOT NULL, equity_micro_usd INTEGER NOT NULL,
      conservative_micro_usd INTEGER NOT NULL, realised_micro_usd INTEGER NOT NULL,
      unrealised_micro_usd INTEGER NOT NULL, fees_micro_usd INTEGER NOT NULL, income_micro_usd INTEGER NOT NULL,
      flows_micro_usd INTEGER NOT NULL, peak_micro_usd INTEGER NOT NULL, day INTEGER NOT NULL,
      day_equity_micro_usd INTEGER NOT NULL, day_flows_micro_usd INTEGER NOT NULL, bankroll_micro_usd INTEGER NOT NULL,
      is_latched INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX equity_by_time ON equity (account, unix)",
    """CREATE TABLE markets (
      market TEXT PRIMARY KEY, title TEXT NOT NULL, event_id TEXT NOT NULL, event_group TEXT NOT NULL,
      group_size INTEGER NOT NULL, yes_token TEXT NOT NULL, no_token TEXT NOT NULL, tick_micro_usd INTEGER NOT NULL,
      min_size_micro INTEGER NOT NULL, neg_risk INTEGER NOT NULL, tags TEXT NOT NULL, fee_rate_micro INTEGER,
      fee_exponent REAL, rebate_micro INTEGER, reward_min_size_micro INTEGER, reward_max_spread_cents REAL,
      reward_daily_usd REAL, start_unix REAL, game_start_unix REAL, end_unix REAL, updated_unix REAL NOT NULL
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE estimates (
      account TEXT NOT NULL, day INTEGER NOT NULL, market TEXT NOT NULL, reward_micro_usd INTEGER NOT NULL,
      rebate_micro_usd INTEGER NOT NULL, sampled_s REAL NOT NULL, PRIMARY KEY (account, day, market)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE jobs (
      job_id INTEGER PRIMARY KEY, session INTEGER NOT NULL REFERENCES sessions, account TEXT NOT NULL,
      kind TEXT NOT NULL, market TEXT NOT NULL, size_micro INTEGER NOT NULL, cash_micro_usd INTEGER NOT NULL,
      route TEXT NOT NULL, by TEXT NOT NULL, reason TEXT NOT NULL, state TEXT NOT NULL, transaction_id TEXT NOT NULL,
      transaction_hash TEXT NOT NULL, nonce INTEGER, baseline TEXT, detail TEXT NOT NULL, body TEXT NOT NULL,
      created_unix REAL NOT NULL, updated_unix REAL NOT NULL
    ) STRICT""",
    """CREATE TABLE job_events (
      id INTEGER PRIMARY KEY, job_id INTEGER NOT NULL REFERENCES jobs, unix REAL NOT NULL, state TEXT NOT NULL,
      transaction_id TEXT NOT NULL, transaction_hash TEXT NOT NULL, nonce INTEGER, amount_micro_usd INTEGER,
      detail TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX job_events_of_jobs ON job_events (job_id)",
    # a fill's key is core.portfolio.entries.fill_key
    """CREATE VIEW lines AS
      SELECT account, session, seq, market, trade_id || ' ' || order_id AS key, matched_unix AS unix,
        LOWER(order_side) AS kind, outcome, size_micro, price_micro_usd, NULL AS amount_micro_usd, NULL AS income,
        'fill' AS source, settlement = 'confirmed' AS is_final, '' AS text
      FROM fills f JOIN sessions s ON s.id = f.session WHERE settlement != 'failed'
      UNION ALL
      SELECT account, session, seq, market, key, unix, kind, outcome, size_micro, price_micro_usd, amount_micro_usd,
        income, source, TRUE, text
      FROM entries""",
    # TOTAL counts in floats, which are exact up to nine billion shares; SUM would fail beyond as many thousand billions
    """CREATE VIEW positions AS
      SELECT account, market, outcome, CAST(TOTAL(micro) FILTER (WHERE is_final) AS INTEGER) AS settled_micro,
        CAST(TOTAL(micro) FILTER (WHERE NOT is_final) AS INTEGER) AS provisional_micro
      FROM (
        SELECT account, market, outcome, settlement = 'confirmed' AS is_final,
          CASE order_side WHEN 'SELL' THEN -size_micro ELSE size_micro END AS micro
        FROM fills f JOIN sessions s ON s.id = f.session WHERE settlement != 'failed'
        UNION ALL
        SELECT account, market, outcome, TRUE, CASE WHEN kind IN ('sell', 'redeem') THEN -size_micro ELSE size_micro END
        FROM entries WHERE kind IN ('buy', 'sell', 'convert', 'redeem', 'found')
        UNION ALL
        SELECT account, market, o.outcome, TRUE, CASE kind WHEN 'merge' THEN -size_micro ELSE size_micro END
        FROM entries JOIN (SELECT 'YES' AS outcome UNION ALL SELECT 'NO') o WHERE kind IN ('split', 'merge')
      ) GROUP BY account, market, outcome""",
)
_SCHEMA_5: Final = (
    # the last row of a market, side and source is what holds; an ACTIVE one lifts what was before
    """CREATE TABLE controls (
      id INTEGER PRIMARY KEY, session INTEGER NOT NULL REFERENCES sessions, state TEXT NOT NULL, source TEXT NOT NULL,
      market TEXT NOT NULL, side TEXT NOT NULL, reason TEXT NOT NULL, author TEXT NOT NULL, since_unix REAL NOT NULL,
      until_unix REAL
    ) STRICT""",
    "CREATE INDEX controls_by_scope ON controls (market, side, source)",
    # the last row of a market is what holds
    """CREATE TABLE adjustments (
      id INTEGER PRIMARY KEY, session INTEGER NOT NULL REFERENCES sessions, market TEXT NOT NULL, unix REAL NOT NULL,
      body TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX adjustments_by_market ON adjustments (market)",
    "ALTER TABLE equity ADD COLUMN guard_peak_micro_usd INTEGER",
)
_STEPS: Final = {1: _SCHEMA_1, 2: _SCHEMA_2, 3: _SCHEMA_3, 4: _SCHEMA_4, 5: _SCHEMA_5}
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
