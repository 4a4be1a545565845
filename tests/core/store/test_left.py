"""What a database shows when no session runs: read as it is, also one that a killed session left."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from core.errors import StoreError
from core.orders.order import State
from core.risk.control import Control
from core.store.changes import Changes
from core.store.left import read_left
from tests.builders import MARKET, usd
from tests.core.store.ledger import NOW, a_mark, an_order, changes, opened


async def test_a_session_that_was_killed_by_force(tmp_path: Path) -> None:
    """It never said that it ended; its orders may be open, its states hold on, its timers run on."""
    path = tmp_path / "mm_state.db"
    store = await opened(path)
    await store.write(
        changes(
            [an_order(1), an_order(2, State.UNKNOWN), an_order(3, State.CANCELLED)],
            equity=[a_mark(NOW, equity=usd(500)), a_mark(NOW - 5, equity=usd(400))],
            controls=[
                Control(
                    "PAUSED", "lunch", author="shell", market=MARKET, side="bid", since_unix=NOW, until_unix=NOW + 60
                ),
                Control("REDUCE_ONLY", "down 1 %", "loss", since_unix=NOW),
                Control("PAUSED", "over", market="0xother", since_unix=NOW, until_unix=NOW + 5),
                Control("PAUSED", "taken back", "flatten", since_unix=NOW),
                Control("ACTIVE", "lifted", "flatten", since_unix=NOW),
            ],
        )
    )
    left = read_left(path, NOW + 20)
    assert left is not None and left.ended_unix is None and not left.verified and left.orders == 2
    assert (left.equity, left.equity_unix) == (usd(500), NOW)
    assert [
        (one.state, one.source, one.market, one.side, one.reason, one.author, one.left_s) for one in left.controls
    ] == [
        ("PAUSED", "operator", MARKET, "bid", "lunch", "shell", 40.0),
        ("REDUCE_ONLY", "loss", "", "", "down 1 %", "", None),
    ]
    await store.end("quit", verified=True)
    left = read_left(path, NOW + 20)
    assert left is not None and (left.ended_unix, left.reason, left.verified) == (NOW, "quit", True)


@pytest.mark.parametrize(("armed_unix", "holds"), [(0.0, True), (NOW - 1, True), (NOW, False), (NOW + 9, False)])
async def test_a_kill_that_was_re_armed_since_no_longer_holds(tmp_path: Path, armed_unix: float, holds: bool) -> None:
    """The latch was taken back without a session, which the database was not told."""
    path = tmp_path / "mm_state.db"
    store = await opened(path)
    await store.write(changes(controls=[Control("KILLED", "smoke", "kill", author="shell", since_unix=NOW)]))
    await store.end("quit", verified=True)
    left = read_left(path, NOW + 20, armed_unix)
    assert left is not None and [one.state for one in left.controls] == (["KILLED"] if holds else [])


async def test_other_accounts_are_not_looked_at(tmp_path: Path) -> None:
    """The orders of a wallet that another session traded for are not this one's."""
    path = tmp_path / "mm_state.db"
    for wallet in ("0xone", "0xtwo"):
        store = await opened(path, wallet=wallet)
        if wallet == "0xone":
            await store.write(changes([an_order(1)]))
        await store.end("quit", verified=wallet == "0xtwo")
    left = read_left(path, NOW)
    assert left is not None and left.orders == 0 and left.equity is None


async def test_nothing_is_changed_and_a_writer_is_not_held_up(tmp_path: Path) -> None:
    """It may be asked while a session that hangs holds the file."""
    path = tmp_path / "mm_state.db"
    store = await opened(path)
    assert read_left(path, NOW) is not None
    await store.write(Changes(equity=[a_mark(NOW)]))
    await store.end("quit", verified=True)


def test_what_is_no_database(tmp_path: Path) -> None:
    """Nothing, and something else."""
    assert read_left(tmp_path / "none.db", NOW) is None
    path = tmp_path / "text.db"
    path.write_text("no database " * 100)
    with pytest.raises(StoreError, match=r"text\.db: cannot be read"):
        read_left(path, NOW)
    with closing(sqlite3.connect(tmp_path / "other.db")) as db:
        db.execute("CREATE TABLE t (n)")
    with pytest.raises(StoreError, match="another schema"):
        read_left(tmp_path / "other.db", NOW)
