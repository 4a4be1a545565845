"""``mm_state.db`` as reports and exports read it: one snapshot, read only, also while a session writes.

No lock is taken that a writer would wait for (WAL), nothing is changed, and a file that is not of this program's
schema is refused. All rows are those of one account.
"""

import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.errors import StoreError, UsageError
from core.orders.order import IN_BOOK, State
from core.portfolio.entries import Booking
from core.portfolio.markouts import HORIZONS
from core.report.span import DAY_SEC, Span
from core.runtime.fair_samples import ALIVE_SEC
from core.store.lines import LINES, booking_of
from core.store.schema import LIVING, SCHEMA_VERSION
from core.units import Side, Usd

FRESH_SEC: Final = 1.5 * ALIVE_SEC
"""While a fair value is known one is written every :data:`ALIVE_SEC` at least; after this there was none any more."""
_CACHE_KIB: Final = 16_384
_SESSIONS: Final = (
    "SELECT id, mode, account, version, started_unix, ended_unix, exit_reason, open_orders_verified FROM sessions"
    " ORDER BY id"
)
_LAST_SIGN: Final = (
    "SELECT MAX(unix) FROM (SELECT MAX(unix) AS unix FROM equity WHERE account = :account AND unix >= :begin"
    " AND unix < :before UNION ALL SELECT MAX(matched_unix) FROM fills WHERE session = :session)"
)
_LINES: Final = LINES.replace(" key,", " CASE source WHEN 'fill' THEN '' ELSE key END,")
"""Without the keys of fills, which would be most of the memory."""
_FIRST_AND_LAST_LINE: Final = "SELECT MIN(unix), MAX(unix) FROM lines WHERE account = :account"
_MARKETS: Final = "SELECT market, title, event_group, group_size FROM markets"
_FAIR: Final = (
    "SELECT unix, fair_micro_usd FROM fairs WHERE session = ? AND market = ? AND unix <= ?"
    " AND fair_micro_usd IS NOT NULL ORDER BY unix DESC LIMIT 1"
)
_STEP: Final = (
    "SELECT unix, fair_micro_usd FROM fairs WHERE session = ? AND market = ? AND unix <= ? ORDER BY unix DESC LIMIT 1"
)
_FAIRS_BEGIN: Final = "SELECT MIN(unix) FROM fairs WHERE session = ? AND market = ?"
_OF_SPAN: Final = (
    " WHERE s.account = :account AND f.matched_unix >= :begin AND f.matched_unix < :end AND f.settlement != 'failed'"
)
UNMEASURED: Final = -(2**62)
"""Stands in a column of numbers where nothing was measured."""
_DRIFTS: Final = tuple(f"drift_{horizon:g}" for horizon in HORIZONS)
_BY_HORIZON: Final = ", ".join(
    f"COALESCE(MAX(m.drift_micro_usd) FILTER (WHERE m.horizon_s = {horizon}), {UNMEASURED})" for horizon in HORIZONS
)
# spread, side and layer are the same in all rows of a fill
_MEASURED: Final = (
    f"SELECT f.seq, f.intent, COALESCE(m.spread_micro_usd, {UNMEASURED}), COALESCE(m.side = 'ask', 0),"
    f" COALESCE(m.layer, -1), {_BY_HORIZON} FROM sessions s JOIN fills f ON f.session = s.id"
    " LEFT JOIN markouts m ON m.session = s.id AND m.trade_id = f.trade_id AND m.order_id = f.order_id"
    + _OF_SPAN
    + " AND f.seq > 0 GROUP BY f.rowid"
)
_PLACE: Final = "SELECT side, layer FROM orders WHERE intent = ?"
_OF_EQUITY: Final = " FROM equity WHERE account = :account AND unix >= :begin AND unix < :end ORDER BY"
_EQUITY: Final = f"SELECT unix, equity_micro_usd, flows_micro_usd{_OF_EQUITY} unix, id"
_LAST_MARK: Final = f"SELECT unix, seq, cash_micro_usd, flows_micro_usd{_OF_EQUITY} unix DESC, id DESC LIMIT 1"
_FINDINGS: Final = (
    "SELECT code, severity, COUNT(*), MIN(unix), MAX(unix), text FROM findings"
    " WHERE session IN (SELECT id FROM sessions WHERE account = :account) AND unix >= :begin AND unix < :end"
    " AND :market IN ('', market) GROUP BY code, severity ORDER BY COUNT(*) DESC, code"
)
_FAILED: Final = (
    "SELECT COUNT(*) FROM sessions s JOIN fills f ON f.session = s.id WHERE s.account = :account"
    " AND f.matched_unix >= :begin AND f.matched_unix < :end AND f.settlement = 'failed' AND :market IN ('', f.market)"
)
_FAILED_SINCE: Final = (
    "SELECT f.order_side, f.price_micro_usd, f.size_micro FROM sessions s JOIN fills f ON f.session = s.id"
    " JOIN settlements t USING (trade_id, order_id) WHERE s.account = :account AND f.settlement = 'failed'"
    " AND f.seq > 0 AND f.seq < :seq AND t.status = 'failed' AND t.unix > :unix"
)
_ESTIMATES: Final = (
    "SELECT day, market, reward_micro_usd, rebate_micro_usd FROM estimates WHERE account = :account"
    " AND day >= :first AND day <= :last ORDER BY day, market"
)
CANCEL_SENT: Final = 2
"""States of an order as columns of numbers hold them; 1: in the book, 0: any other."""
UNKNOWN: Final = 3
REJECTED: Final = 4
DENIED: Final = 5
_CODES: Final = {**dict.fromkeys(IN_BOOK, 1), State.CANCEL_SENT: CANCEL_SENT, State.UNKNOWN: UNKNOWN}
_WHEN: Final = " ".join(f"WHEN '{state.value}' THEN {code}" for state, code in _CODES.items())
_STATE: Final = f"CASE e.state {_WHEN} ELSE 0 END"
_IS_SENT: Final = "e.state != 'SENDING' AND e.state != 'INTENT'"
_LATER: Final = f"SELECT intent FROM orders WHERE updated_unix >= :begin UNION SELECT intent FROM orders WHERE {LIVING}"
_OF_TIME: Final = (
    " WHERE {since} AND o.created_unix < :end AND +o.session IN (SELECT id FROM sessions WHERE account = :account)"
)
_ORDERS: Final = (
    "SELECT o.intent, o.market, o.side = 'ask', o.created_unix,"
    f" CASE o.state WHEN 'REJECTED' THEN {REJECTED} WHEN 'DENIED' THEN {DENIED} WHEN 'UNKNOWN' THEN {UNKNOWN}"
    " ELSE 0 END"
    " FROM orders o" + _OF_TIME
)
_EVENTS: Final = (
    f"SELECT e.intent, e.unix, {_STATE} FROM orders o CROSS JOIN order_events e USING (intent)"
    + _OF_TIME
    + f" AND {_IS_SENT}"
)
_ALL_EVENTS: Final = f"SELECT e.intent, e.unix, {_STATE} FROM order_events e WHERE {_IS_SENT}"

_CHUNK: Final = 2_000
_MARK_COLUMNS: Final = [("unix", "f8"), ("equity", "i8"), ("flows", "i8")]
_EVENT_COLUMNS: Final = [("intent", "i8"), ("unix", "f8"), ("state", "i1")]
_ORDER_COLUMNS: Final = [("intent", "i8"), ("market", "i4"), ("is_ask", "i1"), ("created", "f8"), ("state", "i1")]
_MEASURED_COLUMNS: Final = [
    ("seq", "i8"), ("intent", "i8"), ("spread", "i8"), ("is_ask", "i1"), ("layer", "i2"),
    *((name, "i8") for name in _DRIFTS),
]  # fmt: skip
Columns = NDArray[Any]
"""A structured array: one record a row."""


class Session(NamedTuple):
    """One run of the program."""

    number: int
    mode: str
    version: str
    begin: float
    end: float
    """Unix seconds; of a session that did not end in order its last sign, of one that runs its newest."""
    is_over: bool
    """It said that it ended."""
    reason: str
    """Why it ended; "" when it never said so."""
    is_verified: bool
    """No order was open at its end, and that was seen."""


class Market(NamedTuple):
    """What the catalogue said of a market."""

    market: str
    title: str
    """Foreign text, uncleaned; "" when the market was never described."""
    group: str
    """Shared by markets of one event of which at most one comes true; "" for others."""
    group_size: int


class Fair(NamedTuple):
    """A fair value and when it was written."""

    micro_usd: Usd
    """Micro-dollars a share of YES."""
    unix: float


class Mark(NamedTuple):
    """The account's recorded value at one moment (market-making.md 3.6); micro-dollars."""

    unix: float
    seq: int
    cash: Usd
    flows: Usd


class FindingRow(NamedTuple):
    """Findings of one code and severity."""

    code: str
    severity: str
    times: int
    first_unix: float
    last_unix: float
    text: str
    """Of one of them."""


class Estimate(NamedTuple):
    """What a market was reckoned to earn beside trading on one day; micro-dollars."""

    day: int
    market: str
    reward: Usd
    rebate: Usd


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that can only read, in one snapshot.

    Raises:
        UsageError: there is no such file.
        StoreError: it is not a database of this program, is of another schema, or is damaged.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no such database; run a session first, or name a file with --database")
    try:
        with closing(sqlite3.connect(_uri(path.resolve()), uri=True)) as db:
            db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            db.execute("BEGIN")
            _check_schema(db, path)
            yield db
    except sqlite3.Error as error:
        raise StoreError(
            f"{path}: cannot be read: {error}; it is damaged or not of this program: take a copy that is whole"
        ) from error


def _uri(path: Path) -> str:
    """How the file is opened: a reader of a log (WAL) needs files beside it, unless nobody can be writing there."""
    has_log = path.with_name(f"{path.name}-wal").exists()
    alone = not has_log and not os.access(path.parent, os.W_OK)
    return f"{path.as_uri()}?mode=ro{'&immutable=1' if alone else ''}"


def _check_schema(db: sqlite3.Connection, path: Path) -> None:
    told = db.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    schema = int(told[0]) if told is not None and str(told[0]).isdecimal() else 0
    if schema > SCHEMA_VERSION:
        raise StoreError(f"{path}: schema {schema} is newer than this program's {SCHEMA_VERSION}; update the program")
    if schema < SCHEMA_VERSION:
        raise StoreError(
            f"{path}: schema {schema} is older than this program's {SCHEMA_VERSION}; start a session in its directory "
            "once, which keeps a copy and brings it up"
        )


class History:
    """The rows of one account in one snapshot of the database."""

    def __init__(self, db: sqlite3.Connection, account: str | None = None) -> None:
        """Look at ``account``, or at that of the last session.

        Raises:
            UsageError: there is no session yet, or none of this account.
            sqlite3.Error: the file cannot be read.
        """
        self._db = db
        rows = db.execute(_SESSIONS).fetchall()
        if not rows:
            raise UsageError("the database holds no session yet")
        self.accounts = tuple(dict.fromkeys(row[2] for row in reversed(rows)))
        """All accounts of the file, the latest first."""
        named = self.accounts[0] if account is None else account.strip()
        self.account = named if named in self.accounts else named.lower()
        if self.account not in self.accounts:
            known = ", ".join(self.accounts[:10])
            raise UsageError(f"no session of account {named[:80]!r}; there are: {known}")
        self.sessions = self._read_sessions([row for row in rows if row[2] == self.account])
        self._fair_begins: dict[str, list[tuple[float, int]]] = {}

    def _read_sessions(self, rows: list[tuple[Any, ...]]) -> tuple[Session, ...]:
        found: list[Session] = []
        nexts = [row[4] for row in rows[1:]] + [float("inf")]
        for (number, mode, _, version, begin, ended, reason, verified), before in zip(rows, nexts, strict=True):
            end = ended
            if end is None:
                keys = {"account": self.account, "begin": begin, "before": before, "session": number}
                end = self._db.execute(_LAST_SIGN, keys).fetchone()[0] or begin
            found.append(
                Session(number, mode, version, begin, max(begin, end), ended is not None, reason or "", bool(verified))
            )
        return tuple(found)

    @property
    def known(self) -> Span:
        """From the first to just after the last sign of the account.

        A line that lies more than a day outside of all sessions is a mistake in its time, no sign.
        """
        begin, end = min(one.begin for one in self.sessions), max(one.end for one in self.sessions)
        first, last = self._db.execute(_FIRST_AND_LAST_LINE, {"account": self.account}).fetchone()
        if first is not None:
            begin, end = min(begin, max(first, begin - DAY_SEC)), max(end, min(last, end + DAY_SEC))
        return Span(begin, end + 1.0)

    def markets(self) -> dict[str, Market]:
        """What is known of markets, by condition id; not all of them need be this account's."""
        return {row[0]: Market(*row) for row in self._db.execute(_MARKETS)}

    def lines(self) -> dict[str, list[Booking]]:
        """The account's book: every line that has not failed, by market and in order; "" for the account's own.

        A fill whose line has no number yet stands last, where a restart will put it. Keys of fills are left out.

        Raises:
            StoreError: a line is of a kind that this program does not know.
        """
        found: defaultdict[str, list[Booking]] = defaultdict(list)
        unnumbered: list[Booking] = []
        names: dict[str, str] = {}
        for seq, market, *rest in self._db.execute(_LINES, {"account": self.account}):
            name = names.setdefault(market, market)  # one text a market
            booking = booking_of((seq, name, *rest))
            (found[name] if seq else unnumbered).append(booking)
        for booking in unnumbered:
            found[booking.market].append(booking)
        return dict(found)

    def measured(self, begin: float, end: float) -> Columns:
        """What was written down of the fills of a span, in order of ``seq``.

        Fields: ``seq`` of the fill's line, ``intent``, ``spread`` and the drift at each horizon (``drift_1``,
        ``drift_5``, ``drift_30``, ``drift_300``) in micro-dollars a share, signed for us (market-making.md 2.6), or
        :data:`UNMEASURED`; ``is_ask`` and ``layer`` of its order, of use only where there is a spread.
        """
        rows = _columns(self._of_span(_MEASURED, begin, end), _MEASURED_COLUMNS)
        return rows[np.argsort(rows["seq"], kind="stable")]

    def place(self, intent: int) -> tuple[Side, int] | None:
        """Side of the YES book and layer of an order; None when it is not known."""
        row = self._db.execute(_PLACE, (intent,)).fetchone()
        return None if row is None else (row[0], row[1])

    def _of_span(self, query: str, begin: float, end: float) -> sqlite3.Cursor:
        return self._db.execute(query, {"account": self.account, "begin": begin, "end": end})

    def fair(self, market: str, unix: float) -> Fair | None:
        """The last fair value that was known at or before a moment, however old; None when there never was one."""
        for _, session in reversed(self._sessions_with_fairs(market, unix)):
            row = self._db.execute(_FAIR, (session, market, unix)).fetchone()
            if row is not None:
                return Fair(row[1], row[0])
        return None

    def fresh_fair(self, market: str, unix: float) -> Usd | None:
        """The fair value in force at a moment, micro-dollars; None when nobody knew one then."""
        for _, session in reversed(self._sessions_with_fairs(market, unix)):
            row = self._db.execute(_STEP, (session, market, unix)).fetchone()
            return row[1] if row is not None and unix - row[0] <= FRESH_SEC else None
        return None

    def _sessions_with_fairs(self, market: str, unix: float) -> list[tuple[float, int]]:
        begins = self._fair_begins.get(market)
        if begins is None:
            found = (
                (self._db.execute(_FAIRS_BEGIN, (one.number, market)).fetchone()[0], one.number)
                for one in self.sessions
            )
            begins = self._fair_begins[market] = sorted(pair for pair in found if pair[0] is not None)
        return [pair for pair in begins if pair[0] <= unix]

    def equity(self, begin: float, end: float) -> Columns:
        """The account's recorded values within a span, in order of time.

        Fields: ``unix`` (seconds), ``equity`` and ``flows`` (micro-dollars; market-making.md 3.6).
        """
        return _columns(self._of_span(_EQUITY, begin, end), _MARK_COLUMNS)

    def last_mark(self, begin: float, end: float) -> Mark | None:
        """The newest recorded value within a span; None when there is none."""
        row = self._db.execute(_LAST_MARK, {"account": self.account, "begin": begin, "end": end}).fetchone()
        return None if row is None else Mark(*row)

    def findings(self, span: Span, market: str) -> list[FindingRow]:
        """Findings of a span, of all markets when ``market`` is ""; the most frequent first."""
        keys = {"account": self.account, "begin": span.begin, "end": span.end, "market": market}
        return [FindingRow(*row) for row in self._db.execute(_FINDINGS, keys)]

    def failed_fills(self, span: Span, market: str) -> int:
        """Fills of a span whose trades failed, of all markets when ``market`` is ""."""
        keys = {"account": self.account, "begin": span.begin, "end": span.end, "market": market}
        return int(self._db.execute(_FAILED, keys).fetchone()[0])

    def failed_since(self, mark: Mark) -> int:
        """Cash, Pico, that had moved in fills when a mark was written, and that their failing took back later."""
        rows = self._db.execute(_FAILED_SINCE, {"account": self.account, "seq": mark.seq, "unix": mark.unix})
        return sum(price * size if side == "SELL" else -price * size for side, price, size in rows)

    def joined(self, market: str) -> dict[int, float]:
        """From when on sessions made a market: their numbers and the first fair value they wrote, unix seconds."""
        return {session: unix for unix, session in self._sessions_with_fairs(market, float("inf"))}

    def estimates(self, first_day: int, last_day: int) -> list[Estimate]:
        """What was reckoned to be earned beside trading, by UTC day (days since 1970) and market."""
        keys = {"account": self.account, "first": first_day, "last": last_day}
        return [Estimate(*row) for row in self._db.execute(_ESTIMATES, keys)]

    def orders(self, span: Span, numbers: dict[str, int]) -> Columns:
        """Orders that lived within a span, in order of ``intent``.

        Fields: ``intent``, ``market`` by its number, ``is_ask``, ``created`` (unix seconds) and ``state``:
        :data:`REJECTED`, :data:`DENIED`, :data:`UNKNOWN`, or 0 for all others.

        Args:
            span: in which they lived, or a part of it.
            numbers: of the markets; it numbers those that are not in it yet by itself.
        """
        rows = self._db.execute(_ORDERS.format(since=self._since(span)), self._span_keys(span))
        orders = _columns(rows, _ORDER_COLUMNS, {"market": numbers})
        return orders[np.argsort(orders["intent"], kind="stable")]

    def order_events(self, span: Span) -> Columns:
        """What became of the orders that lived within a span; others may be among them.

        Fields: ``intent``, ``unix``, ``state``: 0 not in the book, 1 in the book, :data:`CANCEL_SENT` (still in it) or
        :data:`UNKNOWN`. In order of ``intent``, then as it happened.
        """
        query = _ALL_EVENTS if self._is_whole(span) else _EVENTS.format(since=self._since(span))
        rows = self._db.execute(query, self._span_keys(span) if query is not _ALL_EVENTS else ())
        events = _columns(rows, _EVENT_COLUMNS)
        return events[np.argsort(events["intent"], kind="stable")]

    def _since(self, span: Span) -> str:
        """Which orders lived later than the begin; the indexes are worth it only where they leave most of them out."""
        return "TRUE" if self._is_whole(span) else f"o.intent IN ({_LATER})"

    def _is_whole(self, span: Span) -> bool:
        return span.begin <= self.sessions[0].begin and len(self.accounts) == 1

    def _span_keys(self, span: Span) -> dict[str, Any]:
        return {"account": self.account, "begin": span.begin, "end": span.end}


def _columns(
    rows: sqlite3.Cursor, kinds: list[tuple[str, str]], codes: dict[str, dict[str, int]] | None = None
) -> Columns:
    """Rows as columns, piece by piece; texts of a column with ``codes`` become their numbers."""
    pieces: list[Columns] = []
    while chunk := rows.fetchmany(_CHUNK):
        piece = np.empty(len(chunk), dtype=kinds)
        for (name, _), values in zip(kinds, zip(*chunk, strict=True), strict=True):
            coded = (codes or {}).get(name)
            piece[name] = values if coded is None else [coded[value] for value in values]
        pieces.append(piece)
    return np.concatenate(pieces) if pieces else np.empty(0, dtype=kinds)
