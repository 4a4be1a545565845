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
_SCRIPTS: Final = {1: SCHEMA_1, 2: SCHEMA_1 + SCHEMA_2, 3: SCHEMA_1 + SCHEMA_2 + SCHEMA_3}
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
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(_SCRIPTS[schema])
        db.execute("INSERT INTO meta VALUES ('schema', ?)", (str(schema),))
        for session in (1, 2):
            row = (session, mode, "0", 1, "{}", NOW, NOW + 9, "quit", 1)
            db.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            db.execute("INSERT INTO journal (session, unix, kind, body) VALUES (?, ?, 'event', '{}')", (session, NOW))
        (_fill_3 if schema == 3 else _fill_1)(db, schema, mode)


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
