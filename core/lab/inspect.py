"""What is in a recording, and how far it proves itself.

Every market's book is rebuilt as in a session and compared with all that the venue states about it: touches, hashes,
later full books, the other token's book (:mod:`core.lab.inspect_market`). Nothing but counters is kept, so memory does
not grow with the recording.
"""

from collections import Counter, deque
from pathlib import Path
from typing import Final, Protocol

from core.errors import MalformedMessage
from core.events import MarketMessage
from core.lab.inspect_counters import Latencies, Peak, Span
from core.lab.inspect_market import KEPT, LONGEST, Finding, Market, keep
from core.lab.recording import Reading, infer_instruments
from core.market.instrument import Instrument
from core.market.proof import Evidence
from core.store.recorded import Gap, Line
from core.venue.user_channel import decode_user_frame
from core.venue.wire import decode_frame, salvage_frame

KNOWN_TYPES: Final = frozenset(
    ("book", "price_change", "last_trade_price", "tick_size_change", "best_bid_ask", "new_market", "market_resolved")
)
USER_TYPES: Final = frozenset(("order", "trade"))
MOST_MARKETS: Final = 10_000
"""Markets whose books are rebuilt; a recording has some hundred, garbage could have any number."""
MOST_TYPES: Final = 100
MOST_TOKENS: Final = 100_000
_RECENT_FRAMES: Final = 1_000
_MOST_MS: Final = 10**15
"""Later stamps are nonsense, and no calendar holds them."""
_LEAST_MS: Final = 10**11
"""Smaller stamps of the user channel are in seconds (polymarket-api.md 6.1)."""


class Listener(Protocol):
    """Sees what an inspection has just seen; times are seconds of the recording, never falling."""

    def heard(self, market: Market, message: MarketMessage, now: float) -> None:
        """A message was applied, or refused."""
        ...

    def missed(self, market: Market, now: float) -> None:
        """The recorder noted that messages of this market may be missing."""
        ...


class Inspection:
    """One pass over a recording."""

    def __init__(self, path: Path, known: dict[str, Instrument], listener: Listener | None = None) -> None:
        """``known`` are instruments that need not be inferred, by condition id.

        Raises:
            UsageError: there is nothing to be read.
        """
        self._listener = listener
        self.path = path
        self.reading = Reading(path, most_problems=KEPT)
        self.frames = 0
        self.bytes = 0
        self.events: Counter[str] = Counter()
        self.unknown_types: Counter[str] = Counter()
        self.user_messages = 0
        self.tokens: set[str] = set()
        self.markets: dict[str, Market] = {}
        self.named_markets: set[str] = set()
        """All that a message names, those included whose book is never told."""
        self.venue = Span()
        self.live = Span()
        """By the venue's clock, first books aside: their stamp is that of the book's last change (real-data.md 7)."""
        self.received = Span()
        self.live_messages = 0
        self.peak_1s, self.peak_100ms = Peak(1_000), Peak(100)
        self.latencies = Latencies()
        self.duplicates = 0
        """Frames equal to one of the thousand before."""
        self.gaps: list[Finding] = []
        """Notes of the recorder."""
        self.gap_count = 0
        self.tick_changes: list[Finding] = []
        self.resolutions: list[Finding] = []
        self._known = known
        self._now = 0.0
        self._recent: deque[int] = deque(maxlen=_RECENT_FRAMES)
        self._recent_set: Counter[int] = Counter()

    def run(self) -> None:
        """Read it all."""
        for number, entry in self.reading:
            if isinstance(entry, Gap):
                self._see_gap(number, entry)
            else:
                self._see_frame(number, entry)
        for market in self.markets.values():
            market.end(self.reading.number, self._now)

    @property
    def ended_s(self) -> float:
        """Time of the recording so far: receive times where it has them, else the venue's newest stamp."""
        return self._now

    def evidence(self) -> Evidence:
        """Comparisons of all books with what the venue stated."""
        total = Evidence()
        for market in self.markets.values():
            total.add(market.evidence)
        return total

    def _see_gap(self, number: int, gap: Gap) -> None:
        self.gap_count += 1
        keep(self.gaps, Finding(number, "", gap.reason))
        tokens = frozenset(gap.tokens)
        for market in self.markets.values():
            if not tokens or tokens & {market.instrument.yes_token, market.instrument.no_token}:
                market.lose(gap.reason, self._now)
                if self._listener is not None:
                    self._listener.missed(market, self._now)

    def _see_frame(self, number: int, line: Line) -> None:
        self.frames += 1
        self.bytes += len(line.raw)
        self._count_duplicate(line.raw)
        try:
            messages = decode_frame(line.raw)
        except MalformedMessage as error:
            messages, _ = salvage_frame(line.raw)
            self.reading.problem(number, str(error))
        if line.t is not None:
            self.received.stretch(line.t)
        if any(message.event_type in USER_TYPES for message in messages):
            self._see_user_frame(number, line.raw)
        for message in messages:
            self._see_message(number, message, line.t)

    def _see_user_frame(self, number: int, raw: bytes) -> None:
        try:
            for _ in decode_user_frame(raw, owner=""):
                pass
        except MalformedMessage as error:
            self.reading.problem(number, f"user channel: {error}")

    def _see_message(self, number: int, message: MarketMessage, t: float | None) -> None:
        kind = message.event_type
        if kind in USER_TYPES:
            self.events[kind] += 1
            self.user_messages += 1
            stamp_ms = message.timestamp * (1 if message.timestamp >= _LEAST_MS else 1000)
            if 0 < stamp_ms < _MOST_MS:
                self.venue.stretch(stamp_ms)
            return
        if kind not in KNOWN_TYPES:
            name = kind[:LONGEST]
            if name in self.unknown_types or len(self.unknown_types) < MOST_TYPES:
                self.unknown_types[name] += 1
            return
        self.events[kind] += 1
        stamp_ms = message.timestamp if 0 < message.timestamp < _MOST_MS else 0
        self._now = max(self._now, (t if t is not None else stamp_ms) / 1000)
        self._name(message)
        market = self._market(message)
        first = market is not None and market.is_first_book(message)
        if stamp_ms:
            self.venue.stretch(stamp_ms)
            if not first:
                self._count_live(stamp_ms, t)
        if kind == "market_resolved":
            winner = message.winning_outcome or message.winning_asset_id
            keep(self.resolutions, Finding(number, message.market, winner))
        elif kind == "tick_size_change":
            ticks = f"{message.old_tick_size} to {message.new_tick_size}"
            keep(self.tick_changes, Finding(number, message.market, ticks))
        if market is not None:
            market.hear(t if t is not None else stamp_ms)
            try:
                market.see(number, message, self._now)
            except MalformedMessage as error:
                self.reading.problem(number, f"{kind}: {error}")
            if self._listener is not None:
                self._listener.heard(market, message, self._now)

    def _count_live(self, stamp_ms: int, t: float | None) -> None:
        self.live.stretch(stamp_ms)
        self.live_messages += 1
        self.peak_1s.count(stamp_ms)
        self.peak_100ms.count(stamp_ms)
        if t is not None:
            self.latencies.count(t - stamp_ms)

    def _name(self, message: MarketMessage) -> None:
        if message.market and len(self.named_markets) < MOST_TOKENS:
            self.named_markets.add(message.market[:LONGEST])
        if len(self.tokens) < MOST_TOKENS:
            changed = (change.asset_id for change in message.price_changes or ())
            named = (message.asset_id, *changed, *message.assets_ids)
            self.tokens.update(token[:LONGEST] for token in named if token)

    def _market(self, message: MarketMessage) -> Market | None:
        """The market of a message; None while its tokens or its grid are not known."""
        market = self.markets.get(message.market)
        if market is None:
            if len(self.markets) >= MOST_MARKETS or len(message.market) > LONGEST:
                return None
            known = self._known.get(message.market)
            found = [known] if known is not None else infer_instruments([message], {})
            if not found:
                return None
            market = self.markets[message.market] = Market(found[0])
        if not market.instrument.no_token:
            named = {message.asset_id, *(change.asset_id for change in message.price_changes or ())}
            others = sorted(named - {market.instrument.yes_token, ""})
            if others:
                market.complete(others[0], self._now)
        return market

    def _count_duplicate(self, raw: bytes) -> None:
        digest = hash(raw)
        if self._recent_set[digest] > 0:
            self.duplicates += 1
        if len(self._recent) == _RECENT_FRAMES:
            oldest = self._recent[0]
            self._recent_set[oldest] -= 1
            if not self._recent_set[oldest]:
                del self._recent_set[oldest]
        self._recent.append(digest)
        self._recent_set[digest] += 1
