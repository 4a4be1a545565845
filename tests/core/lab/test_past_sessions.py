"""Past sessions as arrays: what the store wrote comes back, and time that nobody knows of stays unknown."""

import math
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from core.clock import ManualClock
from core.config import Settings
from core.errors import UsageError
from core.events import FillSeen, OrderAnswered, OrderSeen, OrderSigned
from core.lab.calibrate import Evidence, TooThin, calibrate
from core.lab.past_sessions import Past, is_database, read_past
from core.orders.manager import OrderManager, StateChange
from core.orders.order import State
from core.quoting.explain import LayerExplanation
from core.store.changes import Changes, FairRow
from core.store.database import Store
from core.units import Shares, Ticks
from tests.builders import MARKET, NOON, a_market, shares
from tests.core.store.ledger import NOW, an_order, changes, opened
from tests.core.store.old_files import an_old_file


async def written(
    path: Path,
    fairs: list[tuple[float, float | None]],
    *,
    ended: float = 100.0,
    fill: str = "confirmed",
    binding: str = "",
) -> None:
    """A session with two orders, one of them filled after 20 s, and with this path of the fair value."""
    clock = ManualClock(unix=float(NOON), monotonic=0.0)
    store, manager, instrument = Store(path, clock), OrderManager(), a_market()
    await store.open("demo", "0", 1, {"k_vol": 3.0})
    for outcome, price in (("YES", 45), ("NO", 50)):
        place = manager.place(
            instrument, outcome=outcome, order_side="BUY", price=Ticks(price), size=shares(10),
            side="bid" if outcome == "YES" else "ask", layer=0, reason="new target", now=0.0,
            explanation=LayerExplanation("bid", 0, Ticks(price), shares(10), binding=binding) if binding else None,
        )  # fmt: skip
        manager.signed(OrderSigned(intent=place.intent, order_id=f"0x{outcome}"), 0.0)
        manager.answered(OrderAnswered(intent=place.intent, outcome="live"), 0.0)
    for settlement in ("matched", fill):
        told = FillSeen(
            trade_id="t", order_id="0xYES", size=Shares(10_000_000), settlement=settlement, unix=NOON + 20.0
        )  # type: ignore[arg-type]
        manager.filled(told, 20.0)
    manager.seen(OrderSeen(order_id="0xYES", status="matched", matched=shares(10)), 20.0)
    clock.advance_to(20.0)
    rows: list[FairRow] = [
        (
            MARKET,
            NOON + t,
            10_000,
            None if fair is None else round(fair * 1e6),
            None if fair is None else round(fair * 1e6) + 1_000,
        )
        for t, fair in fairs
    ]
    await store.write(Changes(manager.take_touched(), fairs=rows))
    clock.advance_to(ended)
    await store.end("quit", verified=True)


def one(past: Past) -> Evidence:
    [evidence] = past.evidence
    return evidence


def fair_at(evidence: Evidence, second: float) -> float:
    return float(evidence.fair.price_at(np.array([NOON + second]))[0])


async def test_what_a_session_wrote_comes_back(tmp_path: Path) -> None:
    """Orders in the YES frame with their lives, fills with their side, both paths, the settings of then."""
    path = tmp_path / "mm_state.db"
    await written(path, [(0.0, 0.46), (30.0, 0.47), (80.0, 0.48)])
    past = read_past(path)
    evidence = one(past)
    assert (past.sessions, past.settings) == (1, {"k_vol": 3.0})
    assert (evidence.market, evidence.tick, evidence.trades) == (MARKET, 0.01, None)
    assert [fair_at(evidence, t) for t in (1.0, 29.0, 31.0, 99.0)] == [0.46, 0.46, 0.47, 0.48]
    assert evidence.course.price_at(np.array([NOON + 1.0]))[0] == pytest.approx(0.461)
    assert evidence.quotes is not None and evidence.fills is not None
    assert evidence.quotes.price.tolist() == pytest.approx([0.45, 0.50])
    assert evidence.quotes.sign.tolist() == [1.0, -1.0]
    assert evidence.quotes.begin.tolist() == [NOON, NOON]
    assert evidence.quotes.end.tolist() == [NOON + 20.0, NOON + 100.0]  # filled; and open until the end
    assert [column.tolist() for column in evidence.fills] == [[NOON + 20.0], [1.0], [0.45], [10.0]]


async def test_a_fill_that_failed_is_none(tmp_path: Path) -> None:
    """What was taken back taught nothing about drift."""
    path = tmp_path / "mm_state.db"
    await written(path, [(0.0, 0.46)], fill="failed")
    fills = one(read_past(path)).fills
    assert fills is not None and len(fills.t) == 0


@pytest.mark.parametrize(("binding", "count"), [("model", 2), ("flatten", 0)])
async def test_orders_that_closed_a_position_are_no_quotes(tmp_path: Path, binding: str, count: int) -> None:
    """They rest and fill by other rules, and some of them took: neither they nor their fills are evidence."""
    path = tmp_path / "mm_state.db"
    await written(path, [(0.0, 0.46)], binding=binding)
    evidence = one(read_past(path))
    assert evidence.quotes is not None and evidence.fills is not None
    assert (len(evidence.quotes.price), len(evidence.fills.t)) == (count, count // 2)


async def test_time_that_nobody_knows_of_is_unknown(tmp_path: Path) -> None:
    """A blind book, a hang longer than a minute and a half, the end of a session."""
    path = tmp_path / "mm_state.db"
    await written(path, [(0.0, 0.46), (10.0, None), (20.0, 0.46), (200.0, 0.47)], ended=230.0)
    evidence = one(read_past(path))
    known = [not math.isnan(fair_at(evidence, t)) for t in (5.0, 15.0, 25.0, 79.0, 90.0, 199.0, 201.0, 229.0, 231.0)]
    assert known == [True, False, True, True, False, False, True, True, False]


async def test_sessions_do_not_run_into_each_other(tmp_path: Path) -> None:
    """The price of one is not that of the time until the next."""
    path = tmp_path / "mm_state.db"
    await written(path, [(0.0, 0.46)], ended=40.0)
    await written(path, [(50.0, 0.6)], ended=90.0)
    evidence = one(read_past(path))
    assert [fair_at(evidence, t) for t in (39.0, 51.0, 89.0)] == [0.46, 0.6, 0.6]
    assert math.isnan(fair_at(evidence, 45.0)) and evidence.fair.end == NOON + 90.0


async def test_a_short_session_is_too_thin(tmp_path: Path) -> None:
    """And says so for its fills, too."""
    path = tmp_path / "mm_state.db"
    await written(path, [(0.0, 0.46)])
    found = calibrate(one(read_past(path)), Settings())
    assert isinstance(found.arrivals, TooThin) and "1 fills of our orders" in found.arrivals.too_thin
    assert found.trades == 1


async def test_an_older_database_says_what_it_lacks(tmp_path: Path) -> None:
    """Without fair values nothing can be told."""
    path = tmp_path / "mm_state.db"
    await written(path, [(0.0, 0.46)])
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE meta SET value = '1'")
        db.commit()
    with pytest.raises(UsageError, match="kept no fair values"):
        read_past(path)


async def test_a_database_of_the_schema_before_is_read_as_it_is(tmp_path: Path) -> None:
    """Reading brings no file up, and the numbers are those that the same file gives after it was brought up."""
    path = tmp_path / "mm_state.db"
    an_old_file(path, 2)
    with closing(sqlite3.connect(path)) as db:
        for session in (1, 2):
            db.execute("INSERT INTO fairs VALUES (?, '0xm', ?, 10000, 460000, 461000)", (session, NOW + 5 * session))
        db.commit()
    before, evidence = path.read_bytes(), one(read_past(path))
    assert path.read_bytes() == before
    assert evidence.quotes is not None and evidence.fills is not None
    assert evidence.quotes.price.tolist() == pytest.approx([0.47, 0.47, 0.4631])
    assert [column.tolist() for column in evidence.fills] == [[NOW + 1, NOW + 6], [1.0, 1.0], [0.47, 0.47], [4.0, 4.0]]
    store = Store(path, ManualClock(unix=NOW))
    await store.open("live", "0", 1, {})
    await store.end("quit", verified=True)
    risen = one(read_past(path))
    assert risen.quotes is not None and risen.fills is not None
    for was, now in zip((*evidence.quotes, *evidence.fills), (*risen.quotes, *risen.fills), strict=True):
        assert now.tolist() == was.tolist()


async def test_an_order_ends_when_it_ended(tmp_path: Path) -> None:
    """Not when news of it came afterwards, which is also written into its row."""
    path, order = tmp_path / "mm_state.db", an_order(state=State.CANCELLED)
    store = await opened(path)
    ended = StateChange(1, "CANCELLED", 99.5, "")
    await store.write(changes([order], states=[ended], fairs=[(MARKET, NOW - 9.0, 10_000, 460_000, 461_000)]))
    await store.end("quit", verified=True)
    quotes = one(read_past(path)).quotes
    assert quotes is not None
    assert (quotes.begin.tolist(), quotes.end.tolist()) == ([NOW - 1.0], [NOW - 0.5])


async def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    """Its tables may mean something else."""
    path = tmp_path / "mm_state.db"
    await written(path, [(0.0, 0.46)])
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE meta SET value = '6'")
        db.commit()
    with pytest.raises(UsageError, match="newer program"):
        read_past(path)


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0" + b"\xff" * 4_096, b"{}\n"])
def test_what_is_no_database_of_ours_is_refused(tmp_path: Path, content: bytes) -> None:
    """Named, not guessed at."""
    path = tmp_path / "mm_state.db"
    path.write_bytes(content)
    assert is_database(path) == content.startswith(b"SQLite")
    with pytest.raises(UsageError, match="no database of this program"):
        read_past(path)


async def test_reading_changes_nothing(tmp_path: Path) -> None:
    """It may be a living session's."""
    path = tmp_path / "mm_state.db"
    await written(path, [(0.0, 0.46)])
    before = path.read_bytes()
    read_past(path)
    assert path.read_bytes() == before
