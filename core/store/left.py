"""What ``mm_state.db`` shows of the last session when none runs that could be asked: read only, nothing is changed."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec

from core.errors import StoreError
from core.store.schema import LIVING
from core.units import Usd
from core.views import ControlView

_SESSION: Final = (
    "SELECT id, account, version, started_unix, ended_unix, exit_reason, open_orders_verified FROM sessions"
    " ORDER BY id DESC LIMIT 1"
)
_ORDERS: Final = f"SELECT COUNT(*) FROM orders JOIN sessions s ON s.id = session WHERE account = ? AND {LIVING}"
_EQUITY: Final = "SELECT unix, equity_micro_usd FROM equity WHERE account = ? ORDER BY unix DESC, id DESC LIMIT 1"
_CONTROLS: Final = (
    "SELECT state, source, market, side, reason, author, since_unix, until_unix FROM controls"
    " WHERE id IN (SELECT MAX(id) FROM controls GROUP BY market, side, source) AND state != 'ACTIVE' ORDER BY id"
)


class Left(msgspec.Struct, frozen=True):
    """What the last session left behind."""

    version: str
    """Of the program that wrote it."""
    started_unix: float
    ended_unix: float | None
    """None when it never said so: it runs, or was ended by force."""
    reason: str
    """Why it ended; "" when it never said so."""
    verified: bool
    """It saw no open order of its own at its end."""
    orders: int
    """That may be at the venue, by what it wrote down."""
    equity: Usd | None
    """Last recorded, micro-dollars; None when none was."""
    equity_unix: float | None
    controls: tuple[ControlView, ...]
    """States that the next session begins with, and what is left of their timers."""
    titles: dict[str, str]
    """Condition id -> title (foreign text) of the markets in ``controls``."""


def read_left(path: Path, unix: float, armed_unix: float = 0.0) -> Left | None:
    """What a database shows; None where there is none, or no session in it.

    Args:
        path: of the database.
        unix: now, seconds since 1970.
        armed_unix: when the kill latch was last armed; what was killed before that no longer holds.

    Raises:
        StoreError: it is no database of this program, or of another schema.
    """
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=1.0)) as db:
            db.execute("BEGIN")  # one snapshot
            session = db.execute(_SESSION).fetchone()
            return None if session is None else _left(db, session, unix, armed_unix)
    except sqlite3.Error as error:
        raise StoreError(f"{path}: cannot be read ({error}); another schema, or damaged") from error


def _left(db: sqlite3.Connection, session: tuple[Any, ...], unix: float, armed_unix: float) -> Left:
    _, account, version, started, ended, reason, verified = session
    (orders,) = db.execute(_ORDERS, (account,)).fetchone()
    equity_unix, equity = db.execute(_EQUITY, (account,)).fetchone() or (None, None)
    written = [_control(row, unix) for row in db.execute(_CONTROLS)]
    controls = tuple(one for one in written if _holds(one, armed_unix))
    markets = {control.market for control in controls if control.market}
    titles = {market: _title(db, market) for market in sorted(markets)}
    return Left(version, started, ended, reason or "", bool(verified), orders, equity, equity_unix, controls, titles)


def _control(row: tuple[Any, ...], unix: float) -> ControlView:
    state, source, market, side, reason, author, since, until = row
    return ControlView(state, source, market, side, reason, author, since, None if until is None else until - unix)


def _holds(control: ControlView, armed_unix: float) -> bool:
    """Whether the next session begins with a state that was written down."""
    if control.left_s is not None and control.left_s <= 0:
        return False
    return control.source != "kill" or control.since_unix > armed_unix


def _title(db: sqlite3.Connection, market: str) -> str:
    (title,) = db.execute("SELECT title FROM markets WHERE market = ?", (market,)).fetchone() or ("",)
    return str(title)
