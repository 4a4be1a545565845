"""A small database written line by line, as a session would leave it."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import aiosqlite

from core.portfolio.entries import Booking, Buy, Sell
from core.report.build import make_report
from core.report.figures import Report
from core.report.history import History, opened
from core.report.span import Span, span_of
from core.store.lines import entry_columns
from core.store.schema import prepare

DAY = 86_400
NOON = 20_000 * DAY + DAY // 2
"""Where these histories begin, unix seconds."""
WALLET = "0x" + "5a" * 20
MARKET, OTHER = "0x" + "ab" * 32, "0x" + "cd" * 32


class Small:
    """Rows are committed one by one; times are seconds from :data:`NOON`."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "mm_state.db"
        asyncio.run(_empty(self.path))
        self.seq = 0
        self.intent = 0
        self._fills = 0

    def add(self, table: str, *row: Any) -> None:
        with closing(sqlite3.connect(self.path)) as db:
            db.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
            db.commit()

    def session(
        self,
        number: int = 1,
        begin: float = 0.0,
        end: float | None = 3_600.0,
        account: str = WALLET,
        mode: str = "live",
    ) -> None:
        ended = None if end is None else NOON + end
        reason, verified = (None, None) if end is None else ("quit", 1)
        self.add("sessions", number, mode, "0.7.0", 1, "{}", NOON + begin, ended, reason, verified, account)

    def market(self, market: str = MARKET, title: str = "Will it rain?", group: str = "", size: int = 0) -> None:
        self.add(
            "markets", market, title, group, group, size, "1", "2", 10_000, 5_000_000, int(bool(group)), "[]", None,
            None, None, None, None, None, None, None, None, float(NOON),
        )  # fmt: skip

    def fair(self, at: float, micro: int | None, market: str = MARKET, session: int = 1) -> None:
        self.add("fairs", session, market, NOON + at, 10_000, micro, micro)

    def order(
        self, states: list[tuple[str, float]], side: str = "bid", market: str = MARKET, session: int = 1, layer: int = 0
    ) -> int:
        """An order with what became of it: (state, when)."""
        self.intent += 1
        self.add(
            "orders", self.intent, session, f"0x{self.intent}", market, "1", "YES", "BUY", 450_000, 10_000, 10_000_000,
            0, 0, side, layer, states[-1][0], "new target", "", "", "", None, NOON + states[0][1],
            NOON + states[-1][1],
        )  # fmt: skip
        for state, at in states:
            self.add("order_events", None, self.intent, NOON + at, state, "")
        return self.intent

    def line(self, booking: Booking, session: int = 1, account: str = WALLET) -> None:
        """A line of the book; a purchase or sale becomes a fill, unix as it says."""
        entry = booking.entry
        if isinstance(entry, Buy | Sell):
            self._fills += 1
            self.add(
                "fills", f"t{self._fills}", "0xorder", 0, session, booking.market, entry.outcome,
                type(entry).__name__.upper(), entry.price, entry.size,
                "confirmed" if booking.is_final else "matched", "channel", "", booking.unix, booking.seq,
            )  # fmt: skip
        else:
            kind, *rest = entry_columns(entry)
            self.add(
                "entries", account, booking.seq, session, booking.unix, booking.market, kind, *rest, booking.key,
                booking.source, booking.text,
            )  # fmt: skip

    def book(self, at: float, entry: Any, market: str = MARKET, key: str = "", **about: Any) -> Booking:
        """The next line."""
        self.seq += 1
        source = "fill" if isinstance(entry, Buy | Sell) else "job"
        booking = Booking(self.seq, market, key or f"key {self.seq}", NOON + at, entry, source, **about)
        self.line(booking)
        return booking

    def mark(self, at: float, cash: int, equity: int, flows: int, seq: int | None = None) -> None:
        seq = self.seq + 1 if seq is None else seq
        self.add(
            "equity", None, 1, WALLET, NOON + at, seq, cash, equity, equity, 0, 0, 0, 0, flows, 0, 20_000, equity, 0,
            equity, 0, None,
        )  # fmt: skip

    def report(self, begin: float | None = None, end: float | None = None, **choice: Any) -> Report:
        """A report of a span, of everything without one."""
        return report_of(self.path, begin, end, **choice)


def report_of(
    path: Path, begin: float | None = None, end: float | None = None, *, account: str | None = None,
    market: str | None = None, now: float = NOON + 40 * DAY,
) -> Report:  # fmt: skip
    with opened(path) as db:
        history = History(db, account)
        span = span_of(day=None, since=None, until=None, known=history.known, now=now)
        if begin is not None or end is not None:
            span = Span(span.begin if begin is None else NOON + begin, span.end if end is None else NOON + end)
        return make_report(history, span, database=path.name, now=now, market=market, progress=lambda *_: None)


async def _empty(path: Path) -> None:
    db = await aiosqlite.connect(path)
    try:
        await prepare(db, path)
    finally:
        await db.close()
