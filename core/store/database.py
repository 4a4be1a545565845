"""What survives: ``mm_state.db``, an append-only journal and the tables that people query.

One writer. Intents are committed before their bytes leave; everything else is written in one transaction a quarter of
a second. Money, sizes and prices are integers. Secrets are in none of it: only events and actions are written.
"""

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import aiosqlite
import msgspec

from core.clock import Clock
from core.errors import StoreError
from core.orders.manager import Fill
from core.orders.order import Order
from core.units import Grid, Side, Usd

SCHEMA_VERSION: Final = 2
_SCHEMA_1: Final = """
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
_SCHEMA_2: Final = """
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
_STEPS: Final = {1: _SCHEMA_1, 2: _SCHEMA_2}
"""What makes each schema of the one before."""
_JOURNAL_ROW: Final = "INSERT INTO journal (session, unix, kind, body) VALUES (?, ?, ?, ?)"
_ORDER_ROW: Final = (
    "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (session, intent)"
    " DO UPDATE SET order_id = excluded.order_id, filled_micro = excluded.filled_micro, state = excluded.state,"
    " reason = excluded.reason, detail = excluded.detail, updated_unix = excluded.updated_unix"
)
_FILL_ROW: Final = (
    "INSERT INTO fills VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (session, trade_id, order_id)"
    " DO UPDATE SET settlement = excluded.settlement"
)
_MARK_ROW: Final = "INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_FAIR_ROW: Final = "INSERT OR REPLACE INTO fairs VALUES (?, ?, ?, ?, ?, ?)"
_MARKOUT_ROW: Final = "INSERT OR REPLACE INTO markouts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_encode: Final = msgspec.json.Encoder().encode

MarkRow = tuple[str, int | None, int, int, int, int]
"""market, fair, YES, NO, realised, unrealised: micro-dollars and micro-shares."""
FairRow = tuple[str, float, int, int | None, int | None]
"""market, unix, tick, fair value and microprice from then on: micro-dollars; None where there is none to believe."""
MarkoutRow = tuple[str, str, float, str, Side, int, int, int, int]
"""trade, order, seconds, market, side, layer, size, what dealing away from the fair value earned and what it did then,
both signed for us: micro-shares and micro-dollars a share. Of a fill that failed later the row stays; its settlement
in ``fills`` says so."""


class Store:
    """The database of one session. All methods run on the session's loop; the writing happens in one thread."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self._clock = clock
        self._db: aiosqlite.Connection | None = None
        self._session = 0
        self._journal: list[tuple[float, str, str]] = []

    async def open(self, mode: str, version: str, seed: int, settings: dict[str, Any]) -> None:
        """Open or create the database and begin a session in it.

        Raises:
            StoreError: the file cannot be used, is damaged, or was written by a newer program.
        """
        try:
            handle = os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600)
            os.fchmod(handle, 0o600)
            os.close(handle)
            self._db = await aiosqlite.connect(self.path, isolation_level=None)
            await self._db.execute("PRAGMA journal_mode=WAL")
            await self._db.execute("PRAGMA synchronous=FULL")
            await self._migrate()
            cursor = await self._db.execute(
                "INSERT INTO sessions (mode, version, seed, settings, started_unix) VALUES (?, ?, ?, ?, ?)",
                (mode, version, seed, _encode(settings).decode(), self._clock.unix()),
            )
            self._session = cursor.lastrowid or 0
        except (OSError, sqlite3.Error) as error:
            await self._abandon()
            raise StoreError(f"{self.path}: {error}; move the file away or repair it") from error
        except StoreError:
            await self._abandon()
            raise

    async def _migrate(self) -> None:
        rows = await self._rows("SELECT name FROM sqlite_master WHERE name = 'meta'")
        if not rows:
            await self._step_up(0)
            return
        told = [value for (value,) in await self._rows("SELECT value FROM meta WHERE key = 'schema'")]
        if len(told) != 1 or not told[0].isdecimal():
            raise StoreError(f"{self.path}: does not tell its schema; move the file away or repair it")
        if int(told[0]) > SCHEMA_VERSION:
            raise StoreError(f"{self.path}: schema {told[0]} is newer than this program's {SCHEMA_VERSION}; update it")
        await self._step_up(int(told[0]))

    async def _step_up(self, schema: int) -> None:
        """Bring the file from ``schema``, 0 for an empty one, to this program's, all at once or not at all."""
        steps = [_STEPS[number] for number in range(schema + 1, SCHEMA_VERSION + 1)]
        if steps:
            told = f"INSERT OR REPLACE INTO meta VALUES ('schema', '{SCHEMA_VERSION}')"
            await self._connection.executescript(f"BEGIN; {' '.join(steps)} {told}; COMMIT;")

    def journal(self, kind: str, body: object) -> None:
        """Note an event or an action; written with the next flush."""
        self._journal.append((self._clock.unix(), kind, _encode(body).decode()))

    async def write(
        self,
        orders: Sequence[tuple[Order, Grid]],
        fills: Sequence[tuple[Fill, str, Grid]],
        marks: Sequence[MarkRow] = (),
        fairs: Sequence[FairRow] = (),
        markouts: Sequence[MarkoutRow] = (),
    ) -> None:
        """Commit the journal and all rows in one transaction; returns when they are on the disk.

        Raises:
            StoreError: they are not.
        """
        unix, session, monotonic = self._clock.unix(), self._session, self._clock.monotonic()
        db, journal = self._connection, self._journal
        if not (journal or orders or fills or marks or fairs or markouts):
            return
        self._journal = []
        try:
            await db.execute("BEGIN")
            await db.executemany(_JOURNAL_ROW, [(session, *row) for row in journal])
            await db.executemany(_ORDER_ROW, [_order_row(session, o, g, unix, monotonic) for o, g in orders])
            await db.executemany(_FILL_ROW, [_fill_row(session, f, s, g) for f, s, g in fills])
            await db.executemany(_MARK_ROW, [(session, mark[0], unix, *mark[1:]) for mark in marks])
            for query, rows in ((_FAIR_ROW, fairs), (_MARKOUT_ROW, markouts)):
                if rows:  # each query costs an intent that waits for this its way to the thread and back
                    await db.executemany(query, [(session, *row) for row in rows])
            await db.execute("COMMIT")
        except (sqlite3.Error, ValueError, OverflowError) as error:
            self._journal = journal + self._journal
            if db.in_transaction:
                await db.execute("ROLLBACK")
            raise StoreError(f"{self.path}: cannot be written: {error}") from error

    async def end(self, reason: str, verified: bool) -> None:
        """Close the session's row and the file.

        Raises:
            StoreError: the end could not be written.
        """
        try:
            await self._connection.execute(
                "UPDATE sessions SET ended_unix = ?, exit_reason = ?, open_orders_verified = ? WHERE id = ?",
                (self._clock.unix(), reason, int(verified), self._session),
            )
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: cannot be written: {error}") from error
        finally:
            await self._abandon()

    async def _abandon(self) -> None:
        if self._db is not None:
            await self._db.close()
            self._db = None

    async def _rows(self, query: str) -> list[Any]:
        return list(await self._connection.execute_fetchall(query))

    @property
    def _connection(self) -> aiosqlite.Connection:
        if self._db is None:
            raise StoreError(f"{self.path}: is not open")
        return self._db


def _order_row(session: int, order: Order, grid: Grid, unix: float, monotonic: float) -> tuple[Any, ...]:
    return (
        session,
        order.intent,
        order.order_id,
        order.market,
        order.token,
        order.outcome,
        order.order_side,
        *_priced(order.usd, grid),
        order.size,
        order.filled,
        order.side,
        order.layer,
        order.state.value,
        order.reason,
        order.detail,
        unix - (monotonic - order.created_s),
        unix,
    )


def _priced(usd: Usd, grid: Grid) -> tuple[int, int]:
    """A price as ticks and micro-dollars a tick: of the market's grid, or of a millionth where it is off that."""
    return (usd, 1) if usd % grid.tick_usd else (usd // grid.tick_usd, grid.tick_usd)


def _fill_row(session: int, fill: Fill, settlement: str, grid: Grid) -> tuple[Any, ...]:
    return (
        session,
        fill.trade_id,
        fill.order_id,
        fill.intent,
        fill.market,
        fill.outcome,
        fill.order_side,
        *_priced(fill.usd, grid),
        fill.size,
        settlement,
        fill.unix,
    )
