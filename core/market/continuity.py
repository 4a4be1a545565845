"""Whether a book may be believed, and what its messages prove.

Owns one market's :class:`Book` and its state (EMPTY, SYNCED, SUSPECT, RESYNCING). The venue numbers nothing; every
change carries the hash of the whole book after it, and the touch (polymarket-api.md 5.3, 5.4). A message is checked
whole before it is applied: what is refused changes nothing here.
"""

from collections import deque
from typing import Final, NamedTuple

import msgspec

from core.errors import MalformedMessage
from core.events import MarketMessage, WireChange, WireLevel
from core.market.book import ALL_LAST_TRADES, Book, BookHash, BookSide
from core.market.instrument import Instrument
from core.units import Outcome, Shares, Side, Ticks, UnitError, grid_of, parse_micro
from core.views import BookState

STALE_RUN: Final = 25
"""Messages in a row older than the book that say it is the book that is wrong; 4 were the most seen (real-data.md)."""
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


class _Lens:
    """How the messages of one token are read in the YES frame."""

    __slots__ = ("_grid", "_touches", "buys", "outcome", "sells", "ticks")

    def __init__(self, book: Book, outcome: Outcome) -> None:
        self._grid = book.grid
        self.outcome = outcome
        self.buys, self.sells = (book.bids, book.asks) if outcome == "YES" else (book.asks, book.bids)
        self.ticks: dict[str, Ticks] = {}
        """Price texts met so far."""
        self._touches: dict[tuple[str, str], tuple[int, int]] = {}
        """Stated touches met so far."""

    def tick(self, price_text: str) -> Ticks:
        """The YES tick of a price text.

        Raises:
            UnitError: it is off the grid.
        """
        tick = self._grid.ticks(price_text)
        if self.outcome == "NO":
            tick = self._grid.complement(tick)
        if len(self.ticks) < _KEPT_TEXTS:
            self.ticks[price_text] = tick
        return tick

    def touch(self, best_bid: str, best_ask: str) -> tuple[int, int] | None:
        """YES bid and ask of a stated touch, 0 and K for the "0" and "1" of an empty side; None when not stated.

        Raises:
            UnitError: a price is off the grid.
        """
        known = self._touches.get((best_bid, best_ask))
        if known is not None or not (best_bid or best_ask):
            return known
        k = self._grid.k
        bid = 0 if best_bid in ("0", "") else self._grid.ticks(best_bid)
        ask = k if best_ask in ("1", "") else self._grid.ticks(best_ask)
        touch = (bid, ask) if self.outcome == "YES" else (k - ask, k - bid)
        if len(self._touches) < _KEPT_TEXTS:
            self._touches[best_bid, best_ask] = touch
        return touch


_Entry = tuple[_Lens, WireChange, BookSide, Ticks, Shares, tuple[int, int] | None]
"""A change and how it reads in the YES frame: side, tick, size, stated touch."""
_KEPT_TEXTS: Final = 20_000
_NOTHING: Final = Applied(False)
UPDATED: Final = Applied(True)
"""The book changed and is believed."""


class TrackedBook:
    """One market's book together with the proof of its continuity."""

    __slots__ = (
        "_hashes",
        "_last_hash",
        "_last_trade",
        "_lenses",
        "_pending",
        "_provable",
        "_recent_trades",
        "_snapshot_ms",
        "_stale_run",
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
        self._stale_run = 0
        self._last_trade = ""
        self._last_hash: dict[Outcome, str] = {}
        self._pending: list[_Pending] = []
        self._provable = True
        tick_text = instrument.tick_text
        parts = (instrument.min_size_text, tick_text, instrument.neg_risk)
        self._lenses = {
            instrument.yes_token: _Lens(self.book, "YES"),
            instrument.no_token: _Lens(self.book, "NO"),
        }
        self._hashes: dict[Outcome, BookHash] = {
            "YES": BookHash(instrument.market, instrument.yes_token, *parts),
            "NO": BookHash(instrument.market, instrument.no_token, *parts),
        }

    @property
    def synced(self) -> bool:
        """Only a synced book may be quoted on."""
        return self.state == "SYNCED"

    @property
    def last_trade(self) -> str:
        """Price text of the market's last trade as the hash has it, three decimals; "" while it is not known."""
        return self._last_trade

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
        try:
            grid_of(tick_text)
        except UnitError as error:
            raise MalformedMessage(str(error)) from error
        self._start_epoch(msgspec.structs.replace(self.instrument, tick_text=tick_text))
        self.reason = f"tick changed to {tick_text}: waiting for a book on the new grid"

    def apply_book(self, message: MarketMessage) -> Applied:
        """Take a full book of either token.

        Raises:
            MalformedMessage: a level is off the grid or no number, a price stands twice, or the book is crossed.
        """
        outcome = self._outcome(message.asset_id)
        timestamp = message.timestamp
        if message.tick_size and message.tick_size != self.instrument.tick_text:
            raise MalformedMessage(f"book on tick {message.tick_size[:20]!r}, market on {self.instrument.tick_text!r}")
        lens = self._lenses[message.asset_id]
        bid_sizes, bid_texts = self._read_levels(message.bids, lens, "bid")
        ask_sizes, ask_texts = self._read_levels(message.asks, lens, "ask")
        if outcome == "NO":
            bid_sizes, bid_texts, ask_sizes, ask_texts = ask_sizes, ask_texts, bid_sizes, bid_texts
        if bid_sizes and ask_sizes and max(bid_sizes) >= min(ask_sizes):
            raise MalformedMessage("crossed book")
        if timestamp < self.timestamp_ms and self.state == "SYNCED":
            return self._stale()
        self._stale_run = 0
        if self._is_same(outcome, message):
            return _NOTHING
        last_trade = message.last_trade_price or self._last_trade
        bids, asks = self.book.bids, self.book.asks
        same = self.state == "SYNCED" and bids.sizes == bid_sizes and asks.sizes == ask_sizes
        if not same:
            bids.replace(bid_sizes, bid_texts)
            asks.replace(ask_sizes, ask_texts)
            self.reloads += 1
            self.book_seq = 0
            self._last_hash.clear()
        self._judge_pending(timestamp)
        self.state, self.reason = "SYNCED", ""
        self.timestamp_ms, self._snapshot_ms, self._last_trade = timestamp, timestamp, last_trade
        self._self_test(outcome, message.hash)
        return _NOTHING if same else UPDATED

    def apply_changes(self, message: MarketMessage) -> Applied:
        """Apply the level changes of one message.

        The entry of the other token is the same change seen in the mirror, so it finds its level already written;
        touch and hash are compared for both (real-data.md 6).

        Raises:
            MalformedMessage: an entry is off the grid, no number, or of a stranger's token.
        """
        entries = self._read_changes(message)
        timestamp = message.timestamp
        if self.state != "SYNCED":
            return _NOTHING
        if timestamp < self._snapshot_ms:
            self._count_stale(entries)
            return self._stale()
        if timestamp < self.timestamp_ms:
            return self._lost("a change is older than one already applied")
        if self._pending and (lost := self._judge_pending(timestamp)):
            return Applied(False, lost)
        self._stale_run = 0
        book = self.book
        for _, change, side, tick, size, _ in entries:
            if side.sizes.get(tick, 0) != size:
                if size and book.crosses("bid" if side.is_bid else "ask", tick):
                    return self._lost("a change crosses the book")
                side.put(tick, size, change.size)
        self.timestamp_ms = timestamp
        self.book_seq += 1
        touch, evidence = book.touch, self.evidence
        for lens, change, _, _, _, stated in entries:
            if change.hash:
                self._prove(lens.outcome, change.hash)
            if stated is not None:
                evidence.top_checked += 1
                if stated != touch:
                    return self._lost("best bid or ask differs from the venue's")
                evidence.top_agreed += 1
        return UPDATED

    def _read_changes(self, message: MarketMessage) -> list[_Entry]:
        """The entries of a message in the YES frame, all of them checked."""
        changes = message.price_changes
        if changes is None:
            raise MalformedMessage("price_change without price_changes")
        lenses = self._lenses
        try:
            return [
                (
                    lens := lenses[change.asset_id],
                    change,
                    lens.buys if change.side == "BUY" else lens.sells,
                    lens.ticks.get(change.price) or lens.tick(change.price),
                    Shares(parse_micro(change.size)),
                    lens.touch(change.best_bid, change.best_ask),
                )
                for change in changes
            ]
        except UnitError as error:
            raise MalformedMessage(str(error)) from error
        except KeyError as error:
            raise MalformedMessage("token does not belong to the market") from error

    def compare_touch(self, message: MarketMessage) -> Applied:
        """Compare a ``best_bid_ask`` with the book, if it speaks of the book we have.

        Raises:
            MalformedMessage: a price is off the grid.
        """
        self._outcome(message.asset_id)
        try:
            stated = self._lenses[message.asset_id].touch(message.best_bid, message.best_ask)
        except UnitError as error:
            raise MalformedMessage(str(error)) from error
        if self.state != "SYNCED" or message.timestamp < self.timestamp_ms or stated is None:
            return _NOTHING
        self.evidence.top_checked += 1
        if stated == self.book.touch:
            self.evidence.top_agreed += 1
            return _NOTHING
        return self._lost("best bid or ask differs from the venue's")

    def remember_trade(self, price_text: str) -> None:
        """Keep the price of a trade as a candidate for the last-trade part of the hash."""
        try:
            text = f"{parse_micro(price_text) / 1e6:.3f}"
        except UnitError:
            return
        self._recent_trades.append(text)

    def stated_hash(self, token: str) -> str:
        """The hash the venue would state for a token's book as it stands."""
        outcome = self._outcome(token)
        return self._hashes[outcome].of(self.timestamp_ms, self.book.hash_levels(outcome), self._last_trade)

    def settle_pending(self) -> None:
        """No message will follow: what is still unexplained stays so."""
        self._pending.clear()

    def _is_same(self, outcome: Outcome, message: MarketMessage) -> bool:
        """A full book whose hash is that of our book at its time is our book: nothing has to be replaced.

        The venue repeats both tokens' books after every trade (real-data.md 8).
        """
        if self.state != "SYNCED" or not self._provable or not message.hash:
            return False
        last_trade = message.last_trade_price or self._last_trade
        if message.hash != self._last_hash.get(outcome):
            levels = self.book.hash_levels(outcome)
            if self._hashes[outcome].of(message.timestamp, levels, last_trade) != message.hash:
                return False
        if self._judge_pending(message.timestamp):
            return False
        self.evidence.hash_checked += 1
        self.evidence.hash_agreed += 1
        self._last_hash[outcome], self._last_trade = message.hash, last_trade
        self.timestamp_ms = self._snapshot_ms = message.timestamp
        self._explain_waiting()
        return True

    # What follows reads and checks; only the methods above change the book.

    def _outcome(self, token: str) -> Outcome:
        outcome = self.instrument.outcome_of(token)
        if outcome is None:
            raise MalformedMessage("token does not belong to the market")
        return outcome

    def _read_levels(
        self, levels: tuple[WireLevel, ...] | None, lens: _Lens, side: Side
    ) -> tuple[dict[Ticks, Shares], dict[Ticks, str]]:
        """Sizes and their texts by YES tick, all checked; levels of size zero do not exist."""
        if levels is None:
            raise MalformedMessage(f"book without {side}s")
        known, read = lens.ticks, lens.tick
        try:
            texts = {known.get(level.price) or read(level.price): level.size for level in levels}
            sizes = {tick: Shares(parse_micro(text)) for tick, text in texts.items()}
        except UnitError as error:
            raise MalformedMessage(str(error)) from error
        if len(texts) != len(levels):
            raise MalformedMessage(f"a price stands twice among the {side}s")
        if 0 in sizes.values():
            sizes = {tick: size for tick, size in sizes.items() if size}
        return sizes, texts

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
        if self._provable:
            self._explain_waiting()
        else:
            self.reason = "hash not reproducible: only the touch is checked"

    def _explain_waiting(self) -> None:
        """A proven full book holds what the messages of its millisecond did: their hashes need no other proof."""
        self.evidence.hash_explained += len(self._pending)
        self._pending.clear()

    def _judge_pending(self, timestamp: int) -> str:
        """Time has moved on: hashes still waiting are wrong. Returns the reason when continuity is lost."""
        if not self._pending or timestamp <= self.timestamp_ms:
            return ""
        self._pending.clear()
        self.lose("book hash differs from the venue's")
        return self.reason

    def _count_stale(self, entries: list[_Entry]) -> None:
        """A change older than the book is dropped; its hash is of a book we no longer have (real-data.md 5)."""
        stated = sum(1 for entry in entries if entry[1].hash)
        self.evidence.hash_checked += stated
        self.evidence.hash_explained += stated

    def _stale(self) -> Applied:
        """An old message is normal after a full book; a long run of them means that the book's stamp was false."""
        self._stale_run += 1
        return self._lost("the venue's messages are older than our book") if self._stale_run >= STALE_RUN else _NOTHING

    def _lost(self, reason: str) -> Applied:
        self.lose(reason)
        return Applied(True, reason)
