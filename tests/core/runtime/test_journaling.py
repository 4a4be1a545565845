"""What a session writes down: all of it, once, and before anything leaves that depends on it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from unittest.mock import patch

import pytest

from core.actions import Finding
from core.clock import ManualClock
from core.config import Settings
from core.earnings import Estimate
from core.engine import Engine
from core.errors import StoreError
from core.events import InstrumentAdded, JobSeen
from core.portfolio.entries import Flow
from core.quoting.adjust import Adjustments, KeptAdjustments
from core.risk.control import Control
from core.runtime.journaling import ESTIMATES_SEC, Journaling
from core.store.changes import Changes
from core.store.database import Store
from core.units import Usd
from tests.builders import MARKET, a_market, usd
from tests.core.store.ledger import NOW, a_job, a_line, a_mark, opened, rows


class Written:
    """An engine that makes one market, its store and what carries changes between them."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.store, self.clock = store, clock
        self.engine = Engine(Settings(), own_in_book=True)
        self.engine.handle(InstrumentAdded(instrument=a_market()), clock.monotonic())
        self.journaling = Journaling(store, self.engine, clock)

    def note(self, number: int) -> None:
        """One of everything."""
        journaling = self.journaling
        journaling.booked(a_line(number, Flow(usd(number)), "", f"flow {number}"))
        journaling.marked(a_mark(NOW + number, number))
        journaling.planned(a_job(number))
        journaling.job_seen(JobSeen(number, "sending"))
        journaling.found(Finding("odd", "info", "none", MARKET, str(number), "odd"))
        journaling.adjusted(KeptAdjustments(str(number), 100, Adjustments()))
        control = Control("PAUSED", str(number), market=MARKET)
        self.engine.controls.set(control, self.clock.monotonic(), self.clock.unix())

    def pass_s(self, seconds: float) -> None:
        """Time passes."""
        self.clock.advance_to(self.clock.monotonic() + seconds)


@pytest.fixture
async def written(tmp_path: Path) -> AsyncIterator[Written]:
    clock = ManualClock(unix=NOW, monotonic=100.0)
    store = await opened(tmp_path / "mm_state.db", clock)
    try:
        yield Written(store, clock)
    finally:
        await store.end("quit", verified=True)


async def test_what_was_noted_is_on_the_disk_when_a_flush_returns(written: Written) -> None:
    """A job's bytes leave after this; what kills the process then must find the job in the file."""
    written.note(1)
    assert rows(written.store.path, "SELECT * FROM jobs") == []
    await written.journaling.flush()
    query = "SELECT state, account FROM jobs JOIN job_events USING (job_id, state)"
    assert rows(written.store.path, query) == [("sending", "0xfeed")]
    told = await written.journaling.recover()
    assert [line.key for line in told.bookings] == ["flow 1"]
    assert told.equity == a_mark(NOW + 1, 1)
    assert told.controls == (Control("PAUSED", "1", market=MARKET, since_unix=NOW),)


async def test_what_could_not_be_written_is_written_later_in_its_order(written: Written) -> None:
    """A full disk loses nothing, doubles nothing, and what was noted meanwhile comes after it."""
    write = written.store.write
    written.engine.earnings.take_estimates = lambda: [Estimate(1, MARKET, Usd(5), Usd(7), 60.0)]  # type: ignore[method-assign]
    written.pass_s(ESTIMATES_SEC)

    async def full(changes: Changes) -> None:
        written.note(2)  # while the write is under way
        raise StoreError("disk is full")

    written.note(1)
    with patch.object(written.store, "write", full), pytest.raises(StoreError, match="full"):
        await written.journaling.flush()
    assert rows(written.store.path, "SELECT count(*) FROM entries") == [(0,)]
    assert written.store.write == write
    for _ in range(2):
        await written.journaling.flush()
    for query in (
        "SELECT seq FROM entries ORDER BY seq", "SELECT seq FROM equity ORDER BY id", "SELECT job_id FROM jobs",
        "SELECT job_id FROM job_events ORDER BY id", "SELECT CAST(subject AS INTEGER) FROM findings ORDER BY id",
        "SELECT CAST(reason AS INTEGER) FROM controls ORDER BY id",
        "SELECT CAST(market AS INTEGER) FROM adjustments ORDER BY id",
    ):  # fmt: skip
        assert rows(written.store.path, query) == [(1,), (2,)], query
    assert rows(written.store.path, "SELECT reward_micro_usd, rebate_micro_usd FROM estimates") == [(5, 7)]
    assert rows(written.store.path, "SELECT market FROM markets") == [(MARKET,)]


async def test_what_must_not_be_forgotten_does_not_wait_for_its_turn(written: Written) -> None:
    """An operator's act and a latch are on the disk at once, not within a quarter of a second."""
    flushed = asyncio.Event()

    async def write(changes: Changes) -> None:
        flushed.set()

    with patch.object(written.store, "write", write), patch("core.runtime.journaling.FLUSH_SEC", 3600.0):
        run = asyncio.create_task(written.journaling.run(pytest.fail))
        for _ in range(2):
            written.journaling.hurry()
            async with asyncio.timeout(10):
                await flushed.wait()
            flushed.clear()
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
    assert not flushed.is_set(), "and once is enough"


async def test_a_market_is_a_row_when_it_comes_and_when_its_facts_change(written: Written) -> None:
    """A report names markets that nobody makes any more; four writes a second need not repeat them."""
    for seconds, tick in ((0.0, ""), (5.0, ""), (5.0, "0.001"), (5.0, "")):
        written.pass_s(seconds)
        if tick:
            written.engine.desks[MARKET].tracked.instrument = a_market(tick)
        await written.journaling.flush()
        told = rows(written.store.path, "SELECT tick_micro_usd, updated_unix FROM markets")
        assert told == [(1_000, NOW + 10.0) if written.clock.unix() >= NOW + 10.0 else (10_000, NOW)]


async def test_estimates_are_written_once_a_minute_and_at_the_end(written: Written) -> None:
    """They would cost every order's commit a row a market; none is lost when a session ends."""
    written.engine.earnings.take_estimates = lambda: [Estimate(1, MARKET, Usd(5), Usd(7), 1.0)]  # type: ignore[method-assign]
    taken = []
    for seconds in (0.0, ESTIMATES_SEC - 1.0, 1.0, 1.0):
        written.pass_s(seconds)
        await written.journaling.flush()
        taken += rows(written.store.path, "SELECT COALESCE(SUM(reward_micro_usd), 0) FROM estimates")
    assert taken == [(0,), (0,), (5,), (5,)]
    await written.journaling.close(written.clock.monotonic())
    assert rows(written.store.path, "SELECT account, reward_micro_usd FROM estimates") == [("0xfeed", 10)]
