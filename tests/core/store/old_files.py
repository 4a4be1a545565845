"""Databases as the programs of earlier schemas left them. A change of today's tables must not change these."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from tests.core.store.ledger import NOW

SCHEMA_1 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE sessions (
  id INTEGER PRIMARY KEY, mode TEXT NOT NULL, version TEXT NOT NULL, seed INTEGER NOT NULL, settings TEXT NOT NULL,
  started_unix REAL NOT NULL, ended_unix REAL, exit_reason TEXT, open_orders_verified INTEGER
) STRICT;
CREATE TABLE journal (
  id INTEGER PRIMARY KEY, session INTEGER NOT NULL REFERENCES sessions, unix REAL NOT NULL, kind TEXT NOT NULL,
  body TEXT NOT NULL
) STRICT;
CREATE TABLE orders (
  session INTEGER NOT NULL REFERENCES sessions, intent INTEGER NOT NULL, order_id TEXT NOT NULL, market TEXT NOT NULL,
  token TEXT NOT NULL, outcome TEXT NOT NULL, order_side TEXT NOT NULL, price_ticks INTEGER NOT NULL,
  tick_micro_usd INTEGER NOT NULL, size_micro INTEGER NOT NULL, filled_micro INTEGER NOT NULL, side TEXT NOT NULL,
  layer INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL, created_unix REAL NOT NULL,
  updated_unix REAL NOT NULL, PRIMARY KEY (session, intent)
) STRICT;
CREATE TABLE fills (
  session INTEGER NOT NULL REFERENCES sessions, trade_id TEXT NOT NULL, order_id TEXT NOT NULL, intent INTEGER NOT NULL,
  market TEXT NOT NULL, outcome TEXT NOT NULL, order_side TEXT NOT NULL, price_ticks INTEGER NOT NULL,
  tick_micro_usd INTEGER NOT NULL, size_micro INTEGER NOT NULL, settlement TEXT NOT NULL, matched_unix REAL NOT NULL,
  PRIMARY KEY (session, trade_id, order_id)
) STRICT;
CREATE TABLE marks (
  session INTEGER NOT NULL REFERENCES sessions, market TEXT NOT NULL, unix REAL NOT NULL,
  fair_micro_usd INTEGER, yes_micro INTEGER NOT NULL, no_micro INTEGER NOT NULL, realised_micro_usd INTEGER NOT NULL,
  unrealised_micro_usd INTEGER NOT NULL, PRIMARY KEY (session, market)
) STRICT;
"""
SCHEMA_2 = """
CREATE TABLE fairs (
  session INTEGER NOT NULL REFERENCES sessions, market TEXT NOT NULL, unix REAL NOT NULL,
  tick_micro_usd INTEGER NOT NULL, fair_micro_usd INTEGER, microprice_micro_usd INTEGER,
  PRIMARY KEY (session, market, unix)
) STRICT, WITHOUT ROWID;
CREATE TABLE markouts (
  session INTEGER NOT NULL REFERENCES sessions, trade_id TEXT NOT NULL, order_id TEXT NOT NULL, horizon_s REAL NOT NULL,
  market TEXT NOT NULL, side TEXT NOT NULL, layer INTEGER NOT NULL, size_micro INTEGER NOT NULL,
  spread_micro_usd INTEGER NOT NULL, drift_micro_usd INTEGER NOT NULL,
  PRIMARY KEY (session, trade_id, order_id, horizon_s)
) STRICT, WITHOUT ROWID;
"""
SCHEMA_3 = """
DROP TABLE orders;
DROP TABLE fills;
CREATE TABLE orders (
  intent INTEGER PRIMARY KEY, session INTEGER NOT NULL REFERENCES sessions, order_id TEXT NOT NULL,
  market TEXT NOT NULL, token TEXT NOT NULL, outcome TEXT NOT NULL, order_side TEXT NOT NULL,
  price_micro_usd INTEGER NOT NULL, tick_micro_usd INTEGER NOT NULL, size_micro INTEGER NOT NULL,
  filled_micro INTEGER NOT NULL, matched_micro INTEGER NOT NULL, side TEXT NOT NULL, layer INTEGER NOT NULL,
  state TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL, settings_hash TEXT NOT NULL, book TEXT NOT NULL,
  explanation TEXT, created_unix REAL NOT NULL, updated_unix REAL NOT NULL
) STRICT;
CREATE TABLE fills (
  trade_id TEXT NOT NULL, order_id TEXT NOT NULL, intent INTEGER NOT NULL REFERENCES orders,
  session INTEGER NOT NULL REFERENCES sessions, market TEXT NOT NULL, outcome TEXT NOT NULL,
  order_side TEXT NOT NULL, price_micro_usd INTEGER NOT NULL, size_micro INTEGER NOT NULL,
  settlement TEXT NOT NULL, source TEXT NOT NULL, transaction_hash TEXT NOT NULL, matched_unix REAL NOT NULL,
  PRIMARY KEY (trade_id, order_id)
) STRICT;
CREATE INDEX orders_living ON orders (intent)
  WHERE state NOT IN ('MATCHED', 'DONE', 'CANCELLED', 'REJECTED', 'DENIED', 'NOT_PLACED');
CREATE INDEX orders_owed ON orders (intent) WHERE matched_micro - filled_micro >= 10000;
CREATE INDEX orders_by_time ON orders (updated_unix);
CREATE INDEX fills_of_orders ON fills (intent);
CREATE INDEX fills_of_markets ON fills (market, outcome, settlement, order_side, size_micro);
CREATE INDEX fills_provisional ON fills (intent) WHERE settlement NOT IN ('confirmed', 'failed');
CREATE TABLE settings (hash TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE order_events (
  id INTEGER PRIMARY KEY, intent INTEGER NOT NULL REFERENCES orders, unix REAL NOT NULL, state TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT;
CREATE INDEX order_events_of_orders ON order_events (intent);
CREATE TABLE settlements (
  trade_id TEXT NOT NULL, order_id TEXT NOT NULL, status TEXT NOT NULL, unix REAL NOT NULL, source TEXT NOT NULL,
  transaction_hash TEXT NOT NULL, PRIMARY KEY (trade_id, order_id, status)
) STRICT;
CREATE INDEX journal_commands ON journal (unix) WHERE kind = 'command';
CREATE TABLE findings (
  id INTEGER PRIMARY KEY, session INTEGER NOT NULL REFERENCES sessions, unix REAL NOT NULL, code TEXT NOT NULL,
  severity TEXT NOT NULL, effect TEXT NOT NULL, market TEXT NOT NULL, subject TEXT NOT NULL, text TEXT NOT NULL,
  ours TEXT NOT NULL, venue TEXT NOT NULL
) STRICT;
CREATE TABLE corrections (
  id INTEGER PRIMARY KEY, session INTEGER NOT NULL REFERENCES sessions, unix REAL NOT NULL, market TEXT NOT NULL,
  outcome TEXT NOT NULL, micro INTEGER NOT NULL, reason TEXT NOT NULL
) STRICT;
CREATE TABLE progress (name TEXT PRIMARY KEY, unix REAL NOT NULL) STRICT;
CREATE VIEW positions AS
  SELECT market, outcome, COALESCE(SUM(micro) FILTER (WHERE settled), 0) AS settled_micro,
    COALESCE(SUM(micro) FILTER (WHERE NOT settled), 0) AS provisional_micro
  FROM (
    SELECT market, outcome, micro, TRUE AS settled FROM corrections
    UNION ALL
    SELECT market, outcome, CASE order_side WHEN 'BUY' THEN size_micro ELSE -size_micro END,
      NOT (settlement NOT IN ('confirmed', 'failed'))
    FROM fills WHERE settlement != 'failed'
  ) GROUP BY market, outcome;
"""
SCHEMA_4 = """
DROP TABLE marks;
DROP TABLE corrections;
DROP TABLE progress;
DROP VIEW positions;
DROP INDEX fills_of_markets;
ALTER TABLE sessions ADD COLUMN account TEXT NOT NULL DEFAULT '';
ALTER TABLE fills ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
CREATE TABLE entries (
  account TEXT NOT NULL, seq INTEGER NOT NULL, session INTEGER NOT NULL REFERENCES sessions, unix REAL NOT NULL,
  market TEXT NOT NULL, kind TEXT NOT NULL, outcome TEXT, size_micro INTEGER, price_micro_usd INTEGER,
  amount_micro_usd INTEGER, income TEXT, key TEXT NOT NULL, source TEXT NOT NULL, text TEXT NOT NULL,
  PRIMARY KEY (account, seq), UNIQUE (account, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE progress (
  account TEXT NOT NULL, name TEXT NOT NULL, unix REAL NOT NULL, PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX fills_by_time ON fills (session, matched_unix);
CREATE INDEX fills_unbooked ON fills (session) WHERE seq = 0;
CREATE INDEX entries_by_time ON entries (account, unix);
CREATE TABLE equity (
  id INTEGER PRIMARY KEY, session INTEGER NOT NULL REFERENCES sessions, account TEXT NOT NULL, unix REAL NOT NULL,
  seq INTEGER NOT NULL, cash_micro_usd INTEGER NOT NULL, equity_micro_usd INTEGER NOT NULL,
  conservative_micro_usd INTEGER NOT NULL, realised_micro_usd INTEGER NOT NULL,
  unrealised_micro_usd INTEGER NOT NULL, fees_micro_usd INTEGER NOT NULL, income_micro_usd INTEGER NOT NULL,
  flows_micro_usd INTEGER NOT NULL, peak_micro_usd INTEGER NOT NULL, day INTEGER NOT NULL,
  day_equity_micro_usd INTEGER NOT NULL, day_flows_micro_usd INTEGER NOT NULL, bankroll_micro_usd INTEGER NOT NULL,
  is_latched INTEGER NOT NULL
) STRICT;
CREATE INDEX equity_by_time ON equity (account, unix);
CREATE TABLE markets (
  market TEXT PRIMARY KEY, title TEXT NOT NULL, event_id TEXT NOT NULL, event_group TEXT NOT NULL,
  group_size INTEGER NOT NULL, yes_token TEXT NOT NULL, no_token TEXT NOT NULL, tick_micro_usd INTEGER NOT NULL,
  min_size_micro INTEGER NOT NULL, neg_risk INTEGER NOT NULL, tags TEXT NOT NULL, fee_rate_micro INTEGER,
  fee_exponent REAL, rebate_micro INTEGER, reward_min_size_micro INTEGER, reward_max_spread_cents REAL,
  reward_daily_usd REAL, start_unix REAL, game_start_unix REAL, end_unix REAL, updated_unix REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE estimates (
  account TEXT NOT NULL, day INTEGER NOT NULL, market TEXT NOT NULL, reward_micro_usd INTEGER NOT NULL,
  rebate_micro_usd INTEGER NOT NULL, sampled_s REAL NOT NULL, PRIMARY KEY (account, day, market)
) STRICT, WITHOUT ROWID;
CREATE TABLE jobs (
  job_id INTEGER PRIMARY KEY, session INTEGER NOT NULL REFERENCES sessions, account TEXT NOT NULL,
  kind TEXT NOT NULL, market TEXT NOT NULL, size_micro INTEGER NOT NULL, cash_micro_usd INTEGER NOT NULL,
  route TEXT NOT NULL, by TEXT NOT NULL, reason TEXT NOT NULL, state TEXT NOT NULL, transaction_id TEXT NOT NULL,
  transaction_hash TEXT NOT NULL, nonce INTEGER, baseline TEXT, detail TEXT NOT NULL, body TEXT NOT NULL,
  created_unix REAL NOT NULL, updated_unix REAL NOT NULL
) STRICT;
CREATE TABLE job_events (
  id INTEGER PRIMARY KEY, job_id INTEGER NOT NULL REFERENCES jobs, unix REAL NOT NULL, state TEXT NOT NULL,
  transaction_id TEXT NOT NULL, transaction_hash TEXT NOT NULL, nonce INTEGER, amount_micro_usd INTEGER,
  detail TEXT NOT NULL
) STRICT;
CREATE INDEX job_events_of_jobs ON job_events (job_id);
CREATE VIEW lines AS
  SELECT account, session, seq, market, trade_id || ' ' || order_id AS key, matched_unix AS unix,
    LOWER(order_side) AS kind, outcome, size_micro, price_micro_usd, NULL AS amount_micro_usd, NULL AS income,
    'fill' AS source, settlement = 'confirmed' AS is_final, '' AS text
  FROM fills f JOIN sessions s ON s.id = f.session WHERE settlement != 'failed'
  UNION ALL
  SELECT account, session, seq, market, key, unix, kind, outcome, size_micro, price_micro_usd, amount_micro_usd,
    income, source, TRUE, text
  FROM entries;
CREATE VIEW positions AS
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
  ) GROUP BY account, market, outcome;
"""
_SCRIPTS: Final = {
    1: SCHEMA_1,
    2: SCHEMA_1 + SCHEMA_2,
    3: SCHEMA_1 + SCHEMA_2 + SCHEMA_3,
    4: SCHEMA_1 + SCHEMA_2 + SCHEMA_3 + SCHEMA_4,
}
ORDER_3: Final = (
    "INSERT INTO orders VALUES (?, ?, ?, '0xm', 'yes', 'YES', 'BUY', 470000, 10000, 9000000, 4000000, 4000000, 'bid',"
    " 0, ?, '', '', '', '', NULL, ?, ?)"
)
"""intent, session, id, state, made, updated."""
FILL_3: Final = "INSERT INTO fills VALUES (?, ?, ?, ?, '0xm', ?, ?, ?, ?, ?, 'channel', '', ?)"
"""trade, order, intent, session, outcome, side, price, size, settlement, unix."""
CORRECTION_3: Final = (
    "INSERT INTO corrections (session, unix, market, outcome, micro, reason) VALUES (?, ?, ?, ?, ?, ?)"
)


def an_old_file(path: Path, schema: int, mode: str = "live") -> None:
    """Two sessions; in schemas 1 and 2 each numbers its orders from 1, and the second made one off its market's grid.

    In schema 3 the second found that shares of another market were there and, if of paper, took off what the first had.
    In schema 4 the second did as well, and ended with the day's loss latched.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(_SCRIPTS[schema])
        db.execute("INSERT INTO meta VALUES ('schema', ?)", (str(schema),))
        for session in (1, 2):
            row = (session, mode, "0", 1, "{}", NOW, NOW + 9, "quit", 1)
            columns = ("id", "mode", "version", "seed", "settings", "started_unix", "ended_unix", "exit_reason")
            names = ", ".join((*columns, "open_orders_verified"))
            db.execute(f"INSERT INTO sessions ({names}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            db.execute("INSERT INTO journal (session, unix, kind, body) VALUES (?, ?, 'event', '{}')", (session, NOW))
        {3: _fill_3, 4: _fill_4}.get(schema, _fill_1)(db, schema, mode)


def _fill_1(db: sqlite3.Connection, schema: int, mode: str) -> None:
    order = (
        "INSERT INTO orders VALUES"
        " (?, ?, ?, '0xm', 'yes', 'YES', 'BUY', ?, ?, 9000000, 4000000, 'bid', 0, ?, '', '', ?, ?)"
    )
    fill = "INSERT INTO fills VALUES (?, ?, ?, ?, '0xm', 'YES', ?, 47, 10000, 4000000, ?, ?)"
    names = ("paper-order-1", "paper-order-2") if mode == "paper" else ("0xa", "0xb")
    again = names if mode == "paper" else ("0xc", "0xd")
    db.execute(order, (1, 1, names[0], 47, 10_000, "MATCHED", NOW, NOW + 1))
    db.execute(order, (1, 2, names[1], 47, 10_000, "LIVE", NOW, NOW + 1))
    db.execute(order, (2, 1, again[0], 463_100, 1, "CANCELLED", NOW + 5, NOW + 6))
    db.execute(order, (2, 2, "", 47, 10_000, "DENIED", NOW + 5, NOW + 6))
    db.execute(fill, (1, "paper-1" if mode == "paper" else "t1", names[0], 1, "BUY", "confirmed", NOW + 1))
    db.execute(fill, (2, "paper-1" if mode == "paper" else "t2", again[0], 1, "SELL", "matched", NOW + 6))
    if schema == 2:
        markout = "INSERT INTO markouts VALUES (1, ?, ?, 30.0, '0xm', 'bid', 0, 4000000, 1, 2)"
        db.execute(markout, ("paper-1" if mode == "paper" else "t1", names[0]))


def _fill_3(db: sqlite3.Connection, _schema: int, mode: str) -> None:
    for intent, session, order_id, state in (
        (1, 1, "0xa", "MATCHED"), (2, 1, "0xb", "LIVE"), (3, 2, "0xc", "CANCELLED"), (4, 2, "", "DENIED"),
    ):  # fmt: skip
        db.execute(ORDER_3, (intent, session, order_id, state, NOW, NOW + session))
    db.execute(FILL_3, ("t1", "0xa", 1, 1, "YES", "BUY", 470_000, 4_000_000, "confirmed", NOW + 1))
    if mode == "paper":
        row = (2, NOW + 4, "0xm", "YES", -4_000_000, "a paper account begins anew")
        db.execute(CORRECTION_3, row)
    db.execute(CORRECTION_3, (2, NOW + 4, "0xn", "NO", 3_000_000, "held at the first sight of the market"))
    db.execute(FILL_3, ("t2", "0xc", 3, 2, "YES", "SELL", 500_000, 4_000_000, "matched", NOW + 6))
    db.execute("INSERT INTO progress VALUES ('trades', ?)", (NOW + 7,))


def _fill_4(db: sqlite3.Connection, _schema: int, _mode: str) -> None:
    db.execute("UPDATE sessions SET account = '0xfeed'")
    for intent, session, order_id, state in (
        (1, 1, "0xa", "MATCHED"), (2, 1, "0xb", "LIVE"), (3, 2, "0xc", "CANCELLED"), (4, 2, "", "DENIED"),
    ):  # fmt: skip
        db.execute(ORDER_3, (intent, session, order_id, state, NOW, NOW + session))
    fill = FILL_3.replace("?)", "?, ?)")
    db.execute(fill, ("t1", "0xa", 1, 1, "YES", "BUY", 470_000, 4_000_000, "confirmed", NOW + 1, 1))
    db.execute(fill, ("t2", "0xc", 3, 2, "YES", "SELL", 500_000, 4_000_000, "matched", NOW + 6, 3))
    entry = (
        "INSERT INTO entries VALUES ('0xfeed', 2, 2, ?, '0xn', 'found', 'NO', 3000000, 500000, NULL, NULL, ?, ?, '')"
    )
    db.execute(entry, (NOW + 4, "correction 1", "balance"))
    amounts = (-1_000, 99_000, 99_000, 0, 0, 0, 0, 100_000, 0, int(NOW // 86_400), 100_000, 0, 98_000, 1)
    row = (None, 2, "0xfeed", NOW + 6, 4, *amounts)
    db.execute(f"INSERT INTO equity VALUES ({', '.join('?' * len(row))})", row)
    db.execute("INSERT INTO progress VALUES ('0xfeed', 'trades', ?)", (NOW + 7,))
