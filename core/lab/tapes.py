"""Prices and trades of a recording as arrays, one set a market, for :mod:`core.lab.calibrate`.

Books are rebuilt and believed as ``inspect`` does it; the price is the microprice that a session with the same settings
would see. Time is the recording's: receive times where it has them, else the venue's stamps.
"""

import math
from array import array
from pathlib import Path
from typing import Final

import numpy as np

from core.config import Settings
from core.errors import UsageError
from core.events import MarketMessage
from core.lab.calibrate import Course, Evidence, Trades
from core.lab.inspect import Inspection
from core.lab.inspect_market import Market
from core.market.instrument import Instrument
from core.market.signals import live_microprice
from core.units import MICRO, Shares, UnitError, parse_micro

LONGEST_SILENCE_SEC: Final = 600.0
"""A longer time without any message is a pause of the recorder; nobody knows what happened in it."""
_LEVELS: Final = 50
"""A side that are read for the microprice."""


_Row = tuple[float, float, float] | None
"""Price, best bid and best ask, dollars; None where there is none to believe."""


class Tape:
    """One market on one grid while it is read."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self._times = array("d")
        self._prices = array("d")
        """Price, best bid and best ask, one after the other; NaN where there is none."""
        self._trades = array("d")
        """Time, YES price and size."""
        self._takers = array("q")
        self._last: _Row = None
        self._order: tuple[int, str] = (0, "")

    def see(self, now: float, row: _Row) -> None:
        """The price from ``now`` on."""
        if row == self._last:
            return
        self._last = row
        if self._times and self._times[-1] == now:
            del self._times[-1], self._prices[-3:]
        self._times.append(now)
        self._prices.extend(row or (math.nan, math.nan, math.nan))

    def trade(self, now: float, price: float, size: float, order: tuple[int, str]) -> None:
        """A trade; equal ``order`` stands for one taker's."""
        same = order[0] and order == self._order and self._takers
        self._takers.append(self._takers[-1] if same else len(self._takers))
        self._order = order
        self._trades.extend((now, price, size))

    def evidence(self, end: float) -> Evidence:
        """Everything as arrays."""
        price, bid, ask = np.array(self._prices).reshape(-1, 3).T
        course = Course(np.array(self._times), price, bid, ask, end)
        t, trade_price, size = np.array(self._trades).reshape(-1, 3).T
        return Evidence(
            market=self.instrument.market,
            title=self.instrument.title,
            tick=self.instrument.grid.tick,
            course=course,
            fair=course,
            trades=Trades(t, trade_price, size, np.array(self._takers, dtype=np.int64)),
            quotes=None,
            fills=None,
        )


class Tapes:
    """Listens to an inspection and keeps what calibration needs; a market that changes its tick begins anew."""

    def __init__(self, settings: Settings) -> None:
        self.all: list[Tape] = []
        self._of: dict[str, Tape] = {}
        self._settings = settings
        self._now = -math.inf

    def heard(self, market: Market, message: MarketMessage, now: float) -> None:
        """See the book that a message led to, or the trade it tells."""
        if now - self._now > LONGEST_SILENCE_SEC:
            for tape in self._of.values():
                tape.see(self._now, None)
        self._now = now
        tape = self._tape(market.instrument, now)
        if message.event_type == "last_trade_price":
            self._trade(tape, message, now)
        else:
            tape.see(now, self._look(market))

    def missed(self, market: Market, now: float) -> None:
        """Nothing is known of a market until its next full book."""
        self._tape(market.instrument, now).see(now, None)

    def _tape(self, instrument: Instrument, now: float) -> Tape:
        tape = self._of.get(instrument.market)
        if tape is None or tape.instrument.tick_text != instrument.tick_text:
            if tape is not None:
                tape.see(now, None)
            tape = self._of[instrument.market] = Tape(instrument)
            self.all.append(tape)
        tape.instrument = instrument  # its second token may have become known
        return tape

    def _look(self, market: Market) -> _Row:
        tracked, instrument, settings = market.tracked, market.instrument, self._settings
        if not tracked.synced:
            return None
        bids, asks = tracked.book.best_first("bid", _LEVELS), tracked.book.best_first("ask", _LEVELS)
        cutoff = instrument.reward_min_size or instrument.min_size
        if settings.size_cutoff is not None:
            cutoff = Shares(round(settings.size_cutoff * MICRO))
        micro = live_microprice(
            bids, asks, instrument.grid, cutoff, settings.micro_levels, settings.micro_decay, settings.max_spread
        )
        k = instrument.grid.k
        return None if micro.price is None else (micro.price, bids[0][0] / k, asks[0][0] / k)

    def _trade(self, tape: Tape, message: MarketMessage, now: float) -> None:
        try:
            price, size = parse_micro(message.price) / MICRO, parse_micro(message.size) / MICRO
        except UnitError:
            return  # the inspection counts what cannot be read
        outcome = tape.instrument.outcome_of(message.asset_id)
        if outcome is not None and 0 < price < 1:
            price = price if outcome == "YES" else 1 - price
            tape.trade(now, price, size, (message.timestamp, message.transaction_hash))


def evidence_of(path: Path, known: dict[str, Instrument], settings: Settings) -> tuple[list[Evidence], Inspection]:
    """What a recording holds for calibration, market by market, and what was wrong with it.

    Raises:
        UsageError: it cannot be read, or holds no frame.
    """
    tapes = Tapes(settings)
    inspection = Inspection(path, known, tapes)
    inspection.run()
    if not inspection.frames:
        raise UsageError(f"{path}: no frame of a channel in it; `polymm-tui inspect` tells what it holds")
    return [tape.evidence(inspection.ended_s) for tape in tapes.all], inspection
