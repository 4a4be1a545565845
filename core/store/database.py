"""What survives: ``mm_state.db``, an append-only journal and the tables that people query.

One writer. Intents are committed before their bytes leave; everything else is written in one transaction a quarter of
a second. Money, sizes and prices are integers. Secrets are in none of it: only events and actions are written.
"""

import asyncio
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import aiosqlite

from core.clock import Clock
from core.errors import StoreError
from core.events import Recovered
from core.store.changes import Changes, Moment, Statement, json_text, statements_of, storable, within_reach
from core.store.fold import NEXT_SEQ, fold
from core.store.schema import OURS, prepare

_SESSION: Final = "INSERT INTO sessions (mode, version, seed, settings, started_unix) VALUES (?, ?, ?, ?, ?)"
_NAME: Final = "UPDATE sessions SET account = ? WHERE id = ?"
_TAKE_OVER: Final = tuple(
    f"UPDATE {table} SET account = :account WHERE account = ''" for table in ("sessions", "entries", "progress")
)
"""Sessions of schema 3 and older did not tell their account, and whoever came next went on with theirs."""
_BOOK_LATE: Final = f"""UPDATE fills SET seq = late.seq FROM (
  SELECT rowid AS line, ROW_NUMBER() OVER (ORDER BY rowid) - 1 + ({NEXT_SEQ}) AS seq
  FROM fills WHERE seq = 0 AND {OURS}
) late WHERE fills.rowid = late.line"""
"""Fills that a session wrote and did not live to book."""
_END: Final = "UPDATE sessions SET ended_unix = ?, exit_reason = ?, open_orders_verified = ? WHERE id = ?"
_JOURNAL: Final = "INSERT INTO journal (session, unix, kind, body) VALUES (?, ?, ?, ?)"


class Store:
    """The database of one session. All methods run on the session's loop; the writing happens in one thread."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self._clock = clock
        self._db: aiosqlite.Connection | None = None
        self._lock = asyncio.Lock()
        """Held for the length of a transaction: there is one connection."""
        self.account = ""
        """Whose lines the session reads and adds: a wallet's address in lower case, or ``paper 7`` of session 7."""
        self._session = 0
        self._journal: list[tuple[float, str, str]] = []

    async def open(self, mode: str, version: str, seed: int, settings: dict[str, Any]) -> None:
        """Open or create the database and begin a session in it, for an account of its own so far.

        Raises:
            StoreError: the file cannot be used, is damaged, or was written by a newer program.
        """
        try:
            self._make_private()
            # statements that write begin a transaction by themselves, which saves a way to the thread and back
            self._db = await aiosqlite.connect(self.path, isolation_level="IMMEDIATE")
            await prepare(self._db, self.path)
            row = (mode, version, seed, json_text(settings), self._clock.unix())
            self._session = (await self._db.execute(_SESSION, row)).lastrowid or 0
            self.account = f"{mode} {self._session}"
            await self._db.execute(_NAME, (self.account, self._session))
            await self._db.commit()
        except (OSError, sqlite3.Error) as error:
            await self._close()
            raise StoreError(f"{self.path}: {error}; move the file away or repair it") from error
        except BaseException:
            await self._close()
            raise

    def _make_private(self) -> None:
        """Create the file for its owner only; sqlite gives the files beside it the same mode."""
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        for path in (self.path, *(self.path.with_name(self.path.name + end) for end in ("-wal", "-shm"))):
            if path.exists():
                path.chmod(0o600)

    async def use_account(self, wallet: str) -> None:
        """Go on with the account of a wallet, before anything of it is read or written.

        What an older program left without the name of its account is taken over, and fills that nobody booked are.

        Args:
            wallet: address, in any case; "" where there is none, which leaves the session an account of its own.

        Raises:
            StoreError: it cannot be written.
        """
        if wallet:
            await asyncio.shield(self._go_on(wallet.lower()))

    async def _go_on(self, account: str) -> None:
        async with self._lock:
            db = self._connection
            try:
                await db.execute(_NAME, (account, self._session))
                for statement in (*_TAKE_OVER, _BOOK_LATE):
                    await db.execute(statement, {"account": account})
                await db.commit()
            except sqlite3.Error as error:
                await db.rollback()
                raise StoreError(f"{self.path}: cannot be written: {error}") from error
            self.account = account

    async def recover(self) -> Recovered:
        """Fold what earlier sessions of the account wrote; see :func:`core.store.fold.fold`.

        Raises:
            StoreError: it cannot be read.
        """
        async with self._lock:
            try:
                return await fold(self._connection, self.account)
            except sqlite3.Error as error:
                raise StoreError(f"{self.path}: cannot be read: {error}; move the file away or repair it") from error

    def journal(self, kind: str, body: object) -> None:
        """Note an event or an action; written with the next write."""
        self._journal.append((self._clock.unix(), kind, json_text(body)))

    async def write(self, changes: Changes) -> None:
        """Commit the journal and all changes in one transaction; returns when they are on the disk.

        Who stops waiting does not stop the writing.

        Raises:
            StoreError: nothing of them is. The journal is kept for the next write, ``changes`` are the caller's.
        """
        moment = Moment(self._session, self.account, self._clock.unix(), self._clock.monotonic())
        await asyncio.shield(self._write(statements_of(changes, moment)))

    async def _write(self, statements: Sequence[Statement]) -> None:
        async with self._lock:
            noted = len(self._journal)
            journal = storable((self._session, *row) for row in self._journal)
            await self._commit([(_JOURNAL, journal), *statements])
            del self._journal[:noted]

    async def _commit(self, statements: Sequence[Statement]) -> None:
        """Carry out statements in one transaction. Each with rows costs a way to the thread and back, 0.1 ms.

        Numbers beyond sqlite's are written as its last: sums of absurd sizes must not stop the writing for good.
        """
        try:
            try:
                await self._carry_out(statements)
            except OverflowError:
                await self._connection.rollback()
                await self._carry_out([(statement, within_reach(rows)) for statement, rows in statements])
        except sqlite3.Error as error:
            await self._connection.rollback()
            raise StoreError(f"{self.path}: cannot be written: {error}") from error

    async def _carry_out(self, statements: Sequence[Statement]) -> None:
        db = self._connection
        for statement, rows in statements:
            if rows:
                await db.executemany(statement, rows)
        await db.commit()

    async def end(self, reason: str, verified: bool) -> None:
        """Close the session's row and the file.

        Raises:
            StoreError: the end could not be written.
        """
        row = (self._clock.unix(), reason, int(verified), self._session)
        async with self._lock:
            try:
                await self._commit([(_END, storable([row]))])
            finally:
                await self._close()

    async def _close(self) -> None:
        if self._db is not None:
            await self._db.close()
            self._db = None

    @property
    def _connection(self) -> aiosqlite.Connection:
        if self._db is None:
            raise StoreError(f"{self.path}: is not open")
        return self._db
