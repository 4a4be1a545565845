"""One market of a recording: its book as far as it can be rebuilt, and what was compared with it.

A difference is explained, or it is not. The known explanations of single hashes are counted where the book is kept
(:mod:`core.market.continuity`). Beyond them there are two: the recorder noted a gap, or the messages of a market are
not in the order of their stamps, as in a sample or a sorted file. The venue never goes back in time but for changes
older than the first book (real-data.md 5, order), so a tenth of a market's messages out of order means that they are
no stream: each full book can still be checked by itself, the way from one to the next cannot.
"""

from collections import deque
from typing import Final, NamedTuple

import msgspec

from core.events import MarketMessage, RestBook, WireLevel
from core.market.book import ALL_LAST_TRADES, BookHash
from core.market.continuity import TrackedBook
from core.market.instrument import Instrument
from core.market.proof import Evidence, ProofPolicy
from core.units import parse_micro

KEPT: Final = 1_000
"""Problems, losses and the like that are kept one by one; more are counted."""
LONGEST: Final = 200
"""Characters kept of a name or a reason."""
DISORDER: Final = 0.1
"""Share of a market's books and changes out of order from which on they are no stream."""
_RECENT_HASHES: Final = 256
_PROOF: Final = ProofPolicy(every=1, both=True)
_DIFFERS: Final = "a full book differs from the rebuilt one"


class Agreement(msgspec.Struct):
    """Comparisons made, and how many of them agreed."""

    checked: int = 0
    agreed: int = 0

    def count(self, agrees: bool) -> None:
        """Count one."""
        self.checked += 1
        self.agreed += agrees


class Finding(NamedTuple):
    """Something that happened to a market."""

    line: int
    market: str
    what: str
    certain: bool = False
    """No missing message explains it."""


class Silence(NamedTuple):
    """The longest time without a message of a market."""

    seconds: float
    began_ms: float


class _Ahead(NamedTuple):
    """A full book that differs from ours, and may have overtaken the changes that lead to it."""

    line: int
    timestamp_ms: int
    hash: str


class Market:
    """One market of a recording: its book as far as it can be rebuilt, and what was compared with it."""

    def __init__(self, instrument: Instrument) -> None:
        self.tracked = TrackedBook(instrument, _PROOF)
        self.messages = 0
        self.later_books = Agreement()
        """Full books of a token after its first, compared with the rebuilt book level by level."""
        self.overtaken = 0
        """Those that differ, but came before the changes that lead to them, as they may over two sockets."""
        self.mirrors = Agreement()
        """First books of the second token, compared with the mirror of the first one's."""
        self.own_hashes = Agreement()
        """Full books whose own hash follows from their own levels and some last trade."""
        self.unchecked = 0
        """Changes that came while there was no believed book they could be compared with."""
        self.ordered = 0
        """Books and changes."""
        self.out_of_order = 0
        """Those older than one before them, first books aside."""
        self.undecided = 0
        """Hashes that wait for a message of the same millisecond which the recording does not hold."""
        self.silence = Silence(0.0, 0.0)
        self.findings: list[Finding] = []
        """Differences and losses of continuity that no note in the recording explains, at most a thousand."""
        self.finding_count = 0
        self._heard_ms: float | None = None
        self._newest_ms = 0
        self._told: set[str] = set()
        """Tokens that had a full book since the beginning or the last gap."""
        self._hashes: deque[str] = deque(maxlen=_RECENT_HASHES)
        """Stated by the last changes."""
        self._last_book: MarketMessage | None = None
        self._ahead: list[_Ahead] = []
        self._settled = 0
        """Hashes known to differ so far, for a reason that was told."""

    @property
    def instrument(self) -> Instrument:
        """The market with its present tick."""
        return self.tracked.instrument

    @property
    def evidence(self) -> Evidence:
        """Comparisons of touches and hashes."""
        return self.tracked.evidence

    @property
    def is_stream(self) -> bool:
        """Its messages are in the order in which the venue sends them, but for a few at most."""
        return self.out_of_order == 0 or self.out_of_order < DISORDER * self.ordered

    @property
    def contradictions(self) -> list[Finding]:
        """Findings that nothing explains."""
        return [finding for finding in self.findings if finding.certain or self.is_stream]

    @property
    def contradiction_count(self) -> int:
        """How many there were."""
        return self.finding_count if self.is_stream else self.own_hashes.checked - self.own_hashes.agreed

    @property
    def differing(self) -> int:
        """Stated hashes that nothing explains."""
        return self._open() - self.undecided

    def is_first_book(self, message: MarketMessage) -> bool:
        """The message is the first full book of its token since the beginning or the last gap."""
        return message.event_type == "book" and message.asset_id not in self._told

    def hear(self, ms: float) -> None:
        """Something of this market came at ``ms``."""
        self.messages += 1
        if self._heard_ms is not None and (ms - self._heard_ms) / 1000 > self.silence.seconds:
            self.silence = Silence((ms - self._heard_ms) / 1000, self._heard_ms)
        self._heard_ms = ms if self._heard_ms is None else max(ms, self._heard_ms)

    def see(self, number: int, message: MarketMessage, now: float) -> None:
        """Take one message at ``now``, seconds of the recording.

        Raises:
            MalformedMessage: it cannot be used; nothing has changed.
        """
        gaps, lost = self.tracked.gaps, ""
        match message.event_type:
            case "book":
                lost = self._see_book(number, message, now)
            case "price_change":
                lost = self._see_changes(message, now)
            case "best_bid_ask":
                lost = self.tracked.compare_touch(message, now).lost
            case "last_trade_price":
                self.tracked.remember_trade(message.price)
            case "tick_size_change" if message.new_tick_size != self.instrument.tick_text:
                self._let_go()
                self.tracked.change_tick(message.new_tick_size, now, message.timestamp)
        if self.tracked.gaps != gaps:
            lost = lost or self.tracked.reason or "the book before was wrong"
        self._judge(number, lost)

    def lose(self, reason: str, now: float) -> None:
        """The recording says that messages may be missing here."""
        self._let_go()
        self.tracked.lose(reason, now)

    def end(self, number: int, now: float) -> None:
        """No message will follow; a hash that waited long enough for its explanation has none."""
        if self.tracked.unexplained:
            self._judge(number, self.tracked.judge_doubt(now).lost)
        for book in self._ahead:
            self._find(book.line, _DIFFERS)
        self._let_go()

    def complete(self, other_token: str, now: float) -> None:
        """Name the second token of a market that was met with one; no change can have been applied before."""
        before = self.tracked
        self.tracked = TrackedBook(msgspec.structs.replace(self.instrument, no_token=other_token), _PROOF)
        if self._last_book is not None:
            self.tracked.apply_book(self._last_book, now)
        self.tracked.evidence, self.tracked.gaps = before.evidence, before.gaps

    def _see_book(self, number: int, message: MarketMessage, now: float) -> str:
        tracked, first = self._on_tick(message.tick_size), self.is_first_book(message)
        equal = None
        if tracked.synced and message.timestamp >= tracked.timestamp_ms:
            equal = tracked.same_levels(_as_read(message))
            if not equal and message.timestamp == tracked.timestamp_ms and tracked.book_seq:
                equal = None  # other changes of its millisecond may be still to come
        last_trade = tracked.last_trade
        lost = tracked.apply_book(message, now).lost
        if tracked is not self.tracked:
            if self.tracked.synced:
                self._find(number, f"the tick changed to {tracked.instrument.tick_text} without a word")
            self._let_go()
            self.tracked = tracked
        self._put_in_order(message, message.hash)
        if equal is not None and not first:
            self.later_books.count(equal)
            if not equal:
                self._ahead.append(_Ahead(number, message.timestamp, message.hash))
        elif equal is not None and self._told:
            self.mirrors.count(equal)
            if not equal:
                self._find(number, "a full book is no mirror of the other token's")
        self._told.add(message.asset_id)
        self._last_book = message
        if message.hash:
            fits = _fits_its_hash(message, self.instrument, (last_trade, tracked.last_trade))
            self.own_hashes.count(fits)
            if not fits:
                self._find(number, "a full book does not have the hash it states", certain=True)
        return lost

    def _on_tick(self, tick_text: str) -> TrackedBook:
        """The book for a message on this tick: ours, or an empty one on the new grid, to take its place."""
        if tick_text in ("", self.instrument.tick_text):
            return self.tracked
        fresh = TrackedBook(msgspec.structs.replace(self.instrument, tick_text=tick_text), _PROOF)
        fresh.evidence, fresh.gaps = self.tracked.evidence, self.tracked.gaps
        return fresh

    def _see_changes(self, message: MarketMessage, now: float) -> str:
        tracked = self.tracked
        if not tracked.synced:
            self.unchecked += 1
        lost = tracked.apply_changes(message, now).lost
        hashes = [change.hash for change in message.price_changes or () if change.hash]
        if self._ahead:
            self._catch_up(message.timestamp, hashes)
        self._put_in_order(message, hashes[0] if hashes else "")
        self._hashes.extend(hashes)
        return lost

    def _catch_up(self, timestamp_ms: int, hashes: list[str]) -> None:
        """A change with the hash of a full book that was there before leads to it; a newer one shows that none does."""
        for book in tuple(self._ahead):
            if timestamp_ms > book.timestamp_ms:
                self._find(book.line, _DIFFERS)
                self._ahead.remove(book)
            elif book.hash in hashes:
                self.overtaken += 1
                self._ahead.remove(book)

    def _put_in_order(self, message: MarketMessage, stated: str) -> None:
        """Compare a stamp with those before; what a change stated before is a duplicate and may lag behind."""
        self.ordered += 1
        if self.is_first_book(message):
            return
        if message.timestamp >= self._newest_ms:
            self._newest_ms = message.timestamp
        elif not stated or stated not in self._hashes:
            self.out_of_order += 1

    def _judge(self, number: int, lost: str) -> None:
        """Name what is known by now not to agree."""
        differing = self._open() - self.tracked.unexplained
        if lost:
            self._find(number, f"continuity lost: {lost}")
        elif differing > self._settled:
            self._find(number, "a hash stated before is of no book that was told")
        self._settled = differing

    def _let_go(self) -> None:
        """What went before says nothing about what follows; hashes that still wait stay undecided."""
        self.undecided += self.tracked.unexplained
        self._settled = self._open()
        self._ahead.clear()
        self._told.clear()
        self._newest_ms = 0

    def _open(self) -> int:
        """Hashes without agreement or explanation."""
        evidence = self.evidence
        return evidence.hash_checked - evidence.hash_agreed - evidence.hash_explained

    def _find(self, number: int, what: str, *, certain: bool = False) -> None:
        self.finding_count += 1
        keep(self.findings, Finding(number, self.instrument.market, what, certain))


def keep(findings: list[Finding], finding: Finding) -> None:
    """Add one, cut to what a report can show, while there is room."""
    if len(findings) < KEPT:
        findings.append(finding._replace(market=finding.market[:LONGEST], what=finding.what[:LONGEST]))


def _as_read(message: MarketMessage) -> RestBook:
    return RestBook(
        market=message.market,
        asset_id=message.asset_id,
        timestamp=message.timestamp,
        hash=message.hash,
        bids=message.bids or (),
        asks=message.asks or (),
    )


def _fits_its_hash(message: MarketMessage, instrument: Instrument, last_trades: tuple[str, ...]) -> bool:
    """A full book has the hash of its own levels, with one of these last trades or, if need be, with any."""
    parts = (instrument.min_size_text, instrument.tick_text, instrument.neg_risk)
    hasher = BookHash(message.market, message.asset_id, *parts)
    levels = f'"bids":[{_levels_text(message.bids)}],"asks":[{_levels_text(message.asks, falling=True)}]'
    candidates = (message.last_trade_price, *last_trades, *ALL_LAST_TRADES)
    return hasher.find_last_trade(message.hash, message.timestamp, levels, candidates) is not None


def _levels_text(levels: tuple[WireLevel, ...] | None, *, falling: bool = False) -> str:
    """Levels as they are hashed, in the venue's order whatever a recorder made of it (polymarket-api.md 4.4)."""
    ordered = sorted(levels or (), key=lambda level: parse_micro(level.price), reverse=falling)
    return ",".join(f'{{"price":"{level.price}","size":"{level.size}"}}' for level in ordered)
