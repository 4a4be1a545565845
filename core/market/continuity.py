"""Whether a book may be believed, and what its messages prove.

Owns one market's :class:`Book` and its state (EMPTY, SYNCED, SUSPECT, RESYNCING). The venue numbers nothing; every
change carries the hash of the whole book after it, and the touch (polymarket-api.md 5.3, 5.4). A message is checked
whole before it is applied: what is refused changes nothing here.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from core.errors import MalformedMessage
from core.events import MarketMessage, WireChange, WireLevel
from core.market.book import ALL_LAST_TRADES, Book, BookHash, PricedLevel
from core.market.instrument import Instrument
from core.units import Grid, Outcome, Shares, Side, Ticks, UnitError, parse_micro
from core.views import BookState

RECENT_TRADES: Final = 8
"""Last-trade candidates tried before all thousand."""


class Evidence(msgspec.Struct):
    """Counts of comparisons made since the start. ``explained`` are the known cases of real-data.md 3 to 5."""

    top_checked: int = 0
    top_agreed: int = 0
    hash_checked: int = 0
    hash_agreed: int = 0
    hash_explained: int = 0

    def add(self, other: "Evidence") -> None:
        """Add another's counts to these."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class _Pending(NamedTuple):
    """A hash that did not fit when it came; a later message of the same millisecond may explain it."""

    outcome: Outcome
    hash: str


class Applied(NamedTuple):
    """What a message did: the sides of the book that changed, and why continuity was lost if it was."""

    changed: bool
    lost: str = ""


_NOTHING: Final = Applied(False)
_CHANGED: Final = Applied(True)


class TrackedBook:
    """One market's book together with the proof of its continuity."""

    __slots__ = (
        "_hashes",
        "_last_hash",
        "_last_trade",
        "_pending",
        "_provable",
        "_recent_trades",
        "_snapshot_ms",
        "book",
        "book_seq",
        "evidence",
        "gaps",
        "instrument",
        "reason",
        "reloads",
        "state",
        "timestamp_ms",
    )

    def __init__(self, instrument: Instrument) -> None:
        self.evidence = Evidence()
        self.gaps = 0
        """Losses of continuity."""
        self.reloads = 0
        """Full books taken as the new truth."""
        self._recent_trades: deque[str] = deque(maxlen=RECENT_TRADES)
        self._start_epoch(instrument)

    def _start_epoch(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.book = Book(instrument.grid)
        self.book_seq = 0
        """Messages applied since the last full book."""
        self.state: BookState = "EMPTY"
        self.reason = "waiting for the first book"
        self.timestamp_ms = 0
        """Venue time of the newest message applied."""
        self._snapshot_ms = 0
        self._last_trade = ""
        self._last_hash: dict[Outcome, str] = {}
        self._pending: list[_Pending] = []
        self._provable = True
        tick_text = instrument.tick_text
        parts = (instrument.min_size_text, tick_text, instrument.neg_risk)
        self._hashes: dict[Outcome, BookHash] = {
            "YES": BookHash(instrument.market, instrument.yes_token, *parts),
            "NO": BookHash(instrument.market, instrument.no_token, *parts),
        }

    @property
    def synced(self) -> bool:
        """Only a synced book may be quoted on."""
        return self.state == "SYNCED"

    def lose(self, reason: str) -> None:
        """Stop believing the book; its levels stay for show until a full book comes."""
        if self.state == "SYNCED":
            self.gaps += 1
        if self.state != "EMPTY":
            self.state, self.reason = "SUSPECT", reason

    def resyncing(self) -> None:
        """A fresh book has been asked for."""
        if self.state == "SUSPECT":
            self.state = "RESYNCING"

    def change_tick(self, tick_text: str) -> None:
        """A new tick size starts a new epoch: nothing is known until a full book comes on the new grid.

        Raises:
            MalformedMessage: the tick is no fraction of a dollar.
        """
        changed = msgspec.structs.replace(self.instrument, tick_text=tick_text)
        try:
            changed.grid  # noqa: B018 - the property checks the text
        except UnitError as error:
            raise MalformedMessage(str(error)) from error
        self._start_epoch(changed)
        self.reason = f"tick changed to {tick_text}: waiting for a book on the new grid"

    def apply_book(self, message: MarketMessage) -> Applied:
        """Take a full book of either token.

        Raises:
            MalformedMessage: a level is off the grid or no number, a price stands twice, or the book is crossed.
        """
        outcome = self._outcome(message.asset_id)
        timestamp = message.timestamp
        if timestamp < self.timestamp_ms and self.state == "SYNCED":
            return _NOTHING
        if message.tick_size and message.tick_size != self.instrument.tick_text:
            raise MalformedMessage(f"book on tick {message.tick_size[:20]!r}, market on {self.instrument.tick_text!r}")
        bids, asks = self._levels(message.bids, outcome, "bid"), self._levels(message.asks, outcome, "ask")
        if outcome == "NO":
            bids, asks = asks, bids
        if bids and asks and max(bids)[0] >= min(asks)[0]:
            raise MalformedMessage("crossed book")
        last_trade = message.last_trade_price or self._last_trade
        same = self.state == "SYNCED" and self.book.holds(bids, asks)
        if not same:
            self.book.replace(bids, asks)
            self.reloads += 1
            self.book_seq = 0
            self._last_hash.clear()
        self._judge_pending(timestamp)
        self.state, self.reason = "SYNCED", ""
        self.timestamp_ms, self._snapshot_ms, self._last_trade = timestamp, timestamp, last_trade
        self._self_test(outcome, message.hash)
        return _NOTHING if same else _CHANGED

    def apply_changes(self, message: MarketMessage) -> Applied:
        """Apply the level changes of one message.

        The entry of the other token is the same change seen in the mirror, so each level is written once; touch and
        hash are compared for both (real-data.md 6).

        Raises:
            MalformedMessage: an entry is off the grid, no number, or of a stranger's token.
        """
        changes = message.price_changes
        if changes is None:
            raise MalformedMessage("price_change without price_changes")
        timestamp = message.timestamp
        entries = [(self._outcome(change.asset_id), change) for change in changes]
        writes = dict.fromkeys(self._write(outcome, change) for outcome, change in entries)
        if self.state != "SYNCED":
            return _NOTHING
        if timestamp < self.timestamp_ms:
            self._count_stale(entries, timestamp)
            return _NOTHING
        if timestamp > self.timestamp_ms and (lost := self._judge_pending(timestamp)):
            return Applied(False, lost)
        for side, tick, size, _ in writes:
            if size and self.book.crosses(side, tick):
                return self._lost("a change crosses the book")
        for side, tick, size, text in writes:
            self.book.side(side).put(tick, size, text)
        self.timestamp_ms = timestamp
        self.book_seq += 1
        for outcome, change in entries:
            if change.hash:
                self._prove(outcome, change.hash)
            if not self._touch_agrees(outcome, change.best_bid, change.best_ask):
                return self._lost("best bid or ask differs from the venue's")
        return _CHANGED

    def compare_touch(self, message: MarketMessage) -> Applied:
        """Compare a ``best_bid_ask`` with the book, if it speaks of the book we have.

        Raises:
            MalformedMessage: a price is off the grid.
        """
        outcome = self._outcome(message.asset_id)
        if self.state != "SYNCED" or message.timestamp < self.timestamp_ms:
            return _NOTHING
        if self._touch_agrees(outcome, message.best_bid, message.best_ask):
            return _NOTHING
        return self._lost("best bid or ask differs from the venue's")

    def remember_trade(self, price_text: str) -> None:
        """Keep the price of a trade as a candidate for the last-trade part of the hash."""
        try:
            text = f"{parse_micro(price_text) / 1e6:.3f}"
        except UnitError:
            return
        self._recent_trades.append(text)

    def settle_pending(self) -> None:
        """No message will follow: what is still unexplained stays so."""
        self._pending.clear()

    # What follows reads and checks; only the methods above change the book.

    def _outcome(self, token: str) -> Outcome:
        outcome = self.instrument.outcome_of(token)
        if outcome is None:
            raise MalformedMessage("token does not belong to the market")
        return outcome

    def _levels(self, levels: Iterable[WireLevel] | None, outcome: Outcome, side: Side) -> list[PricedLevel]:
        if levels is None:
            raise MalformedMessage(f"book without {side}s")
        grid = self.instrument.grid
        read = [_level(grid, outcome, level.price, level.size) for level in levels]
        if len({tick for tick, _, _ in read}) != len(read):
            raise MalformedMessage(f"a price stands twice among the {side}s")
        return read

    def _write(self, outcome: Outcome, change: WireChange) -> tuple[Side, Ticks, Shares, str]:
        tick, size, text = _level(self.instrument.grid, outcome, change.price, change.size)
        buys_yes = (change.side == "BUY") == (outcome == "YES")
        return ("bid" if buys_yes else "ask", tick, size, text)

    def _touch_agrees(self, outcome: Outcome, best_bid: str, best_ask: str) -> bool:
        """Compare a stated touch with ours; an absent side is stated as "0" or "1" (polymarket-api.md 5.2)."""
        if not best_bid and not best_ask:
            return True
        book, grid = self.book, self.instrument.grid
        bid, ask = book.best_bid, book.best_ask
        if outcome == "NO":
            bid, ask = (None if ask is None else Ticks(grid.k - ask)), (None if bid is None else Ticks(grid.k - bid))
        self.evidence.top_checked += 1
        agrees = bid == _touch(grid, best_bid, "0") and ask == _touch(grid, best_ask, "1")
        self.evidence.top_agreed += agrees
        return agrees

    def _prove(self, outcome: Outcome, stated: str) -> None:
        """Compare the hash stated by a change; an unexplained difference waits for the next millisecond."""
        if not self._provable:
            return
        if not self._hash_fits(outcome, stated):
            if self.timestamp_ms == self._snapshot_ms:
                self.evidence.hash_explained += 1  # already contained in the full book of the same millisecond
            else:
                self._pending.append(_Pending(outcome, stated))
        if self._pending:
            self._explain_pending(outcome)

    def _hash_fits(self, outcome: Outcome, stated: str) -> bool:
        """Our book's hash is the stated one, if need be with another last trade; counts the comparison."""
        self.evidence.hash_checked += 1
        levels = self.book.hash_levels(outcome)
        self._last_hash[outcome] = ours = self._hashes[outcome].of(self.timestamp_ms, levels, self._last_trade)
        if ours == stated:
            self.evidence.hash_agreed += 1
            return True
        candidates = (*reversed(self._recent_trades), *ALL_LAST_TRADES)
        found = self._hashes[outcome].find_last_trade(stated, self.timestamp_ms, levels, candidates)
        if found is None:
            return False
        self._last_trade, self._last_hash[outcome] = found, stated
        self.evidence.hash_explained += 1
        return True

    def _explain_pending(self, outcome: Outcome) -> None:
        """Messages of one millisecond may all carry the hash of the last of them (real-data.md 4)."""
        now = _Pending(outcome, self._last_hash[outcome])
        before = len(self._pending)
        self._pending = [waiting for waiting in self._pending if waiting != now]
        self.evidence.hash_explained += before - len(self._pending)

    def _self_test(self, outcome: Outcome, stated: str) -> None:
        """Reproduce the hash of a full book; if that fails only the touch is checked from here on, and it shows."""
        self._provable = bool(stated) and self._hash_fits(outcome, stated)
        if not self._provable:
            self.reason = "hash not reproducible: only the touch is checked"

    def _judge_pending(self, timestamp: int) -> str:
        """Time has moved on: hashes still waiting are wrong. Returns the reason when continuity is lost."""
        if not self._pending or timestamp <= self.timestamp_ms:
            return ""
        self._pending.clear()
        self.lose("book hash differs from the venue's")
        return self.reason

    def _count_stale(self, entries: list[tuple[Outcome, WireChange]], timestamp: int) -> None:
        """A change older than the book is dropped; its hash is of a book we no longer have (real-data.md 5)."""
        stated = sum(1 for _, change in entries if change.hash)
        self.evidence.hash_checked += stated
        self.evidence.hash_explained += stated

    def _lost(self, reason: str) -> Applied:
        self.lose(reason)
        return Applied(True, reason)


def _level(grid: Grid, outcome: Outcome, price: str, size: str) -> PricedLevel:
    try:
        tick = grid.ticks(price)
        return (tick if outcome == "YES" else Ticks(grid.k - tick), Shares(parse_micro(size)), size)
    except UnitError as error:
        raise MalformedMessage(str(error)) from error


def _touch(grid: Grid, text: str, absent: str) -> Ticks | None:
    if text == absent or not text:
        return None
    try:
        return grid.ticks(text)
    except UnitError as error:
        raise MalformedMessage(str(error)) from error
