"""How long a start takes to learn from ``mm_state.db`` what the account owns: lines, orders, marks and jobs.

The book itself is folded by the portfolio (part ``ledger``); this is what the disk and the rows cost.
"""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.account_history import ACCOUNT, Plan, make
from core.clock import SystemClock
from core.events import Recovered
from core.store.changes import Changes
from core.store.database import Store

FILLS: Final = 100_000
STARTS: Final = 3
FOLD_BAR: Final = 2.0
"""Seconds of CPU (bar of issue 7)."""


def run() -> bool:
    """Make the history, start on it a few times, print what the best start took."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mm_state.db"
        made = make(path, Plan(fills=FILLS, days=30, sessions=30, markets=20, explanations=True))
        asyncio.run(_start(path, read_until=made.end))
        size = path.stat().st_size / 1e6
        spent, told = min((asyncio.run(_start(path)) for _ in range(STARTS)), key=lambda start: start[0])
    print(
        f"start: {len(told.bookings):,} lines of {size:,.0f} MB folded in {spent:.2f} s of CPU (bar {FOLD_BAR:g} s);"
        f" {len(told.orders):,} orders and {len(told.fills):,} fills taken over"
    )
    return spent <= FOLD_BAR


async def _start(path: Path, read_until: float | None = None) -> tuple[float, Recovered]:
    """Seconds of CPU of both threads until everything is known, and what is; notes how far trades were read."""
    began = time.process_time()
    store = Store(path, SystemClock())
    await store.open("live", "benchmark", 1, {})
    await store.use_account(ACCOUNT)
    told = await store.recover()
    spent = time.process_time() - began
    await store.write(Changes(trades_read_until=read_until))
    await store.end("measured", True)
    return spent, told
