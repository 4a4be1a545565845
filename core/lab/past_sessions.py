"""What the database of past sessions holds for calibration: fair values, our orders and our fills, market by market."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from core.errors import UsageError
from core.lab.calibrate import Course, Evidence, Fills, Floats, Quotes
from core.runtime.fair_samples import ALIVE_SEC
from core.units import MICRO

LONGEST_GAP_SEC: Final = 1.5 * ALIVE_SEC
"""Between two rows of a living session there is less."""
_MAGIC: Final = b"SQLite format 3\0"
_NEVER_IN_BOOK: Final = "('REJECTED', 'DENIED', 'NOT_PLACED', 'INTENT', 'SENDING')"
_ENDED: Final = "('MATCHED', 'DONE', 'CANCELLED')"
_FAIRS: Final = (
    "SELECT market, session, unix, tick_micro_usd, fair_micro_usd, microprice_micro_usd FROM fairs"
    " ORDER BY market, session, unix"
)
_QUOTED: Final = " AND COALESCE(json_extract(o.explanation, '$.binding'), '') != 'flatten'"
"""An order that closed a position stood for no quote, and what it took came not to it."""
_ORDERS: Final = {
    2: (
        "SELECT market, session, side, outcome, price_ticks * tick_micro_usd, created_unix,"
        f" CASE WHEN state IN {_ENDED} THEN updated_unix END FROM orders WHERE state NOT IN {_NEVER_IN_BOOK}"
    ),
    3: (
        "SELECT market, session, side, outcome, price_micro_usd, created_unix, CASE WHEN state IN"
        f" {_ENDED} THEN COALESCE((SELECT MIN(e.unix) FROM order_events e WHERE e.intent = o.intent"
        f" AND e.state IN {_ENDED}), updated_unix) END FROM orders o WHERE state NOT IN {_NEVER_IN_BOOK}"
    ),
}
_ORDERS[4] = _ORDERS[3]
_ORDERS[5] = _ORDERS[3] + _QUOTED
"""By schema. A row is also written when news of an order that has ended arrives, so its events tell its end better."""
_FILLS: Final = {
    2: (
        "SELECT f.market, f.outcome, f.price_ticks * f.tick_micro_usd, f.matched_unix, o.side, f.size_micro"
        " FROM fills f JOIN orders o USING (session, intent) WHERE f.settlement != 'failed'"
    ),
    3: (
        "SELECT f.market, f.outcome, f.price_micro_usd, f.matched_unix, o.side, f.size_micro"
        " FROM fills f JOIN orders o USING (intent) WHERE f.settlement != 'failed'"
    ),
}
_FILLS[4] = _FILLS[3]
_FILLS[5] = _FILLS[3] + _QUOTED


def is_database(path: Path) -> bool:
    """The file is one of sqlite's; a file that cannot be read is none."""
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


class Past(msgspec.Struct, frozen=True):
    """A database's sessions."""

    evidence: list[Evidence]
    sessions: int
    settings: dict[str, Any]
    """Those of the last session, as they were; {} without one."""


def read_past(path: Path) -> Past:
    """Read a database, also while a session writes to it.

    Raises:
        UsageError: it cannot be read, is older than schema 2 and holds no fair values, or newer than this program.
    """
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
            schema = int(db.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()[0])
            if schema < 2:
                raise UsageError(
                    f"{path}: written by an older program, which kept no fair values; run a session with this one first"
                )
            sessions = db.execute("SELECT id, ended_unix, settings FROM sessions ORDER BY id").fetchall()
            if schema not in _ORDERS:
                raise UsageError(f"{path}: written by a newer program; update this one")
            queries = (_FAIRS, _ORDERS[schema], _FILLS[schema])
            fairs, orders, fills = (db.execute(query).fetchall() for query in queries)
            settings = msgspec.json.decode(sessions[-1][2], type=dict[str, Any]) if sessions else {}
    except (sqlite3.Error, TypeError, ValueError, msgspec.DecodeError) as error:
        raise UsageError(f"{path}: no database of this program ({error})") from error
    markets = _by_market(fairs)
    orders_of, fills_of = _by_market(orders), _by_market(fills)
    ended = {number: unix for number, unix, _ in sessions if unix is not None}
    evidence = [_evidence(name, rows, orders_of[name], fills_of[name], ended) for name, rows in markets.items()]
    return Past(evidence, len(sessions), settings)


def _by_market(rows: Iterable[Sequence[Any]]) -> defaultdict[str, list[Sequence[Any]]]:
    found: defaultdict[str, list[Sequence[Any]]] = defaultdict(list)
    for market, *rest in rows:
        found[market].append(rest)
    return found


def _evidence(
    market: str,
    fairs: list[Sequence[Any]],
    orders: list[Sequence[Any]],
    fills: list[Sequence[Any]],
    ended: dict[int, float],
) -> Evidence:
    last = {session: unix for session, unix, *_ in fairs}
    ends = {session: min(unix + ALIVE_SEC, max(unix, ended.get(session, np.inf))) for session, unix in last.items()}
    steps = _with_gaps(fairs, ends)
    t, fair, price = np.array(steps, dtype=np.float64).reshape(-1, 3).T
    unknown = np.full(len(t), np.nan)
    end = float(t[-1]) if len(t) else 0.0
    order_rows = [row for row in orders if row[0] in ends]
    quotes = Quotes(
        begin=_floats(row[4] for row in order_rows),
        end=_floats(row[5] if row[5] is not None else ends[row[0]] for row in order_rows),
        sign=_floats(1.0 if row[1] == "bid" else -1.0 for row in order_rows),
        price=_floats(_yes_price(*row[2:4]) for row in order_rows),
    )
    return Evidence(
        market=market,
        title="",
        tick=fairs[-1][2] / MICRO,
        course=Course(t, price, unknown, unknown, end),
        fair=Course(t, fair, unknown, unknown, end),
        trades=None,
        quotes=quotes,
        fills=Fills(
            t=_floats(row[2] for row in fills),
            sign=_floats(1.0 if row[3] == "bid" else -1.0 for row in fills),
            price=_floats(_yes_price(*row[:2]) for row in fills),
            size=_floats(row[4] / MICRO for row in fills),
        ),
    )


def _with_gaps(fairs: list[Sequence[Any]], ends: dict[int, float]) -> list[tuple[float, float, float]]:
    """Time, fair value and microprice in dollars; a row of NaN where a session ended or said nothing for too long."""
    steps: list[tuple[float, float, float]] = []
    last = (0, 0.0)
    for session, unix, _, fair, price in sorted(fairs, key=lambda row: row[1]):
        if steps and (session != last[0] or unix - last[1] > LONGEST_GAP_SEC):
            steps.append((min(unix, ends[last[0]] if session != last[0] else last[1] + ALIVE_SEC), np.nan, np.nan))
        steps.append((unix, np.nan if fair is None else fair / MICRO, np.nan if price is None else price / MICRO))
        last = (session, unix)
    return [*steps, (max(ends.values()), np.nan, np.nan)] if steps else steps


def _yes_price(outcome: str, micro_usd: int) -> float:
    return micro_usd / MICRO if outcome == "YES" else 1 - micro_usd / MICRO


def _floats(values: Iterable[float]) -> Floats:
    return np.array(list(values), dtype=np.float64)
