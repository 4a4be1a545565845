"""Text frame to updated book and signals, against plain json, dicts of levels and a sort."""

import json
import math
import re
import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks.recordings import LONG_SESSIONS, repeated
from core.config import Settings
from core.desk import Desk
from core.lab.recording import infer_instruments
from core.orders.manager import OrderManager
from core.venue.wire import decode_frame

TURNS = 12
BAR = 5.0
BASELINE = "json + dict + sort"
OURS = "ours, book and signals"
ALPHA, JUMP, CUTOFF, SAMPLE_SEC, WINDOW_SEC = 0.2, 0.05, 5.0, 5.0, 600.0
_HASH = re.compile(rb'"hash":"[0-9a-f]+"')
"""Frames without hashes leave the proof out: what the baseline does not do either."""


class Baseline:
    """The same outputs by plain means: ``json.loads``, a dict of levels per side and token, sorted at every look.

    Levels are kept under the price text as received, which a removal must find again, and sorted by its number. The
    outputs are those of the project: checked touch, trimmed microprice, time-aware average, logit variance.
    """

    def __init__(self) -> None:
        self.books: dict[str, tuple[dict[Any, float], dict[Any, float]]] = {}
        self.fair: dict[str, tuple[float, float, float]] = {}
        self.variance: dict[str, tuple[float, float, float, float]] = {}
        self.disagreed = 0

    key: Callable[[str], Any] = staticmethod(str)
    number: Callable[[Any], Any] | None = staticmethod(lambda level: float(level[0]))

    def frame(self, text: bytes, now: float) -> None:
        """Apply a frame and renew the signals of each token it touched."""
        decoded = json.loads(text)
        for message in decoded if isinstance(decoded, list) else [decoded]:
            if message["event_type"] == "book":
                bids = {self.key(level["price"]): float(level["size"]) for level in message["bids"]}
                asks = {self.key(level["price"]): float(level["size"]) for level in message["asks"]}
                self.books[message["asset_id"]] = (bids, asks)
                self._signals(message["asset_id"], now)
            elif message["event_type"] == "price_change":
                for change in message["price_changes"]:
                    self._change(change)
                    touch = self._signals(change["asset_id"], now)
                    self.disagreed += touch != (float(change["best_bid"]), float(change["best_ask"]))

    def _change(self, change: dict[str, Any]) -> None:
        side = self.books[change["asset_id"]][0 if change["side"] == "BUY" else 1]
        price, size = self.key(change["price"]), float(change["size"])
        if size == 0:
            side.pop(price, None)
        else:
            side[price] = size

    def _signals(self, token: str, now: float) -> tuple[float, float]:
        book = self.books[token]
        bids = sorted(book[0].items(), key=self.number, reverse=True)
        asks = sorted(book[1].items(), key=self.number)
        if not bids or not asks:
            return 0.0, 1.0
        (bid, bid_size), (ask, ask_size) = _trimmed(bids), _trimmed(asks)
        micro = (bid * ask_size + ask * bid_size) / (bid_size + ask_size)
        value, last, at = self.fair.get(token, (micro, micro, now))
        value = last + (value - last) * math.exp((now - at) * math.log(1 - ALPHA))
        self.fair[token] = (micro if abs(micro - value) >= JUMP else value, micro, now)
        self._sample(token, math.log(micro / (1 - micro)), now)
        return float(bids[0][0]), float(asks[0][0])

    def _sample(self, token: str, x: float, now: float) -> None:
        squares, weight, last, at = self.variance.get(token, (0.0, 0.0, x, now))
        if now - at >= SAMPLE_SEC:
            decay = math.exp(-(now - at) / WINDOW_SEC)
            squares, weight = squares * decay + (x - last) ** 2, weight * decay + WINDOW_SEC * (1 - decay)
            last, at = x, now
        self.variance[token] = (squares, weight, last, at)


def _trimmed(levels: list[tuple[Any, float]]) -> tuple[float, float]:
    seen = 0.0
    for price, size in levels:
        seen += size
        if seen >= CUTOFF:
            return float(price), size
    return float(levels[0][0]), levels[0][1]


class FloatBaseline(Baseline):
    """The same with prices as floats, which sort without a key: the fastest of this kind."""

    key = staticmethod(float)
    number = None


class Ours:
    """The project's own path: decode, book in the YES frame, proof where a hash is stated, microprice, averages."""

    def __init__(self, frames: list[bytes]) -> None:
        messages = [message for frame in frames for message in decode_frame(frame)]
        orders, settings = OrderManager(), Settings()
        self.desks = {
            instrument.market: Desk(instrument, settings, orders, own_in_book=False)
            for instrument in infer_instruments(messages, {})
        }

    def frame(self, text: bytes, now: float) -> None:
        """Apply a frame and renew the signals of the market it touched."""
        for message in decode_frame(text):
            desk = self.desks.get(message.market)
            if desk is None:
                continue
            if message.event_type == "book":
                desk.take_book(message, now)
            elif message.event_type == "price_change":
                desk.take_changes(message, now)


def run() -> bool:
    """Print times per frame and ratios for both sessions; True when the bar is reached on the busy one."""
    ratios = [_session(name) for name in LONG_SESSIONS]
    reached = ratios[-1] >= BAR
    print(
        f"  bar: at least {BAR} x the baseline on books of a hundred levels: {'reached' if reached else 'NOT reached'}"
    )
    return reached


def _session(name: str) -> float:
    frames = [line.partition(b'"raw":')[2][:-1] for line in repeated(name, TURNS)]
    unhashed = [_HASH.sub(b'"hash":""', frame) for frame in frames]
    candidates: dict[str, tuple[Callable[[], Any], list[bytes]]] = {
        BASELINE: (Baseline, frames),
        "the same, float keys": (FloatBaseline, frames),
        OURS: (lambda: Ours(unhashed), unhashed),
        "ours, every hash proven too": (lambda: Ours(frames), frames),
    }
    times: dict[str, list[float]] = {candidate: [] for candidate in candidates}
    for _ in range(7):
        for candidate, (make, texts) in candidates.items():
            times[candidate].append(_once(make(), texts))
    print(f"frame to book and signals, {name[10:-9]}, {len(frames)} frames, CPU time, median of 7 paired runs")
    ratios = {}
    for candidate, measured in times.items():
        ratios[candidate] = statistics.median(b / m for b, m in zip(times[BASELINE], measured, strict=True))
        cost = statistics.median(measured) / len(frames) * 1e6
        print(f"  {candidate:<28} {cost:7.1f} us   {ratios[candidate]:5.2f} x")
    return ratios[OURS]


def _once(candidate: Any, frames: list[bytes]) -> float:
    started = time.process_time()
    for number, frame in enumerate(frames):
        candidate.frame(frame, number * 0.01)
    return time.process_time() - started
