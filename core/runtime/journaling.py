"""What a session writes down: everything that has changed, in one transaction, whenever it is asked for.

Intents are written before their bytes leave, everything else a few times a second.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from core.actions import Finding
from core.clock import Clock
from core.config import hash_of, told
from core.engine import Engine
from core.errors import StoreError
from core.events import JobSeen, Recovered
from core.jobs.job import Job
from core.market.instrument import Instrument
from core.orders.order import Order
from core.portfolio.entries import Booking, EquityMark
from core.portfolio.markouts import Drift
from core.quoting.adjust import KeptAdjustments
from core.runtime.fair_samples import FairSamples
from core.store.changes import Changes, MarkoutRow
from core.store.database import Store
from core.units import MICRO

FLUSH_SEC: Final = 0.25
ESTIMATES_SEC: Final = 60.0
"""Between rows of what each market may have earned: an order's commit need not carry them."""


class Journaling:
    """Carries changes of the engine into the store of one session."""

    def __init__(self, store: Store, engine: Engine, clock: Clock) -> None:
        self.whole_s = clock.monotonic()
        """When everything was last known to be on the disk, monotonic seconds."""
        self.writing_since_s: float | None = None
        """Since when something has been waiting for the disk, monotonic seconds; None when nothing is."""
        self.lock = asyncio.Lock()
        """Held while a write is under way."""
        self._store = store
        self._engine = engine
        self._clock = clock
        self._fair_samples = FairSamples()
        self._hurry = asyncio.Event()
        self._changes = Changes()
        """Not written yet."""
        self._written_settings: set[str] = set()
        """Hashes."""
        self._written_markets: dict[str, Instrument] = {}
        self._estimates_due_s = clock.monotonic() + ESTIMATES_SEC

    def found(self, finding: Finding) -> None:
        """Note a finding; written with the next flush."""
        self._changes.findings.append((self._clock.monotonic(), finding))

    def booked(self, booking: Booking) -> None:
        """Note a line of the account's book that no fill made; written with the next flush."""
        self._changes.entries.append(booking)

    def marked(self, mark: EquityMark) -> None:
        """Note what the account was worth; written with the next flush."""
        self._changes.equity.append(mark)

    def adjusted(self, kept: KeptAdjustments) -> None:
        """Note what is asked of a market's quotes; written at once."""
        self._changes.adjustments.append(kept)
        self.hurry()

    def planned(self, job: Job) -> None:
        """Note a job of which nothing has left; whoever sends it waits for a :meth:`flush` first."""
        self._changes.jobs.append((self._clock.monotonic(), job))

    def job_seen(self, seen: JobSeen) -> None:
        """Note how far a job has come; written with the next flush, together with the lines noted before it."""
        self._changes.job_steps.append((self._clock.monotonic(), seen))

    async def recover(self) -> Recovered:
        """What earlier sessions of the account left; for one that begins anew, nothing.

        Raises:
            StoreError: it cannot be read.
        """
        return await self._store.recover()

    def hurry(self) -> None:
        """Something was set that a restart must not forget: write it now and not at the next turn."""
        self._hurry.set()

    async def run(self, failed: Callable[[StoreError], None]) -> None:
        """Flush now and then, until cancelled.

        Args:
            failed: hears that the disk takes nothing; it is tried again with the next flush.
        """
        self.whole_s = self._clock.monotonic()
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), FLUSH_SEC)
            self._hurry.clear()
            try:
                await self.flush()
            except StoreError as error:
                failed(error)

    async def flush(self) -> None:
        """Write what has changed since the last time; returns when it is on the disk.

        Raises:
            StoreError: it is not, and will be written with the next flush.
        """
        async with self.lock:
            now = self._clock.monotonic()
            if self.writing_since_s is None:
                self.writing_since_s = now
            changes = self._collect(now)
            self._changes = Changes()
            try:
                await self._store.write(changes)
            except StoreError:
                self._put_back(changes)
                raise
            self._written_settings.update(changes.settings)
            self._written_markets |= {instrument.market: instrument for instrument in changes.markets}
            self.whole_s, self.writing_since_s = now, None

    async def close(self, now: float) -> None:
        """Write everything that is left, and what holdings are worth at ``now``, monotonic seconds.

        Raises:
            StoreError: it is not on the disk.
        """
        self._estimates_due_s = now
        await self.flush()
        fairs = self._fair_samples.last_rows(self._engine, now, self._clock.unix())
        await self._store.write(Changes(fairs=fairs))

    def _collect(self, now: float) -> Changes:
        engine, changes = self._engine, self._changes
        changes.touched = engine.orders.take_touched()
        changes.controls += engine.controls.take_changes()
        changes.settings |= self._settings_of(changes.touched.orders)
        changes.fairs += self._fair_samples.rows(engine, now, self._clock.unix())
        changes.markouts += [_markout_row(market, drift) for market, drift in engine.take_drifts()]
        changes.markets = self._new_markets()
        if now >= self._estimates_due_s:
            self._estimates_due_s = now + ESTIMATES_SEC
            changes.estimates += engine.earnings.take_estimates()
        changes.trades_read_until = engine.reconciliation.read_until_unix or None
        return changes

    def _put_back(self, changes: Changes) -> None:
        """What was noted meanwhile comes after what could not be written."""
        self._engine.orders.put_back(changes.touched)
        noted = self._changes
        changes.findings += noted.findings
        changes.entries += noted.entries
        changes.equity += noted.equity
        changes.adjustments += noted.adjustments
        changes.jobs += noted.jobs
        changes.job_steps += noted.job_steps
        self._changes = changes

    def _settings_of(self, orders: Sequence[Order]) -> dict[str, dict[str, Any]]:
        """The settings that orders name, by hash."""
        named = {order.settings_hash for order in orders} - self._written_settings
        if not named:
            return {}
        sets = {hash_of(desk.settings): desk.settings for desk in self._engine.desks.values()}
        return {name: told(settings) for name, settings in sets.items() if name in named}

    def _new_markets(self) -> list[Instrument]:
        """Those of which the file does not have the present facts."""
        written = self._written_markets
        instruments = [desk.instrument for desk in self._engine.desks.values()]
        return [instrument for instrument in instruments if written.get(instrument.market) is not instrument]


def _markout_row(market: str, drift: Drift) -> MarkoutRow:
    spread, moved = round(drift.spread * MICRO), round(drift.drift * MICRO)
    return (*drift.key, drift.horizon, market, drift.side, drift.layer, drift.size, spread, moved)
