"""Databases as the programs of earlier schemas left them. A change of today's tables must not change these."""

import sqlite3
from contextlib import closing
from pathlib import Path

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


def an_old_file(path: Path, schema: int, mode: str = "live") -> None:
    """Two sessions that each number their orders from 1; the second made an order off its market's grid."""
    order = (
        "INSERT INTO orders VALUES"
        " (?, ?, ?, '0xm', 'yes', 'YES', 'BUY', ?, ?, 9000000, 4000000, 'bid', 0, ?, '', '', ?, ?)"
    )
    fill = "INSERT INTO fills VALUES (?, ?, ?, ?, '0xm', 'YES', ?, 47, 10000, 4000000, ?, ?)"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(SCHEMA_1 + (SCHEMA_2 if schema == 2 else ""))
        db.execute("INSERT INTO meta VALUES ('schema', ?)", (str(schema),))
        for session in (1, 2):
            row = (session, mode, "0", 1, "{}", NOW, NOW + 9, "quit", 1)
            db.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            db.execute("INSERT INTO journal (session, unix, kind, body) VALUES (?, ?, 'event', '{}')", (session, NOW))
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
