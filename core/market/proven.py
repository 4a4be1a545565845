"""A book, the newest changes in it, and what their hashes prove of it.

Knows nothing of states: whether the book is believed is decided in :mod:`core.market.continuity`.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

from core.events import MarketMessage, RestBook
from core.market.book import Book
from core.market.doubt import Changes, Doubt, Moment, Unexplained
from core.market.instrument import Instrument
from core.market.lens import Entry, FullBook, Lenses
from core.market.proof import FITS, Evidence, ProofPolicy, Prover, last_trade_text
from core.units import Outcome, Shares, Ticks

RECENT_HASHES: Final = 64
"""Stated hashes by which a message is known to have been applied."""
NEAR_TICKS: Final = 4
"""Distance from the touch in which a trade that is not told yet is looked for first."""


class ProvenBook:
    """One market's book in the YES frame, with the comparisons of its touch and hashes."""

    __slots__ = (
        "_contained",
        "_doubt",
        "_lenses",
        "_moment",
        "_newest",
        "_prover",
        "_recent",
        "_snapshot_ms",
        "_touch",
        "_unchecked",
        "_weakness",
        "book",
        "book_seq",
        "evidence",
        "instrument",
        "newest_ms",
        "policy",
        "proven_s",
        "reloads",
        "timestamp_ms",
    )

    def __init__(self, instrument: Instrument, policy: ProofPolicy | None) -> None:
        self.policy = ProofPolicy() if policy is None else policy
        self.evidence = Evidence()
        self.reloads = 0
        """Full books taken as the new truth."""
        self.proven_s: float | None = None
        """Last hash that agreed or full book that was taken, monotonic seconds; None before the first."""
        self.newest_ms = 0
        """Newest venue time that was told of this book; a new grid does not change it."""
        self._recent: deque[str] = deque(maxlen=RECENT_HASHES)
        self._doubt = Doubt()
        self._open(instrument)

    def _open(self, instrument: Instrument) -> None:
        """Begin with an empty book on the instrument's grid."""
        self.instrument = instrument
        self.book = Book(instrument.grid)
        self.book_seq = 0
        """Messages applied since the last full book."""
        self.timestamp_ms = 0
        """Venue time of the newest message applied."""
        self._touch = self.book.touch
        self._lenses = Lenses(self.book, instrument.yes_token, instrument.no_token)
        self._prover = Prover(instrument)
        self._weakness = ""
        """Why hashes prove nothing at present; "" while they do."""
        self._snapshot_ms = 0
        """Venue time of the last full book that was taken."""
        self._contained: set[Changes] = set()
        """Changes of that time which are in it."""
        self._newest: Changes = ()
        """The newest change applied; none right after a full book."""
        self._moment: Moment | None = None
        """All changes of its millisecond, when there are several."""
        self._unchecked = 0
        """Changes applied since the last one that was proven."""
        self._recent.clear()
        self._doubt.forget()

    # What is known

    @property
    def provable(self) -> bool:
        """Hashes can be reproduced; otherwise only the touch is checked."""
        return not self._weakness

    @property
    def last_trade(self) -> str:
        """Price text of the market's last trade as the hash has it, three decimals; "" while it is not known."""
        return self._prover.last_trade

    def stated_hash(self, token: str) -> str:
        """The hash the venue would state for a token's book as it stands."""
        outcome = self._lenses.lens(token).outcome
        return self._prover.digest(outcome, self.timestamp_ms, self.book.hash_levels(outcome))

    def levels_of(self, read: RestBook) -> tuple[dict[Ticks, Shares], dict[Ticks, Shares]]:
        """Bids and asks of a book of either token in the YES frame.

        Raises:
            MalformedMessage: it cannot be read on our grid, is crossed, or of a stranger's token.
        """
        told = self._lenses.full_book(read)
        return told.bids, told.asks

    def same_levels(self, read: RestBook) -> bool:
        """A book of either token has our levels.

        Raises:
            MalformedMessage: see :meth:`levels_of`.
        """
        return self.levels_of(read) == (self.book.bids.sizes, self.book.asks.sizes)

    def remember_trade(self, price_text: str) -> None:
        """Keep the price of a trade as a candidate for the last-trade part of the hash."""
        self._prover.remember_trade(price_text)

    # What is written

    def _write(self, entries: Iterable[Entry]) -> bool:
        """Set levels one by one; False when one would cross the book."""
        book = self.book
        for entry in entries:
            side, tick, size = entry.side, entry.tick, entry.size
            if side.sizes.get(tick, 0) != size:
                if size and book.crosses("bid" if side.is_bid else "ask", tick):
                    return False
                side.put(tick, size, entry.change.size)
        return True

    def _pass_to(self, timestamp: int, changes: Changes) -> None:
        """A change was applied: it is the newest, and one of several unless its millisecond is new."""
        if timestamp > self.timestamp_ms:
            self._moment = None
        else:
            if self._moment is None:
                self._moment = Moment(self._newest)
            self._moment.take(changes)
        self.timestamp_ms = self.newest_ms = timestamp
        self._newest = changes
        self._recent.append(changes[0].hash)
        self.book_seq += 1
        self._unchecked += 1

    def _made_of(self, told: FullBook) -> Book:
        book = Book(self.instrument.grid)
        book.bids.replace(told.bids, told.bid_texts)
        book.asks.replace(told.asks, told.ask_texts)
        return book

    def _adopt(self, fresh: Book) -> None:
        """Let a full book take the place of ours."""
        self.book, self._touch = fresh, fresh.touch
        self._lenses.look_at(fresh)
        self.reloads += 1
        self.book_seq = 0

    def _begin_at(self, timestamp: int) -> None:
        """Nothing was changed since the full book of this time."""
        self.timestamp_ms = self.newest_ms = self._snapshot_ms = timestamp
        self._newest, self._moment, self._contained = (), None, set()

    # What is compared

    def _touch_fits(self, entries: list[Entry]) -> bool:
        """The book has the touch that its changes state; from now on its spelling is known."""
        touch, evidence = self.book.touch, self.evidence
        if touch != self._touch:
            self._touch = touch
            self._lenses.keep_touch(touch)
        for entry in entries:
            if entry.touch is not None:
                evidence.top_checked += 1
                if entry.touch != touch:
                    return False
                evidence.top_agreed += 1
        return True

    def _prove(self, now: float) -> bool:
        """Compare what the newest change states with our book; False when that is the second time in vain.

        Messages of one millisecond may all carry the hash of the last of them, so a hash that does not fit waits until
        time has moved on (real-data.md 4).
        """
        doubt = self._doubt
        fits = [
            self._compare(outcome, stated, self.timestamp_ms, now) for outcome, stated in self._stated(self._newest)
        ]
        if fits and all(fits):
            self._proven(now)
        elif doubt.older_than(self.timestamp_ms):
            return False
        self._explain()
        return True

    def _stated(self, changes: Changes) -> list[tuple[Outcome, str]]:
        """The hashes of a change that are compared: the last of one token, of YES when there is one, or of both."""
        outcomes = self._lenses.of
        last: dict[Outcome, str] = {outcomes[one.asset_id].outcome: one.hash for one in changes if one.hash}
        if not self.policy.both and "YES" in last:
            return [("YES", last["YES"])]
        return list(last.items())

    def _compare(
        self, outcome: Outcome, stated: str, timestamp: int, now: float, book: MarketMessage | None = None
    ) -> bool:
        """Whether a stated hash is that of our book; one that is not waits for an explanation.

        ``book`` is the full book that states it, if one does: it follows a trade, whose price it is worth to look for.
        """
        levels = self.book.hash_levels(outcome)
        likely = self._likely_trades() if timestamp == self.timestamp_ms else ()
        last_trade = "" if book is None else book.last_trade_price
        verdict = self._prover.judge(
            outcome, stated, timestamp, levels, now, last_trade, likely, thorough=book is not None
        )
        self.evidence.count(verdict)
        if verdict not in FITS:
            self._doubt.unexplained.append(Unexplained(timestamp, outcome, stated))
        return verdict in FITS

    def _likely_trades(self) -> Iterator[str]:
        """Where a trade that is not told yet was probably made: at the newest change, or near the touch."""
        grid, (bid, ask) = self.book.grid, self.book.touch
        changed = [self._lenses.of[change.asset_id].tick(change.price) for change in self._newest]
        near = [tick for distance in range(NEAR_TICKS) for tick in (bid - distance, ask + distance)]
        for tick in dict.fromkeys([*changed, *near]):
            if 0 < tick < grid.k:
                yield last_trade_text(tick * grid.tick_usd)
                yield last_trade_text((grid.k - tick) * grid.tick_usd)

    def _proven(self, now: float) -> None:
        """A hash of the newest message fits: so does everything before it."""
        if self._unchecked > 1:
            self.evidence.hash_skipped += self._unchecked - 1
        self._unchecked, self.proven_s = 0, now
        if self._doubt.since_s is not None:
            self._doubt.pass_to(self.timestamp_ms)

    def _explain(self) -> None:
        """Hashes of this millisecond that our book has by now need no other explanation."""
        doubt, left = self._doubt, []
        for one in doubt.unexplained:
            levels = self.book.hash_levels(one.outcome)
            if one.hash == self._prover.digest(one.outcome, one.timestamp_ms, levels):
                self.evidence.hash_explained += 1
                self.evidence.explained_same_ms += 1
            else:
                left.append(one)
        doubt.unexplained = left

    def _count_beside(self, changes: Changes, entries: list[Entry]) -> None:
        """A change that is in the full book states its hash, or that of one before it which we never had."""
        evidence, agreed = self.evidence, self.evidence.hash_agreed
        for outcome, stated in self._stated(changes):
            levels = self.book.hash_levels(outcome)
            if stated == self._prover.digest(outcome, self._snapshot_ms, levels):
                evidence.count("agrees")
            else:
                evidence.hash_checked += 1
                evidence.hash_explained += 1
                evidence.explained_contained += 1
        told = [entry.touch for entry in entries if entry.touch is not None]
        if evidence.hash_agreed > agreed and all(touch == self.book.touch for touch in told):
            evidence.top_checked += len(told)
            evidence.top_agreed += len(told)

    def _follows(self, timestamp: int, changes: Changes, entries: list[Entry]) -> bool:
        """Our book would have the hash that a change states, were it applied now."""
        trial = self.book.copy()
        for entry in entries:
            (trial.bids if entry.side.is_bid else trial.asks).put(entry.tick, entry.size, entry.change.size)
        return any(
            stated == self._prover.digest(outcome, timestamp, trial.hash_levels(outcome))
            for outcome, stated in self._stated(changes)
        )
