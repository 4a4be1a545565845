"""Whether a book may be believed, and what its messages prove.

Owns one market's :class:`Book` and its state (EMPTY, SYNCED, SUSPECT, RESYNCING). The venue numbers nothing; every
change carries the hash of the whole book after it, and the touch (polymarket-api.md 5.3, 5.4). A message is checked
whole before it is applied: what is refused changes nothing here.

A SYNCED book without a doubt equals the venue's as of the newest message that came, whatever was lost, repeated,
delayed or told in another order; among messages of one millisecond the last to arrive counts as the newest. Where a
message does not say enough the book is in doubt, which the next hash that fits ends, or the loss of continuity.
"""

from typing import Final

import msgspec

from core.errors import MalformedMessage, OffTick
from core.events import MarketMessage, RestBook, WireChange
from core.market.book import BookSide
from core.market.doubt import DOUBT_SEC, KEPT_MESSAGES, Changes
from core.market.lens import Entry, FullBook, Lens
from core.market.proof import FITS, Evidence, ProofPolicy, fits_its_hash
from core.market.state import BEHIND, DISTRUSTED, NOTHING, UPDATED, Applied, StatefulBook
from core.units import Outcome, Shares, Ticks, UnitError, parse_micro, read_micro

__all__ = ["BEHIND", "DOUBT_SEC", "UPDATED", "Applied", "Evidence", "ProofPolicy", "TrackedBook"]

REPEATED_SEC: Final = 0.5
"""Time after the proof of a book within which its full book says nothing new."""
PASSES: Final = 2
"""Full books in a row that must fit their hashes before hashes count again."""
CROWDED: Final = "more changes in one millisecond than can be told apart"
UNPROVABLE: Final = "hash not reproducible: only the touch is checked"


class TrackedBook(StatefulBook):
    """One market's book together with the proof of its continuity. ``now`` is monotonic seconds everywhere."""

    __slots__ = ()

    def has_stated(self, token: str, hash_text: str, now: float) -> bool:
        """The newest change stated this hash of a token's book, and nothing speaks against it.

        A while after its proof the book is worth to be read again: it is a sign of life then.
        """
        if self.proven_s is None or now - self.proven_s > REPEATED_SEC:
            return False
        if self.state != "SYNCED" or self._doubt.since_s is not None or self._weakness:
            return False
        return any(one.hash == hash_text and one.asset_id == token for one in self._newest)

    def refuted_by(self, read: RestBook) -> bool:
        """A read shows what we had when we lost the book, and what the channel told since: nothing had been missed.

        Raises:
            MalformedMessage: see :meth:`levels_of`.
        """
        if self.state in ("EMPTY", "SYNCED") or read.timestamp < self.timestamp_ms:
            return False
        book = self.book.copy()
        for message in self._backlog.since(0):
            if message.timestamp <= read.timestamp:
                for one in self._lenses.changes(message.price_changes):
                    (book.bids if one.side.is_bid else book.asks).put(one.tick, one.size, one.change.size)
        return self.levels_of(read) == (book.bids.sizes, book.asks.sizes)

    # Changes

    def apply_changes(self, message: MarketMessage, now: float) -> Applied:
        """Apply the level changes of one message.

        The usual one is a pair: one level, and the same seen from the other token (real-data.md 6). It is read once;
        anything else goes the longer way.

        Raises:
            MalformedMessage: an entry is off the grid, no number, or of a stranger's token.
        """
        changes, timestamp = message.price_changes, message.timestamp
        if not self._calm or changes is None or len(changes) != 2 or timestamp <= self.timestamp_ms:
            return self._apply(message, now)
        first, second = changes
        lens = self._lenses.of.get(first.asset_id)
        if lens is None:
            return self._apply(message, now)
        other, known = lens.other, lens.prices.get(first.price)
        if (
            known is None
            or second.price != known[1]
            or second.size != first.size
            or second.side == first.side
            or second.asset_id != other.token
        ):
            return self._apply(message, now)
        side, tick = lens.buys if first.side == "BUY" else lens.sells, known[0]
        if (
            first.best_bid == lens.bid_text
            and first.best_ask == lens.ask_text
            and second.best_bid == other.bid_text
            and second.best_ask == other.ask_text
        ):
            is_behind = side.put_keeping_touch(tick, first.size)
            if is_behind is None:
                return self._apply(message, now)
        elif self._move_touch(lens, side, tick, first, second):
            is_behind = False
        else:
            return self._apply(message, now)
        self.timestamp_ms = self.newest_ms = timestamp
        self._newest = changes
        self._recent.append(first.hash)
        self.book_seq += 1
        evidence, policy = self.evidence, self.policy
        evidence.top_checked += 2
        evidence.top_agreed += 2
        unchecked = self._unchecked = self._unchecked + 1
        if unchecked < policy.every or self._weakness:  # the touch that it states is all that can be checked
            return BEHIND if is_behind else UPDATED
        stated = first.hash if lens.outcome == "YES" else second.hash
        if policy.both or stated != self._prover.digest("YES", timestamp, self.book.hash_levels("YES")):
            return self._conclude(message, now)
        evidence.hash_checked += 1
        evidence.hash_agreed += 1
        evidence.hash_skipped += unchecked - 1
        self._unchecked, self.proven_s = 0, now
        return BEHIND if is_behind else UPDATED

    def _move_touch(self, lens: Lens, side: BookSide, tick: Ticks, first: WireChange, second: WireChange) -> bool:
        """Set a level if that gives the book the touch that both entries state; returns whether it was done."""
        try:
            size = Shares(read_micro(first.size))
        except UnitError:
            return False
        best = side.best_after(tick, size)
        bid, ask = touch = (best, self._touch[1]) if side.is_bid else (self._touch[0], best)
        if bid >= ask or touch == self._touch:
            return False
        text, k = self.book.grid.text, self.book.grid.k
        yes, no = (text(bid), text(ask)), (text(k - ask), text(k - bid))
        mine, theirs = (yes, no) if lens.outcome == "YES" else (no, yes)
        if (first.best_bid, first.best_ask) != mine or (second.best_bid, second.best_ask) != theirs:
            return False
        side.put(tick, size, first.size)
        self._touch = touch
        lens.bid_text, lens.ask_text = mine
        lens.other.bid_text, lens.other.ask_text = theirs
        return True

    def _apply(self, message: MarketMessage, now: float) -> Applied:
        """Apply changes of any kind to a book in any state."""
        try:
            entries = self._lenses.changes(message.price_changes)
        except OffTick as error:
            return self._off_tick(message, error, now)
        timestamp, changes = message.timestamp, message.price_changes
        if not changes:
            raise MalformedMessage("price_change without price_changes")
        if self.state != "SYNCED":
            return self._keep(message, now)
        if timestamp < self.timestamp_ms:
            return self._late(timestamp, changes, entries, now)
        if timestamp == self.timestamp_ms:
            if changes == self._newest or (self._moment is not None and self._moment.has(changes)):
                self.duplicates += 1
                return NOTHING
            if timestamp == self._snapshot_ms and not self._newest and self.provable:
                told = self._beside_snapshot(message, changes, entries, now)
                if told is not None:
                    return told
        self._stale_run.end()
        released = self._release(timestamp, changes, entries) if timestamp > self.timestamp_ms else []
        if not (self._write(released) and self._write(entries)):
            return self._lost("a change crosses the book", now, message)
        if any(one.side.sizes.get(one.tick, 0) != one.size for one in entries):
            return self._lost("a message contradicts itself", now, message)
        self._pass_to(timestamp, changes)
        if self._moment is not None and self._moment.is_full:
            return self._lost(CROWDED, now, message)
        if not self._touch_fits(entries):
            return self._lost("best bid or ask differs from the venue's", now, message)
        return self._conclude(message, now)

    def _off_tick(self, message: MarketMessage, error: OffTick, now: float) -> Applied:
        """A change that our grid does not have: the change of tick was missed, and what follows cannot be told."""
        if self.state == "SYNCED":
            return self._lost(f"{error}; the tick may have changed", now, message)
        return self._keep(message, now)

    def _release(self, timestamp: int, changes: Changes, entries: list[Entry]) -> list[Entry]:
        """Time has moved on from the full book's millisecond: what was held back goes before the new change.

        Unless that fits without it.
        """
        held = self._doubt.held
        if not held:
            return []
        came_before = self._follows(timestamp, changes, entries)
        released = [] if came_before else [e for one in held for e in self._lenses.changes(one.price_changes)]
        held.clear()
        return released

    def _conclude(self, message: MarketMessage, now: float) -> Applied:
        """A change was applied: prove it if its turn has come or something is in doubt."""
        doubt = self._doubt
        was_in_doubt = doubt.since_s is not None
        wanted = self._unchecked >= self.policy.every or was_in_doubt
        if self.provable and wanted and not self._prove(now):
            return self._lost(doubt.words, now, message)
        self._settle(now)
        if was_in_doubt and doubt.since_s is not None:
            self._backlog.keep(message)
        return UPDATED

    def _beside_snapshot(
        self, message: MarketMessage, changes: Changes, entries: list[Entry], now: float
    ) -> Applied | None:
        """A change of the full book's own millisecond is in it or came after it (real-data.md, point 5).

        It is in the book when the book has its levels or its hash, and comes next when its hash fits then: None. Others
        are held back until the next millisecond tells.
        """
        doubt, ms = self._doubt, self._snapshot_ms
        if changes in self._contained or any(changes == one.price_changes for one in doubt.held):
            self.duplicates += 1
        elif len(self._contained) + len(doubt.held) >= KEPT_MESSAGES:
            return self._lost(CROWDED, now, message)
        elif all(one.side.sizes.get(one.tick, 0) == one.size for one in entries) or any(
            one.change.hash == self._prover.digest(one.lens.outcome, ms, self.book.hash_levels(one.lens.outcome))
            for one in entries
        ):
            self._contained.add(changes)
            self._count_beside(changes, entries)
        elif not doubt.held and self._follows(ms, changes, entries):
            return None
        else:
            doubt.held.append(message)
            self._settle(now)
            self._backlog.keep(message)
        return NOTHING

    def _late(self, timestamp: int, changes: Changes, entries: list[Entry], now: float) -> Applied:
        """A change older than the book was applied already, or is in the full book, or was missed; proof tells.

        One that would fit as the next has a false stamp, and our book lacks it.
        """
        if changes[0].hash and changes[0].hash in self._recent:
            self.duplicates += 1
            return NOTHING
        self.stale += 1
        stated = len(self._stated(changes))
        self.evidence.hash_checked += stated
        self.evidence.hash_explained += stated
        self.evidence.explained_older += stated
        if timestamp >= self._snapshot_ms:
            doubt = self._doubt
            if self._unchecked and doubt.since_s is None and self.provable and not self._prove(now):
                return self._lost(doubt.words, now)
            if (self._unchecked and not doubt.unexplained) or self._follows(timestamp, changes, entries):
                return self._lost("a change is older than one already applied", now)
            self._settle(now)
        return self._run_on(timestamp, now)

    # Full books

    def apply_book(self, message: MarketMessage, now: float) -> Applied:
        """Take a full book of either token.

        One that is older than what the channel told already is ignored.

        Raises:
            MalformedMessage: a level is off the grid or no number, a price stands twice, or the book is crossed.
        """
        told = self._lenses.full_book(message)
        timestamp, book = message.timestamp, self.book
        if timestamp < self.newest_ms:
            if message.hash and message.hash in self._recent:
                self.duplicates += 1
                return NOTHING
            self.stale += 1
            return self._run_on(timestamp, now)
        self._stale_run.end()
        same = self.state == "SYNCED" and told.bids == book.bids.sizes and told.asks == book.asks.sizes
        if self.state != "SYNCED" or not self.provable:
            return self._take_on_trust(message, told, same, now)
        if same:
            return self._take_same(message, told.outcome, now)
        return self._take_other(message, told, now)

    def _take_on_trust(self, message: MarketMessage, told: FullBook, same: bool, now: float) -> Applied:
        """A full book that nothing can be held against: the first one, or one while hashes prove nothing."""
        fresh, timestamp = self._made_of(told), message.timestamp
        fits = False
        if message.hash:
            levels = fresh.hash_levels(told.outcome)
            verdict = self._prover.judge(
                told.outcome, message.hash, timestamp, levels, now, message.last_trade_price, thorough=self.provable
            )
            self.evidence.count(verdict)
            fits = verdict in FITS
        other_tick = "" if fits or not message.hash else self._prover.tick_of(message)
        if other_tick and self.state != "SYNCED":
            self.reason = f"the book is on tick {other_tick}, ours on {self.instrument.tick_text}"
        if other_tick or self._is_outdated(timestamp, fresh.touch):
            self.newest_ms = timestamp
            return NOTHING
        self._passes = self._passes + 1 if fits else 0
        if not fits:
            self._weakness = self._weakness or UNPROVABLE
        elif self._passes >= PASSES:
            self._weakness = ""
        waiting = self._backlog.since(timestamp) if self.provable else []
        if not same:
            self._adopt(fresh)
        self._rest_on(timestamp, now)
        self._recent.append(message.hash)
        for change in waiting:
            self.apply_changes(change, now)
        return NOTHING if same else UPDATED

    def _take_same(self, message: MarketMessage, outcome: Outcome, now: float) -> Applied:
        """The book we have, as it is told after every trade (real-data.md 8)."""
        if not message.hash:
            return NOTHING
        timestamp, is_newer = message.timestamp, message.timestamp > self.timestamp_ms
        self._recent.append(message.hash)
        fits = self._compare(outcome, message.hash, timestamp, now, message)
        if fits and is_newer:
            self._rest_on(timestamp, now)
        elif fits:
            self._proven(now)
            self._explain()
        elif self._doubt.older_than(timestamp):
            return self._lost(self._doubt.words, now)
        elif is_newer:
            self._begin_at(timestamp)
        self._settle(now)
        return NOTHING

    def _take_other(self, message: MarketMessage, told: FullBook, now: float) -> Applied:
        """Another book than ours: changes were missed, or are still to come."""
        timestamp, outcome, doubt = message.timestamp, told.outcome, self._doubt
        waiting = [one for one in doubt.unexplained if one.timestamp_ms == timestamp]
        is_awaited = timestamp > self.timestamp_ms or message.hash in [one.hash for one in waiting]
        if not is_awaited and self._was_told(message):
            self.duplicates += 1
            return NOTHING
        fresh = self._made_of(told)
        levels = fresh.hash_levels(outcome)
        verdict = self._prover.judge(
            outcome, message.hash, timestamp, levels, now, message.last_trade_price, thorough=True
        )
        self.evidence.count(verdict)
        if verdict not in FITS:
            self.newest_ms = timestamp
            return self._lost("a full book differs from ours, and does not fit its own hash", now)
        self._adopt(fresh)
        self._rest_on(timestamp, now)
        self._recent.append(message.hash)
        doubt.unexplained.extend(waiting)
        self._explain()
        self._settle(now)
        return UPDATED

    def _was_told(self, message: MarketMessage) -> bool:
        """A change or a full book has told this full book before."""
        if message.hash in self._recent:
            return True
        return self._moment is not None and self._moment.states(message.asset_id, message.hash)

    # Recovery

    def recover(self, read: RestBook, confirmed: bool, now: float) -> str:
        """Take a book of POST /books as the new truth, and replay on it what the channel told since.

        It has to fit its own hash, not to be older than what the channel told, and to be confirmed or proven by a
        change after it. What it says of the market otherwise (minimum size, neg risk) is right.

        Args:
            read: book of either token.
            confirmed: POST /prices states its best bid and ask.
            now: monotonic seconds.

        Returns:
            "" when the book is believed; else why not, in words, and nothing has changed.
        """
        if self.synced and self._doubt.since_s is None:
            return ""
        try:
            trial = self._trial(read, now)
        except (MalformedMessage, UnitError) as error:
            return str(error)
        for change in self._backlog.since(read.timestamp):
            if lost := trial.apply_changes(change, now).lost:
                return f"a change since then does not fit: {lost}"
        proven = trial.book_seq > 0 and not trial._unchecked
        if trial._doubt.unexplained or (trial._doubt.held and not confirmed):
            return f"a change since then is in doubt: {trial.doubt}"
        if trial.timestamp_ms < self.newest_ms:
            return "it is older than what the channel told"
        if self._backlog.lost_ms >= read.timestamp and not proven:
            return "changes since then were not kept"
        if self._is_outdated(trial.timestamp_ms, trial.book.touch):
            return "the channel told another best bid or ask"
        if not (confirmed or proven):
            return "neither POST /prices nor a change confirms it"
        self._become(trial, now)
        return ""

    def _trial(self, read: RestBook, now: float) -> "TrackedBook":
        """A book of its own that rests on the read.

        Raises:
            MalformedMessage: it cannot be read on our grid, does not fit its own hash, or is of a stranger's market.
            UnitError: its minimum size is no number.
        """
        instrument, distrusted = self.instrument, self._weakness == DISTRUSTED
        fits = fits_its_hash(read)
        if read.market != instrument.market:
            raise MalformedMessage("book of another market")
        if fits:
            instrument = msgspec.structs.replace(
                instrument,
                min_size=Shares(parse_micro(read.min_order_size)),
                min_size_text=read.min_order_size,
                neg_risk=read.neg_risk,
            )
        trial = TrackedBook(instrument, ProofPolicy(both=self.policy.both))
        told = trial._lenses.full_book(read)
        trial._prover.learn(self._prover, read.last_trade_price)
        trial._adopt(trial._made_of(told))
        trial._passes = self._passes + 1 if fits else 0
        trial._weakness = DISTRUSTED if distrusted and trial._passes < PASSES else ""
        trial._rest_on(read.timestamp, now)
        if not distrusted and trial.stated_hash(read.asset_id) != read.hash:
            raise MalformedMessage("it does not fit its own hash")
        return trial

    def _become(self, trial: "TrackedBook", now: float) -> None:
        """Take everything that a book of its own has proven."""
        for name in _PROVEN:
            setattr(self, name, getattr(trial, name))
        self._recent.extend(trial._recent)
        self.evidence.add(trial.evidence)
        self.reloads += 1
        if self.state != "SYNCED":
            self.state, self.since_s = "SYNCED", now
        self._touch_told = None
        self._doubt.forget()
        self._stale_run.end()
        self._settle(now)


_PROVEN: Final = (
    "_contained",
    "_lenses",
    "_moment",
    "_newest",
    "_passes",
    "_prover",
    "_snapshot_ms",
    "_touch",
    "_unchecked",
    "_weakness",
    "book",
    "book_seq",
    "instrument",
    "newest_ms",
    "proven_s",
    "reason",
    "timestamp_ms",
)
"""What a book that was recovered has from its trial."""
