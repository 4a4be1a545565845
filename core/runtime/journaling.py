"""What a session writes down: everything that has changed, in one transaction, whenever it is asked for.

Intents are written before their bytes leave, everything else a few times a second.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import msgspec

from core.actions import Correction, Finding
from core.clock import Clock
from core.config import hash_of
from core.engine import Engine
from core.errors import StoreError
from core.events import Recovered
from core.orders.order import Order
from core.portfolio.markouts import Drift
from core.runtime.fair_samples import FairSamples
from core.runtime.report import mark_rows
from core.store.changes import Changes, MarkoutRow
from core.store.database import Store
from core.units import MICRO

FLUSH_SEC: Final = 0.25


class Journaling:
    """Carries changes of the engine into the store of one session."""

    def __init__(self, store: Store, engine: Engine, clock: Clock) -> None:
        self.whole_s = clock.monotonic()
        """When everything was last known to be on the disk, monotonic seconds."""
        self.lock = asyncio.Lock()
        """Held while a write is under way."""
        self._store = store
        self._engine = engine
        self._clock = clock
        self._fair_samples = FairSamples()
        self._changes = Changes()
        """Not written yet."""
        self._written_settings: set[str] = set()
        """Hashes."""

    def found(self, finding: Finding) -> None:
        """Note a finding; written with the next flush."""
        self._changes.findings.append((self._clock.monotonic(), finding))

    def corrected(self, correction: Correction) -> None:
        """Note that holdings are other than the fills add up to; written with the next flush."""
        row = (correction.market, correction.outcome, correction.micro, correction.reason)
        self._changes.corrections.append((self._clock.monotonic(), *row))

    async def recover(self, begins_anew: bool) -> Recovered:
        """What earlier sessions left.

        Args:
            begins_anew: the account is empty at a start (paper): what the last session held is taken off, and its
                trades, which the venue will never list, are history.

        Raises:
            StoreError: it cannot be read.
        """
        recovered = await self._store.recover()
        if not begins_anew:
            return recovered
        for market, outcome, shares in recovered.holdings:
            self.corrected(Correction(market, outcome, -shares, "a paper account begins anew"))
        orders = tuple([msgspec.structs.replace(order, matched=order.filled) for order in recovered.orders])
        return msgspec.structs.replace(recovered, orders=orders, fills=(), holdings=())

    async def run(self) -> None:
        """Flush now and then, until cancelled.

        Raises:
            StoreError: the disk takes nothing.
        """
        self.whole_s = self._clock.monotonic()
        while True:
            await asyncio.sleep(FLUSH_SEC)
            await self.flush()

    async def flush(self) -> None:
        """Write what has changed since the last time; returns when it is on the disk.

        Raises:
            StoreError: it is not, and will be written with the next flush.
        """
        async with self.lock:
            now = self._clock.monotonic()
            changes = self._collect(now)
            self._changes = Changes()
            try:
                await self._store.write(changes)
            except StoreError:
                self._put_back(changes)
                raise
            self._written_settings.update(changes.settings)
            self.whole_s = now

    async def close(self, now: float) -> None:
        """Write everything that is left, and the marks as of ``now``, monotonic seconds.

        Raises:
            StoreError: it is not on the disk.
        """
        await self.flush()
        await self._store.write(Changes(marks=mark_rows(self._engine, now)))

    def _collect(self, now: float) -> Changes:
        engine, changes = self._engine, self._changes
        changes.touched = engine.orders.take_touched()
        changes.settings |= self._settings_of(changes.touched.orders)
        changes.fairs += self._fair_samples.rows(engine, now, self._clock.unix())
        changes.markouts += [_markout_row(market, drift) for market, drift in engine.take_drifts()]
        changes.trades_read_until = engine.reconciliation.read_until_unix or None
        return changes

    def _put_back(self, changes: Changes) -> None:
        """What was noted meanwhile comes after what could not be written."""
        self._engine.orders.put_back(changes.touched)
        changes.findings += self._changes.findings
        changes.corrections += self._changes.corrections
        self._changes = changes

    def _settings_of(self, orders: Sequence[Order]) -> dict[str, dict[str, Any]]:
        """The settings that orders name, by hash."""
        named = {order.settings_hash for order in orders} - self._written_settings
        if not named:
            return {}
        sets = {hash_of(desk.settings): desk.settings for desk in self._engine.desks.values()}
        return {name: asdict(settings) for name, settings in sets.items() if name in named}


def _markout_row(market: str, drift: Drift) -> MarkoutRow:
    spread, moved = round(drift.spread * MICRO), round(drift.drift * MICRO)
    return (*drift.key, drift.horizon, market, drift.side, drift.layer, drift.size, spread, moved)
